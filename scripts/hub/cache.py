"""What `huggingface_hub` makes of a cache, for the tests of `src/hub`.

    python3 scripts/hub/cache.py read ID          the names and sizes of what is there, and what is wrong with it
    python3 scripts/hub/cache.py fetch ID NAME... fetches files
    python3 scripts/hub/cache.py lock PATH        takes a lock, says so, and keeps it until its input ends
    python3 scripts/hub/cache.py try PATH         whether the lock is free
"""

import json
import sys
from pathlib import Path

import huggingface_hub
from filelock import Timeout
from huggingface_hub.utils import WeakFileLock


def read(repository):
    folder = Path(huggingface_hub.snapshot_download(repository, local_files_only=True))
    found = huggingface_hub.scan_cache_dir()
    (revision,) = [revision for repo in found.repos for revision in repo.revisions]
    print(
        json.dumps(
            {
                "folder": str(folder),
                "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
                "n_bytes": found.size_on_disk,
                "refs": sorted(revision.refs),
                "commit": revision.commit_hash,
                "wrong": [str(warning) for warning in found.warnings],
                "incomplete": len(found.incomplete_files),
            }
        )
    )


def fetch(repository, *names):
    for name in names:
        print(huggingface_hub.hf_hub_download(repository, name))


def lock(path):
    with WeakFileLock(path):
        print("locked", flush=True)
        sys.stdin.read()


def try_lock(path):
    try:
        with WeakFileLock(path, timeout=0.2):
            print("free")
    except Timeout:
        print("taken")


{"read": read, "fetch": fetch, "lock": lock, "try": try_lock}[sys.argv[1]](*sys.argv[2:])
