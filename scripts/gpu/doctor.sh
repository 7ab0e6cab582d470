#!/usr/bin/env bash
# Whether a driver is all that a machine needs beside the program and NVIDIA's Python packages: what `runner doctor`
# says, and the quickstart on the GPU, without a variable of CUDA:
#   scripts/gpu/doctor.sh [SITE_PACKAGES]
# SITE_PACKAGES has the packages (`nvidia/cu13` or `nvidia/cuda_nvrtc`); without it those that python3 finds. RUNNER names
# the program. Packages and a copy of the program lie as pip lays them, in a folder that is removed again.
set -euo pipefail
cd "$(dirname "$0")/../.."
runner=$(realpath "${RUNNER:-target/release/runner}")
packages=${1:-$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])')/..}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/environment/lib/python3.12
mkdir -p "$work/environment/bin" "$work/home" "$python"
ln -s "$(realpath "$packages")" "$python/site-packages"
cp "$runner" "$work/environment/bin/runner"
# What is installed on the machine must not count: the loader's own cache is hidden where that is allowed, but for
# the driver, whose folder is named instead.
driver=$(ldconfig -p | sed -n 's/.*libcuda\.so\.1 .*=> //p' | head -n 1)
clean=(env -i PATH=/usr/bin:/bin HOME="$work/home" LANG=C.UTF-8)
hide=()
if unshare -m mount --bind /dev/null /etc/ld.so.cache 2>/dev/null; then
    mkdir "$work/driver"
    for library in libcuda.so.1 libnvidia-ml.so.1; do
        [ -n "$driver" ] && ln -s "$(dirname "$driver")/$library" "$work/driver/$library"
    done
    clean+=(LD_LIBRARY_PATH="$work/driver")
    hide=(unshare -m bash -c 'mount --bind /dev/null /etc/ld.so.cache && exec "$@"' hide)
fi
run() {
    echo "== runner $*"
    "${hide[@]}" "${clean[@]}" "$work/environment/bin/runner" "$@"
}
code=0
if [ "${DOCTOR:-1}" = 1 ]; then
    run doctor || code=$?
    run doctor --json || code=$?
fi
cat >"$work/job.rhai" <<'RHAI'
let model = esm2(args[0], #{ device: "cuda" });
let run = embed(model, fasta(args[1]));
print(`${model.device}, ${model.dtype}: ${run.sequences} sequences`);
RHAI
run -v exec "$work/job.rhai" -- examples/models/esm2_t6_2M_demo examples/data/proteins.fasta || code=$?
exit "$code"
