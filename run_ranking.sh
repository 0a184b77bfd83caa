#!/usr/bin/env bash
# ./run_ranking.sh [FOLDER] [flags of `photorank rank`]: rank a folder, or demo photos without one.
set -euo pipefail

# shellcheck source=scripts/setup_env.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/scripts/setup_env.sh"
setup_env demo

if [[ $# -eq 0 || $1 == -* ]] && ! [[ " $* " =~ \ (-h|--help|--input_dir)[\ =] ]]; then
    "$python" "$root/scripts/make_demo_photos.py" output/demo_photos
    set -- output/demo_photos "$@"
fi
exec "$python" "$root/scripts/run_ranking.py" --evaluate "$@"
