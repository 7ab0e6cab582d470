"""Compares embeddings of all layers with those of transformers, which loads the model by its id.

Usage: python3 scripts/hub/compare.py ID FASTA OUT.parquet ..

Needs: scripts/golden on PYTHONPATH, torch, transformers (5.17 was used), pyarrow
"""

import json
import sys

import numpy
import pyarrow.parquet
from reference import load, outputs, sequences

MOST = 1e-4

identifier, fasta, *files = sys.argv[1:]
model = load(identifier)
wanted = outputs(model, sequences(fasta))
n_layers = model.config.num_hidden_layers + 1
for file in files:
    table = pyarrow.parquet.read_table(file)
    metadata = pyarrow.parquet.read_metadata(file).metadata
    largest = 0.0
    for layer in range(n_layers):
        for i, vector in enumerate(table[f"embedding_{layer}"].to_pylist()):
            expect = wanted[f"{i}.mean_all_layers"][layer].numpy()
            largest = max(largest, float(numpy.abs(numpy.array(vector) - expect).max()))
    origin = {key: metadata[f"runner.model_{key}".encode()].decode() for key in ("repository", "revision", "commit")}
    print(f"{file}: {table.num_rows} sequences, {n_layers} layers, largest difference {largest:.2g}; {json.dumps(origin)}")
    assert table.num_rows == len(sequences(fasta))
    assert largest < MOST, largest
    assert origin["repository"] == identifier and origin["revision"] == "main" and len(origin["commit"]) == 40
