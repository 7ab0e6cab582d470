"""What HF transformers makes of a model and its sequences, in f32 and one sequence at a time, so that neither padding
nor a GPU's number formats play a part.

Needs: torch, transformers (5.17 was used), safetensors
"""

import torch
from transformers import EsmModel, logging

# f32 means f32: tensor cores would round the inputs to 10 bits.
torch.backends.cuda.matmul.allow_tf32 = False
logging.set_verbosity_error()
TOKENS = (
    "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>".split()
)
IDS = {token: n for n, token in enumerate(TOKENS)}


def sequences(path):
    """The sequences of a FASTA file. `>` begins a record at the start of a line only."""
    with open(path) as file:
        return ["".join(record.split("\n")[1:]) for record in f"\n{file.read()}".split("\n>")[1:]]


def load(folder, device="cpu"):
    """The encoder as transformers itself loads it, whatever the tensors of the folder are called.

    transformers says which tensors it did not find; the run ends if one of those counts.
    """
    model, info = EsmModel.from_pretrained(
        folder, add_pooling_layer=False, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    missing = [name for name in info["missing_keys"] if not name.startswith(("contact_head", "rotary_embeddings"))]
    assert not missing, missing
    return model.to(device).eval()


def outputs(model, sequences):
    """For sequence i (from 0): i.mean and i.cls, [hidden], of the last hidden state, where the mean is that over
    residues; and i.mean_all_layers, [layers + 1, hidden], the same mean for each of HF's `hidden_states`."""
    found = {}
    for i, sequence in enumerate(sequences):
        ids = [IDS["<cls>"], *(IDS.get(residue, IDS["<unk>"]) for residue in sequence), IDS["<eos>"]]
        ids = torch.tensor([ids], device=model.device)
        with torch.no_grad():
            result = model(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
        states = torch.stack([state[0] for state in result.hidden_states]).double().cpu()
        means = states[:, 1:-1].mean(1).float()
        found[f"{i}.mean"] = means[-1].clone()
        found[f"{i}.cls"] = states[-1, 0].float()
        found[f"{i}.mean_all_layers"] = means
    return found
