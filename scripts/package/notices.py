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
    """The packages that become part of the program, as `cargo metadata` describes them."""
    tree = run("cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}")
    used = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1"))
    for package in sorted(metadata["packages"], key=lambda package: (package["name"], package["version"])):
        is_used = (package["name"], "v" + package["version"]) in used
        if is_used and package["id"] != metadata["resolve"]["root"]:
            yield package


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def texts(package):
    """The licence texts of a crate and of the C sources in it, two folders deep."""
    folder = pathlib.Path(package["manifest_path"]).parent
    for path in (path for depth in ("*", "*/*", "*/*/*") for path in sorted(folder.glob(depth))):
        is_named = NAMES.match(path.name) and not CODE.search(path.name)
        if path.is_file() and (is_named or path.name == package["license_file"]):
            text = path.read_text(errors="replace").replace("\r\n", "\n").strip("\n")
            if text.strip() and not NOT_USED.match(text):
                yield text


def main(output):
    lines, without, users = [], [], {}
    for package in crates():
        crate = f"{package['name']} {package['version']}"
        licence = package["license"] or "as its text says"
        lines.append(": ".join(filter(None, [crate, licence, package["repository"]])))
        found = list(texts(package))
        if not found:
            without.append(f"{crate}: {licence}: {', '.join(package['authors']) or 'its authors'}")
        for text in found:
            # Texts are the same if their words are.
            names = users.setdefault(" ".join(text.split()).casefold(), (text, []))[1]
            if crate not in names:
                names.append(crate)
    if not lines:
        sys.exit("no crates were found")
    parts = [
        f"The program contains the Rust standard library (MIT OR Apache-2.0, the Rust project developers) and\n"
        f"{len(lines)} crates, unchanged. Their sources are at https://crates.io/crates/NAME/VERSION. A crate that\n"
        f"offers several licences is used under one that is neither GPL nor LGPL.",
        "\n".join(lines),
        "These crates ship no text of their licence; it is the standard text of that name:\n\n" + "\n".join(without),
    ]
    for text, names in sorted(users.values(), key=lambda pair: (-len(pair[1]), pair[1])):
        parts.append(f"Of {', '.join(names)}:\n\n{text}")
    pathlib.Path(output).write_text(f"\n\n{RULE}\n".join(parts) + "\n")
    print(f"{output}: {len(lines)} crates, {len(users)} texts, {len(without)} crates without one")


main(*sys.argv[1:])
