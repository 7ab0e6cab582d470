#!/usr/bin/env bash
# slurm-down.sh FOLDER: ends the daemons that slurm-up.sh has started there, and waits for them.
pids=()
# Read first, as a controller removes its file long before it ends.
for file in "$1"/run/slurmd-*.pid "$1/run/slurmctld.pid" "$1/munge/pid"; do
    [ -s "$file" ] && pids+=("$(cat "$file")")
done
[ ${#pids[@]} = 0 ] && exit 0
# Whether one of them runs; a zombie, whose parent does not care, does not.
alive() { ps -o stat= -p "$(IFS=, && echo "${pids[*]}")" | grep -qv '^Z'; }
kill "${pids[@]}" 2>/dev/null
for _ in $(seq 100); do
    alive || exit 0
    sleep 0.1
done
kill -KILL "${pids[@]}" 2>/dev/null
exit 1
