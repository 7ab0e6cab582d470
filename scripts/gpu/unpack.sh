#!/usr/bin/env bash
# Unpacks what scripts/gpu/bundle.sh packed, into a file that can be run:
#   scripts/gpu/unpack.sh BUNDLE/NAME.xz FILE
set -euo pipefail
if command -v xz >/dev/null; then
    xz -dc "$1" >"$2"
else
    python3 -c 'import lzma, shutil, sys
shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' "$1" >"$2"
fi
chmod +x "$2"
