#!/bin/sh
# How fast readers, tokeniser and packer are without a model, in residues per second.
#
#   scripts/bench/readers.sh FASTA [READERS]
#
# Embeds FASTA with the mock device, which hashes tokens instead of computing, and writes no output.
# Prints the best of five runs of one script, so that the readers and the page cache are warm. Build
# first: cargo build --release. RUNNER names another program.
set -eu

if [ $# -lt 1 ]; then
    sed -n '2,8p' "$0" | cut -c 3- >&2
    exit 2
fi
here=$(cd "$(dirname "$0")/../.." && pwd)
runner=${RUNNER:-$here/target/release/runner}
fasta=$(realpath "$1")
readers=${2:-2}

script=$(mktemp --suffix .rhai)
trap 'rm -f "$script"' EXIT
cat > "$script" <<END
let model = esm2("$here/examples/models/esm2_t6_2M_demo", #{ device: "mock" });
let best = 0.0;
for repeat in 0..5 {
    let run = embed(model, fasta("$fasta"), #{ readers: $readers, token_budget: 32768 });
    if run.residues_per_sec > best { best = run.residues_per_sec; }
}
print(\`\${best / 1e6} M residues/s with $readers readers\`);
END
"$runner" exec --quiet "$script"
