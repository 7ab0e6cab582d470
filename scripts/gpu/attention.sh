#!/usr/bin/env bash
# Speed of the attention kernels beside FlashAttention 2 (torch's varlen_attn) and 3 (fa3-fwd):
#   scripts/gpu/attention.sh FASTA [BUNDLE]
# Needs python3; peers that are not installed are left out.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
fasta=$(realpath "$1")
bundle=${2:+$(realpath "$2")}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/attention_peers.py" --lengths "$fasta" >"$work/lengths"
tests=(cargo test --release --locked --lib --)
if [ -n "$bundle" ]; then
    "$here/unpack.sh" "$bundle/runner_tests.xz" "$work/tests"
    tests=("$work/tests")
fi
RUNNER_LENGTHS=$work/lengths "${tests[@]}" --ignored --nocapture speed_of_attention
python3 "$here/attention_peers.py" "$work/lengths"
