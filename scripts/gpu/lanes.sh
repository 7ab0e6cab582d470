#!/usr/bin/env bash
# What several GPUs gain: tokens per second on 1, 2, 4 and 8 of them, as many as there are, without an output and
# with one, three times in turn; whether ids, order and bits are those of one GPU; and what a run on all of them
# says of itself beside nvidia-smi:
#   scripts/gpu/lanes.sh FASTA MODEL SEQUENCES [MODEL SEQUENCES]...
# SEQUENCES are those of each GPU in a timed run: 5000 of 650M and 140000 of 8M take an H100 five seconds. FASTA may
# be compressed with gzip, and is repeated until there are enough. A MODEL that is missing is made by RANDOM_WEIGHTS,
# a Python program that takes a size, which is what the folder is called, a folder and a number format. RUNNER names
# the program, KEEP a folder for the outputs: where pyarrow is missing, `same_bits.py` compares them elsewhere.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
fasta=$1
shift
gpus=$(nvidia-smi -L | wc -l)
work=$(mktemp -d)
smi=
trap '[ -z "$smi" ] || kill $smi 2>/dev/null; rm -rf "$work"' EXIT

gzip -dcf "$fasta" >"$work/once.fasta"
records=$(grep -c '^>' "$work/once.fasta")
while [ $# -gt 0 ]; do
    model=$1 sequences=$2
    shift 2
    name=$(basename "$model")
    [ -e "$model/config.json" ] || python3 "${RANDOM_WEIGHTS:?$model is missing}" "$name" "$model" f16
    for ((n = 0; n < 2 * gpus * sequences; n += records)); do cat "$work/once.fasta"; done >"$work/proteins.fasta"
    mkdir "$work/$name"
    nvidia-smi --query-gpu=index,utilization.gpu,power.draw --format=csv,noheader,nounits -lms 500 >"$work/smi" &
    smi=$!
    "$runner" --quiet exec "$here/lanes.rhai" -- "$work/proteins.fasta" "$model" "$gpus" "$sequences" "$work/$name"
    kill $smi
    smi=
    # The last run alone: the last six seconds, less those in which the program ends.
    tail -n $((12 * gpus)) "$work/smi" | head -n $((9 * gpus)) | awk -F, '{ n[$1]++; u[$1] += $2; w[$1] += $3; all += $3 }
        END { for (gpu in n) printf "nvidia-smi of GPU %d: utilization %.0f%%, %.0f W\n", gpu, u[gpu]/n[gpu], w[gpu]/n[gpu]
              printf "nvidia-smi of all: %.0f W\n", all / n[0] }'
    [ -z "${KEEP:-}" ] || cp -r "$work/$name" "$KEEP/"
    for output in "$work/$name"/[2-8].parquet; do
        [ ! -e "$output" ] || python3 "$here/same_bits.py" "$work/$name/1.parquet" "$output" || failed=1
    done
done
exit "${failed:-0}"
