#!/usr/bin/env python3
"""Whether examples/cluster/hyperqueue.sh does what it says, with a server and two workers in this process.

As root; RUNNER is the program (the one in PATH), PYTHON a Python that has hyperqueue, pyarrow and numpy (python3).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

here = Path(__file__).resolve().parent
if "FOLDER" not in os.environ:
    # HyperQueue's server listens on all networks, so there is none.
    runner = shutil.which(os.environ.get("RUNNER", "runner")) or sys.exit("RUNNER is not there")
    os.environ["RUNNER"] = os.path.realpath(runner)
    os.environ.setdefault("PYTHON", sys.executable)
    os.execv(here / "alone.sh", ["alone.sh", os.environ["PYTHON"], str(Path(__file__).resolve())])

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

N_SHARDS = 4
folder = Path.cwd()
examples = here.parent.parent / "examples"
model = str(examples / "models/esm2_t6_2M_demo")
proteins = (examples / "data/proteins.fasta").read_text()
# The same, six times, with a record that is rejected, which HyperQueue must not take for a failure.
fasta = folder / "proteins.fasta"
fasta.write_text("".join(proteins.replace(">", f">{copy}|") for copy in range(6)) + ">empty\n")
REJECTED = 7
# The job script finds the program in PATH.
(folder / "bin").mkdir()
(folder / "bin/runner").symlink_to(os.environ["RUNNER"])
os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
passed = failed = 0


def check(title, is_so):
    global passed, failed
    passed, failed = passed + bool(is_so), failed + (not is_so)
    print("ok  " if is_so else "FAIL", title, flush=True)


def slow(output, tokens_per_second):
    """The script, its output and the rest of its arguments."""
    return [str(here / "slow.rhai"), output, str(fasta), model, str(tokens_per_second)]


def entries(shard):
    """The ledger of a shard so far."""
    ledger = folder / f"shared.parquet.parts/shard-{shard:05}-of-{N_SHARDS:05}/ledger.jsonl"
    # The last line may be in the making.
    return [json.loads(line) for line in ledger.read_text().split("\n")[:-1]] if ledger.exists() else []


def stretches(shard):
    """Who has worked on a shard, one after another."""
    return [entry["stretch"] for entry in entries(shard) if "stretch" in entry]


script, output, *rest = slow("whole.parquet", 1_000_000_000)
run = subprocess.run(["runner", "--quiet", "exec", script, "--", output, *rest])
check("a single run", run.returncode == REJECTED)

with LocalCluster(server_dir=str(folder / "server")) as cluster:
    for _ in range(2):
        cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()
    job = Job(default_workdir=folder, max_fails=0)
    command = [str(examples / "cluster/hyperqueue.sh"), str(N_SHARDS), *slow("shared.parquet", 10_000)]
    tasks = [job.program(command, stderr=str(folder / f"{shard}.log")) for shard in range(N_SHARDS)]
    merging = ["bash", "-c", f"runner merge shared.parquet || [ $? = {REJECTED} ]"]
    job.program(merging, deps=tasks, stdout=str(folder / "merge.log"), stderr=str(folder / "merge.log"))
    submitted = client.submit(job)

    # HyperQueue stops tasks by SIGINT.
    while not any("commit" in entry for entry in entries(1)):
        time.sleep(0.05)
    os.kill(stretches(1)[0]["pid"], signal.SIGINT)
    while len(stretches(1)) < 2 and not (folder / "shared.parquet").exists():
        time.sleep(0.05)
    check("SIGINT to one of 4 shards: it exits with 75, and the job script goes on with it", len(stretches(1)) == 2)
    done = client.wait_for_jobs([submitted], raise_on_error=False)
    check("all shards and the merge that depends on them", done)

same_bits = [sys.executable, here.parent / "gpu/same_bits.py", "whole.parquet", "shared.parquet"]
check("the bits of a single run", subprocess.run(same_bits).returncode == 0)
if failed:
    for log in sorted(folder.glob("*.log")):
        print(f"== {log.name}\n{log.read_text()}")
print(f"{passed} passed, {failed} failed", flush=True)
# The cluster's threads would keep this process.
os._exit(bool(failed))
