"""A stand-in for Docker's daemon that programs reach, and a client of its API for them to start."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# Says what the daemon in DOCKER_HOST answers: CLIENT METHOD PATH [BODY].
_CLIENT = """
import http.client, os, socket, sys
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
connection = Connection("docker", timeout=30)
method, path, *body = sys.argv[1:]
connection.request(method, path, *body, headers={"Content-Type": "application/json"})
print(connection.getresponse().read().decode())
"""
CLIENT = (sys.executable, "-c", _CLIENT)


class Call(NamedTuple):
    """A call of the API."""

    method: str
    path: str
    body: Any


class Daemon(NamedTuple):
    """The host path of its socket, and the calls that have come."""

    socket: Path
    calls: list[Call]

    def created(self) -> list[Any]:
        """Return the bodies of the calls that made a container."""
        return [call.body for call in self.calls if call.path.endswith("/containers/create")]


@contextmanager
def daemon() -> Iterator[Daemon]:
    """Answer each call with its own path, and a call that makes a container with its name."""
    calls: list[Call] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            calls.append(Call(self.command, path, json.loads(body) if body else None))
            data = json.dumps({"Id": "made", "Warnings": []} if path.endswith("/create") else {"path": path}).encode()
            self.send_response(201 if path.endswith("/create") else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815 - the names are http.server's

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "client"

    with TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder, "docker.sock")
        with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            yield Daemon(path, calls)
            server.shutdown()
            thread.join()
