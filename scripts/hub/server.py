"""A Hub on this machine: the answers of the real one to programs that download, for one repository.

Usage: python3 scripts/hub/server.py ID FOLDER LOG

Serves the files of FOLDER as the repository ID at `http://127.0.0.1:PORT`, of which PORT is the first line on standard
output. Files of more than a megabyte are sent from another name of this machine, as the Hub sends large ones from a
content network. LOG gets a line a request. Needs nothing beside Python.
"""

import hashlib
import http.server
import json
import pathlib
import sys
import threading

LARGE = 1_000_000


class File:
    """A file, with what the Hub says of it."""

    def __init__(self, path):
        self.path = path
        self.data = path.read_bytes()
        self.is_large = len(self.data) > LARGE
        head = b"" if self.is_large else b"blob %d\0" % len(self.data)
        digest = hashlib.sha256 if self.is_large else hashlib.sha1
        self.etag = digest(head + self.data).hexdigest()

    def listed(self, key):
        entry = {key: self.path.name, "size": len(self.data)}
        if self.is_large:
            entry["lfs"] = {"sha256": self.etag, "oid": self.etag, "size": len(self.data), "pointerSize": 134}
        return entry


identifier, folder, log = sys.argv[1], pathlib.Path(sys.argv[2]), open(sys.argv[3], "a")
files = {path.name: File(path) for path in sorted(folder.iterdir()) if path.is_file()}
commit = hashlib.sha1("".join(file.etag for file in files.values()).encode()).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        print(self.command, self.path, self.headers.get("Range", ""), file=log, flush=True)

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_file(self, file, headers):
        """The file, or what follows the first byte that is asked for."""
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = [*headers, ("Accept-Ranges", "bytes")]
        if begin == 0:
            return self.answer(200, headers, file.data)
        size = len(file.data)
        return self.answer(206, [*headers, ("Content-Range", f"bytes {begin}-{size - 1}/{size}")], file.data[begin:])

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/content/"):
            return self.send_file(files[path.removeprefix("/content/")], [])
        for prefix, what in [("/api/models/", self.describe), ("/", self.resolve)]:
            if path.startswith(f"{prefix}{identifier}"):
                return what(path.removeprefix(f"{prefix}{identifier}").strip("/").split("/"))
        return self.answer(404, [("X-Error-Code", "RepoNotFound")])

    do_HEAD = do_GET

    def describe(self, parts):
        if parts[0] == "tree":
            found = [{"type": "file", "path": name, "oid": "0" * 40, **file.listed("name")} for name, file in files.items()]
        elif parts[0] in ("", "revision") and parts[-1] in ("", "main", commit):
            found = {"id": identifier, "sha": commit, "siblings": [file.listed("rfilename") for file in files.values()]}
        else:
            return self.answer(404, [("X-Error-Code", "RevisionNotFound")])
        return self.answer(200, [("Content-Type", "application/json")], json.dumps(found).encode())

    def resolve(self, parts):
        file = files.get(parts[-1])
        if parts[1] not in ("main", commit) or file is None:
            code = "RevisionNotFound" if file else "EntryNotFound"
            return self.answer(404, [("X-Error-Code", code), ("X-Repo-Commit", commit)])
        headers = [("X-Repo-Commit", commit), ("ETag", f'"{file.etag}"')]
        if not file.is_large:
            return self.send_file(file, headers)
        headers += [("X-Linked-Etag", f'"{file.etag}"'), ("X-Linked-Size", str(len(file.data)))]
        location = f"http://localhost:{server.server_address[1]}/content/{file.path.name}"
        return self.answer(302, [*headers, ("Location", location)])


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever).start()
print(server.server_address[1], flush=True)
