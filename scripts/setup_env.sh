# shellcheck shell=bash
# Sourced by run_ranking.sh and run_tests.sh: sets $root, $python and `setup_env`.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
python=$venv/bin/python
unset PYTHONPATH PYTHONHOME # other people's packages must not be found before the ones in .venv

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 2
}

# The first Python >= 3.11 that runs (a pyenv shim may be there and not run) and can make a venv.
find_python() {
    local name found=
    for name in python3.13 python3.12 python3.11 python3 python; do
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
        if "$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
        found=${found:-$name}
    done
    [[ -z $found ]] || die "$found cannot make virtual environments; on Debian and Ubuntu: sudo apt install $found-venv"
    die "needs Python 3.11 or newer and found none; get it from https://www.python.org/downloads/"
}

# setup_env EXTRAS: the checkout installed in .venv with these extras. The stamp is written after
# success, so an interrupted installation is taken up again; it names what it was made from.
setup_env() {
    local base clear='' stamp=$venv/.photorank-$1 wanted
    wanted=$(printf '%s\n' "$root" && cat "$root/pyproject.toml")
    if [[ -x $python && -f $stamp && $(<"$stamp") == "$wanted" ]]; then return; fi

    printf 'Installing into %s: the first time takes minutes and several GB ...\n' "$venv" >&2
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        base=$(find_python)
        [[ -x $python ]] || clear=--clear # nothing that runs is lost
        "$base" -m venv ${clear:+"$clear"} "$venv" >&2 || die "$base could not make $venv (see above)"
    fi
    PIP_USER=0 "$python" -m pip install --editable "${root}[$1]" >&2 ||
        die "pip could not install photorank (see above); with network and disk space, run this again"
    printf '%s\n' "$wanted" >"$stamp"
}
