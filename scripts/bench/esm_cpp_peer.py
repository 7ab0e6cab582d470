"""Tokens per second of esm-cpp, the fastest CPU engine for ESM-2 on PyPI.

Usage: esm_cpp_peer.py MODEL_DIR FASTA[.gz] N_SEQUENCES

Prints tokens per second, `-`, the most bytes of memory that it had, and what it counted. MODEL_DIR holds the model.safetensors of a standard ESM-2 size, with the rotary frequencies of each
layer (`...attention.self.rotary_embeddings.inv_freq`), in f32, as Meta's files on the Hub are. Needs: pip install "numpy<2" esm-cpp
"""

import gzip
import resource
import sys
import time

import esm_cpp
import numpy as np


def sequences(path, n):
    """The first n sequences of a FASTA file."""
    found = []
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as lines:
        for line in lines:
            if line.startswith(">"):
                if len(found) == n:
                    break
                found.append("")
            else:
                found[-1] += line.strip()
    return found


folder, fasta, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = esm_cpp.Model.load_from_safetensors(f"{folder}/model.safetensors")
tokenizer = esm_cpp.Tokenizer()
ids = [np.array(tokenizer.encode(s[:1022]), dtype=np.int32) for s in sequences(fasta, n)]
n_tokens = sum(map(len, ids))
model.forward_scheduled(ids[:2])  # Threads and buffers are made at the first call.
start = time.perf_counter()
model.forward_scheduled(ids)
seconds = time.perf_counter() - start
memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{n_tokens / seconds:.1f} - {memory} {n_tokens} tokens, {esm_cpp.current_isa()}")
