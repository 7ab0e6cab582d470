#!/usr/bin/env bash
# wheel.sh: makes a wheel of the release build, compiles that only where it does not stand, and tests the wheel.
# Its tag says which glibc the program needs: that of this machine or an older one. For others: manylinux.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=target/package
rm -rf "$folder/wheels"
mkdir -p "$folder"

python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet --disable-pip-version-check maturin==1.16.0
scripts/package/notices.py THIRD-PARTY.txt
"$folder/tools/bin/maturin" build --release --compression-level 9 --out "$folder/wheels"
scripts/package/test.sh "$folder"/wheels/*.whl
