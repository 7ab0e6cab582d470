#!/usr/bin/env bash
# Tokens per second on this machine's GPU, one block of lines a model:
#   scripts/gpu/bench.sh FASTA MODEL...
# RUNNER names the program, SEQUENCES how many sequences to embed (6000), DTYPE the number format,
# PRODUCTS which products are of 8-bit numbers in int8, as in qkv,out,fc1,fc2.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
fasta=$1
shift
runner=${RUNNER:-$here/../../target/release/runner}
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader
for model in "$@"; do
    "$runner" --quiet exec "$here/bench.rhai" -- "$model" "$fasta" "${SEQUENCES:-6000}" "${DTYPE:-bf16}" ${PRODUCTS:+"$PRODUCTS"}
done
