"""Writes the reference outputs for the layouts in which the weights of ESM-2 are published:
tests/golden/layouts/in_file and tests/golden/layouts/theta_5000.

Usage: python3 scripts/golden/layouts.py

Both take the weights of tests/golden/hd64. In the first, the file has rotary frequencies that are rounded to f16, as
those of Meta's checkpoints on the Hub are; a program that computed them instead would be off by 1e-3. They are put
into every place where transformers has ever put them, beside other tensors that such files carry, and the script
ends unless transformers gives the same bits for all of these layouts. In the second the file has none, and
config.json says `rope_theta: 5000`.

Needs: torch, transformers (5.17 was used), safetensors
"""

import json
import pathlib
import tempfile

import torch
from reference import load, outputs, sequences
from safetensors.torch import load_file, save_file

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden"
SOURCE = GOLDEN / "hd64"
IN_LAYER = "esm.encoder.layer.{}.attention.self.rotary_embeddings.inv_freq"


def renamed(tensors, *pairs):
    """The tensors, with parts of their names replaced."""
    for old, new in pairs:
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    return tensors


weights = load_file(SOURCE / "model.safetensors")
config = json.loads((SOURCE / "config.json").read_text())
rounded = weights.pop("esm.rotary_embeddings.inv_freq").half().float()
layers = range(config["num_hidden_layers"])
in_layers = {**weights, **{IN_LAYER.format(n): rounded for n in layers}}
starred = {**weights, IN_LAYER.format("*"): rounded}
old_norms = [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")]
hidden = config["hidden_size"]
extras = {
    "esm.embeddings.position_ids": torch.arange(1026).expand((1, -1)),
    "esm.embeddings.position_embeddings.weight": torch.zeros(1026, hidden),
    "esm.contact_head.regression.weight": torch.zeros(1, len(layers) * config["num_attention_heads"]),
    "esm.contact_head.regression.bias": torch.zeros(1),
    "classifier.dense.weight": torch.zeros(hidden, hidden),
}
LAYOUTS = {
    "top level": {**weights, "esm.rotary_embeddings.inv_freq": rounded},
    "every layer": in_layers,
    "every layer, and what else Hub files carry": {**in_layers, **extras},
    "starred": starred,
    "starred, gamma and beta": renamed(starred, *old_norms),
    "bare encoder, every layer": renamed(in_layers, ("esm.", "")),
    "bare encoder, starred": renamed(starred, ("esm.", "")),
}


def reference(tensors, config, fasta):
    """The outputs of transformers for a model of these tensors."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps(config))
        tensors = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
        save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
        return outputs(load(folder), sequences(fasta))


def write(name, found):
    """Writes the outputs of one reference."""
    save_file(found, GOLDEN / "layouts" / name / "golden.safetensors")


in_file = GOLDEN / "layouts/in_file/golden.fasta"
want = reference(LAYOUTS["top level"], config, in_file)
for name, tensors in LAYOUTS.items():
    found = reference(tensors, config, in_file)
    assert all(torch.equal(found[output], want[output]) for output in want), name
    print(f"{name}: the same bits")
write("in_file", want)
computed = reference(weights, config, in_file)
for output in want:
    if output.endswith(".mean"):
        print(f"{output}: computed frequencies move it by {(want[output] - computed[output]).abs().max():.1e}")

theta = reference(weights, {**config, "rope_theta": 5000.0}, GOLDEN / "layouts/theta_5000/golden.fasta")
write("theta_5000", theta)
