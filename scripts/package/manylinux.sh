#!/usr/bin/env bash
# manylinux.sh [FOLDER]: compiles the wheel for every Linux with glibc 2.28 or newer (Debian 10, RHEL 8, Ubuntu 20.04), and
# tests it. All crates are compiled, in a folder of its own, by the profile `dist`; zig is the C compiler and links.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "${1:-target/manylinux}"
folder=$(realpath "${1:-target/manylinux}")
rm -rf "$folder/wheels"

python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet --disable-pip-version-check maturin==1.16.0 ziglang==0.17.1
scripts/package/notices.py THIRD-PARTY.txt
# The libraries of CUDA are opened at run time: none of this machine's has a say in what is compiled.
env --unset=CUDA_PATH --unset=LD_LIBRARY_PATH PATH="$folder/tools/bin:$PATH" nice -n 19 \
    maturin build --zig --profile dist --compression-level 9 --compatibility manylinux_2_28 \
    --target "$(uname -m)-unknown-linux-gnu" --target-dir "$folder" --out "$folder/wheels"
scripts/package/promises.sh "$folder"/wheels/*.whl
scripts/package/test.sh "$folder"/wheels/*.whl
