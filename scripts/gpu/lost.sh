#!/usr/bin/env bash
# What becomes of a job on all GPUs of a machine when a kernel that traps takes one of them in mid-run (and the
# driver the others of the process): the program begins anew, goes on, and its output has the bits of an undisturbed run:
#   scripts/gpu/lost.sh MODEL FASTA SEQUENCES SECONDS [LIBRARY]
# SECONDS from the start of the program until the kernel runs. LIBRARY is lost.c compiled elsewhere, where there is no
# C compiler. RUNNER names the program, KEEP a folder for both outputs: where pyarrow is missing, `same_bits.py`
# compares them on another machine.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
model=$1 fasta=$2 sequences=$3 seconds=$4 library=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$library" ]; then
    library=$work/lost.so
    cc -shared -fPIC -O1 -o "$library" "$here/lost.c" -ldl -lpthread
fi
job() { "$runner" --no-progress exec "$here/lost.rhai" -- "$model" "$fasta" "$sequences" "$work/$1.parquet"; }
job whole
for ((gpu = 0; gpu < $(nvidia-smi -L | wc -l); gpu++)); do
    LD_PRELOAD=$(realpath "$library") LOSE_AFTER=$seconds LOSE_GPU=$gpu job "lost-$gpu"
    "$runner" verify "$work/lost-$gpu.parquet"
    python3 "$here/same_bits.py" "$work/whole.parquet" "$work/lost-$gpu.parquet" || failed=1
done
[ -z "${KEEP:-}" ] || cp "$work"/*.parquet "$KEEP/"
exit "${failed:-0}"
