"""Gives the golden models that have none a head that predicts contacts: `esm.contact_head.regression` in
MODEL_DIR/model.safetensors. All other tensors stay what they are, bit for bit.

Usage: python3 scripts/golden/contact_heads.py

The numbers are drawn, not trained: no model here has seen a structure. They are large, so that every head of every
layer shows in the result, and the same in f16 as in f32.

Needs: torch, safetensors
"""

import pathlib

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).parents[2]
MODELS = {"examples/models/esm2_t6_2M_demo": 30, "tests/golden/hd32": 4, "tests/golden/hd64": 4}
HEAD = "esm.contact_head.regression"

for stream, (folder, n_maps) in enumerate(MODELS.items()):
    path = ROOT / folder / "model.safetensors"
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    dtype = tensors["lm_head.bias"].dtype
    random = torch.Generator().manual_seed(stream)
    weight = torch.randint(-127, 128, (1, n_maps), generator=random) / 8
    drawn = {f"{HEAD}.weight": weight.to(dtype), f"{HEAD}.bias": torch.tensor([-1.5], dtype=dtype)}
    save_file({**tensors, **drawn}, path, metadata)
    after = load_file(path)
    for name, tensor in tensors.items():
        if name not in drawn:
            assert after[name].dtype == tensor.dtype and torch.equal(after[name], tensor), name
    print(f"{folder}: {len(after) - len(drawn)} tensors as before, contacts from {n_maps} maps")
