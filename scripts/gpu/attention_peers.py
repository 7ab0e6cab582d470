"""Speed of FlashAttention 2 and 3 on packed sequences: attention_peers.py LENGTHS

LENGTHS is a file with the tokens of each sequence of a batch, one a line; `--lengths FASTA` prints such
lines for a FASTA file. 20 heads of 64, bf16, 32,768 tokens; queries and keys are rotated already, which
neither peer does itself.
"""

import gzip
import sys

TOKENS, HEADS, HEAD_DIM, RUNS = 32768, 20, 64, 40


def lengths_of(path):
    """Tokens of the first sequences of a FASTA file, truncated at 1,022 residues."""
    opener = gzip.open if path.endswith("gz") else open
    for record in opener(path, "rt").read(2_000_000).split(">")[1:-1]:
        yield min(len("".join(record.split("\n")[1:])), 1022) + 2


def milliseconds(call):
    import torch

    for _ in range(10):
        call()
    times = []
    for _ in range(5):
        start, end = torch.cuda.Event(True), torch.cuda.Event(True)
        start.record()
        for _ in range(RUNS):
            call()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / RUNS)
    return sorted(times)[2]


def main(path):
    import torch
    from torch.nn.attention.varlen import varlen_attn

    peers = {"FA2": lambda q, k, v, cu, m: varlen_attn(q, k, v, cu, cu, m, m)}
    try:
        from fa3_fwd_interface import flash_attn_varlen_func

        peers["FA3"] = lambda q, k, v, cu, m: flash_attn_varlen_func(q, k, v, cu, cu, m, m)
    except ImportError as error:
        print(f"FlashAttention 3 is left out: {error}")
    batches = {str(n): [n] * (TOKENS // n) for n in (64, 100, 128, 256, 512, 1024, 2048)}
    sample = []
    for line in open(path):
        if sum(sample) + int(line) > TOKENS:
            break
        sample.append(int(line))
    batches["sample"] = sample
    for name, call in peers.items():
        print(f"{name}, heads of {HEAD_DIM}, bf16, rotary not included:")
        for batch, lengths in batches.items():
            shape = (sum(lengths), HEADS, HEAD_DIM)
            q, k, v = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(3))
            ends = torch.tensor([0, *lengths], device="cuda").cumsum(0).int()
            each = milliseconds(lambda: call(q, k, v, ends, max(lengths)))
            flops = 4 * sum(n * n for n in lengths) * HEADS * HEAD_DIM
            print(f"{batch:>8} {each:8.4f} ms {flops / each / 1e9:6.0f} TFLOP/s")


if sys.argv[1] == "--lengths":
    print("\n".join(map(str, lengths_of(sys.argv[2]))))
else:
    main(sys.argv[1])
