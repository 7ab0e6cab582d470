"""Writes the reference outputs of a golden model: MODEL_DIR/golden.safetensors.

Usage: python3 scripts/golden/golden.py MODEL_DIR [MODEL_DIR ...]

Runs HF transformers in f32 on the CPU (or on a GPU, with DEVICE=cuda, for large models), one sequence of MODEL_DIR/golden.fasta at a time, so that
neither padding nor a GPU's number formats play a part. For sequence i (from 0) it writes
  i.mean             [hidden]              mean of the last hidden state over residues
  i.cls              [hidden]              its BOS vector
  i.mean_all_layers  [layers + 1, hidden]  the same mean for each of HF's `hidden_states`
  i.tokens, i.logits [tokens, ...]         last hidden state and logits, for up to 40 tokens

A file may hold the rotary frequencies (`esm.rotary_embeddings.inv_freq`), and then transformers uses
them: in a model that was saved in f16 they are rounded to f16, which moves the embedding of a
sequence of 1,022 residues by 4e-4. The reference does as transformers does.

Needs: torch, transformers (5.17 was used), safetensors
"""

import os
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import EsmConfig, EsmForMaskedLM

MOST_TOKENS_KEPT = 40
DEVICE = os.environ.get("DEVICE", "cpu")
# f32 means f32: tensor cores would round the inputs to 10 bits.
torch.backends.cuda.matmul.allow_tf32 = False


def sequences(path):
    """The sequences of a FASTA file."""
    records = open(path).read().split(">")[1:]
    return ["".join(record.split("\n")[1:]) for record in records]


def reference(folder):
    """Reference outputs by name."""
    config = EsmConfig.from_pretrained(folder)
    config.dtype = torch.float32
    config.vocab_list = None
    model = EsmForMaskedLM(config).float().eval()
    weights = {name: w.float() for name, w in load_file(f"{folder}/model.safetensors").items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected, unexpected
    # Tied or never used in the encoder's forward pass.
    harmless = ("lm_head.decoder", "contact_head", "position_ids", "inv_freq", "position_embeddings")
    assert all(any(part in name for part in harmless) for name in missing), missing

    model.to(DEVICE)
    tokens = open(f"{folder}/vocab.txt").read().split()
    ids_by_token = {token: n for n, token in enumerate(tokens)}
    unknown = ids_by_token["<unk>"]
    outputs = {}
    for i, sequence in enumerate(sequences(f"{folder}/golden.fasta")):
        residues = [ids_by_token.get(residue, unknown) for residue in sequence]
        ids = [ids_by_token["<cls>"], *residues, ids_by_token["<eos>"]]
        ids = torch.tensor([ids], device=DEVICE)
        with torch.no_grad():
            result = model(
                input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
            )
        states = torch.stack([state[0] for state in result.hidden_states]).cpu()
        outputs[f"{i}.mean"] = states[-1, 1:-1].mean(0)
        outputs[f"{i}.cls"] = states[-1, 0].clone()
        outputs[f"{i}.mean_all_layers"] = states[:, 1:-1].mean(1)
        if ids.shape[1] <= MOST_TOKENS_KEPT:
            outputs[f"{i}.tokens"] = states[-1].clone()
            outputs[f"{i}.logits"] = result.logits[0].cpu()
    return outputs


for folder in sys.argv[1:]:
    outputs = reference(folder)
    path = f"{folder}/golden.safetensors"
    try:
        before = load_file(path)
    except FileNotFoundError:
        before = {}
    shared = [name for name in outputs if name in before]
    change = max(((outputs[n] - before[n]).abs().max().item() for n in shared), default=0.0)
    save_file({name: value.contiguous() for name, value in outputs.items()}, path)
    print(f"{folder}: {len(outputs)} outputs, {len(shared)} known before, changed by {change:.1e}")
