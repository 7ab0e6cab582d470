"""Vectors of residues with HF transformers, as a careful user writes them: residues_peer.py MODEL FASTA SEQUENCES NPY

bf16 with sdpa, sequences sorted by their length and padded in batches, and the vectors of the residues, without those
of BOS, EOS and padding, in f16 into one .npy in the order of the FASTA file, which is the file that `runner` writes.
Timed is all but importing, loading the model, and batches to warm up.
"""

import gzip
import sys
import time

import numpy
import torch
from transformers import EsmModel

TOKENS = 32768
VOCABULARY = "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>".split()
IDS = {token: n for n, token in enumerate(VOCABULARY)}


def sequences_of(path, most):
    opener = gzip.open if path.endswith("gz") else open
    sequences = []
    with opener(path, "rt") as lines:
        for line in lines:
            if line.startswith(">"):
                if len(sequences) == most:
                    break
                sequences.append([])
            else:
                sequences[-1].append(line.strip())
    return ["".join(parts)[:1022].upper() for parts in sequences]


def batches_of(lengths):
    """Sorted by length, as many at a time as fit into the tokens that a batch of ours has."""
    batch = []
    for n in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        if batch and (len(batch) + 1) * (lengths[batch[0]] + 2) > TOKENS:
            yield batch
            batch = []
        batch.append(n)
    if batch:
        yield batch


def padded(sequences):
    longest = max(map(len, sequences)) + 2
    ids = numpy.full((len(sequences), longest), IDS["<pad>"])
    for row, sequence in zip(ids, sequences):
        row[: len(sequence) + 2] = [0, *(IDS.get(residue, IDS["<unk>"]) for residue in sequence), 2]
    return torch.from_numpy(ids)


@torch.inference_mode()
def run(model, sequences, output, batches):
    lengths = [len(sequence) for sequence in sequences]
    ends = numpy.concatenate([[0], numpy.cumsum(lengths)])
    shape = (int(ends[-1]), model.config.hidden_size)
    vectors = numpy.lib.format.open_memmap(output, mode="w+", dtype=numpy.float16, shape=shape)
    for batch in batches:
        ids = padded([sequences[n] for n in batch]).pin_memory().to("cuda", non_blocking=True)
        states = model(input_ids=ids, attention_mask=(ids != IDS["<pad>"]).long()).last_hidden_state
        states = states.to(torch.float16).cpu().numpy()
        for n, rows in zip(batch, states):
            vectors[ends[n] : ends[n + 1]] = rows[1 : lengths[n] + 1]
    vectors.flush()


def main(folder, fasta, most, output):
    model = EsmModel.from_pretrained(
        folder, add_pooling_layer=False, attn_implementation="sdpa", dtype=torch.bfloat16
    )
    model = model.to("cuda").eval()
    sequences = sequences_of(fasta, int(most))
    batches = list(batches_of([len(sequence) for sequence in sequences]))
    run(model, sequences, output, batches[:: max(1, len(batches) // 4)])
    torch.cuda.synchronize()
    start = time.perf_counter()
    sequences = sequences_of(fasta, int(most))
    lengths = [len(sequence) for sequence in sequences]
    run(model, sequences, output, batches_of(lengths))
    seconds = time.perf_counter() - start
    tokens = sum(lengths) + 2 * len(lengths)
    print(f"peer whole residues.npy {tokens / seconds:.0f} tokens/s, {seconds:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
