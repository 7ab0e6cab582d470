#!/usr/bin/env bash
# Whether the program compiles for 64-bit ARM, and whether what computes on the CPU is right there, on a machine that is none:
#   scripts/package/arm.sh [TEST...]
# Checks the library, then runs its tests whose names have one of the words in them (ops::cpu) under qemu, which is slow and
# tells nothing of speed. GPUs and downloads are left out. Needs: rustup target add aarch64-unknown-linux-gnu, and of Debian or Ubuntu
# gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/arm}
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
arguments=(--locked --target aarch64-unknown-linux-gnu --lib --no-default-features)
cargo check "${arguments[@]}"
# Optimised a little: under qemu the tests take minutes otherwise, and gemm-f16 has instructions in it that only what it is
# inlined into may have.
CARGO_PROFILE_DEV_DEBUG=0 cargo test "${arguments[@]}" --config 'profile.dev.package.runner.opt-level=1' \
    --config 'profile.dev.package.gemm-f16.opt-level=3' -- "${@:-ops::cpu}"
