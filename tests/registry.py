"""An OCI registry of this machine, for the dev container tools to publish templates to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit


class Registry(ThreadingHTTPServer):
    """What was pushed, by its path: a blob's ends in its digest, a manifest's in its digest and again in its tag."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("localhost", 0), _Handler)
        self.stored: dict[str, bytes] = {}

    @property
    def name(self) -> str:
        """Return its name as a part of a reference."""
        return f"localhost:{self.server_port}"


@contextmanager
def running_registry() -> Iterator[Registry]:
    """Run a registry as long as the block."""
    with Registry() as registry:
        thread = Thread(target=registry.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield registry
        finally:
            registry.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """The distribution specification, as far as a push and a pull need it."""

    server: Registry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/tags/list"):
            manifests = path.removesuffix("tags/list") + "manifests/"
            tags = [key.removeprefix(manifests) for key in self.server.stored if key.startswith(manifests)]
            tags = [tag for tag in tags if ":" not in tag]
            self._answer(200 if tags else 404, json.dumps({"name": path.split("/", 2)[2], "tags": tags}).encode())
        elif path in self.server.stored:
            self._answer(200, self.server.stored[path])
        else:
            self._answer(404, b'{"errors": []}')

    def do_POST(self) -> None:
        self._read()
        self._answer(202, Location=f"{self.path}1")

    def do_PUT(self) -> None:
        data, url = self._read(), urlsplit(self.path)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        folder, kind, tag = re.fullmatch(r"(.*)/(blobs|manifests)/(.*)", url.path).groups()  # type: ignore[union-attr]
        if kind == "blobs" and parse_qs(url.query)["digest"] != [digest]:
            self._answer(400, b'{"errors": [{"code": "DIGEST_INVALID"}]}')
            return
        self.server.stored[f"{folder}/{kind}/{digest}"] = data
        if kind == "manifests":
            self.server.stored[f"{folder}/{kind}/{tag}"] = data
        self._answer(201, Location=f"{folder}/{kind}/{digest}")

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _answer(self, code: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if data:
            self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(data).hexdigest()}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
