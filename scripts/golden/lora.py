"""Writes adapters as PEFT saves them, and what transformers makes of the models that they belong to:
tests/golden/lora/NAME with adapter_config.json, adapter_model.safetensors or .bin, golden.fasta and
golden.safetensors.

Usage: python3 scripts/golden/lora.py

All are adapters of tests/golden/hd16, with numbers as a training could leave them. The references are those of
`merge_and_unload`, for the sequences of tests/golden/layouts/theta_5000. Each shows something else:
  classifier  every linear layer of a classifier, `target_modules="all-linear"`, whose head PEFT saves whole;
              `alpha_pattern` by a whole name
  patterns    rslora, `rank_pattern`, `alpha_pattern`, in adapter_model.bin
  whole       layer norms and embeddings of tokens saved whole, biases trained (`bias="lora_only"`)

Needs: torch, transformers (5.17 was used), peft (0.21.2 was used), safetensors
"""

import json
import pathlib
import shutil

import torch
from peft import LoraConfig, TaskType, get_peft_model
from reference import outputs, sequences
from safetensors.torch import load_file, save_file
from transformers import EsmForSequenceClassification, EsmModel

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden"
BASE = GOLDEN / "hd16"
FASTA = GOLDEN / "layouts/theta_5000/golden.fasta"
ATTENTION = ["query", "key", "value"]

ADAPTERS = {
    "classifier": (
        EsmForSequenceClassification,
        dict(
            task_type=TaskType.SEQ_CLS,
            r=2,
            lora_alpha=6,
            target_modules="all-linear",
            alpha_pattern={"esm.encoder.layer.0.attention.self.query": 30},
        ),
        True,
    ),
    "patterns": (
        EsmModel,
        dict(
            r=4,
            lora_alpha=8,
            use_rslora=True,
            target_modules=[*ATTENTION, "attention.output.dense"],
            rank_pattern={"query": 1, "encoder.layer.1.attention.self.key": 3},
            alpha_pattern={"layer.0.attention.self.value": 20, "output.dense": 1},
        ),
        False,
    ),
    "whole": (
        EsmModel,
        dict(
            r=2,
            lora_alpha=2,
            target_modules=["intermediate.dense", "query"],
            modules_to_save=["LayerNorm", "word_embeddings"],
            bias="lora_only",
        ),
        True,
    ),
}


def load(kind):
    """The base in f32. Its head, if it has one, is as random as the seed makes it."""
    return kind.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager").eval()


for number, (name, (kind, options, safe)) in enumerate(ADAPTERS.items()):
    torch.manual_seed(number)
    model = get_peft_model(load(kind), LoraConfig(lora_dropout=0.1, **options)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += torch.randn_like(parameter) * 0.1
    folder = GOLDEN / "lora" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, safe_serialization=safe)
    (folder / "README.md").unlink()
    shutil.copy(FASTA, folder / "golden.fasta")
    config = json.loads((folder / "adapter_config.json").read_text())
    # As it is found beside the adapter, wherever the checkout lies.
    config["base_model_name_or_path"] = "../../hd16"
    # A set, which PEFT writes in any order.
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    merged = model.merge_and_unload().eval()
    encoder = getattr(merged, "esm", merged)
    found = outputs(encoder, sequences(FASTA))
    save_file(found, folder / "golden.safetensors")
    without = outputs(getattr(base := load(kind), "esm", base), sequences(FASTA))
    moved = max((found[key] - without[key]).abs().max().item() for key in found if key.endswith(".mean"))
    if safe:
        tensors = load_file(folder / "adapter_model.safetensors")
    else:
        tensors = torch.load(folder / "adapter_model.bin", weights_only=True)
    print(f"{name}: moves means by {moved:.2f}")
    for key, tensor in tensors.items():
        print("  ", key, tuple(tensor.shape))
