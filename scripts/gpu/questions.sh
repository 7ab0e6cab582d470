#!/usr/bin/env bash
# Vectors of residues in f16 and masked marginals on this machine's GPU, beside HF transformers, in turn:
#   scripts/gpu/questions.sh FASTA MODEL
#   PEERS=0 scripts/gpu/questions.sh FASTA MODEL    # vectors of residues alone, less than a minute a round
# FASTA may be compressed with gzip. RUNNER names the program, SEQUENCES how many sequences are embedded (6000),
# ROUNDS how often each is measured (2), PYTHON a Python with torch, transformers and numpy, RAM a folder in memory,
# with room for three times the vectors (6.3 GB with 650M and 6000 sequences), WARM how many GB of that are written once
# before anything is measured (20): the host of a virtual machine gives memory that was never used at less than 1 GB/s.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
fasta=$(realpath "$1")
model=$(realpath "$2")
runner=${RUNNER:-$here/../../target/release/runner}
python=${PYTHON:-python3}
sequences=${SEQUENCES:-6000}
work=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$work" "${inside:-}"' EXIT
ram=${RAM:-/dev/shm}
if [ -z "${RAM:-}" ] && [ "$(df --output=avail -BG "$ram" | tail -1 | tr -dc 0-9)" -lt 28 ]; then
    # In containers it is small.
    mkdir "$work/ram"
    if mount -t tmpfs -o size=40G tmpfs "$work/ram"; then mounted=$work/ram ram=$work/ram; else ram=$work; fi
fi
inside=$(mktemp -d -p "$ram")
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader
for ((n = 0; n < 8; n++)); do
    dd if=/dev/zero of="$inside/warm$n" bs=4M count=$((${WARM:-20} * 32)) status=none &
done
wait
rm -f "$inside"/warm*
# What one writer gets there: no output of one file can come faster.
dd if=/dev/zero of="$inside/warm" bs=4M count=1000 2>&1 | tail -1
rm -f "$inside/warm"
df -h "$inside" | tail -1

# One protein of 300 residues, made of the first ones that there are.
{
    echo ">protein_of_300"
    # `head` ends before its input does.
    (gzip -dcf "$fasta" || true) | head -n 200 | grep -v '^>' | tr -dc 'ACDEFGHIKLMNPQRSTVWY' | head -c 300
    echo
} >"$work/one.fasta" || true

for ((round = 1; round <= ${ROUNDS:-2}; round++)); do
    "$runner" --quiet exec "$here/questions.rhai" -- "$model" "$fasta" "$sequences" "$inside"
    if [ "${PEERS:-1}" = 0 ]; then
        rm -rf "$inside"/residues*
        continue
    fi
    mv "$inside/residues.npy" "$inside/ours.npy"
    rm -rf "$inside"/residues*
    "$python" "$here/residues_peer.py" "$model" "$fasta" "$sequences" "$inside/peer.npy"
    if [ "$round" = 1 ]; then
        "$python" - "$inside/ours.npy" "$inside/peer.npy" <<'END'
import sys
import numpy

ours, peer = (numpy.load(path, mmap_mode="r") for path in sys.argv[1:])
assert ours.shape == peer.shape, (ours.shape, peer.shape)
rows = slice(0, None, max(1, len(ours) // 20000))
ours, peer = (array[rows].astype(numpy.float32) for array in (ours, peer))
cosines = (ours * peer).sum(1) / numpy.sqrt((ours**2).sum(1) * (peer**2).sum(1))
print(f"cosine of ours and the peer's: least {cosines.min():.5f}, mean {cosines.mean():.6f}, {len(cosines)} residues")
END
    fi
    rm -f "$inside"/*.npy
    "$runner" --quiet exec "$here/scores.rhai" -- "$model" "$work/one.fasta" "$work/scores.csv"
    "$python" "$here/scores_peer.py" "$model" "$work/one.fasta"
done | tee "$work/lines"

# The best of each, and the ratios.
awk '
    /^ours encoder/ { if ($3 > encoder) encoder = $3 }
    /^ours whole/ {
        share = $6 + 0
        if ($4 > ours[$3]) ours[$3] = $4
        if (share > best[$3]) best[$3] = share
        if (!($3 in worst) || share < worst[$3]) worst[$3] = share
    }
    /^peer whole/ { if ($4 > peer) peer = $4 }
    /^ours scores/ { if (!mine || $3 < mine) mine = $3 }
    /^peer scores/ { if (!theirs || $3 < theirs) theirs = $3 }
    END {
        printf "%-18s %10s %10s %7s %7s %9s\n", "output", "tokens/s", "encoder", "worst", "best", "peer"
        for (output in ours)
            printf "%-18s %10d %10d %6.1f%% %6.1f%% %9s\n", output, ours[output], encoder, worst[output],
                best[output], peer ? sprintf("%.2f x", ours[output] / peer) : "-"
        if (mine) printf "best: masked marginals of 300 residues in %.3f s, the peer in %.3f s: %.2f times as fast\n",
            mine, theirs, theirs / mine
    }' "$work/lines"
