"""Programs that others read embeddings with, on files of ours.

Usage: python3 scripts/clients/clients.py prepare MODEL_DIR FOLDER     writes in.fasta, masked.fasta, contacts.fasta
       python3 scripts/clients/clients.py check MODEL_DIR FOLDER       reads the files of outputs.rhai

What they read is compared with what HF transformers makes of the same sequences: MODEL_DIR/golden.safetensors, and
MODEL_DIR/answers.safetensors for contacts. run.sh does all.

Needs: what is in requirements.txt
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time
import traceback

import numpy as np

HIDDEN = 160
MODEL = "esm2_t6_2M_demo"
# The golden sequences, one of them once more under a name that file formats make something of, and another one under
# its own name. The first holds what Python takes for an end of a line.
COPIED, COPY, TWICE = "s2", "sp|P2/copy|of\u2028s2", "s4"
N_COPIES = 2
MASKED, MASKED_LENGTH = "MKT<mask>YIAJKQR<mask>", 12
# Golden values are of f32 on another machine; f16 keeps 11 bits.
TOLERANCE, ROUNDING = 1e-4, 2**-11


def golden_records(model):
    """Ids and sequences of the golden file."""
    for record in (model / "golden.fasta").read_text().split(">")[1:]:
        name, *lines = record.split("\n")
        yield name, "".join(lines)


def description(sequence):
    """What stands behind an id."""
    return f"of {len(sequence)} residues"


def records(model):
    """Ids and sequences of the input, in its order."""
    found = dict(golden_records(model))
    return [*found.items(), (COPY, found[COPIED]), (TWICE, found[TWICE])]


class Expected:
    """What the files have to hold."""

    def __init__(self, model, folder):
        from safetensors.numpy import load_file

        self.folder = folder
        self.records = records(model)
        self.ids = [name for name, _ in self.records]
        self.sequences = [sequence for _, sequence in self.records]
        self.lengths = [len(sequence) for sequence in self.sequences]
        self.golden = load_file(model / "golden.safetensors")

        answers = load_file(model / "answers.safetensors")
        names = [line[1:] for line in (model / "answers.fasta").read_text().splitlines() if line.startswith(">")]
        self.maps = {name: answers[f"{n}.contacts"] for n, name in enumerate(names)}

    def at(self, name):
        return str(self.folder / name)

    def number(self, name):
        """The number of the golden sequence with these residues."""
        return (COPIED if name == COPY else name).removeprefix("s")

    def pooled(self, name, vector):
        """Compares the vector of a sequence."""
        vector = np.asarray(vector)
        assert vector.shape == (HIDDEN,) and vector.dtype == np.float32, (name, vector.shape, vector.dtype)
        difference = np.abs(vector - self.golden[f"{self.number(name)}.mean"]).max()
        assert difference <= TOLERANCE, (name, difference)

    def residues(self, name, matrix):
        """Compares the vectors of the residues of a sequence: all of them, or their mean."""
        matrix = np.asarray(matrix)
        length = self.lengths[self.ids.index(name)]
        assert matrix.shape == (length, HIDDEN) and matrix.dtype == np.float16, (name, matrix.shape, matrix.dtype)
        matrix = matrix.astype(np.float32)
        bound = TOLERANCE + ROUNDING * np.abs(matrix)
        tokens = self.golden.get(f"{self.number(name)}.tokens")
        if tokens is None:
            matrix, bound = matrix.mean(0), bound.mean(0)
            want = self.golden[f"{self.number(name)}.mean"]
        else:
            want = tokens[1:-1]
        assert (np.abs(matrix - want) <= bound).all(), (name, np.abs(matrix - want).max())

    def contacts(self, name, found):
        """Compares the probabilities of contacts of a sequence."""
        found, want = np.asarray(found), self.maps[name]
        assert found.shape == want.shape and found.dtype == np.float32, (name, found.shape, found.dtype)
        assert np.abs(found - want).max() <= TOLERANCE, (name, np.abs(found - want).max())

    def all_pooled(self, ids, vectors):
        """Compares the vectors of all sequences, in input order."""
        assert list(ids) == self.ids, ids
        assert len(vectors) == len(self.ids)
        for name, vector in zip(self.ids, vectors):
            self.pooled(name, vector)

    def all_residues(self, ids, flat, offsets):
        """Compares the vectors of all residues, one sequence below the other."""
        assert list(ids) == self.ids, ids
        assert list(offsets) == [0, *np.cumsum(self.lengths)], offsets
        for name, start, end in zip(self.ids, offsets, offsets[1:]):
            self.residues(name, flat[start:end])


def says_model(metadata):
    """Whether a file says which model it is of."""
    named = {key if isinstance(key, str) else key.decode(): value for key, value in dict(metadata).items()}
    value = named["runner.model"]
    assert value in (MODEL, MODEL.encode()), value


def each(kind, *size):
    """The type of lists of a type, with no nulls among it."""
    import pyarrow as pa

    return pa.list_(pa.field("item", kind, nullable=False), *size)


def arrow_table(table, expected, is_pooled):
    """A table that pyarrow read."""
    import pyarrow as pa

    ids = table["id"].to_pylist()
    assert table["length"].to_pylist() == expected.lengths
    assert table["sequence"].to_pylist() == expected.sequences
    if is_pooled:
        assert table.schema.field("embedding").type == each(pa.float32(), HIDDEN), table.schema
        column = table["embedding"].combine_chunks()
        expected.all_pooled(ids, column.flatten().to_numpy().reshape(-1, HIDDEN))
    else:
        assert table.schema.field("residues").type == each(each(pa.float16(), HIDDEN)), table.schema
        column = table["residues"].combine_chunks()
        flat = column.flatten().flatten().to_numpy(zero_copy_only=False).reshape(-1, HIDDEN)
        expected.all_residues(ids, flat, column.offsets.to_numpy())


def pyarrow_parquet(expected):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in ["pooled", "residues"]:
        path = expected.at(f"{name}.parquet")
        says_model(pq.read_metadata(path).metadata)
        arrow_table(pq.read_table(path), expected, name == "pooled")


    table = pq.read_table(expected.at("contacts.parquet"))
    assert table.schema.field("contacts").type == each(each(pa.float32())), table.schema
    assert table["id"].to_pylist() == list(expected.maps)
    for name, rows in zip(expected.maps, table["contacts"].to_pylist()):
        expected.contacts(name, np.array(rows, np.float32))


def pyarrow_arrow(expected):
    import pyarrow as pa
    from pyarrow import feather

    for name in ["pooled", "residues"]:
        path = expected.at(f"{name}.arrow")
        arrow_table(feather.read_table(path), expected, name == "pooled")
        with pa.memory_map(path) as source:
            reader = pa.ipc.open_file(source)
            says_model(reader.metadata)
            arrow_table(reader.read_all(), expected, name == "pooled")


def polars(expected):
    import polars as pl

    for read, ending in [(pl.read_parquet, "parquet"), (pl.read_ipc, "arrow")]:
        table = read(expected.at(f"pooled.{ending}"))
        assert table.schema["embedding"] == pl.Array(pl.Float32, HIDDEN), table.schema
        expected.all_pooled(table["id"], table["embedding"].to_numpy())
        table = read(expected.at(f"residues.{ending}"))
        assert table["id"].to_list() == expected.ids
        for name, matrix in zip(table["id"], table["residues"]):
            expected.residues(name, matrix.to_numpy().astype(np.float16))


def h5py(expected):
    import h5py

    for name, compare in [("pooled", expected.pooled), ("residues", expected.residues)]:
        with h5py.File(expected.at(f"{name}.h5")) as file:
            assert file.attrs["model_name"] == MODEL, file.attrs["model_name"]
            assert len(file) == len(expected.ids), list(file)
            found = []
            for key, dataset in file.items():
                assert isinstance(dataset, h5py.Dataset), key
                original = dataset.attrs["original_id"]
                assert isinstance(original, str), "texts are read as texts"
                # Most ids are keys as they are; `/` would make a group, and there is a key once.
                assert key == original or original in (COPY, TWICE), key
                said = dataset.attrs["description"]
                assert said == description(expected.sequences[expected.ids.index(original)]), said
                found.append(original)
                compare(original, dataset[()])
            assert sorted(found) == sorted(expected.ids), found
    with h5py.File(expected.at("contacts.h5")) as file:
        assert sorted(file) == sorted(expected.maps), list(file)
        for name, dataset in file.items():
            expected.contacts(name, dataset[()])


def protspace(expected):
    import pyarrow.parquet as pq

    out = expected.folder / "projected"
    program = pathlib.Path(sys.executable).parent / "protspace"
    subprocess.run(
        # By this Python, wherever the environment was when the script got its first line.
        [sys.executable, program, "project", "-i", expected.at("pooled.h5"), "-m", "pca2", "-o", out],
        check=True, stdout=subprocess.DEVNULL, env={"HOME": str(expected.folder), "PATH": "/usr/bin:/bin"},
    )
    table = pq.read_table(out / "projections_data.parquet").to_pandas()
    assert len(table) == len(expected.ids), len(table)
    assert np.isfinite(table[["x", "y"]].to_numpy(dtype=float)).all()


def biotrainer(expected):
    from biotrainer_core.functions.hashing import calculate_sequence_hash
    from biotrainer_core.h5_files.h5_handling import filter_h5_with_fasta, read_id2emb
    from biotrainer_core.input_files import read_FASTA

    hashes = {name: calculate_sequence_hash(sequence) for name, sequence in expected.records}
    assert hashes["s0"] == hashlib.sha256(f"{expected.sequences[0]}_{expected.lengths[0]}".encode()).hexdigest()
    distinct = set(hashes.values())
    assert len(distinct) == len(expected.ids) - N_COPIES, "equal sequences have one hash"
    for kind, compare in [("pooled", expected.pooled), ("residues", expected.residues)]:
        path = expected.at(f"{kind}_by_hash.h5")
        assert set(read_id2emb(path)) == distinct
        by_hash = read_id2emb(path, distinct)
        for name in expected.ids:
            compare(name, by_hash[hashes[name]])
        # Half of the proteins. It opens the file for writing, too.
        some = expected.folder / "some.fasta"
        some.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in expected.records[:5]))
        assert len(read_FASTA(some)) == 5
        filtered = expected.folder / f"{kind}_some.h5"
        filtered.unlink(missing_ok=True)
        assert filter_h5_with_fasta(path, some, filtered) == 5
        assert len(read_id2emb(filtered)) == 5


def scikit_bio(expected):
    import skbio
    from skbio.embedding import ProteinEmbedding, ProteinVector

    def read(name, constructor):
        # Told by its content, as skbio does without `format`.
        assert skbio.io.sniff(expected.at(name))[0] == "embed"
        return skbio.io.read(expected.at(name), format="embed", constructor=constructor)

    found = list(read("residues.embed", ProteinEmbedding))
    assert [str(one) for one in found] == expected.sequences
    for name, one in zip(expected.ids, found):
        expected.residues(name, one.embedding)
    # A mask, and a letter that ESM-2 does not know.
    found = [(str(one), one.embedding.shape) for one in read("masked.embed", ProteinEmbedding)]
    assert found == [(MASKED.replace("<mask>", "X"), (MASKED_LENGTH, HIDDEN))] * 2, found
    found = list(read("pooled.embed", ProteinVector))
    assert [str(one) for one in found] == expected.sequences
    for name, one in zip(expected.ids, found):
        expected.pooled(name, one.vector)


def ids_beside(expected, name):
    return pathlib.Path(expected.at(f"{name}.ids.txt")).read_text().split("\n")[:-1]


def numpy_npy(expected):
    expected.all_pooled(ids_beside(expected, "pooled"), np.load(expected.at("pooled.npy"), mmap_mode="r"))
    flat, offsets = (np.load(expected.at(f"residues{ending}.npy")) for ending in ["", ".offsets"])
    expected.all_residues(ids_beside(expected, "residues"), flat, offsets)
    for name in ["pooled", "residues"]:
        says_model(json.loads(pathlib.Path(expected.at(f"{name}.npy.json")).read_text())["metadata"])


def faiss(expected):
    import faiss

    vectors = np.load(expected.at("pooled.npy"))
    index = faiss.IndexFlatL2(HIDDEN)
    index.add(vectors)
    distances, found = index.search(vectors, 2)
    assert index.ntotal == len(expected.ids)
    # Everyone is the nearest to itself, and a copy lies where the original does.
    for row, (nearest, apart) in enumerate(zip(found, distances)):
        same = {n for n, sequence in enumerate(expected.sequences) if sequence == expected.sequences[row]}
        assert set(nearest[: len(same)]) == same and apart[: len(same)].max() <= 1e-3, (row, nearest, apart)


def safetensors(expected):
    from safetensors import safe_open

    def texts(file):
        data, offsets = file.get_tensor("ids"), file.get_tensor("ids_offsets")
        return [data[a:b].tobytes().decode() for a, b in zip(offsets, offsets[1:])]

    with safe_open(expected.at("pooled.safetensors"), "np") as file:
        says_model(file.metadata())
        expected.all_pooled(texts(file), file.get_tensor("embedding"))
    with safe_open(expected.at("residues.safetensors"), "np") as file:
        says_model(file.metadata())
        expected.all_residues(texts(file), file.get_tensor("residues"), file.get_tensor("residues_offsets"))
    with safe_open(expected.at("contacts.safetensors"), "np") as file:
        flat, offsets = file.get_tensor("contacts"), file.get_tensor("contacts_offsets")
        assert texts(file) == list(expected.maps)
        for name, start, end in zip(expected.maps, offsets, offsets[1:]):
            length = int((end - start) ** 0.5)
            expected.contacts(name, flat[start:end].reshape(length, length))


def documentation(expected):
    """The lines of Python in docs/questions.md, each on its own."""
    page = pathlib.Path(__file__).parents[2] / "docs/questions.md"
    blocks = [part.split("```")[0] for part in page.read_text().split("```python\n")[1:]]
    before = os.getcwd()
    os.chdir(expected.folder)
    try:
        n_compared = 0
        for block in blocks:
            names = {}
            exec(block, names)  # Nothing but what the page says.
            if "vectors" in names:
                expected.all_pooled(names["ids"], names["vectors"])
            if "residues" in names:
                expected.residues(COPIED, np.asarray(names["residues"], np.float16))
            if "by_id" in names:
                for name, vector in names["by_id"].items():
                    expected.pooled(name, vector)
            n_compared += bool({"vectors", "residues", "by_id"} & names.keys())
        assert len(blocks) > 10 and n_compared >= len(blocks) - 1, (len(blocks), n_compared)
    finally:
        os.chdir(before)


CLIENTS = [
    pyarrow_parquet, pyarrow_arrow, polars, h5py, protspace, biotrainer, scikit_bio, numpy_npy, faiss, safetensors,
    documentation,
]


def main():
    what, model, folder = sys.argv[1], *map(pathlib.Path, sys.argv[2:4])
    if what == "prepare":
        text = "".join(f">{name} {description(sequence)}\n{sequence}\n" for name, sequence in records(model))
        (folder / "in.fasta").write_text(text)
        (folder / "masked.fasta").write_text("".join(f">{name}\n{MASKED}\n" for name in "ab"))
        (folder / "contacts.fasta").write_bytes((model / "answers.fasta").read_bytes())
        return
    expected, failed = Expected(model, folder), 0
    for client in CLIENTS:
        start = time.monotonic()
        try:
            client(expected)
            said = "reads all"
        except Exception as error:  # The others say what they read, too.
            failed += 1
            own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__]
            said = f"FAILED in line {own[-1].lineno}: {type(error).__name__}: {error}"
        print(f"{client.__name__}: {said} ({time.monotonic() - start:.1f} s)", flush=True)
    sys.exit(1 if failed else 0)


main()
