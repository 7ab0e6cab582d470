#!/usr/bin/env bash
# install.sh FOLDER: the programs that read our outputs, from PyPI into a virtual environment. Nothing is done where
# those of requirements.txt are there already.
set -euo pipefail
wanted=$(cd "$(dirname "$0")" && pwd)/requirements.txt
if ! cmp -s "$wanted" "$1/installed.txt"; then
    rm -rf "$1"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --requirement "$wanted"
    cp "$wanted" "$1/installed.txt"
fi
