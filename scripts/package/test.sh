#!/usr/bin/env bash
# test.sh WHEEL: installs a wheel into a fresh virtual environment and works with it, as a user who has nothing else:
# without network where the system allows that, an empty home, and no variable of this one.
set -euo pipefail
wheel=$(realpath "$1")
cd "$(dirname "$0")/../.."
examples=$PWD/examples
packages=$PWD/target/nvrtc/nvidia
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
here=$(mktemp --directory)
trap 'rm -rf "$here"' EXIT
cd "$here"

alone=(env --ignore-environment PATH="$here/venv/bin:/usr/bin:/bin" HOME="$here" LANG=C.UTF-8)
for way in "unshare --net" "unshare --map-root-user --net"; do
    if $way true 2>/dev/null; then
        alone=($way "${alone[@]}")
        break
    fi
done
fail() {
    echo "$1" >&2
    exit 1
}

python3 -m venv venv
"${alone[@]}" pip install --quiet --disable-pip-version-check --no-index "$wheel"
"${alone[@]}" pip check
[ "$("${alone[@]}" runner --version)" = "runner $version" ] || fail "the version is not $version"
for notice in LICENSE-APACHE LICENSE-MIT THIRD-PARTY.txt; do
    [ -s "$(echo venv/lib/python3*/site-packages/runner_esm2-*.dist-info/licenses/$notice)" ] ||
        fail "$notice is not in the wheel"
done

# The program is its own reader subprocess, which it has to find again, also where a link leads to it.
"${alone[@]}" runner exec "$examples/quickstart.rhai" -- quickstart.parquet
"${alone[@]}" runner verify quickstart.parquet
ln -s venv/bin/runner linked
"${alone[@]}" ./linked new --model "$examples/models/esm2_t6_2M_demo" new.rhai
"${alone[@]}" ./linked exec --quiet new.rhai
"${alone[@]}" runner verify embeddings.parquet

# NVIDIA's packages in the program's environment are found without a variable. CI has some, for its tests.
"${alone[@]}" runner doctor
if [ -d "$packages" ]; then
    ln -s "$packages" venv/lib/python3*/site-packages/
    "${alone[@]}" runner doctor --json >doctor.json
    grep --quiet --fixed-strings "\"$packages/cu13/lib/libnvrtc.so" doctor.json || fail "NVRTC is not found beside the program"
fi
echo "$wheel: installed and used${alone[1]:+ ($(printf '%s ' "${alone[@]:0:2}"))}"
