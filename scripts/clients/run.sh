#!/usr/bin/env bash
# run.sh PROGRAM PYTHON [FOLDER]: the program writes what the demo model makes of a few proteins, in every format, and
# programs that others read such files with open them, without network. PYTHON is that of install.sh's environment.
# FOLDER keeps the files.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runner=$(realpath "$1") python=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
model=$here/../../examples/models/esm2_t6_2M_demo
if [ $# -gt 2 ]; then
    mkdir -p "$3"
    folder=$(cd "$3" && pwd)
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
alone=()
for how in "unshare -rn" "unshare -n"; do
    if $how true 2>/dev/null; then
        alone=($how)
        break
    fi
done
[ ${#alone[@]} -gt 0 ] || echo "no namespaces here: clients could use the network" >&2

"$python" "$here/clients.py" prepare "$model" "$folder"
"$runner" -q exec "$here/outputs.rhai" -- "$model" "$folder"
"${alone[@]}" "$python" "$here/clients.py" check "$model" "$folder"
