#!/usr/bin/env bash
# Whether a run on the second GPU is watched there, however the GPU is named, and what two runs at once do:
#   scripts/gpu/second.sh MODEL FASTA
# RUNNER names the program. Needs two GPUs; beside each run stands what nvidia-smi says of both.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/job.rhai" <<'RHAI'
let model = esm2(args[0], #{ device: args[2] });
let proteins = fasta(args[1]).take(3000).long_sequences("truncate", 1022);
embed(model, proteins, #{ readers: 4 });
let run = embed(model, proteins, #{ readers: 4, monitor_hz: 10 });
let sample = run.samples[run.samples.len / 2];
print(`${model.device}: ${run.tokens_per_sec.to_int()} tokens/s; NVML: utilization ${sample.gpu_utilization}, ${sample.gpu_power_watts} W, ${sample.gpu_memory_bytes / 1000000} MB`);
RHAI
beside() {
    nvidia-smi --query-gpu=index,utilization.gpu,power.draw,memory.used --format=csv,noheader -lms 500 >"$work/smi" &
    local smi=$!
    "$@"
    kill "$smi"
    tail -n 6 "$work/smi" | head -n 2
}
run() { "$runner" -q exec "$work/job.rhai" -- "$model" "$fasta" "$1"; }
model=$1 fasta=$2
echo "== cuda:1"
beside run cuda:1
echo "== CUDA_VISIBLE_DEVICES=1, cuda"
CUDA_VISIBLE_DEVICES=1 beside run cuda
echo "== CUDA_VISIBLE_DEVICES=1,0, cuda:1, which is the first"
CUDA_VISIBLE_DEVICES=1,0 beside run cuda:1
echo "== the second by its UUID"
beside run "$(nvidia-smi -L | sed -n '2s/.*UUID: \(GPU-[^)]*\)).*/\1/p')"
echo "== both at once"
run cuda:0 &
run cuda:1
wait
