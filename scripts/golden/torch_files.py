"""Writes a tiny ESM-2 in every form in which PyTorch saves weights, and once as safetensors: tests/golden/torch/.

Usage: python3 scripts/golden/torch_files.py [FOLDER]

All forms hold the same numbers, each of which is the same in f32, f16 and bf16, so that all must give the same
embeddings bit by bit:
  model.safetensors        the reference
  plain.bin                a state dictionary as transformers saved it: with the versions of modules, with a
                           storage that two tensors share, and with whole numbers
  old.bin                  the same in the format before PyTorch 1.6
  protocol_5.bin           the same with the latest protocol of pickle
  part-00001-of-00002.bin, part-00002-of-00002.bin, parts.json
                           the same in two files, with their list
  f16.bin, bf16.bin        the same in these formats
  views.bin                tensors that are turned, cut out of others, spread, or begin inside of a storage
  training.bin             what a training loop saves, with the model's tensors in one of the entries
And what is refused:
  two_models.bin           two dictionaries of tensors
  whole_model.bin          a module, not its tensors
  script.bin               a program of TorchScript
Numbers and names of entries are always the same; addresses in old.bin are not.

Needs: torch (2.15 was used), safetensors, numpy
"""

import argparse
import collections
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

HIDDEN, INTERMEDIATE, HEADS, VOCABULARY = 32, 64, 2, 33
CONFIG = {
    "architectures": ["EsmForMaskedLM"],
    "model_type": "esm",
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": HEADS,
    "intermediate_size": INTERMEDIATE,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 1026,
    "position_embedding_type": "rotary",
    "token_dropout": True,
    "emb_layer_norm_before": False,
    "pad_token_id": 1,
    "mask_token_id": 32,
    "hidden_act": "gelu",
}

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/torch")
folder.mkdir(parents=True, exist_ok=True)
random = torch.Generator().manual_seed(1)


def numbers(*shape):
    """Numbers of seven bits, from -1/4 to 1/4."""
    return torch.randint(-127, 128, shape, generator=random).float() / 512


def norm(name, weight=None):
    """The scale and the shift of a layer norm."""
    scale = 1 + torch.randint(0, 64, (HIDDEN,), generator=random).float() / 128 if weight is None else weight
    return {f"{name}.weight": scale, f"{name}.bias": numbers(HIDDEN)}


def linear(name, outputs, inputs):
    """A product and a shift."""
    return {f"{name}.weight": numbers(outputs, inputs), f"{name}.bias": numbers(outputs)}


LAYER = "esm.encoder.layer.0"
QUERY, KEY, VALUE = (f"{LAYER}.attention.self.{name}" for name in ("query", "key", "value"))
tensors = collections.OrderedDict(
    {
        "esm.embeddings.word_embeddings.weight": numbers(VOCABULARY, HIDDEN),
        **linear(QUERY, HIDDEN, HIDDEN),
        **linear(KEY, HIDDEN, HIDDEN),
        **linear(VALUE, HIDDEN, HIDDEN),
        **linear(f"{LAYER}.attention.output.dense", HIDDEN, HIDDEN),
        **norm(f"{LAYER}.attention.LayerNorm"),
        **linear(f"{LAYER}.intermediate.dense", INTERMEDIATE, HIDDEN),
        **linear(f"{LAYER}.output.dense", HIDDEN, INTERMEDIATE),
        **norm(f"{LAYER}.LayerNorm"),
        **norm("esm.encoder.emb_layer_norm_after", torch.full((HIDDEN,), 1.25)),
    }
)
for tensor in tensors.values():
    assert torch.equal(tensor, tensor.half().float()) and torch.equal(tensor, tensor.bfloat16().float())

(folder / "config.json").write_text(json.dumps(CONFIG, indent=1))
save_file(tensors, folder / "model.safetensors", {"format": "pt"})

# What a model of transformers adds to them. `_metadata` is an attribute of the dictionary.
plain = collections.OrderedDict(tensors)
plain["lm_head.decoder.weight"] = plain["esm.embeddings.word_embeddings.weight"]
plain["esm.embeddings.position_ids"] = torch.arange(8).expand(1, -1)
plain["lm_head.steps"] = torch.tensor(7, dtype=torch.uint16)
plain._metadata = collections.OrderedDict({"": {"version": 1}, "esm": {"version": 1}})
torch.save(plain, folder / "plain.bin")
torch.save(plain, folder / "old.bin", _use_new_zipfile_serialization=False)
torch.save(plain, folder / "protocol_5.bin", pickle_protocol=5)

names = list(tensors)
weight_map = {}
for n in (1, 2):
    file = f"part-0000{n}-of-00002.bin"
    part = {name: tensors[name] for name in names[n - 1 :: 2]}
    weight_map.update(dict.fromkeys(part, file))
    torch.save(part, folder / file)
(folder / "parts.json").write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": weight_map}, indent=1))

torch.save({name: tensor.half() for name, tensor in tensors.items()}, folder / "f16.bin")
torch.save({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "bf16.bin")

views = dict(tensors)
# One storage for three tensors below each other, one for two side by side, and one with something before it.
fused = torch.cat([tensors[f"{name}.weight"] for name in (QUERY, KEY, VALUE)])
for n, name in enumerate((QUERY, KEY)):
    views[f"{name}.weight"] = fused[HIDDEN * n : HIDDEN * (n + 1)]
output = f"{LAYER}.attention.output.dense.weight"
beside = torch.cat([tensors[f"{VALUE}.weight"], tensors[output]], dim=1)
views[f"{VALUE}.weight"], views[output] = beside[:, :HIDDEN], beside[:, HIDDEN:]
embeddings = "esm.embeddings.word_embeddings.weight"
views[embeddings] = torch.cat([torch.zeros(3, HIDDEN), tensors[embeddings]])[3:]
# Turned, spread, and every other number.
turned = f"{LAYER}.intermediate.dense.weight"
views[turned] = tensors[turned].t().contiguous().t()
views["esm.encoder.emb_layer_norm_after.weight"] = torch.tensor([1.25]).expand(HIDDEN)
bias = f"{LAYER}.output.dense.bias"
views[bias] = torch.stack([tensors[bias], torch.zeros(HIDDEN)], dim=1)[:, 0]
views[f"{LAYER}.LayerNorm.bias"] = torch.nn.Parameter(tensors[f"{LAYER}.LayerNorm.bias"])
for name, tensor in views.items():
    assert torch.equal(tensor, tensors[name]), name
assert not views[turned].is_contiguous() and not views[output].is_contiguous()
torch.save(views, folder / "views.bin")

training = {
    "epoch": 3,
    "loss": torch.tensor(0.25),
    "args": argparse.Namespace(lr=1e-4, layers=[1, 2], name="tiny", parts={"a"}, dtype=torch.float16),
    "model_state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()},
    "optimizer_state_dict": {"state": {0: {"step": torch.tensor(5.0), "exp_avg": torch.zeros(4)}}, "param_groups": []},
    "generator": torch.arange(16, dtype=torch.uint8),
    "seed": 1 << 80,
    "bytes": b"abc",
    "shape": torch.Size([1, 2]),
    "device": torch.device("cpu"),
}
torch.save(training, folder / "training.bin")

few = {"a.weight": torch.zeros(2, 2)}
torch.save({"model": few, "ema": few}, folder / "two_models.bin")
torch.save(torch.nn.Linear(2, 2), folder / "whole_model.bin")
with open(folder / "script.bin", "wb") as file:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)

size = sum(file.stat().st_size for file in folder.iterdir())
print(f"{folder}: {size} bytes")
