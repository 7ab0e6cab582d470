#!/usr/bin/env bash
# Whether every kind of answer has the same bits on one GPU and on all of a machine: vectors of sequences and residues,
# logits, joined windows, contacts, scores and perplexities:
#   scripts/gpu/several.sh FASTA MODEL...
# FASTA may be compressed with gzip. RUNNER names the program. A MODEL needs heads for logits and contacts, as those of
# scripts/gpu/random_esm2.py have.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
fasta=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nvidia-smi -L
failed=0
for model in "$@"; do
    name=$(basename "$model")
    for device in cuda:0 all; do
        mkdir -p "$work/$name/$device"
        echo "$name on $device"
        status=0
        "$runner" --quiet exec "$here/several.rhai" -- "$model" "$fasta" "$device" "$work/$name/$device" || status=$?
        # 7 says that records were rejected: the script asks for sequences of some lengths.
        [ "$status" = 0 ] || [ "$status" = 7 ] || exit "$status"
    done
    for file in mean.npy mean.ids.txt residues.npy residues.offsets.npy logits.npy windows.npy windows.ids.txt pairs.csv scores.csv perplexity.csv; do
        if [ -s "$work/$name/all/$file" ] && cmp "$work/$name/cuda:0/$file" "$work/$name/all/$file"; then
            echo "$name $file: the same, $(stat -c %s "$work/$name/all/$file") bytes"
        else
            echo "$name $file: NOT the same"
            failed=1
        fi
    done
done
[ "$failed" = 0 ] && echo "all answers are the same on one GPU and on all" || echo "answers DIFFER"
exit "$failed"
