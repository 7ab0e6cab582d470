#!/usr/bin/env bash
# Whether the memory of a model goes back to the driver when the model goes:
#   scripts/gpu/unload.sh MODEL FASTA [SEQUENCES]
# RUNNER names the program. Beside each line stands what nvidia-smi says of the first GPU at that moment.
# Expected: the three lines of f32 have the same memory within 5%, those of bf16 and f16 less, and where
# nothing is loaded some hundred MB are left, which are the context and the kernels.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
"$runner" --quiet exec "$here/unload.rhai" -- "$@" | while read -r line; do
    echo "$line; nvidia-smi: $(nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader)"
done | tee /dev/stderr | awk '
    { used = $(NF - 1) }
    /^f32/ { if (!first) first = used; if (used > 1.05 * first) failed = 1 }
    /^b?f16/ { if (used >= first) failed = 1 }
    /^nothing/ { if (used > first / 2 && used > 1000) failed = 1 }
    END { print failed || NR != 7 ? "memory is KEPT" : "all memory came back"; exit failed || NR != 7 }'
