#!/usr/bin/env bash
# What a user types first: a script with `esm2("facebook/esm2_t6_8M_UR50D")`, on a machine that has nothing yet.
#   scripts/hub/acceptance.sh WEIGHTS
# WEIGHTS is a folder with the config.json, vocab.txt and model.safetensors of that model, as
# `python3 scripts/golden/real_weights.py WEIGHTS` fills it. They are served by a Hub on this machine. The program
# downloads and embeds; then transformers, offline, loads the same files out of the same cache and embeds the same
# sequences; then the program uses what Python has downloaded. RUNNER is the program (target/release/runner), PYTHON
# one with torch, transformers, huggingface_hub and pyarrow (python3).
set -euo pipefail
weights=$(realpath "$1")
cd "$(dirname "$0")/../.."
runner=$(realpath "${RUNNER:-target/release/runner}")
python=${PYTHON:-python3}
project=$PWD
id=facebook/esm2_t6_8M_UR50D
work=$(mktemp -d)
mkdir -p "$work/home" "$work/python" "$work/repository" "$work/job"
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

# What else such a repository has, and nobody needs.
cp "$weights"/{config.json,vocab.txt,model.safetensors} "$work/repository"
echo '{}' >"$work/repository/tokenizer_config.json"
head -c 2000000 /dev/zero >"$work/repository/pytorch_model.bin"

unset HF_HOME HF_HUB_CACHE XDG_CACHE_HOME HF_TOKEN HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
export HOME=$work/home NO_PROXY=127.0.0.1,localhost HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1
"$python" scripts/hub/server.py "$id" "$work/repository" "$work/log" >"$work/port" &
server=$!
until [ -s "$work/port" ]; do sleep 0.1; done
HF_ENDPOINT=http://127.0.0.1:$(cat "$work/port")
export HF_ENDPOINT

cd "$work/job"
cat >job.rhai <<SCRIPT
let model = esm2("$id", #{ device: "cpu" });
let layers = []; for n in 0..=model.layers { layers.push(n); }
embed(model, fasta("$project/tests/golden/real/golden.fasta"), #{ layers: layers, output: args[0] });
SCRIPT

echo '== check says what would come, and writes nothing'
"$runner" check job.rhai -- out.parquet | tee "$work/checked"
grep -q 'is to be downloaded: 3 files' "$work/checked"
[ -z "$(find "$HOME" -path '*huggingface*')" ]

echo '== exec downloads and embeds'
"$runner" -q exec job.rhai -- out.parquet
if grep -q 'pytorch_model.bin' "$work/log"; then
    echo 'it has downloaded what nobody needs' >&2
    exit 1
fi

echo '== the second time nobody is asked'
n_requests=$(wc -l <"$work/log")
"$runner" -q exec job.rhai -- again.parquet
[ "$(wc -l <"$work/log")" -eq "$n_requests" ]

echo '== huggingface_hub downloads into a cache of its own'
HF_HOME=$work/python "$python" -c "
import huggingface_hub
print(huggingface_hub.snapshot_download('$id', allow_patterns=['*.json', '*.txt', '*.safetensors']))"

kill "$server"
wait "$server" 2>/dev/null || true
server=
export HF_HUB_OFFLINE=1

echo '== the program uses what Python has downloaded, and Python what the program has'
HF_HOME=$work/python "$runner" -q exec job.rhai -- python.parquet
PYTHONPATH=$project/scripts/golden "$python" "$project/scripts/hub/compare.py" "$id" \
    "$project/tests/golden/real/golden.fasta" out.parquet again.parquet python.parquet
