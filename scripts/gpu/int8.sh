#!/usr/bin/env bash
# Tokens per second, watts and joules in bf16 and in int8, default products and all four, one after the other, and bf16
# again, for each model:
#   scripts/gpu/int8.sh FASTA MODEL...
# RUNNER and SEQUENCES are those of scripts/gpu/bench.sh. It needs a Hopper GPU.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,/^set/{/^set/!p}' "$0" >&2; exit 2; }
here=$(dirname "$(realpath "$0")")
fasta=$1
shift
for model in "$@"; do
    "$here/bench.sh" "$fasta" "$model"
    DTYPE=int8 "$here/bench.sh" "$fasta" "$model"
    DTYPE=int8 PRODUCTS=qkv,out,fc1,fc2 "$here/bench.sh" "$fasta" "$model"
    "$here/bench.sh" "$fasta" "$model"
done
