"""Writes checkpoints as Meta's fair-esm has them, and what fair-esm makes of them: tests/golden/fair_esm.

Usage: PYTHONPATH=FAIR_ESM python3 scripts/golden/fair_esm.py [--converted FOLDER]

- `esm2_t2_tiny.pt`, with `esm2_t2_tiny-contact-regression.pt` beside it: random weights of a small ESM-2 in f16 under
  the names of the published files, the configuration in an `argparse.Namespace`, rotary frequencies rounded to f16.
- `esm2_t2_plain.pt`: the same numbers without prefixes, the configuration in a dict.
- `esm1b_t2_tiny.pt`: a file of another architecture, with next to no numbers.
- `transformers/`: the same model as HF transformers saves it. The script ends unless transformers gives the outputs
  that fair-esm gives.
- `golden.safetensors`: the outputs of fair-esm for `golden.fasta`, named as in golden.py.
- `answers.safetensors`: the logits of fair-esm for `answers.fasta`, in which some residues are `<mask>`, named as in
  answers.py.

With `--converted` it writes nothing, and says whether transformers loads FOLDER, which `runner convert` has made of
`esm2_t2_tiny.pt`, with all tensors and the same bits as `transformers/`, logits and contacts included.

Needs: torch, transformers (5.17 was used), safetensors, fair-esm 2.0.0 (`pip install --no-deps --target FAIR_ESM`)
"""

import argparse
import json
import pathlib
import sys

import torch
from reference import IDS, sequences
from safetensors.torch import save_file
from transformers import AutoTokenizer, EsmConfig, EsmForMaskedLM

FOLDER = pathlib.Path(__file__).parents[2] / "tests/golden/fair_esm"
HF = FOLDER / "transformers"
N_LAYERS, HIDDEN, N_HEADS = 2, 32, 2
MOST_TOKENS_KEPT = 40

# What each module of a layer is called by fair-esm and by transformers.
IN_LAYER = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn.rot_emb": "attention.self.rotary_embeddings",
    "self_attn_layer_norm": "attention.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "LayerNorm",
}
OUTSIDE = {
    "embed_tokens": "esm.embeddings.word_embeddings",
    "emb_layer_norm_after": "esm.encoder.emb_layer_norm_after",
    "contact_head.regression": "esm.contact_head.regression",
    "lm_head": "lm_head",
    "lm_head.dense": "lm_head.dense",
    "lm_head.layer_norm": "lm_head.layer_norm",
}


def weights():
    """The tensors of a small model, in f16."""
    random = torch.Generator().manual_seed(13)
    normal = lambda *shape: torch.randn(*shape, generator=random)
    found = {"embed_tokens.weight": normal(33, HIDDEN)}
    found["embed_tokens.weight"][IDS["<pad>"]] = 0

    def linear(name, n_out, n_in):
        found[f"{name}.weight"] = normal(n_out, n_in) * n_in**-0.5
        found[f"{name}.bias"] = 0.3 * normal(n_out)

    def norm(name):
        found[f"{name}.weight"] = 1 + 0.2 * normal(HIDDEN)
        found[f"{name}.bias"] = 0.2 * normal(HIDDEN)

    head = HIDDEN // N_HEADS
    for n in range(N_LAYERS):
        layer = f"layers.{n}"
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"]:
            linear(f"{layer}.self_attn.{name}", HIDDEN, HIDDEN)
        # Queries and keys large enough that attention is not flat, and positions count.
        found[f"{layer}.self_attn.q_proj.weight"] *= 2
        found[f"{layer}.self_attn.k_proj.weight"] *= 2
        frequencies = 1 / (10000 ** (torch.arange(0, head, 2).float() / head))
        found[f"{layer}.self_attn.rot_emb.inv_freq"] = frequencies
        norm(f"{layer}.self_attn_layer_norm")
        linear(f"{layer}.fc1", 4 * HIDDEN, HIDDEN)
        linear(f"{layer}.fc2", HIDDEN, 4 * HIDDEN)
        norm(f"{layer}.final_layer_norm")
    norm("emb_layer_norm_after")
    linear("lm_head.dense", HIDDEN, HIDDEN)
    norm("lm_head.layer_norm")
    found["lm_head.bias"] = 0.1 * normal(33)
    found = {name: tensor.half() for name, tensor in found.items()}
    # One tensor under two names, as in the published files.
    found["lm_head.weight"] = found["embed_tokens.weight"]
    regression = {
        "contact_head.regression.weight": normal(1, N_LAYERS * N_HEADS),
        "contact_head.regression.bias": normal(1),
    }
    return found, regression


def published(name):
    """The name in a published file."""
    return f"encoder.{name}" if name.startswith("lm_head") else f"encoder.sentence_encoder.{name}"


def in_transformers(name):
    """The name in transformers."""
    module, part = name.rsplit(".", 1)
    if module.startswith("layers."):
        _, n, module = module.split(".", 2)
        return f"esm.encoder.layer.{n}.{IN_LAYER[module]}.{part}"
    return f"{OUTSIDE[module]}.{part}"


def of_fair_esm(path):
    """The outputs of fair-esm for the file at `path`, in f32 and one sequence at a time."""
    import esm

    torch.serialization.add_safe_globals([argparse.Namespace])
    model, alphabet = esm.pretrained.load_model_and_alphabet_local(path)
    model = model.float().eval()
    assert [alphabet.get_idx(token) for token in IDS] == list(IDS.values()), "the alphabets are the same"
    encode = alphabet.get_batch_converter()
    found, contacts = {}, []
    for i, sequence in enumerate(sequences(FOLDER / "golden.fasta")):
        _, _, tokens = encode([("", sequence)])
        with torch.no_grad():
            result = model(tokens, repr_layers=list(range(N_LAYERS + 1)), return_contacts=True)
        states = torch.stack([result["representations"][n][0] for n in range(N_LAYERS + 1)])
        keep(found, i, states, result["logits"][0])
        contacts.append(result["contacts"][0])
    return found, contacts


def answers_of_fair_esm(path):
    """The logits of all tokens of each sequence of `answers.fasta`, whose masks fair-esm finds itself."""
    import esm

    model, alphabet = esm.pretrained.load_model_and_alphabet_local(path)
    model = model.float().eval()
    encode = alphabet.get_batch_converter()
    found = {}
    for i, sequence in enumerate(sequences(FOLDER / "answers.fasta")):
        _, _, tokens = encode([("", sequence)])
        with torch.no_grad():
            found[f"{i}.logits"] = model(tokens)["logits"][0]
    return found


def of_transformers(folder):
    """The same of transformers for a folder."""
    model, info = EsmForMaskedLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    print(f"{folder}: missing {sorted(info['missing_keys'])}, unexpected {sorted(info['unexpected_keys'])}")
    lost = [name for name in info["missing_keys"] if not name.startswith(("lm_head.decoder", "esm.rotary"))]
    assert not lost, lost
    model.eval()
    found, contacts = {}, []
    for i, sequence in enumerate(sequences(FOLDER / "golden.fasta")):
        ids = torch.tensor([[IDS["<cls>"], *(IDS[residue] for residue in sequence), IDS["<eos>"]]])
        mask = torch.ones_like(ids)
        with torch.no_grad():
            result = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            contacts.append(model.predict_contacts(ids, mask)[0])
        keep(found, i, torch.stack([state[0] for state in result.hidden_states]), result.logits[0])
    return found, contacts


def keep(found, i, states, logits):
    """Adds what a sequence gives to `found`."""
    means = states[:, 1:-1].double().mean(1).float()
    found[f"{i}.mean"] = means[-1].clone()
    found[f"{i}.cls"] = states[-1, 0].clone()
    found[f"{i}.mean_all_layers"] = means
    if states.shape[1] <= MOST_TOKENS_KEPT:
        found[f"{i}.tokens"] = states[-1].clone()
        found[f"{i}.logits"] = logits.clone()


def difference(one, other):
    """The largest difference of what two programs give."""
    (outputs, contacts), (others, other_contacts) = one, other
    assert outputs.keys() == others.keys()
    pairs = [(outputs[name], others[name]) for name in outputs] + list(zip(contacts, other_contacts))
    return max((a - b).abs().max().item() for a, b in pairs if a.numel())


def config():
    """What transformers is told of the model."""
    return EsmConfig(
        vocab_size=33,
        mask_token_id=IDS["<mask>"],
        pad_token_id=IDS["<pad>"],
        hidden_size=HIDDEN,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        intermediate_size=4 * HIDDEN,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=1026,
        layer_norm_eps=1e-5,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        architectures=["EsmForMaskedLM"],
        dtype="float16",
    )


def check(folder):
    """Compares a folder that `runner convert` has made with `transformers/`."""
    found, want = of_transformers(folder), of_transformers(HF)
    apart = difference(found, want)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("MKTX<mask>")["input_ids"]
    assert ids == [IDS[token] for token in ["<cls>", "M", "K", "T", "X", "<mask>", "<eos>"]], ids
    print(f"{folder}: transformers loads it; outputs, logits and contacts differ by {apart}")
    sys.exit(0 if apart == 0 else 1)


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--converted", metavar="FOLDER")
arguments = arguments.parse_args()
if arguments.converted:
    check(arguments.converted)

tensors, regression = weights()
cfg = {
    "arch": "roberta_large",
    "encoder_layers": N_LAYERS,
    "encoder_embed_dim": HIDDEN,
    "encoder_ffn_embed_dim": 4 * HIDDEN,
    "encoder_attention_heads": N_HEADS,
    "token_dropout": True,
    "activation_fn": "gelu",
    "dropout": 0.0,
    "max_positions": 1024,
    "no_seed_provided": None,
}
tiny = FOLDER / "esm2_t2_tiny.pt"
model = {published(name): tensor for name, tensor in tensors.items()}
torch.save({"cfg": {"model": argparse.Namespace(**cfg)}, "model": model}, tiny)
torch.save({"model": regression}, FOLDER / "esm2_t2_tiny-contact-regression.pt")
torch.save({"cfg": {"model": cfg}, "model": tensors}, FOLDER / "esm2_t2_plain.pt")
old = {"encoder.sentence_encoder.embed_positions.weight": torch.zeros(4, 2)}
args = argparse.Namespace(arch="roberta_large", encoder_layers=2, encoder_embed_dim=2)
torch.save({"args": args, "model": old}, FOLDER / "esm1b_t2_tiny.pt")

HF.mkdir(exist_ok=True)
named = {in_transformers(name): tensor for name, tensor in {**tensors, **regression}.items() if name != "lm_head.weight"}
save_file({name: tensor.contiguous() for name, tensor in named.items()}, HF / "model.safetensors", {"format": "pt"})
config().save_pretrained(HF)
(HF / "vocab.txt").write_text("\n".join(IDS) + "\n")

meta = of_fair_esm(tiny)
save_file(meta[0], FOLDER / "golden.safetensors")
save_file(answers_of_fair_esm(tiny), FOLDER / "answers.safetensors")
apart = difference(meta, of_transformers(HF))
print(f"fair-esm and transformers differ by {apart:.1e}")
assert apart < 2e-5, apart
for path in sorted(FOLDER.rglob("*.*")):
    print(f"{path.relative_to(FOLDER)}: {path.stat().st_size} bytes")
