#!/usr/bin/env bash
# Runs the tests that need a GPU: parity with HF transformers, invariance, kernels against f64,
# slots under poison, runs that lose a GPU, and the kernels under compute-sanitizer where it is installed.
#   scripts/gpu/check.sh              # builds with cargo
#   scripts/gpu/check.sh BUNDLE       # runs what scripts/gpu/bundle.sh packed
# SANITIZER=0 leaves compute-sanitizer out, which takes minutes.
set -uo pipefail
[ $# -eq 0 ] || set -- "$(realpath "$1")"
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# -gt 0 ]; then
    # Whole runs start readers from the program.
    for name in runner_tests it_tests runner; do
        scripts/gpu/unpack.sh "$1/$name.xz" "$work/$name" || exit
    done
    export RUNNER_READER=$work/runner
else
    cargo test --release --locked --no-run --lib --test it || exit
    cargo test --release --locked --no-run --lib --test it 2>&1 |
        sed -n 's/.*Executable.*(\(.*\))/\1/p' |
        while read -r binary; do cp "$binary" "$work/$(basename "${binary%-*}")_tests"; done
fi

failed=0
# One thread: tests that share a GPU would wait for each other, and for its memory.
"$work/runner_tests" --ignored --test-threads 1 --skip speed_of || failed=1
"$work/it_tests" --ignored --test-threads 1 --skip a_large_model --skip trained_weights || failed=1
if [ "${SANITIZER:-1}" = 1 ] && command -v compute-sanitizer >/dev/null; then
    # cuBLASLt is not ours: racecheck reports its kernels, and initcheck does not see what they store.
    for pair in memcheck:every_kernel memcheck:every_product racecheck:every_kernel initcheck:every_kernel synccheck:every_kernel; do
        compute-sanitizer --tool "${pair%:*}" --error-exitcode 1 --print-limit 10 \
            "$work/runner_tests" --ignored --test-threads 1 "${pair#*:}" || failed=1
    done
fi
[ "$failed" = 0 ] && echo "all GPU tests passed" || echo "GPU tests FAILED"
exit "$failed"
