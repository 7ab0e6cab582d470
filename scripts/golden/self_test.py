"""Writes the numbers that `runner doctor` compares its own with: src/doctor/self_test/reference.rs.

Usage: /path/to/python scripts/golden/self_test.py > src/doctor/self_test/reference.rs

A tiny ESM-2 gets weights from a generator of integers, the one in src/doctor/self_test/generator.rs, so that no file of
weights comes along. HF transformers embeds three sequences with it in f64, which counts as the truth, and then in each number
format. Another program's rounding differs from that of transformers, in the order of sums and in where it rounds, so that a
format may differ by a few times the largest error that transformers makes itself in it: by four times in f16 and bf16, where
rounding what is stored counts for all of it, and by sixteen times in f32, where exp and erf count, which transformers has to
the last place and others to a few.

Needs: torch, transformers (5.17 was used), numpy
"""

import numpy as np
import torch
from transformers import EsmConfig, EsmModel, logging

logging.set_verbosity_error()
TOKENS = (
    "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>".split()
)
HIDDEN, LAYERS, HEADS, INTERMEDIATE = 128, 2, 2, 512
LENGTHS = [33, 61, 150]
# Which components are kept.
STEP = 8
# Number formats, and how many times as far as transformers others may be off.
FORMATS = [("F32", torch.float32, 16), ("F16", torch.float16, 4), ("Bf16", torch.bfloat16, 4)]


def integers(stream, n):
    """The first n integers of a stream, of 32 bits each: the finalizer of MurmurHash3 over consecutive numbers."""
    x = np.uint32(stream << 20) + np.arange(n, dtype=np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    return x ^ x >> np.uint32(16)


def numbers(stream, shape, offset, scale):
    """`offset` plus numbers from -scale / 2 to scale / 2, all of which are exact in f32."""
    values = (integers(stream, int(np.prod(shape))) >> np.uint32(8)).astype(np.float32) / 2**24 - 0.5
    return torch.from_numpy((offset + values * np.float32(scale)).astype(np.float32).reshape(shape))


def tensors():
    """Name, shape, offset and scale of every tensor, in the order of their streams."""
    linear = lambda name, rows, columns, scale: [
        (f"{name}.weight", (rows, columns), 0, scale), (f"{name}.bias", (rows,), 0, 0.25)]
    norm = lambda name: [(f"{name}.weight", (HIDDEN,), 1, 0.25), (f"{name}.bias", (HIDDEN,), 0, 0.25)]
    yield "embeddings.word_embeddings.weight", (len(TOKENS), HIDDEN), 0, 2
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        yield from norm(f"{layer}.attention.LayerNorm")
        yield from linear(f"{layer}.attention.self.query", HIDDEN, HIDDEN, 0.25)
        yield from linear(f"{layer}.attention.self.key", HIDDEN, HIDDEN, 0.25)
        yield from linear(f"{layer}.attention.self.value", HIDDEN, HIDDEN, 0.25)
        yield from linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN, 0.25)
        yield from norm(f"{layer}.LayerNorm")
        yield from linear(f"{layer}.intermediate.dense", INTERMEDIATE, HIDDEN, 0.25)
        yield from linear(f"{layer}.output.dense", HIDDEN, INTERMEDIATE, 0.125)
    yield from norm("encoder.emb_layer_norm_after")


def sequence(stream, length):
    """Residues among the twenty common ones."""
    return [TOKENS[4 + n % 20] for n in integers(stream, length)]


def embeddings(weights, sequences, dtype):
    """The mean of the last hidden state over residues, in f64."""
    config = EsmConfig(
        vocab_size=len(TOKENS), hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=INTERMEDIATE, position_embedding_type="rotary", token_dropout=True,
        emb_layer_norm_before=False, pad_token_id=1, mask_token_id=32, layer_norm_eps=1e-5, hidden_act="gelu",
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=1026)
    config._attn_implementation = "eager"
    model = EsmModel(config, add_pooling_layer=False)
    result = model.load_state_dict(weights, strict=False)
    assert not result.unexpected_keys, result
    assert all("contact_head" in name or "inv_freq" in name for name in result.missing_keys), result
    model = model.to(dtype).eval()
    # Frequencies stay what they are, as everywhere.
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq"):
            buffer.data = buffer.data.to(torch.float64 if dtype == torch.float64 else torch.float32)
    means = []
    for residues in sequences:
        ids = torch.tensor([[0, *(TOKENS.index(residue) for residue in residues), 2]])
        with torch.no_grad():
            state = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        means.append(state[0, 1:-1].double().mean(0))
    return torch.stack(means)


def main():
    weights = {name: numbers(stream, *rest) for stream, (name, *rest) in enumerate(tensors())}
    sequences = [sequence(100 + n, length) for n, length in enumerate(LENGTHS)]
    truth = embeddings(weights, sequences, torch.float64)
    print("//! What the numbers of the self-test have to be. Written by scripts/golden/self_test.py.\n")
    print("use crate::job::Dtype;\n")
    print("/// Of each sequence every eighth component of its embedding, as HF transformers computes it in f64.")
    print("#[rustfmt::skip]")
    kept = truth[:, ::STEP].float()
    print(f"pub(super) const EMBEDDINGS: [[f32; {kept.shape[1]}]; {kept.shape[0]}] = [")
    for row in kept:
        print("    [")
        for start in range(0, len(row), 8):
            values = (np.format_float_positional(np.float32(x), unique=True, trim="0") for x in row[start:start + 8])
            print("        " + ", ".join(values) + ",")
        print("    ],")
    print("];\n")
    print("/// How far a number may be off in each number format: so many times as far as transformers is in it, at most.")
    print("pub(super) const TOLERANCES: [(Dtype, f32); 3] = [")
    for name, dtype, margin in FORMATS:
        error = (embeddings(weights, sequences, dtype) - truth).abs().max().item()
        tolerance = f"{margin * error:.1e}".replace("e-0", "e-")
        print(f"    (Dtype::{name}, {tolerance}),")
    print("];")


main()
