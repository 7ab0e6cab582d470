#!/usr/bin/env bash
# Whether a job on the GPU that is killed again and again gives the same bits, and what commits cost:
#   scripts/gpu/resume.sh MODEL FASTA [SEQUENCES [SEQUENCES_TO_TIME]]
# RUNNER names the program, KILLS how often the job is killed (5), DTYPE the number format, KEEP a folder for both
# outputs: where pyarrow is missing, `same_bits.py` compares them on another machine.
# Expected: "the same bits", and speeds with and without commits within 0.5% of each other.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
model=$1 fasta=$2 sequences=${3:-20000} timed=${4:-${3:-20000}} dtype=${DTYPE:-bf16}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
job() { "$runner" --quiet exec "$here/resume.rhai" -- "$model" "$fasta" "${3:-$sequences}" "$1" "$2" "$dtype"; }

echo "without commits, and with one a second, in turn:"
for round in 1 2 3; do
    for every in 86400 1; do
        echo "  every $every s: $(job "$work/timed.parquet" "$every" "$timed")"
        rm -f "$work/timed.parquet"
    done
done
whole=$work/whole.parquet
job "$whole" 86400
killed=$work/killed.parquet
for ((kill = 1; kill <= ${KILLS:-5}; kill++)); do
    before=$(ls "$killed.parts" 2>/dev/null | grep -c '^part-.*parquet$' || true)
    job "$killed" 0.3 &
    process=$!
    # It is killed at some moment after its first commit, or has ended.
    while kill -0 $process 2>/dev/null; do
        parts=$(ls "$killed.parts" 2>/dev/null | grep -c '^part-.*parquet$' || true)
        [ "$parts" -gt "$before" ] && break
        sleep 0.02
    done
    sleep "0.$((RANDOM % 10))"
    # The child is what runs the program.
    pkill -KILL -P $process || true
    kill -KILL $process 2>/dev/null || true
    wait $process 2>/dev/null || true
    [ -e "$killed" ] && echo "  it had ended before kill $kill"
done
"$runner" status "$killed" | head -8
job "$killed" 0.3
"$runner" verify "$killed"
[ -z "${KEEP:-}" ] || cp "$whole" "$killed" "$KEEP/"
python3 "$here/same_bits.py" "$whole" "$killed"
