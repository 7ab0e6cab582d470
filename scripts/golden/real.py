"""Writes the reference outputs for the weights that scripts/golden/real_weights.py fetches:
tests/golden/real/golden.safetensors, for the sequences of tests/golden/real/golden.fasta. Only outputs are kept, never
weights.

Usage: python3 scripts/golden/real_weights.py target/real && python3 scripts/golden/real.py target/real

Needs: torch, transformers (5.17 was used), safetensors
"""

import pathlib
import sys

from reference import load, outputs, sequences
from safetensors.torch import save_file

target = pathlib.Path(__file__).parents[2] / "tests/golden/real"
found = outputs(load(sys.argv[1]), sequences(target / "golden.fasta"))
save_file(found, target / "golden.safetensors")
print(f"{len(found)} outputs")
