#!/usr/bin/env python3
"""Writes the licence notices of all crates that are linked into the program.

    scripts/package/notices.py THIRD-PARTY.txt       # needs Python 3.11

The file lists each crate with its version and licence, then the texts that the crates ship, every text once.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-_.].*)?$", re.IGNORECASE)
CODE = re.compile(r"\.(rs|c|h|py|sh|toml|json|html)$", re.IGNORECASE)
# C libraries that come under a choice of licences ship all of the texts. None is used under these.
NOT_USED = re.compile(r"\s*GNU (LESSER |AFFERO |LIBRARY )?GENERAL PUBLIC LICENSE")
RULE = "=" * 100


def crates():
    """The folders of the crates that the program is linked with: of libraries, not of what runs while it builds.

    They are in the plan of the build, for which nothing is built and no more fetched than for the build.
    `cargo --unit-graph` is unstable, hence RUSTC_BOOTSTRAP.
    """
    answer = subprocess.run(
        ["cargo", "build", "--release", "--locked", "--unit-graph", "-Z", "unstable-options"],
        env={**os.environ, "RUSTC_BOOTSTRAP": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    plan = json.loads(answer.stdout)
    units = plan["units"]
    waiting, seen, folders = list(plan["roots"]), set(plan["roots"]), set()
    while waiting:
        for used in units[waiting.pop()]["dependencies"]:
            target = units[used["index"]]["target"]
            if used["index"] not in seen and not {"proc-macro", "custom-build"} & set(target["kind"]):
                seen.add(used["index"])
                waiting.append(used["index"])
                source = pathlib.Path(target["src_path"])
                folders.add(next(folder for folder in source.parents if (folder / "Cargo.toml").exists()))
    # What lies in the project comes under its own licence.
    others = (folder for folder in folders if not folder.is_relative_to(pathlib.Path.cwd()))
    return sorted(others, key=lambda folder: folder.name)


def texts(folder, licence_file):
    """The licence texts of a crate and of the C sources in it, two folders deep."""
    for path in (path for depth in ("*", "*/*", "*/*/*") for path in sorted(folder.glob(depth))):
        is_named = NAMES.match(path.name) and not CODE.search(path.name)
        if path.is_file() and (is_named or path.name == licence_file):
            text = path.read_text(errors="replace").replace("\r\n", "\n").strip("\n")
            if text.strip() and not NOT_USED.match(text):
                yield text


def main(output):
    lines, without, users = [], [], {}
    for folder in crates():
        package = tomllib.loads((folder / "Cargo.toml").read_text())["package"]
        crate = f"{package['name']} {package['version']}"
        licence = package.get("license", "as its text says")
        lines.append(": ".join(filter(None, [crate, licence, package.get("repository")])))
        found = list(texts(folder, package.get("license-file")))
        if not found:
            without.append(f"{crate}: {licence}: {', '.join(package.get('authors', [])) or 'its authors'}")
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
