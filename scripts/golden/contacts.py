"""Writes what HF transformers makes of attention beyond scripts/golden/answers.py: contacts of long sequences, and
attention maps.

Usage: python3 scripts/golden/contacts.py [WEIGHTS_DIR]      (from real_weights.py; without it the small models only)

In f32 on the CPU and one sequence at a time, for sequence i (from 0) of golden.fasta it writes
  tests/golden/real/contacts.safetensors   i.rows  [4, L]   the contacts of residues 0, L / 3, L / 2 and L - 1, of
                                                            sequences of more than 130 residues
  tests/golden/hd32/attention.safetensors  i.attention  [layers, heads, L + 2, L + 2]   of short sequences

Needs: torch, transformers (5.17 was used), safetensors
"""

import pathlib
import sys

import torch
from reference import IDS, load, sequences
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden"
MOST_RESIDUES_OF_ANSWERS = 130
MOST_RESIDUES_OF_ATTENTION = 40


def tokens(sequence):
    ids = [IDS["<cls>"], *(IDS.get(residue, IDS["<unk>"]) for residue in sequence), IDS["<eos>"]]
    return torch.tensor([ids])


def rows_of_contacts(model, sequence):
    ids = tokens(sequence)
    with torch.no_grad():
        contacts = model.predict_contacts(ids, torch.ones_like(ids))[0]
    n = len(sequence)
    return contacts[[0, n // 3, n // 2, n - 1]]


def attention(model, sequence):
    with torch.no_grad():
        result = model(input_ids=tokens(sequence), output_attentions=True)
    return torch.stack([layer[0] for layer in result.attentions])


def write(weights, name, file, ending, answer, is_asked):
    model = load(weights)
    found = {
        f"{i}.{ending}": answer(model, sequence).contiguous()
        for i, sequence in enumerate(sequences(GOLDEN / name / "golden.fasta"))
        if is_asked(len(sequence))
    }
    save_file(found, GOLDEN / name / file)
    print(f"{name}/{file}: {len(found)} tensors")


short = lambda n: n <= MOST_RESIDUES_OF_ATTENTION
write(GOLDEN / "hd32", "hd32", "attention.safetensors", "attention", attention, short)
if len(sys.argv) > 1:
    long = lambda n: n > MOST_RESIDUES_OF_ANSWERS
    write(sys.argv[1], "real", "contacts.safetensors", "rows", rows_of_contacts, long)
