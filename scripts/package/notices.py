#!/usr/bin/env python3
"""Writes the licence notices of all crates that become part of the program.

    scripts/package/notices.py THIRD-PARTY.txt

The file lists each crate with its version and licence, then the texts that the crates ship, every text once.
"""

import json
import pathlib
import re
import subprocess
import sys

NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-_.].*)?$", re.IGNORECASE)
CODE = re.compile(r"\.(rs|c|h|py|sh|toml|json|html)$", re.IGNORECASE)
# C libraries that come under a choice of licences ship all of the texts. None is used under these.
NOT_USED = re.compile(r"\s*GNU (LESSER |AFFERO |LIBRARY )?GENERAL PUBLIC LICENSE")
RULE = "=" * 100


def crates():
    """The packages that the program is linked with, on the machine that builds it."""
    host = re.search(r"^host: (.+)$", run("rustc", "-vV"), re.MULTILINE)[1]
    answer = run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host)
    metadata = json.loads(answer)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    waiting, found = [root], {root}
    while waiting:
        for used in nodes[waiting.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in used["dep_kinds"])
            if is_linked and used["pkg"] not in found:
                found.add(used["pkg"])
                waiting.append(used["pkg"])
    found.discard(root)
    return sorted((packages[id] for id in found), key=lambda package: (package["name"], package["version"]))


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def texts(package):
    """The licence texts of a crate and of the C sources in it, two folders deep."""
    folder = pathlib.Path(package["manifest_path"]).parent
    paths = [path for depth in ("*", "*/*", "*/*/*") for path in sorted(folder.glob(depth))]
    if package.get("license_file"):
        paths.append(folder / package["license_file"])
    for path in dict.fromkeys(paths):
        is_named = NAMES.match(path.name) and not CODE.search(path.name)
        if path.is_file() and (is_named or path.name == package.get("license_file")):
            text = path.read_text(errors="replace").replace("\r\n", "\n").strip("\n")
            if text.strip() and not NOT_USED.match(text):
                yield text


def main(output):
    packages = crates()
    users = {}
    without = []
    lines = []
    for package in packages:
        label = f"{package['name']} {package['version']}"
        lines.append(f"{label}: {package['license'] or 'see its text'}: {package['repository'] or ''}".rstrip(": "))
        found = list(texts(package))
        if not found:
            without.append(f"{label}: {package['license']}: {', '.join(package['authors']) or 'its authors'}")
        for text in found:
            # Texts are the same if their words are.
            _, names = users.setdefault(" ".join(text.split()).casefold(), (text, []))
            if label not in names:
                names.append(label)
    if not packages:
        sys.exit("no crates were found")
    parts = [
        "The program contains the Rust standard library (MIT OR Apache-2.0, the Rust project developers) and\n"
        f"{len(packages)} crates. Their sources are at https://crates.io/crates/NAME/VERSION, unchanged. A crate that\n"
        "offers several licences is used under one that is neither GPL nor LGPL.",
        "\n".join(lines),
        "These crates ship no text of their licence; it is the standard text of that name:\n\n" + "\n".join(without),
    ]
    for text, names in sorted(users.values(), key=lambda pair: (-len(pair[1]), pair[1])):
        parts.append("Of " + ", ".join(names) + ":\n\n" + text)
    pathlib.Path(output).write_text(f"\n\n{RULE}\n".join(parts) + "\n")
    print(f"{output}: {len(packages)} crates, {len(users)} texts, {len(without)} crates without one")


main(*sys.argv[1:])
