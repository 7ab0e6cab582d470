#!/bin/bash
# HyperQueue, an array of 16 shards:
#
#   hq submit --array=0-15 --cpus=4 --resource gpus/nvidia=1 --wait ./hyperqueue.sh 16 job.rhai OUTPUT FASTA MODEL &&
#       runner merge OUTPUT
#
# HyperQueue runs a task again when its worker is gone, but never for an exit code.
trap 'is_stopped=1' INT
is_stopped=0 code=75
while [ $code = 75 ] && [ $is_stopped = 0 ]; do
    runner exec --shard "$HQ_TASK_ID/$1" "$2" -- "${@:3}"
    code=$?
done
# 7 says that records were rejected, which is no failure. The merge says so, too.
[ $code = 7 ] && code=0
exit $code
