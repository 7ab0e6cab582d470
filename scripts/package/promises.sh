#!/usr/bin/env bash
# promises.sh WHEEL: looks up in the program what a wheel for glibc 2.28 promises: which symbols and libraries it needs
# of the system. Also that the wheel is small.
set -euo pipefail
wheel=$1
glibc=2.28
most_bytes=25000000
fail() {
    echo "$1" >&2
    exit 1
}
n_bytes=$(stat --format %s "$wheel")
[ "$n_bytes" -lt "$most_bytes" ] || fail "the wheel has $n_bytes bytes, more than $most_bytes"
[[ $wheel == *-manylinux_${glibc/./_}_*.whl ]] || fail "the tag of $wheel does not say glibc $glibc"

program=$(mktemp)
trap 'rm -f "$program"' EXIT
python3 -c 'import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
name, = (name for name in wheel.namelist() if name.endswith(".data/scripts/runner"))
sys.stdout.buffer.write(wheel.read(name))' "$wheel" >"$program"
newest=$(readelf --version-info --wide "$program" | grep --only-matching 'GLIBC_[0-9.]*' |
    sed 's/GLIBC_//' | sort --version-sort | tail -1)
[ "$(printf '%s\n' "$newest" "$glibc" | sort --version-sort | tail -1)" = "$glibc" ] ||
    fail "the program needs glibc $newest"
libraries=$(readelf --dynamic --wide "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | paste --serial --delimiters ' ')
for library in $libraries; do
    [[ $library =~ ^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s)\.so\.[0-9])$ ]] || fail "the program needs $library"
done
echo "$wheel: $n_bytes bytes; the program needs glibc $newest and $libraries"
