#!/usr/bin/env bash
# Tokens per second of the encoder on this machine's CPU, beside esm-cpp on the same sequences.
#
# Usage: scripts/bench/cpu.sh MODEL_DIR FASTA [N_SEQUENCES]
#
# The two programs alternate, three times each, in f32, or ours in what DTYPE says, such as bf16.
# esm-cpp has no call for the encoder alone, so its figure includes its language-model head (1.5% of the arithmetic at 8M). It is measured if
# `python3 -c "import esm_cpp"` works: pip install "numpy<2" esm-cpp
set -euo pipefail
model=$1
fasta=$2
n_sequences=${3:-200}
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
python=${PYTHON:-python3}

job=$(mktemp --suffix .rhai)
trap 'rm -f "$job"' EXIT
cat > "$job" <<'RHAI'
let model = esm2(args[0], #{ device: "cpu", dtype: args[3] });
let proteins = fasta(args[1]).take(parse_int(args[2])).long_sequences("truncate", 1022);
let run = embed(model, proteins);
print(`runner: ${run.tokens} tokens, ${(run.tokens / run.encoder_seconds).to_int()} tok/s`);
RHAI

for _ in 1 2 3; do
  "$runner" --quiet exec "$job" -- "$model" "$fasta" "$n_sequences" "${DTYPE:-f32}"
  if "$python" -c "import esm_cpp" 2> /dev/null; then
    "$python" "$here/esm_cpp_peer.py" "$model" "$fasta" "$n_sequences"
  fi
done
