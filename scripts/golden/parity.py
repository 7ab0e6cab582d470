"""Vectors that are nearly alike, and what numpy says of how near they are:
    python3 scripts/golden/parity.py
writes tests/golden/parity.json. Needs numpy."""

import json
import pathlib

import numpy as np

HIDDEN = 6
LENGTHS = [3, 1, 8, 5]
IDS = [f"protein {n}" for n in range(len(LENGTHS))]


def single(array):
    """f32, written so that reading it as f32 gives the same."""
    return [float(f"{x:.9g}") for x in np.asarray(array, np.float32).ravel()]


def figures(got, want, names):
    got, want = (np.asarray(x, np.float64) for x in (got, want))
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(want, axis=1)
    cosines = (got * want).sum(axis=1) / norms
    least = int(cosines.argmin())
    return {
        "least": float(cosines[least]),
        "least_id": names[least][0],
        "least_residue": names[least][1],
        "median": float(np.median(cosines)),
        "largest_difference": float(np.abs(got - want).max()),
        "relative_norm": float(np.linalg.norm(got - want) / np.linalg.norm(want)),
    }


random = np.random.default_rng(13)
# As proteins do, they share most of what they are, and each of them a part.
offset = random.normal(scale=4, size=HIDDEN)
want_residues = [
    (offset + random.normal(size=HIDDEN) + random.normal(scale=0.5, size=(n, HIDDEN))).astype(np.float32)
    for n in LENGTHS
]
got_residues = [
    (x * (1 + random.normal(scale=0.02, size=x.shape)) + 0.05).astype(np.float32) for x in want_residues
]
want = np.stack([x.mean(axis=0) for x in want_residues])
got = np.stack([x.mean(axis=0) for x in got_residues])
mean = want.astype(np.float64).mean(axis=0)
residues = [(name, n + 1) for name, length in zip(IDS, LENGTHS) for n in range(length)]
sequences = [(name, None) for name in IDS]
golden = {
    "hidden_size": HIDDEN,
    "ids": IDS,
    "got": [single(x) for x in got],
    "want": [single(x) for x in want],
    "got_residues": [single(x) for x in got_residues],
    "want_residues": [single(x) for x in want_residues],
    "pooled": figures(got, want, sequences),
    "centred": figures(got - mean, want - mean, sequences),
    "residues": figures(np.concatenate(got_residues), np.concatenate(want_residues), residues),
}
path = pathlib.Path(__file__).parents[2] / "tests/golden/parity.json"
path.write_text(json.dumps(golden, indent=1) + "\n")
