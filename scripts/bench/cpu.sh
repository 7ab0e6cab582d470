#!/usr/bin/env bash
# Tokens per second of the encoder on 2, 4, 8 and 16 cores of this machine, beside esm-cpp on the same sequences.
#
#   scripts/bench/cpu.sh MODEL[,MODEL...] FASTA [SEQUENCES_A_CORE]
#
# A MODEL is a folder, or a published size such as 8M, 35M or 150M, which stands for random weights: speed does not depend
# on what they are. `150M=10` takes ten sequences a core of that model, else it is SEQUENCES_A_CORE (100). FASTA may be
# compressed with gzip. The two programs alternate on the same cores, which `taskset` says. The table is on
# standard output, each run on standard error.
#
# RUNNER names the program; PYTHON a Python with numpy and esm-cpp (pip install "numpy<2" esm-cpp), without which only ours
# is measured; TESTS the binary with the tests of the library (`cargo test --release --lib --no-run` prints its name), which
# measures what the cores could do at best in f32, else that column is empty. ROUNDS says how often each is measured (3), CORES
# on how many cores ("2 4 8 16", as far as there are so many), DTYPE in which number format ours computes (f32; `bf16` takes AMX).
#
# esm-cpp has no call for the encoder alone, so its figure includes its language-model head: 1.5% of the arithmetic at 8M.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,16p' "$0" | cut -c 3- >&2
    exit 2
fi
IFS=, read -r -a models <<< "$1"
fasta=$2
a_core=${3:-100}
here=$(dirname "$(realpath "$0")")
runner=${RUNNER:-$here/../../target/release/runner}
python=${PYTHON:-python3}
rounds=${ROUNDS:-3}
dtype=${DTYPE:-f32}
# Slurm's word would be no more than the number of cores here, and counts for both programs otherwise.
unset SLURM_CPUS_PER_TASK RAYON_NUM_THREADS

work=$(mktemp -d)
figures=$work/figures
touch "$figures"

# A line of `figures` is: model, cores, program, then tokens/s, GFLOP/s and bytes of memory; or cores, `peak`, GFLOP/s.
table() {
    awk -F '\t' '
        function median(list,    n, i, j, swap) {
            n = split(list, values, " ")
            for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++)
                if (values[j] + 0 < values[i] + 0) { swap = values[i]; values[i] = values[j]; values[j] = swap }
            least = values[1]; most = values[n]
            return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
        }
        function thousands(n,    text) {
            text = sprintf("%.0f", n)
            while (match(text, /[0-9][0-9][0-9][0-9]($|,)/)) text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
            return text
        }
        $2 == "peak" { peak[$1] = $3; next }
        {
            row = $1 FS $2
            if (!(row in seen)) { seen[row]; rows[++n_rows] = row }
            rate[row, $3] = rate[row, $3] " " $4
            flops[row, $3] = flops[row, $3] " " $5
            if ($6 > memory[row, $3]) memory[row, $3] = $6
        }
        END {
            print "| model | cores | runner, tokens/s | least to most | esm-cpp, tokens/s | ratio | efficiency against the fewest cores | peak, GFLOP/s | share of it | memory, MB | of esm-cpp |"
            print "|---|---|---|---|---|---|---|---|---|---|---|"
            for (r = 1; r <= n_rows; r++) {
                row = rows[r]
                split(row, of, FS)
                if (rate[row, "runner"] == "") continue
                ours = median(rate[row, "runner"]); range = thousands(least) " to " thousands(most)
                if (!(of[1] in first)) { first[of[1]] = ours / of[2] }
                efficiency = sprintf("%.0f%%", 100 * ours / of[2] / first[of[1]])
                theirs = rate[row, "esm-cpp"] == "" ? 0 : median(rate[row, "esm-cpp"])
                best = peak[of[2]]
                printf "| %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", of[1], of[2], thousands(ours), range,
                    theirs ? thousands(theirs) : "", theirs ? sprintf("%.1f", ours / theirs) : "", efficiency,
                    best ? thousands(best) : "", best ? sprintf("%.0f%%", 100 * median(flops[row, "runner"]) / best) : "",
                    thousands(memory[row, "runner"] / 1e6), theirs ? thousands(memory[row, "esm-cpp"] / 1e6) : ""
            }
        }' "$figures"
}
# Whatever ends the script, what was measured is told.
trap 'table; rm -rf "$work"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# The processors that this process may use, a number a line.
processors=$(taskset -cp $$ | sed 's/.*: //' | tr , '\n' | while IFS=- read -r from to; do seq "$from" "${to:-$from}"; done)
n_processors=$(wc -l <<< "$processors")
first_cores() { head -n "$1" <<< "$processors" | paste -sd ,; }
has_peer=
if "$python" -c "import esm_cpp" 2> /dev/null; then has_peer=1; else echo "no esm-cpp in $python" >&2; fi

cat > "$work/job.rhai" <<'RHAI'
let model = esm2(args[0], #{ device: "cpu", dtype: args[3] });
let proteins = fasta(args[1]).take(parse_int(args[2])).long_sequences("truncate", 1022);
let run = embed(model, proteins);
print(`${run.tokens / run.encoder_seconds} ${1000.0 * run.tflops} ${run.peak_memory_bytes} ${run.tokens} tokens, ${run.device}`);
RHAI

# MODEL CORES PROGRAM COMMAND...: runs it on so many cores, and keeps the three figures that its last line begins with.
measure() {
    local line
    line=$(taskset -c "$(first_cores "$2")" "${@:4}" | tail -n 1)
    echo "$1, $2 cores, $3: $line" >&2
    awk -v begin="$1"$'\t'"$2"$'\t'"$3" '{ printf "%s\t%s\t%s\t%s\n", begin, $1, $2, $3 }' <<< "$line" >> "$figures"
}

grep -m 1 "model name" /proc/cpuinfo >&2 || true
for cores in ${CORES:-2 4 8 16}; do
    if [ "$cores" -gt "$n_processors" ]; then continue; fi
    if [ -n "${TESTS:-}" ]; then
        said=$(taskset -c "$(first_cores "$cores")" "$TESTS" --ignored --nocapture speed_of_multiply_adds)
        best=$(sed -n 's/.* \([0-9.]*\) GFLOP\/s.*/\1/p' <<< "$said")
        echo "$cores cores, peak: $best GFLOP/s" >&2
        printf '%s\tpeak\t%s\n' "$cores" "$best" >> "$figures"
    fi
done
for model in "${models[@]}"; do
    sequences=$a_core
    if [[ $model == *=* ]]; then sequences=${model#*=} model=${model%%=*}; fi
    folder=$model
    if [[ $model =~ ^[0-9]+[MB]$ && ! -e $model ]]; then
        folder=$work/$model
        "$python" "$here/../gpu/random_esm2.py" "$model" "$folder" f32
    fi
    name=$(basename "$folder")
    label=$name
    if [ "$dtype" != f32 ]; then label="$name, $dtype"; fi
    for cores in ${CORES:-2 4 8 16}; do
        if [ "$cores" -gt "$n_processors" ]; then continue; fi
        n=$((sequences * cores))
        for ((round = 0; round < rounds; round++)); do
            measure "$label" "$cores" runner "$runner" --quiet exec "$work/job.rhai" -- "$folder" "$fasta" "$n" "$dtype"
            if [ -n "$has_peer" ]; then
                measure "$label" "$cores" esm-cpp "$python" "$here/esm_cpp_peer.py" "$folder" "$fasta" "$n"
            fi
        done
    done
    rm -rf "${work:?}/$name"
done
