#!/usr/bin/env bash
# Milliseconds of each kernel in a layer, on this machine's GPU, at the clock that it has when nothing
# else runs:
#   scripts/gpu/kernels.sh MODEL FASTA
# RUNNER names the program, SKIP how many launches are left out (300). Needs Nsight Compute (ncu) and
# python3. FASTA must have some 2,000 proteins.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/job.rhai" <<'RHAI'
let model = esm2(args[0], #{ device: "cuda" });
embed(model, fasta(args[1]).take(2000).long_sequences("truncate", 1022));
RHAI
# The first run measures algorithms, and leaves them in the cache.
"$runner" -q exec "$work/job.rhai" -- "$1" "$2"
# Readers refuse to start with the profiler's library in them, so it must not follow. The launches that are
# left out are those of the warm-up.
ncu --target-processes application-only --clock-control none --metrics gpu__time_duration.sum \
    --launch-skip "${SKIP:-300}" --launch-count 400 --csv \
    "$runner" -q exec "$work/job.rhai" -- "$1" "$2" >"$work/launches.csv"
python3 - "$work/launches.csv" <<'PYTHON'
import csv, math, statistics, sys
lines = [line for line in open(sys.argv[1]) if line.startswith('"')]
times = {}
for row in csv.DictReader(lines):
    scale = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "nsecond": 1e-6, "usecond": 1e-3}[row["Metric Unit"]]
    milliseconds = float(row["Metric Value"].replace(",", "")) * scale
    # Products with the same result and other inner dimensions differ in nothing but time.
    size = round(math.log2(milliseconds))
    name = (row["Kernel Name"].split("(")[0], row["Grid Size"], size)
    times.setdefault(name, []).append(milliseconds)
for (name, grid, _), each in sorted(times.items(), key=lambda item: -sum(item[1])):
    print(f"{len(each):4} x {statistics.median(each):.4f} ms  {name[:90]} {grid}")
PYTHON
