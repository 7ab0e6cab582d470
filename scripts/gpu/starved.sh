#!/usr/bin/env bash
# Whether a starved GPU is seen as one: a reader that sends so many bytes a second, and what NVML, the
# GPU's own clock and nvidia-smi say of the run:
#   scripts/gpu/starved.sh MODEL FASTA [BYTES_PER_SECOND]
# RUNNER names the program. FASTA is plain text, of which 2,000 proteins are read.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=$(realpath "${RUNNER:-$here/../../target/release/runner}")
work=$(mktemp -d)
cat >"$work/reader.sh" <<SH
#!/bin/sh
'$runner' "\$@" | while :; do dd bs=16384 count=1 2>/dev/null; sleep $(python3 -c "print(16384 / ${3:-120000})"); done
SH
chmod +x "$work/reader.sh"
cat >"$work/job.rhai" <<'RHAI'
let model = esm2(args[0], #{ device: "cuda" });
let proteins = fasta(args[1]).long_sequences("truncate", 1022);
embed(model, proteins.take(200));
print(embed(model, proteins.take(2000), #{ readers: 1, monitor_hz: 10 }));
RHAI
nvidia-smi --query-gpu=utilization.gpu,power.draw --format=csv,noheader,nounits -lms 200 >"$work/smi" &
smi=$!
trap 'kill $smi 2>/dev/null; rm -rf "$work"' EXIT
RUNNER_READER=$work/reader.sh "$runner" exec "$work/job.rhai" -- "$1" "$2"
# The last four seconds, less the end of the program.
tail -n 25 "$work/smi" | head -n 20 | awk -F, '{ u += $1; w += $2 }
    END { printf "nvidia-smi: utilization %.0f%%, %.0f W\n", u/NR, w/NR }'
