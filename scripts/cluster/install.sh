#!/usr/bin/env bash
# install.sh FOLDER: Slurm from Debian's packages, HyperQueue, pyarrow and numpy from PyPI into a virtual environment.
set -euo pipefail
packages=(slurmctld slurmd slurm-client munge iproute2 procps)
commands=(slurmctld slurmd sbatch munged ip ps)
if [ "$(command -v "${commands[@]}" | wc -l)" -lt ${#commands[@]} ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "these tests need root and the packages ${packages[*]} of Debian 12" >&2
        echo "hint: install them, or set RUNNER_SKIP_CLUSTER=1 to leave these tests out" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
python3 -m venv "$1"
"$1/bin/pip" install --quiet hyperqueue==0.27.0 numpy==2.4.6 pyarrow==26.0.1
