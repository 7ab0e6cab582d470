"""Masked marginals of one protein with HF transformers: scores_peer.py MODEL FASTA

Each residue of the first protein is masked once, and the copies are put through the model in batches, in bf16 with
sdpa; of each the logits at the mask become log-probabilities in f32. Timed is all but importing and loading.
"""

import sys
import time

import torch
from residues_peer import IDS, padded, sequences_of
from transformers import EsmForMaskedLM

COPIES = 100
AMINO_ACIDS = [IDS[residue] for residue in "ACDEFGHIKLMNPQRSTVWY"]


@torch.inference_mode()
def scores(model, sequence):
    """Log-probabilities of the amino acids at each site less that of the residue there, `[residues, 20]`."""
    ids = padded([sequence])[0].to("cuda")
    parts = []
    for first in range(0, len(sequence), COPIES):
        sites = torch.arange(first, min(first + COPIES, len(sequence)), device="cuda")
        copies = ids.repeat(len(sites), 1)
        rows = torch.arange(len(sites), device="cuda")
        copies[rows, sites + 1] = IDS["<mask>"]
        logits = model(input_ids=copies, attention_mask=torch.ones_like(copies)).logits
        at_mask = logits[rows, sites + 1].float().log_softmax(-1)
        parts.append(at_mask[:, AMINO_ACIDS] - at_mask[rows, ids[sites + 1]][:, None])
    return torch.cat(parts).cpu()


def main(folder, fasta):
    model = EsmForMaskedLM.from_pretrained(
        folder, attn_implementation="sdpa", dtype=torch.bfloat16
    )
    model = model.to("cuda").eval()
    (sequence,) = sequences_of(fasta, 1)
    scores(model, sequence)
    for _ in range(3):
        start = time.perf_counter()
        table = scores(model, sequence)
        seconds = time.perf_counter() - start
        print(f"peer scores {seconds:.4f} s, {len(table)} sequences")


if __name__ == "__main__":
    main(*sys.argv[1:])
