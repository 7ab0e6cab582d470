"""Writes what HF transformers answers of a golden model, beyond pooled embeddings: MODEL_DIR/answers.safetensors, for
the sequences of MODEL_DIR/answers.fasta, in some of which residues are `<mask>`.

Usage: python3 scripts/golden/answers.py [MODEL_DIR ...]          (demo, hd32 and hd64, unless told otherwise)
       python3 scripts/golden/answers.py --real WEIGHTS_DIR       (tests/golden/real, from real_weights.py's folder)

All in f32 on the CPU, one sequence at a time. L is the number of residues, where `<mask>` is one. For sequence i
(from 0), in the order of the file, it writes
  i.ids                    [L + 2]                      int64, the tokens that the model was given
  i.logits                 [L + 2, 33]                  before softmax, of BOS and EOS too
  i.contacts               [L, L]                       probabilities
  i.states                 [layers + 1, L + 2, hidden]  HF's `hidden_states`, of some sequences
  i.masked_marginals       [L, 33]   log-softmax over all tokens at a site, with this site alone masked
  i.wt_marginals           [L, 33]   log-softmax over all tokens at a site, with nothing masked
  i.pseudo_log_likelihood  [1]       sum over sites of the masked log-probability of what is there
The last three are of sequences without `<mask>` only. Weights without a language model's head (those of real_weights.py)
give `ids`, `contacts` and the `states` of fewer sequences.

The sequences: 0 and 1 have one and two residues, 2 is one `<mask>`, 3 is nothing but five; 4, 5 and 6 are the same
twelve residues with no, one and several masks, the first and the last among them; 7 has every letter but the 20;
8 is a small protein, and 9 the same with a sixth of it masked.

Needs: torch, transformers (5.17 was used), safetensors
"""

import pathlib
import re
import sys

import torch
from reference import IDS
from safetensors.torch import load_file, save_file
from transformers import EsmForMaskedLM, logging

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ["examples/models/esm2_t6_2M_demo", "tests/golden/hd32", "tests/golden/hd64"]
MASK = "<mask>"
logging.disable_progress_bar()
# Of which states are kept: without a head, and with one.
STATES = {False: (0, 1), True: (0, 1, 2, 3, 6, 7)}
# What differs in the shape of a head, and is never read from a file.
HARMLESS = ("lm_head.decoder", "esm.rotary_embeddings")


def records(path):
    """The sequences of a FASTA file, each a list of tokens. `>` begins a record at the start of a line only."""
    found = []
    for line in path.read_text().splitlines():
        if line.startswith(">"):
            found.append([])
        else:
            found[-1] += re.findall(f"{MASK}|.", line)
    return found


def load(folder):
    """The model, and whether it has a language model's head; it ends if anything else is missing."""
    model, info = EsmForMaskedLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    missing = [name for name in info["missing_keys"] if not name.startswith(HARMLESS)]
    of_head = [name for name in missing if name.startswith("lm_head")]
    assert missing == of_head, missing
    return model.eval(), not of_head


def ask(model, tokens):
    """Tokens, logits, hidden states and contacts of a sequence."""
    ids = torch.tensor([[IDS["<cls>"], *(IDS[token] for token in tokens), IDS["<eos>"]]])
    attention = torch.ones_like(ids)
    with torch.no_grad():
        result = model(input_ids=ids, attention_mask=attention, output_hidden_states=True)
        contacts = model.predict_contacts(ids, attention)[0]
    return ids[0], result.logits[0], torch.stack([state[0] for state in result.hidden_states]), contacts


def answers(model, sequences, has_head):
    """All answers by name."""
    found = {}
    for i, tokens in enumerate(sequences):
        ids, logits, states, contacts = ask(model, tokens)
        found[f"{i}.ids"] = ids
        found[f"{i}.contacts"] = contacts
        if i in STATES[has_head]:
            found[f"{i}.states"] = states
        if not has_head:
            continue
        found[f"{i}.logits"] = logits
        if MASK in tokens:
            continue
        masked = []
        for site in range(len(tokens)):
            _, at_mask, _, _ = ask(model, [*tokens[:site], MASK, *tokens[site + 1 :]])
            masked.append(at_mask[site + 1].log_softmax(0))
        masked = torch.stack(masked)
        found[f"{i}.masked_marginals"] = masked
        found[f"{i}.wt_marginals"] = logits[1:-1].log_softmax(1)
        found[f"{i}.pseudo_log_likelihood"] = masked.gather(1, ids[1:-1, None]).double().sum().float()[None]
    return found


def write(weights, target):
    """Writes the answers of a model into a folder."""
    model, has_head = load(weights)
    found = answers(model, records(target / "answers.fasta"), has_head)
    path = target / "answers.safetensors"
    before = load_file(path) if path.exists() else {}
    shared = [name for name in found if name in before and found[name].shape == before[name].shape]
    change = max(((found[n] - before[n]).abs().max().item() for n in shared), default=0.0)
    save_file({name: value.contiguous() for name, value in found.items()}, path)
    size = path.stat().st_size
    print(f"{target}: {len(found)} answers, {size} bytes, {len(shared)} known before, changed by {change:.1e}")


if sys.argv[1:2] == ["--real"]:
    write(sys.argv[2], ROOT / "tests/golden/real")
else:
    for folder in sys.argv[1:] or GOLDEN:
        write(ROOT / folder, ROOT / folder)
