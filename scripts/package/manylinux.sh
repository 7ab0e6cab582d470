#!/usr/bin/env bash
# manylinux.sh: compiles the wheel for every Linux with glibc 2.28 or newer (Debian 10, RHEL 8, Ubuntu 20.04), and
# tests it. All crates are compiled, in a folder of its own, by the profile `dist`; zig is the C compiler and links.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-target/manylinux}
glibc=2.28
most_bytes=25000000
rm -rf "$folder/wheels"
mkdir -p "$folder"

python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet --disable-pip-version-check maturin==1.16.0 ziglang==0.17.1
scripts/package/notices.py THIRD-PARTY.txt
# The libraries of CUDA are opened at run time: none of this machine's has a say in what is compiled.
env --unset=CUDA_PATH --unset=LD_LIBRARY_PATH PATH="$PWD/$folder/tools/bin:$PATH" nice -n 19 \
    maturin build --zig --profile dist --compression-level 9 --compatibility "manylinux_${glibc/./_}" \
    --target "$(uname -m)-unknown-linux-gnu" --target-dir "$folder" --out "$folder/wheels"
wheel=$(echo "$folder"/wheels/*.whl)

# What the tag promises is looked up in the program.
fail() {
    echo "$1" >&2
    exit 1
}
n_bytes=$(stat --format %s "$wheel")
[ "$n_bytes" -lt "$most_bytes" ] || fail "the wheel has $n_bytes bytes, more than $most_bytes"
program=$folder/program
python3 -c 'import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
name, = (name for name in wheel.namelist() if name.endswith(".data/scripts/runner"))
sys.stdout.buffer.write(wheel.read(name))' "$wheel" >"$program"
newest=$(readelf --version-info --wide "$program" | grep --only-matching 'GLIBC_[0-9.]*' |
    sed 's/GLIBC_//' | sort --version-sort --unique | tail -1)
[ "$(printf '%s\n' "$newest" "$glibc" | sort --version-sort | tail -1)" = "$glibc" ] ||
    fail "the program needs glibc $newest"
libraries=$(readelf --dynamic --wide "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
others=$(grep --invert-match --extended-regexp '^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s)\.so\.[0-9])$' \
    <<<"$libraries" || true)
[ -z "$others" ] || fail "the program needs" $others
echo "$wheel: $n_bytes bytes, glibc $newest," $libraries
scripts/package/test.sh "$wheel"
