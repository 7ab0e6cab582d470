"""Writes an ESM-2 of random weights, with the heads for logits and contacts: random_esm2.py SIZE FOLDER [f16 | f32]

SIZE is one of the published ones: 8M 35M 150M 650M 3B. The folder is as HF transformers has it, in f16 unless it is told
otherwise, with the rotary frequencies that Meta's files have. Attention is sharper and logits are larger than right after
initialisation, so that they depend on the sequence; they mean nothing. Needs numpy.
"""

import json
import pathlib
import struct
import sys

import numpy

SHAPES = {
    "8M": (320, 6, 20),
    "35M": (480, 12, 20),
    "150M": (640, 30, 20),
    "650M": (1280, 33, 20),
    "3B": (2560, 36, 40),
}
TOKENS = "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>".split()


def tensors(hidden, layers, heads):
    """Name, shape, mean and standard deviation of every tensor."""

    def linear(name, n_out, n_in, gain=1.0):
        # Products of normalised vectors have about the variance `gain` squared.
        yield name + ".weight", (n_out, n_in), 0.0, gain / n_in**0.5
        yield name + ".bias", (n_out,), 0.0, 0.02

    def norm(name):
        yield name + ".weight", (hidden,), 1.0, 0.02
        yield name + ".bias", (hidden,), 0.0, 0.02

    yield "esm.embeddings.word_embeddings.weight", (33, hidden), 0.0, 1.0
    for layer in range(layers):
        begin = f"esm.encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            yield from linear(f"{begin}attention.self.{part}", hidden, hidden, 1.5 if part != "value" else 1.0)
        yield from linear(begin + "attention.output.dense", hidden, hidden)
        yield from norm(begin + "attention.LayerNorm")
        yield from norm(begin + "LayerNorm")
        yield from linear(begin + "intermediate.dense", 4 * hidden, hidden)
        yield from linear(begin + "output.dense", hidden, 4 * hidden)
    yield from norm("esm.encoder.emb_layer_norm_after")
    yield from linear("esm.contact_head.regression", 1, layers * heads, 10.0)
    yield from linear("lm_head.dense", hidden, hidden)
    yield from norm("lm_head.layer_norm")
    yield "lm_head.bias", (33,), 0.0, 0.02
    yield "lm_head.decoder.weight", (33, hidden), 0.0, 3.0 / hidden**0.5


def frequencies(hidden, layers, heads):
    """The rotary frequencies of each layer, of which all have the same."""
    head_dim = hidden // heads
    values = 1.0 / 10000.0 ** (numpy.arange(0, head_dim, 2) / head_dim)
    for layer in range(layers):
        yield f"esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq", values


def main(size, folder, dtype="f16"):
    hidden, layers, heads = SHAPES[size]
    number = {"f16": "<f2", "f32": "<f4"}[dtype]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    every = list(tensors(hidden, layers, heads))
    rotary = list(frequencies(hidden, layers, heads))
    header, end = {"__metadata__": {"format": "pt"}}, 0
    # Frequencies are in f32 whatever the weights are in.
    parts = [(name, values.shape, "<f4") for name, values in rotary]
    parts += [(name, shape, number) for name, shape, _, _ in every]
    for name, shape, of in parts:
        begin, end = end, end + int(of[-1]) * int(numpy.prod(shape))
        header[name] = {"dtype": f"F{8 * int(of[-1])}", "shape": shape, "data_offsets": [begin, end]}
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    random = numpy.random.default_rng(0)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _, values in rotary:
            file.write(values.astype("<f4").tobytes())
        for _, shape, mean, deviation in every:
            values = random.standard_normal(shape, dtype=numpy.float32) * deviation + mean
            file.write(values.astype(number).tobytes())
    config = {
        "architectures": ["EsmForMaskedLM"],
        "model_type": "esm",
        "vocab_size": len(TOKENS),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": 1026,
        "position_embedding_type": "rotary",
        "token_dropout": True,
        "emb_layer_norm_before": False,
        "pad_token_id": 1,
        "mask_token_id": 32,
        "hidden_act": "gelu",
        "tie_word_embeddings": False,
    }
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    # Last, as it makes the folder a model.
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
