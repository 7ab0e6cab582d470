#!/usr/bin/env bash
# Whether the job scripts of examples/cluster do on Slurm what they say. As root, with Debian 12's slurmctld, slurmd,
# slurm-client and munge; RUNNER is the program (the one in PATH), PYTHON a Python that has pyarrow (python3).
set -euo pipefail
here=$(dirname "$(realpath "$0")")
if [ -z "${FOLDER:-}" ]; then
    RUNNER=$(realpath "$(command -v "${RUNNER:-runner}")")
    export RUNNER
    exec "$here/alone.sh" "$0"
fi
examples=$here/../../examples
jobs=$examples/cluster
model=$examples/models/esm2_t6_2M_demo
fasta=$examples/data/proteins.fasta
passed=0 failed=0

# check TITLE FUNCTION: whether every line of the function succeeds.
check() {
    local code
    set +e
    # In an `if` it would go on behind a line that fails.
    (
        set -eE
        trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR
        "$2"
    )
    code=$?
    set -e
    if [ $code = 0 ]; then
        passed=$((passed + 1))
        echo "ok    $SECONDS s: $1"
    else
        failed=$((failed + 1))
        echo "FAIL  $SECONDS s: $1"
        squeue
        tail -n 20 -- *.log slurm/log/slurmctld.log
        scancel --user=root
    fi
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ]
        sleep 0.1
    done
}

is_gone() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }
is_running() { [ "$(squeue -h -j "$1" -o %T)" = RUNNING ]; }

# submit JOB_SCRIPT NAME OPTIONS..: a job whose output is NAME.parquet, 3 s of work; it prints the job's number.
submit() { sbatch --parsable -J "$2" "${@:3}" "$jobs/$1" "$here/slow.rhai" "$2.parquet" "$fasta" "$model" 7000; }
# Somebody whose job is more urgent takes a node.
preempt() { sbatch --parsable -p urgent --exclusive -w "$1" -o /dev/null --wrap='sleep 1' >/dev/null; }

# ledger NAME INDEX COUNT: that of a shard.
ledger() { printf '%s.parquet.parts/shard-%05d-of-%05d/ledger.jsonl' "$@"; }
has_committed() { grep -qs '^{"commit"' "$(ledger "$@")"; }
# worked TIMES NAME INDEX COUNT: so many processes have worked on a shard, one after another.
worked() { [ "$(grep -c '^{"stretch"' "$(ledger "${@:2}")")" = "$1" ]; }
same_bits() { "$PYTHON" "$here/../gpu/same_bits.py" "$1.parquet" "$2.parquet" >>same_bits.log; }
# The shards of an output become what a single run gives.
merges() {
    runner merge "$1.parquet"
    same_bits whole "$1"
}

array() {
    job=$(sbatch --parsable --array=0-3 -J array "$jobs/array.sbatch" "$jobs/job.rhai" array.parquet "$fasta" "$model")
    merge=$(sbatch --parsable --dependency="afterok:$job" -J merge -o merge.log --wrap='runner merge array.parquet')
    wait_for 60 is_gone "$merge"
    same_bits single array
    [ "$(grep -c 'rank 0 of 1 on n[12] with gpu [01]' tasks-array)" = 4 ]
}

again() {
    job=$(sbatch --parsable --array=0-3 -J again "$jobs/array.sbatch" "$jobs/job.rhai" array.parquet "$fasta" "$model")
    wait_for 60 is_gone "$job"
    [ "$(wc -l <tasks-again)" = 4 ]
    same_bits single array
}

terminated() {
    job=$(submit array.sbatch terminated --array=0-1)
    wait_for 20 has_committed terminated 1 2
    scancel --signal=TERM "${job}_1"
    wait_for 60 is_gone "$job"
    grep -q 'exit code 75' terminated-*_1.log
    worked 1 terminated 0 2
    worked 2 terminated 1 2
    merges terminated
}

preempted() {
    job=$(submit array.sbatch preempted --array=0-1 --exclusive)
    wait_for 20 has_committed preempted 0 2
    preempt n1
    wait_for 60 is_gone "$job"
    grep -q 'exit code 75' preempted-*.log
    merges preempted
}

deaf() {
    job=$(DEAF=1 submit array.sbatch deaf --array=0-1 --exclusive)
    wait_for 20 has_committed deaf 0 2
    preempt n1
    wait_for 60 is_gone "$job"
    ! grep -q 'exit code 75' deaf-*.log
    merges deaf
}

time_limit() {
    job=$(submit array.sbatch limit --array=0-1 --time=1 --signal=TERM@57)
    wait_for 90 is_gone "$job"
    grep -q 'exit code 75' limit-*.log
    merges limit
}

requeue() {
    sed -i 's/^RequeueExit/#&/' slurm/slurm.conf
    scontrol reconfigure
    job=$(submit requeue.sbatch requeue --array=0-1)
    wait_for 20 has_committed requeue 0 2
    wait_for 20 has_committed requeue 1 2
    # Once as Slurm does it before the time is over, to the script, and once as somebody might, to the program.
    scancel --signal=TERM --batch "${job}_1"
    scancel --signal=TERM "${job}_0"
    wait_for 60 is_gone "$job"
    worked 2 requeue 0 2
    worked 2 requeue 1 2
    merges requeue
    sed -i 's/^#RequeueExit/RequeueExit/' slurm/slurm.conf
    scontrol reconfigure
}

ranks() {
    job=$(submit srun.sbatch ranks --nodes=2 --ntasks-per-node=2)
    for rank in 0 1 2 3; do wait_for 20 has_committed ranks "$rank" 4; done
    ss -Hltnup >listening
    ! grep -vE '(127\.0\.0\.1|\[::1\]):[0-9]+ ' listening
    grep -q srun listening
    scancel --signal=TERM --batch "$job"
    wait_for 60 is_gone "$job"
    for rank in 0 1 2 3; do [ "$(grep -c "rank $rank of 4" tasks-ranks)" = 2 ]; done
    for gpu in 'n1 with gpu 0' 'n1 with gpu 1' 'n2 with gpu 0' 'n2 with gpu 1'; do grep -q "$gpu" tasks-ranks; done
    same_bits whole ranks
}

dead_node() {
    job=$(submit array.sbatch dead --array=0-1 --exclusive)
    wait_for 20 has_committed dead 0 2
    node=$(squeue -h -j "${job}_0" -o %N)
    other=$(squeue -h -j "${job}_1" -o %N)
    [ "$node" != "$other" ]
    # All that runs there: the daemon, its steps, and the program.
    kill -KILL "$(cat "slurm/run/slurmd-$node.pid")" $(on_node "$node")
    wait_for 90 is_gone "$job"
    worked 2 dead 0 2
    merges dead
}
# The processes of a node's jobs: with their daemon they all have its name in their environment.
on_node() {
    for process in /proc/[0-9]*; do
        grep -qsz "^SLURMD_NODENAME=$1$" "$process/environ" && echo "${process#/proc/}"
    done
    pgrep -f "^slurmstepd: " || true
}

missing() {
    job=$(submit array.sbatch missing --array=1-3)
    wait_for 60 is_gone "$job"
}

mkdir bin
# Job scripts find the program in PATH. On its way it notes what Slurm gave it, and DEAF keeps SIGTERM from it.
cat >bin/runner <<'SCRIPT'
#!/bin/bash
[ "$1" = exec ] && echo "rank ${SLURM_PROCID:-} of ${SLURM_NTASKS:-} on $SLURMD_NODENAME with gpu $CUDA_VISIBLE_DEVICES" >>"tasks-$SLURM_JOB_NAME"
[ -n "${DEAF:-}" ] || exec "$RUNNER" "$@"
trap '' TERM
setsid --wait "$RUNNER" "$@"
SCRIPT
chmod +x bin/runner
export PATH=$FOLDER/bin:$PATH
"$RUNNER" --quiet exec "$here/slow.rhai" -- whole.parquet "$fasta" "$model" 1000000000
"$RUNNER" --quiet exec "$jobs/job.rhai" -- single.parquet "$fasta" "$model" >/dev/null

trap '"$here/slurm-down.sh" slurm' EXIT
"$here/slurm-up.sh" "$FOLDER/slurm" 2 2
export SLURM_CONF=$FOLDER/slurm/slurm.conf

check "an array of 4, a GPU each, and a merge that depends on it: the bits of a single run" array
check "the same array again has nothing to do" again
check "SIGTERM to one of two: it exits with 75, RequeueExit puts it back, it goes on" terminated
check "preempted: told at once, it exits with 75 and goes on" preempted
check "preempted and deaf: killed, and it goes on" deaf
check "out of time: told before, it exits with 75 and goes on" time_limit
check "without RequeueExit the job script does it" requeue
check "four ranks of one allocation, stopped once, and merged; all listen on the loopback only" ranks
check "a node dies: its shard goes on elsewhere" dead_node
echo "$passed passed, $failed failed"
[ $failed = 0 ]
