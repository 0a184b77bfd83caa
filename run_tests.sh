#!/usr/bin/env bash
# ./run_tests.sh [pytest arguments]: everything that must hold before a commit.
set -euo pipefail

# shellcheck source=scripts/setup_env.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/scripts/setup_env.sh"
setup_env test,heif,parquet
cd -- "$root"
export OPENBLAS_NUM_THREADS=1 # as extract does it: the products of one photo are small

stage=$(mktemp -d)
trap 'rm -rf -- "$stage"' EXIT
failed=0

check() {
    printf '\n== %s\n' "$1"
    shift
    "$@" || failed=1
}

check_types() { # on the tree that the wheel installs: there the folders lie inside photorank/
    "$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$stage" . &&
        "$python" -m zipfile -e "$stage"/*.whl "$stage" &&
        (cd -- "$stage" && "$python" -m mypy --config-file "$root/pyproject.toml" \
            --cache-dir "$root/.mypy_cache" -p photorank)
}

check "ruff check" "$python" -m ruff check .
check "ruff format" "$python" -m ruff format --check .
check "mypy" check_types
check "pytest" "$python" -m pytest -n auto --maxprocesses 4 --dist worksteal "$@"

((failed == 0)) || die "something above failed"
