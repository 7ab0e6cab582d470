#!/usr/bin/env bash
# Builds the program and its tests and packs them into a folder, for a GPU machine without Rust:
#   scripts/gpu/bundle.sh build/bundle     # here; then copy the checkout and the folder
#   scripts/gpu/check.sh build/bundle      # there
# The tests look for their files where the checkout lies here.
set -euo pipefail
cd "$(dirname "$0")/../.."
bundle=${1:?the folder to pack into}
mkdir -p "$bundle"

cargo build --release --locked
cargo test --release --locked --no-run --lib --test it
pack() { xz -6 --threads=0 --stdout "$1" >"$bundle/$2.xz"; }
pack "${CARGO_TARGET_DIR:-target}/release/runner" runner
# Cargo names each test binary; the library's unit tests and the tests of embeddings run on a GPU.
cargo test --release --locked --no-run --lib --test it 2>&1 |
    sed -n 's/.*Executable.*(\(.*\))/\1/p' |
    while read -r binary; do
        name=$(basename "$binary")
        pack "$binary" "${name%-*}_tests"
    done
ls -l "$bundle"
