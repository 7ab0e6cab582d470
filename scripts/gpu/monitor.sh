#!/usr/bin/env bash
# What monitoring costs, and what it says beside nvidia-smi:
#   scripts/gpu/monitor.sh MODEL FASTA [SEQUENCES]
# RUNNER names the program. REPORT names a page to write, TRACE a trace.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
log=$(mktemp)
nvidia-smi --query-gpu=utilization.gpu,power.draw,clocks.sm,memory.used --format=csv,noheader,nounits -lms 500 >"$log" &
smi=$!
trap 'kill $smi 2>/dev/null; rm -f "$log"' EXIT
"$runner" --quiet exec "$here/monitor.rhai" ${REPORT:+--report "$REPORT"} ${TRACE:+--trace "$TRACE"} -- "$@"
# The last run alone: the last four seconds, less those in which the program ends.
tail -n 10 "$log" | head -n 7 | awk -F, '{ u += $1; w += $2; c += $3; m = $4 }
    END { printf "nvidia-smi at its end: utilization %.0f%%, %.0f W, %.0f MHz, %.0f MiB\n", u/NR, w/NR, c/NR, m }'
