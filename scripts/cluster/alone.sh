#!/usr/bin/env bash
# alone.sh COMMAND...: runs COMMAND in an empty folder, where it sees the processes that it starts and no others, and of
# networks a loopback of its own. All of that ends with it, so it neither meets a Slurm of this machine nor another test.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "this test needs root, for a network and processes of its own" && exit 1; } >&2
folder=$(mktemp -d)
chmod 755 "$folder"
# With job control what runs in the background may be interrupted, and has a process group of its own.
set -m
# What a scheduler or a user has set for other jobs is not for these.
# shellcheck disable=SC2016
env -i PATH="$PATH" HOME="$HOME" LANG=C.UTF-8 FOLDER="$folder" RUNNER="${RUNNER:-runner}" PYTHON="${PYTHON:-python3}" \
    unshare --net --uts --pid --mount-proc --fork --kill-child bash -c '
        # The only name that has an address without a network; glibc looks for none unless there is an address that
        # is not a loopback one, so there is one of those that documents use.
        hostname localhost && ip link set lo up && ip address add 192.0.2.1/32 dev lo && cd "$FOLDER" && "$@"; exit $?' alone "$@" </dev/null &
inside=$!
trap 'kill -KILL $inside 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
wait $inside
