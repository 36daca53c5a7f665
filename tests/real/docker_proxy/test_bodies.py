"""Bodies of `create` before the real daemon, each sent twice: through the proxy, and to the plain socket.

Whatever comes, a client hears from the daemon; and what is made differs by the shadows alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from conftest import MakeVenv
from layout import fill
from real.containers import Engine
from real.docker_proxy.bodies import anything, good_bodies, hostile, written
from real.docker_proxy.harness import UPSTREAM, Connection, Proxy

proves = pytest.mark.proves
pytestmark = [pytest.mark.parametrize("way", ["DOCKER_HOST"], indirect=True), pytest.mark.usefixtures("engine")]
CREATE = "/containers/create"
# What is made has a name, an id and times of its own, and a store of its own for a volume without a name.
OF_ITS_OWN = re.compile(r'[0-9a-f]{64}|[0-9a-f]{12}|(?<="/)[a-z]+_[a-z]+\d*(?=")|\d{4}-\d\d-\d\dT[^"]*Z')
many = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Made(NamedTuple):
    """What came of a body: the answer, and what `inspect` says where a container did; without what is of its own."""

    status: int
    said: Any
    about: Any


class Both:
    """The two connections, on which each body is sent."""

    def __init__(self, proxy: Proxy) -> None:
        """Connect to both."""
        self.ours, self.plain = Connection(proxy.socket), Connection(UPSTREAM)

    def create(self, body: bytes) -> tuple[Made, Made]:
        """Return what came of the body through the proxy, and without; the containers are gone again."""
        return self._create(self.ours, body), self._create(self.plain, body)

    def _create(self, connection: Connection, body: bytes) -> Made:
        answer = connection.ask("POST", CREATE, body)
        if answer.status != 201:
            return Made(answer.status, _without_own(answer.body), None)
        container = f"/containers/{answer.body['Id']}"
        about = self.plain.ask("GET", f"{container}/json").body
        self.plain.ask("DELETE", f"{container}?force=1&v=1")
        about["Mounts"].sort(key=lambda mount: mount["Destination"])  # they come in any order
        return Made(201, _without_own(answer.body), _without_own(about))


def _without_own(document: object) -> Any:
    return json.loads(OF_ITS_OWN.sub("…", json.dumps(document)))


def due(plain: Any, places: Mapping[str, Path]) -> dict[str, list[str]]:
    """Return where each place has to have shadows, by what the daemon says of the control.

    On `.venv` of each bind of it, unless something is mounted there, or its path has a zero byte: Docker makes such a
    container, and cannot start it. What is mounted below a shared bind is mounted on
    the host as well, so that it has none.
    """
    switch = (plain["Config"]["Labels"] or {}).get("paude.venv", "")
    counts = {"none": (), "auto": ("app", "other")}.get(switch, ("app",))
    mounted = [mount["Destination"] for mount in plain["Mounts"]]
    taken = {path.rstrip("/") for path in (*mounted, *(plain["HostConfig"].get("Tmpfs") or {}))}
    found: dict[str, list[str]] = {"app": [], "other": []}
    for mount in plain["Mounts"]:
        shadow = f"{mount['Destination'].rstrip('/')}/.venv"
        if "\0" in shadow:
            continue
        if mount["Type"] == "bind" and mount["Propagation"] not in ("shared", "rshared") and shadow not in taken:
            for name in counts:
                found[name] += [shadow] if os.path.realpath(mount["Source"]) == str(places[name]) else []
    return found


def take_shadows(ours: Any, plain: Any) -> tuple[list[str], list[str]]:
    """Return where what is made through the proxy has more tmpfs and binds, and take them out of what is told of it."""
    there = ours["HostConfig"].get("Tmpfs") or {}
    tmpfs = sorted(set(there) - set(plain["HostConfig"].get("Tmpfs") or {}))
    for path in tmpfs:
        del there[path]
    if not there and "Tmpfs" not in plain["HostConfig"]:
        ours["HostConfig"].pop("Tmpfs", None)
    known = {mount["Destination"] for mount in plain["Mounts"]}
    binds = sorted(mount["Destination"] for mount in ours["Mounts"] if mount["Destination"] not in known)
    ours["Mounts"] = [mount for mount in ours["Mounts"] if mount["Destination"] in known]
    mounts = ours["HostConfig"].get("Mounts") or []
    assert [mount["Type"] for mount in mounts if mount["Target"] in binds] == ["bind"] * len(binds)
    mounts[:] = [mount for mount in mounts if mount["Target"] not in binds]
    if not mounts and "Mounts" not in plain["HostConfig"]:
        ours["HostConfig"].pop("Mounts", None)
    return tmpfs, binds


@pytest.fixture
def both(proxy: Proxy) -> Iterator[Both]:
    """Return the two connections."""
    both = Both(proxy)
    with both.ours, both.plain:
        yield both


@pytest.fixture
def places(workspace: Path, make_venv: MakeVenv) -> dict[str, Path]:
    """Return a workspace that opted in, one that did not, and one whose settings are wrong, each with a venv."""
    top = workspace.parent
    for name in ("app", "other", "wrong"):
        make_venv(top / name / ".venv")
    fill(top, 'wrong/paude.json = {"venv": "Auto"}', "other/file")
    return {name: top / name for name in ("app", "other", "wrong")}


@pytest.fixture
def names(places: dict[str, Path], docker: Engine) -> Iterator[dict[str, object]]:
    """Return what stands for what in a body: the places, the image, and a container that binds the first place."""
    first = docker("create", "-v", f"{places['app']}:/first", docker.image, "true").stdout.strip()
    yield {**places, "image": docker.image, "first": first}
    docker("rm", first)


def check(both: Both, body: bytes, places: Mapping[str, Path]) -> None:
    """Check that the client hears from the daemon what it says to the body as it is, or one clear 4xx."""
    ours, plain = both.create(body)
    event(f"{ours.status}, without the proxy {plain.status}")
    if (ours.status, plain.status) == (201, 201):
        tmpfs, binds = take_shadows(ours.about, plain.about)
        assert (tmpfs, binds) == (sorted(chain(*due(plain.about, places).values())), [])
        assert ours.about == plain.about
    elif ours != plain:
        assert 400 <= ours.status < 500, (ours, plain)
        assert list(ours.said) == ["message"]
        assert re.fullmatch(r"paude-venv-hook: [^\n]+", ours.said["message"]), ours


@proves("Docker's proxy: whatever a body holds, it is the daemon's answer or one clear 4xx")
@given(document=hostile | anything)
@example({"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@wrong:/app"]}})
@example({"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@app:/app"], "Tmpfs": [1]}})
@example({"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@app:/app"], "Tmpfs": {"/app/.venv": ""}}})
@example({"Image": "@image", "Cmd": ["true"], "hostconfig": {"binds": ["@app:/app"]}})
@many
def test_a_hostile_document(both: Both, places: dict[str, Path], names: dict[str, object], document: object) -> None:
    check(both, written(document, names), places)


@proves("Docker's proxy: whatever a body holds, it is the daemon's answer or one clear 4xx")
@given(body=st.binary(max_size=99))
@example(b"")
@example(b"{")
@example(b'{"Image": "x"} {"Image": "y"}')
@example(b'{"Image": "\xff"}')
@example(b'\xef\xbb\xbf{"Image": "x"}')
@example('{"Image": "x"}'.encode("utf-16"))
@example(b"[" * 100_000)
@example(b'{"Image": ' * 9_999)
@example(b'{"Image": "x", "Image": "y"}')
@example(b'{"Image": "x", "HostConfig": {"Memory": NaN}}')
@example(b'{"Image": "x", "HostConfig": {"Memory": ' + b"9" * 9999 + b"}}")
@example(b" " * 1_000_000)
@settings(many, max_examples=40)
def test_a_hostile_body(both: Both, places: dict[str, Path], body: bytes) -> None:
    check(both, body, places)


@proves("Docker's proxy: a body over 16 MiB is refused, in one sentence")
def test_a_body_that_is_too_large(both: Both) -> None:
    body = json.dumps({"Image": "x", "Labels": {"long": "x" * (16 << 20)}}).encode()

    answer = both.ours.ask("POST", CREATE, body)

    assert answer.status == 413
    said = "the container is described in more than 16777216 bytes; say less of it"
    assert answer.body == {"message": f"paude-venv-hook: {said}"}


@proves("Docker's proxy: for generated bodies, `inspect` differs from the control by the shadows alone")
@pytest.mark.parametrize("storage", ["memory", "disk"])
@given(document=good_bodies())
@many
def test_inspect_differs_by_the_shadows(
    both: Both, places: dict[str, Path], names: dict[str, object], storage: str, document: dict[str, Any]
) -> None:
    fill(places["app"], f'paude.json = {{"venv-storage": "{storage}"}}')

    ours, plain = both.create(written(document, names))

    assert (ours.status, plain.status) == (201, 201)
    tmpfs, binds = take_shadows(ours.about, plain.about)
    app, other = (sorted(shadows) for shadows in due(plain.about, places).values())
    assert (tmpfs, binds) == ((other, app) if storage == "disk" else (sorted([*app, *other]), []))
    assert ours.about == plain.about


# ---- one request, in each way that HTTP has to write it

BODY = {"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@app:/app"]}}


@proves("Docker's proxy: `create` with a length, in chunks, with `Expect`, with an API version, in HTTP/1.0")
@pytest.mark.parametrize(
    ("line", "headers", "chunked"),
    [
        ("POST /containers/create HTTP/1.1", "Content-Length: {length}", False),
        ("POST /v1.30/containers/create?name= HTTP/1.1", "content-length:{length}", False),
        ("POST /containers/create HTTP/1.1", "Transfer-Encoding: chunked", True),
        ("POST /containers/create HTTP/1.1", "Expect: 100-continue\r\nContent-Length: {length}", False),
        ("POST /containers/create HTTP/1.0", "Content-Length: {length}", False),
        ("POST /%63ontainers/create HTTP/1.1", "Content-Length: {length}", False),
        ("POST //containers//create HTTP/1.1", "Content-Length: {length}", False),
        ("POST http://docker/containers/create HTTP/1.1", "Content-Length: {length}", False),
        ("POST /containers/../containers/create HTTP/1.1", "Content-Length: {length}", False),
    ],
)
def test_each_way_to_write_a_create(
    both: Both, names: dict[str, object], line: str, headers: str, chunked: bool
) -> None:
    body = written(BODY, names)
    head = f"{line}\r\nHost: docker\r\nContent-Type: application/json\r\n{headers.format(length=len(body))}\r\n\r\n"
    sent = b"%x;extension\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (9, body[:9], len(body) - 9, body[9:]) if chunked else body

    answers = []
    for connection in (both.ours, both.plain):
        connection.connect()
        connection.sock.sendall(head.encode() + sent)
        received = b""
        while not re.search(rb'"Id":"[0-9a-f]{64}"|"message":|HTTP/1.. 30\d', received):
            chunk = connection.sock.recv(9999)
            assert chunk, received
            received += chunk
        answers.append(received)
    made = [re.search(rb'"Id":"([0-9a-f]{64})"', answer) for answer in answers]

    assert bool(made[0]) == bool(made[1]), answers
    for found, shadows in zip(made, (["/app/.venv"], []), strict=True):
        if found:
            container = f"/containers/{found[1].decode()}"
            both.plain.close()
            about = both.plain.ask("GET", f"{container}/json").body
            both.plain.ask("DELETE", container)
            assert [*(about["HostConfig"].get("Tmpfs") or {})] == shadows
