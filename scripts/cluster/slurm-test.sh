#!/usr/bin/env bash
# Whether the job scripts of examples/cluster do on Slurm what they say. As root, with Debian 12's slurmctld, slurmd,
# slurm-client and munge; RUNNER is the program (the one in PATH), PYTHON a Python that has pyarrow (python3).
set -euo pipefail
here=$(dirname "$(realpath "$0")")
if [ -z "${FOLDER:-}" ]; then
    RUNNER=$(realpath "$(command -v "${RUNNER:-runner}")")
    export RUNNER
    exec "$here/alone.sh" "$here/slurm-test.sh"
fi
examples=$here/../../examples
jobs=$examples/cluster
model=$examples/models/esm2_t6_2M_demo
# With a record that is rejected, which schedulers must not take for a failure; and the same six times.
proteins=$FOLDER/proteins.fasta
fasta=$FOLDER/six.fasta
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
        tail -n 20 -- "$2"*.log slurm/log/slurmctld.log
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

lacks() { ! grep -q "$@"; }
is_gone() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }
is_running() { [ "$(squeue -h -j "$1" -o %T)" = RUNNING ]; }

# submit JOB_SCRIPT NAME TOKENS_PER_SECOND OPTIONS..: a job whose output is NAME.parquet; it prints the job's number.
submit() { sbatch --parsable --exclude='n[3-6]' -J "$2" "${@:4}" "$jobs/$1" "$here/slow.rhai" "$2.parquet" "$fasta" "$model" "$3"; }
# Somebody whose job is more urgent takes a node.
preempt() { sbatch --parsable -p urgent --exclusive -w "$1" -o /dev/null --wrap='sleep 1' >/dev/null; }

# ledger NAME INDEX COUNT: that of a shard.
ledger() { printf '%s.parquet.parts/shard-%05d-of-%05d/ledger.jsonl' "$@"; }
has_committed() { grep -qs '^{"commit"' "$(ledger "$@")"; }
# How many processes have worked on a shard, one after another.
stretches() { grep -c '^{"stretch"' "$(ledger "$@")"; }
has_gone_on() { [ "$(stretches "$@")" -ge 2 ]; }
same_bits() {
    "$PYTHON" "$here/../gpu/same_bits.py" "$1.parquet" "$2.parquet" >>same_bits.log
    cmp "$1.parquet.rejects.tsv" "$2.parquet.rejects.tsv"
}
# runs COMMAND...: whether it succeeds. Each of these rejects a record, and exits with 7.
runs() {
    local code=0
    "$@" >>runs.log 2>&1 || code=$?
    [ $code = 7 ] || { echo "exit code $code of $*" && tail -n 5 runs.log && return 1; }
}
# merge_after JOB NAME: another job, as the job scripts say it.
merge_after() {
    sbatch --parsable --dependency="afterok:$1" --kill-on-invalid-dep=yes -o "$2-merge.log" --wrap="runner merge $2.parquet"
}
# The shards of an output become what a single run gives.
merges() {
    runs runner merge "$1.parquet"
    same_bits whole "$1"
}

array() {
    job=$(sbatch --parsable --array=0-3 --exclude='n[3-6]' -J array "$jobs/array.sbatch" "$jobs/job.rhai" array.parquet "$proteins" "$model")
    wait_for 60 is_gone "$(merge_after "$job" array)"
    same_bits single array
    [ "$(grep -c 'rank 0 of 1 on n[12] with gpu [01]' tasks-array)" = 4 ]
}

again() {
    job=$(sbatch --parsable --array=0-3 --exclude='n[3-6]' -J again "$jobs/array.sbatch" "$jobs/job.rhai" array.parquet "$proteins" "$model")
    wait_for 60 is_gone "$job"
    [ "$(wc -l <tasks-again)" = 4 ]
    same_bits single array
}

failing() {
    job=$(sbatch --parsable --array=0-1 -J failing "$jobs/array.sbatch" "$jobs/job.rhai" failing.parquet missing.fasta "$model")
    merge=$(merge_after "$job" failing)
    wait_for 30 is_gone "$job"
    wait_for 30 is_gone "$merge"
    [ ! -e failing-merge.log ]
}

terminated() {
    job=$(submit array.sbatch terminated 10000 --array=0-1)
    wait_for 20 has_committed terminated 1 2
    scancel --signal=TERM "${job}_1"
    wait_for 60 is_gone "$job"
    grep -q 'exit code 75' terminated-*_1.log
    [ "$(stretches terminated 0 2)" = 1 ]
    [ "$(stretches terminated 1 2)" = 2 ]
    merges terminated
}

preempted() {
    job=$(submit array.sbatch preempted 10000 --array=0-1 --exclusive)
    wait_for 20 has_committed preempted 0 2
    preempt n1
    wait_for 60 is_gone "$job"
    grep -q 'exit code 75' preempted-*.log
    [ $(($(stretches preempted 0 2) + $(stretches preempted 1 2))) = 3 ]
    merges preempted
}

# goes_on NAME JOB: both shards of a job that was stopped go on, and come to the right end, at full speed.
goes_on() {
    for index in 0 1; do wait_for 60 has_gone_on "$1" $index 2; done
    scancel "$2"
    wait_for 20 is_gone "$2"
    for index in 0 1; do
        runner exec --shard $index/2 "$here/slow.rhai" -- "$1.parquet" "$fasta" "$model" 1000000000 >>runs.log 2>&1 || [ $? = 7 ]
    done
    merges "$1"
}

deaf() {
    goes_on deaf "$deaf"
    lacks 'exit code 75' deaf-*.log
}

limit() {
    goes_on limit "$limited"
    grep -q 'exit code 75' limit-*_0.log
    grep -q 'exit code 75' limit-*_1.log
}

requeue() {
    sed -i 's/^RequeueExit/#&/' slurm/slurm.conf
    scontrol reconfigure
    job=$(submit requeue.sbatch requeue 10000 --array=0-1 --exclusive)
    wait_for 20 has_committed requeue 0 2
    wait_for 20 has_committed requeue 1 2
    preempt n1
    scancel --signal=TERM "$(squeue -h -w n2 -o %i)"
    wait_for 60 is_gone "$job"
    [ "$(stretches requeue 0 2)" = 2 ]
    [ "$(stretches requeue 1 2)" = 2 ]
    merges requeue
    sed -i 's/^#RequeueExit/RequeueExit/' slurm/slurm.conf
    scontrol reconfigure
}

ranks() {
    job=$(submit srun.sbatch ranks 6000 --nodes=2 --ntasks-per-node=2)
    for rank in 0 1 2 3; do wait_for 20 has_committed ranks "$rank" 4; done
    ss -Hltnup >listening
    lacks -vE '(127\.0\.0\.1|\[::1\]):[0-9]+ ' listening
    grep -q srun listening
    scancel --signal=TERM "$job"
    wait_for 60 is_gone "$job"
    for rank in 0 1 2 3; do [ "$(grep -c "rank $rank of 4" tasks-ranks)" = 2 ]; done
    for gpu in 'n1 with gpu 0' 'n1 with gpu 1' 'n2 with gpu 0' 'n2 with gpu 1'; do grep -q "$gpu" tasks-ranks; done
    same_bits whole ranks
}

# kill_node NODE JOB: all that runs there: the daemon, what it has started for the job, and the program.
kill_node() {
    local pids
    mapfile -t pids < <(
        cat "slurm/run/slurmd-$1.pid"
        pgrep -f "^slurmstepd: \\[$2\\."
        grep -lz "^SLURM_JOB_ID=$2$" /proc/[0-9]*/environ 2>/dev/null | grep -o '[0-9]*'
    )
    kill -KILL "${pids[@]}"
}
dead() {
    wait_for 60 is_gone "$killed"
    [ $(($(stretches dead 0 2) + $(stretches dead 1 2))) = 3 ]
    merges dead
}

mkdir bin
# Job scripts find the program in PATH. On its way it notes what Slurm gave it, and DEAF keeps SIGTERM from it.
cat >bin/runner <<'SCRIPT'
#!/bin/bash
[ "$1" = exec ] && echo "rank ${SLURM_PROCID:-} of ${SLURM_NTASKS:-} on $SLURMD_NODENAME with gpu $CUDA_VISIBLE_DEVICES" >>"tasks-$SLURM_JOB_NAME"
exec env ${DEAF:+--block-signal=TERM} "$RUNNER" "$@"
SCRIPT
chmod +x bin/runner
export PATH=$FOLDER/bin:$PATH
(cat "$examples/data/proteins.fasta" && echo '>empty') >"$proteins"
for copy in 1 2 3 4 5 6; do sed "s/^>/>$copy|/" "$proteins"; done >"$fasta"
runs "$RUNNER" exec "$here/slow.rhai" -- whole.parquet "$fasta" "$model" 1000000000
runs "$RUNNER" exec "$jobs/job.rhai" -- single.parquet "$proteins" "$model"

trap '"$here/slurm-down.sh" slurm' EXIT
"$here/slurm-up.sh" "$FOLDER/slurm" 6 2
export SLURM_CONF=$FOLDER/slurm/slurm.conf

# These take half a minute, as Slurm looks so often only whether times are over and nodes alive. So they have nodes of
# their own, and what has come of them is looked at in the end.
limited=$(submit array.sbatch limit 1000 --array=0-1 --exclude='n[1-2,4-6]' --time=1 --signal=TERM@57)
killed=$(submit array.sbatch dead 6000 --array=0-1 --exclude='n[1-3,6]' --exclusive)
deaf=$(DEAF=1 submit array.sbatch deaf 1000 --array=0-1 --exclude='n[1-5]')
for name in dead deaf; do
    for index in 0 1; do wait_for 20 has_committed $name $index 2; done
done
kill_node n4 "$(squeue -h -w n4 -o %A)"
preempt n6

check "an array of 4, a GPU each, and a merge that depends on it: the bits of a single run" array
check "the same array again has nothing to do" again
check "shards that fail: nothing is merged" failing
check "SIGTERM to one of two: it exits with 75, RequeueExit puts it back, it goes on" terminated
check "preempted: told at once, it exits with 75 and goes on" preempted
check "four ranks of one allocation, stopped once, and merged; all listen on the loopback only" ranks
check "a node dies: its shard goes on elsewhere" dead
check "preempted and deaf: killed, and it goes on" deaf
check "out of time: told before, it exits with 75 and goes on" limit
# The last: none of the others could come back while RequeueExit is not set.
check "preempted, and SIGTERM, without RequeueExit: the job script does it" requeue
echo "$passed passed, $failed failed"
[ $failed = 0 ]
