#!/usr/bin/env bash
# Embeddings of a large model in bf16 and f16 against HF transformers in f32 on the same GPU, for 64
# sequences of 3 to 1,022 residues, and then against the program's own f32, for the proteins of `runner parity`:
#   scripts/gpu/parity.sh MODEL FASTA [BUNDLE]
# FASTA may be compressed with gzip. Needs python3 with torch, transformers and safetensors. It adds
# golden files, and vocab.txt where that is missing, to the model's folder.
set -euo pipefail
model=$(realpath "$1")
fasta=$(realpath "$2")
bundle=${3:+$(realpath "$3")}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -e "$model/vocab.txt" ] || cp examples/models/esm2_t6_2M_demo/vocab.txt "$model/"
python3 - "$fasta" >"$model/golden.fasta" <<'PYTHON'
import gzip, sys
opener = gzip.open if sys.argv[1].endswith("gz") else open
records = opener(sys.argv[1], "rt").read(4_000_000).split(">")[1:-1]
long = [s for s in ("".join(r.split("\n")[1:]) for r in records) if len(s) >= 1022]
for n in range(64):
    print(f">s{n}\n{long[n % len(long)][: 3 + n * 1019 // 63]}")
PYTHON
DEVICE=cuda python3 scripts/golden/golden.py "$model"
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
RUNNER_GOLDEN=$model "${tests[@]}" --ignored --nocapture gpu::a_large_model
for dtype in bf16 f16; do
    "${runner[@]}" parity "$model" --device cuda --dtype "$dtype" --least 0.998
done
