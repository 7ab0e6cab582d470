"""Writes the contacts that HF transformers predicts: tests/golden/contacts/NAME.safetensors.

Usage: python3 scripts/golden/contacts.py [FOLDER_OF_THE_REAL_WEIGHTS]

The small models have no head for contacts, so each file holds one (`contact_head.regression.weight` and `.bias`, made of
random numbers) with what HF's EsmContactPredictionHead makes of it and the model's attention, in f32 on the CPU and one
sequence at a time. The real model, which scripts/golden/real_weights.py fetches, has its own.

For sequence i (from 0) it writes
  i.contacts    [L, L]       for up to 130 residues
  i.rows        [4, L]       for longer ones the rows of residues 0, L / 3, L / 2 and L - 1
  i.attention   [layers, heads, T, T]  of one short sequence

Needs: torch, transformers (5.17 was used), safetensors
"""

import pathlib
import sys

import torch
from reference import IDS, load, sequences
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).parents[2]
TARGET = ROOT / "tests/golden/contacts"
MOST_RESIDUES_KEPT = 130
HEAD = "contact_head.regression"


def contacts(model, sequence):
    ids = [IDS["<cls>"], *(IDS.get(residue, IDS["<unk>"]) for residue in sequence), IDS["<eos>"]]
    ids = torch.tensor([ids])
    with torch.no_grad():
        return model.predict_contacts(ids, torch.ones_like(ids))[0]


def attention(model, sequence):
    ids = [IDS["<cls>"], *(IDS.get(residue, IDS["<unk>"]) for residue in sequence), IDS["<eos>"]]
    with torch.no_grad():
        return torch.stack(model(input_ids=torch.tensor([ids]), output_attentions=True).attentions, 1)[0]


def write(name, folder, fasta, has_head=False):
    model = load(folder)
    regression = model.contact_head.regression
    found = {}
    if not has_head:
        generator = torch.Generator().manual_seed(7)
        weight = 3.0 * torch.randn(regression.weight.shape, generator=generator)
        regression.weight.data = weight
        regression.bias.data = torch.tensor([-1.25])
        found = {f"{HEAD}.weight": weight, f"{HEAD}.bias": regression.bias.data}
    for i, sequence in enumerate(sequences(fasta)):
        probabilities = contacts(model, sequence)
        n = len(sequence)
        if n <= MOST_RESIDUES_KEPT:
            found[f"{i}.contacts"] = probabilities
        else:
            found[f"{i}.rows"] = probabilities[[0, n // 3, n // 2, n - 1]]
        if n < 15 and not any("attention" in key for key in found):
            found[f"{i}.attention"] = attention(model, sequence)
    TARGET.mkdir(exist_ok=True)
    path = TARGET / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in found.items()}, path)
    top = max(value.max().item() for key, value in found.items() if "contacts" in key)
    print(f"{name}: {len(found)} tensors, {path.stat().st_size} bytes, the most probable contact {top:.4f}")


golden = ROOT / "tests/golden"
for small in ["hd32", "hd64"]:
    write(small, golden / small, golden / small / "golden.fasta")
write("demo", ROOT / "examples/models/esm2_t6_2M_demo", golden / "hd32/golden.fasta")
if len(sys.argv) > 1:
    write("real", sys.argv[1], golden / "real/golden.fasta", has_head=True)
