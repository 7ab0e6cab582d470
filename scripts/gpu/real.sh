#!/usr/bin/env bash
# Embeddings of trained weights on the GPU, in f32, f16 and bf16 and with both forms of GELU, against the
# outputs of HF transformers in f32 that come with the project, for 22 sequences of 3 to 1,022 residues, and
# then against f32 on the same GPU and on the CPU, for the proteins of `runner parity`:
#   scripts/gpu/real.sh WEIGHTS [BUNDLE]
# WEIGHTS is the folder that `python3 scripts/golden/real_weights.py WEIGHTS` has filled, here or on a machine
# with a network; it is filled if it is empty. Needs neither torch nor transformers.
set -euo pipefail
mkdir -p "$1"
weights=$(realpath "$1")
bundle=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 scripts/golden/real_weights.py "$weights"
tests=(cargo test --release --locked --test it --)
runner=(cargo run --release --locked --quiet --)
if [ -n "$bundle" ]; then
    # Whole runs start readers from the program.
    for name in it_tests runner; do
        scripts/gpu/unpack.sh "$bundle/$name.xz" "$work/$name"
    done
    tests=("$work/it_tests")
    runner=("$work/runner")
    export RUNNER_READER=$work/runner
fi
RUNNER_REAL_WEIGHTS=$weights "${tests[@]}" --include-ignored --nocapture trained_weights_agree_with_hf_transformers --skip in_int8
# int8 is for Hopper alone.
is_hopper=$([ "$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1)" = 9.0 ] && echo yes || echo no)
if [ "$is_hopper" = yes ]; then
    RUNNER_REAL_WEIGHTS=$weights "${tests[@]}" --ignored --nocapture trained_weights_agree_with_hf_transformers_in_int8
    for products in qkv,out,fc1 qkv,out,fc1,fc2; do
        "${runner[@]}" parity "$weights" --device cuda --dtype int8 --int8-products "$products"
    done
fi
for dtype in bf16 f16; do
    "${runner[@]}" parity "$weights" --device cuda --dtype "$dtype" --least 0.998
done
"${runner[@]}" parity "$weights" --device cuda --dtype f32 --reference cpu --least 0.99999
