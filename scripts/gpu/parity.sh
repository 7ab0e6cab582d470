#!/usr/bin/env bash
# All figures of `runner parity` in bf16, f16 and, on Hopper, int8 against f32 on the same GPU, for its 50 proteins, model by model; of a
# small one in f32, too, against f32 on the CPU:
#   scripts/gpu/parity.sh target/real_weights target/random/650M
# A MODEL that is missing and called like a size, such as 650M, is made of random numbers, which needs numpy. BUNDLE
# names what scripts/gpu/bundle.sh packed, where the program is not to be built.
#   FASTA=proteins.fasta scripts/gpu/parity.sh MODEL
# compares before that embeddings with those of HF transformers in f32 on the same GPU, for 64 sequences of 3 to 1,022
# residues. FASTA may be compressed with gzip. It needs torch, transformers and safetensors, and adds golden files, and
# vocab.txt where that is missing, to the model's folder. PYTHON is the Python that has what is needed.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/!p}' "$0"; exit 2; }
models=()
for model in "$@"; do models+=("$(realpath -m "$model")"); done
fasta=${FASTA:+$(realpath "$FASTA")}
bundle=${BUNDLE:+$(realpath "$BUNDLE")}
python=${PYTHON:-python3}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tests=(cargo test --release --locked --test it --)
runner=(cargo run --release --locked --quiet --)
if [ -n "$bundle" ]; then
    # Whole runs start readers from the program.
    scripts/gpu/unpack.sh "$bundle/runner.xz" "$work/runner"
    runner=("$work/runner")
    export RUNNER_READER=$work/runner
    if [ -n "$fasta" ]; then
        scripts/gpu/unpack.sh "$bundle/it_tests.xz" "$work/it_tests"
        tests=("$work/it_tests")
    fi
fi

against_transformers() {
    local model=$1
    [ -e "$model/vocab.txt" ] || cp examples/models/esm2_t6_2M_demo/vocab.txt "$model/"
    "$python" - "$fasta" >"$model/golden.fasta" <<'PYTHON'
import gzip, sys
opener = gzip.open if sys.argv[1].endswith("gz") else open
records = opener(sys.argv[1], "rt").read(4_000_000).split(">")[1:-1]
long = [s for s in ("".join(r.split("\n")[1:]) for r in records) if len(s) >= 1022]
for n in range(64):
    print(f">s{n}\n{long[n % len(long)][: 3 + n * 1019 // 63]}")
PYTHON
    DEVICE=cuda "$python" scripts/golden/golden.py "$model"
    RUNNER_GOLDEN=$model "${tests[@]}" --ignored --nocapture a_large_model
}

# int8 is for Hopper alone; its tests ask for themselves.
capabilities=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader)
capability=${capabilities%%$'\n'*}
failed=0
for model in "${models[@]}"; do
    [ -e "$model" ] || "$python" scripts/gpu/random_esm2.py "$(basename "$model")" "$model"
    [ -z "$fasta" ] || against_transformers "$model" || failed=1
    for dtype in bf16 f16; do
        "${runner[@]}" parity "$model" --device cuda --dtype "$dtype" --least 0.998 || failed=1
        echo
    done
    if [ "$capability" = 9.0 ]; then
        for products in qkv,out,fc1 qkv,out,fc1,fc2; do
            "${runner[@]}" parity "$model" --device cuda --dtype int8 --int8-products "$products" --least 0.998 || failed=1
            echo
        done
    else
        printf 'SKIPPED: int8 takes compute capability 9.0, and this GPU has %s\n\n' "$capability"
    fi
    # A large one takes minutes on a CPU.
    if [ "$(du -smL "$model" | cut -f 1)" -lt 200 ]; then
        "${runner[@]}" parity "$model" --device cuda --dtype f32 --reference cpu --least 0.99999 || failed=1
        echo
    fi
done
exit "$failed"
