"""Bodies of `create` before the real daemon, each sent twice: through the proxy, and to the plain socket.

Whatever comes, a client hears from the daemon; and what is made differs by the shadows alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conftest import MakeVenv
from engines.containers import Engine
from engines.docker_proxy.harness import UPSTREAM, Answer, Connection, Proxy, Way
from layout import fill

proves = pytest.mark.proves
pytestmark = [pytest.mark.parametrize("way", ["DOCKER_HOST"], indirect=True), pytest.mark.usefixtures("engine")]
CREATE = "/containers/create"
# What is made has a name, an id and times of its own, and a store of its own for a volume without a name.
OF_ITS_OWN = re.compile(r'"[0-9a-f]{64}"|[0-9a-f]{64}|[0-9a-f]{12}|/[a-z]+_[a-z]+\d*"|"\d{4}-\d\d-\d\dT[^"]*Z"')
many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Both:
    """The two connections, and what was made through them."""

    def __init__(self, proxy: Proxy) -> None:
        """Connect to both."""
        self.ours, self.plain = Connection(proxy.socket), Connection(UPSTREAM)

    def create(self, body: bytes) -> tuple[Answer, Answer]:
        """Return the two answers; each container is gone again, and so are the warnings of the proxy's own."""
        answers = (self.ours.ask("POST", CREATE, body), self.plain.ask("POST", CREATE, body))
        for answer in answers:
            if answer.status == 201:
                self.plain.ask("DELETE", f"/containers/{answer.body['Id']}?force=1&v=1")
        return answers

    def inspect(self, body: bytes) -> tuple[Any, Any]:
        """Return what the daemon says of the two containers, without what is of their own; each is gone again."""
        found = []
        for connection in (self.ours, self.plain):
            answer = connection.ask("POST", CREATE, body)
            assert answer.status == 201, answer
            container = f"/containers/{answer.body['Id']}"
            text = json.dumps(self.plain.ask("GET", f"{container}/json").body)
            self.plain.ask("DELETE", f"{container}?force=1&v=1")
            found.append(json.loads(OF_ITS_OWN.sub(_blank, text)))
        return found[0], found[1]


def _blank(own: re.Match[str]) -> str:
    return '"…"' if own[0].startswith('"') else '/…"' if own[0].endswith('"') else "…"


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


# ---- hostile bodies

SOURCES = (
    "@app",
    "@app/",
    "@app/.",
    "@app/.venv",
    "@other",
    "@wrong",
    "/no/such",
    "volume",
    "",
    ".",
    "\0",
    "😀",
    "\ud800",
)
TARGETS = ("/app", "/app/", "//app", "/app/../app", "/app/.venv", "/", "", "app", "/\0", "/a:b", "/é", "/\ud800")
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(10**400)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
sources, targets = st.sampled_from(SOURCES), st.sampled_from(TARGETS)
binds = st.tuples(sources, targets, st.sampled_from(["", ":ro", ":z", ":ro,rw", ":nonsense", ":"])).map(
    lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}"
)
mounts = st.fixed_dictionaries(
    {},
    optional={
        "Type": st.sampled_from(["bind", "volume", "tmpfs", "npipe", "Bind", "", None, 1]),
        "Source": sources | anything,
        "Target": targets | anything,
        "target": targets,
        "ReadOnly": st.booleans() | anything,
        "BindOptions": anything,
        "TmpfsOptions": anything,
    },
)
host_configs = st.fixed_dictionaries(
    {},
    optional={
        "Binds": st.lists(binds | anything, max_size=3) | anything,
        "binds": st.lists(binds, max_size=2),
        "Mounts": st.lists(mounts | anything, max_size=3) | anything,
        "Tmpfs": st.dictionaries(targets, st.sampled_from(["", "rw,exec", "nonsense"]) | anything) | anything,
        "NetworkMode": st.sampled_from(["host", "none", 1]),
        "Unknown": anything,
    },
)
hostile = st.fixed_dictionaries(
    {"Image": st.just("@image") | anything},
    optional={
        "Cmd": st.just(["true"]) | anything,
        "HostConfig": host_configs | anything,
        "hostconfig": host_configs,
        "Labels": st.dictionaries(
            st.just("paude.venv") | st.text(max_size=3), st.sampled_from(["auto", "none", "x", 1])
        )
        | anything,
        "Volumes": st.dictionaries(targets, anything, max_size=3) | anything,
    },
)


def said(document: object, places: dict[str, Path], image: str) -> bytes:
    """Return the body with the folders' and the image's names."""
    text = json.dumps(document)
    for name, path in places.items():
        text = text.replace(f"@{name}", str(path))
    return text.replace("@image", image).encode()


def check(both: Both, body: bytes) -> None:
    """Check that the client hears from the daemon what it says to the body as it is, or one clear 4xx."""
    ours, plain = both.create(body)
    if ours.status == plain.status:
        if ours.status != 201:
            assert ours.body == plain.body
    else:
        assert 400 <= ours.status < 500, (ours, plain)
        assert list(ours.body) == ["message"]
        assert re.fullmatch(r"paude-venv-hook: [^\n]+", ours.body["message"]), ours.body


@proves("Docker's proxy: whatever a body holds, it is the daemon's answer or one clear 4xx")
@given(document=hostile | anything)
@example({"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@wrong:/app"]}})
@example({"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@app:/app"], "Tmpfs": [1]}})
@example({"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@app:/app"], "Tmpfs": {"/app/.venv": ""}}})
@example({"Image": "@image", "Cmd": ["true"], "hostconfig": {"binds": ["@app:/app"]}})
@many
def test_a_hostile_document(both: Both, places: dict[str, Path], engine: Engine, document: object) -> None:
    check(both, said(document, places, engine.image))


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
def test_a_hostile_body(both: Both, body: bytes) -> None:
    check(both, body)


@proves("Docker's proxy: a body over 16 MiB is refused, in one sentence")
def test_a_body_that_is_too_large(both: Both) -> None:
    body = json.dumps({"Image": "x", "Labels": {"long": "x" * (16 << 20)}}).encode()

    answer = both.ours.ask("POST", CREATE, body)

    assert answer.status == 413
    assert re.fullmatch(r"paude-venv-hook: [^\n]*16 MiB[^\n]*", answer.body["message"])


# ---- the oracle

good_binds = st.tuples(
    st.sampled_from(["@app", "@other", "@app/.", "volume"]),
    st.sampled_from(["/one", "/two", "/two/", "/deep/er", "/é, x"]),
    st.sampled_from(["", ":ro", ":rw", ":ro,z", ":rshared", "volume"]),
)


@st.composite
def good_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a body that the daemon takes, with binds in both spellings."""
    drawn = draw(st.lists(good_binds, max_size=4, unique_by=lambda bind: bind[1].rstrip("/")))
    host: dict[str, Any] = {"NetworkMode": "host", "Binds": [], "Mounts": []}
    for source, target, options in drawn:
        if "volume" in (source, options):
            host["Mounts"].append({"Type": "volume", "Source": "", "Target": target})
        elif draw(st.booleans()):
            host["Binds"].append(f"{source}:{target}{options}")
        else:
            host["Mounts"].append({"Type": "bind", "Source": source, "Target": target, "ReadOnly": "ro" in options})
    host["Tmpfs"] = draw(
        st.dictionaries(st.sampled_from(["/own", "/one/.venv", "/two/.venv/"]), st.just("rw"), max_size=2)
    )
    body = {"Image": "@image", "Cmd": ["true"], "HostConfig": host}
    body["Labels"] = draw(st.sampled_from([{}, {"a": "b"}, {"paude.venv": "auto"}, {"paude.venv": "none"}]))
    body["Volumes"] = draw(st.dictionaries(st.sampled_from(["/volume", "/one/.venv"]), st.just({}), max_size=1))
    return body


def expected(body: dict[str, Any]) -> list[str]:
    """Return where a body must have shadows: on `.venv` of each bind that counts, unless something is there."""
    label, host = body["Labels"].get("paude.venv"), body["HostConfig"]
    found = [tuple(bind.split(":")[:2]) for bind in host["Binds"]]
    found += [(mount["Source"], mount["Target"]) for mount in host["Mounts"] if mount["Type"] == "bind"]
    taken = {path.rstrip("/") for path in (*host["Tmpfs"], *body["Volumes"])}
    counts = {None: ("@app", "@app/."), "auto": ("@app", "@app/.", "@other"), "none": ()}[label]
    shadows = [f"{target.rstrip('/')}/.venv" for source, target in found if source in counts]
    return sorted(path for path in shadows if path not in taken)


@proves("Docker's proxy: for generated bodies, `inspect` differs from the control by the shadows alone")
@given(document=good_bodies())
@many
def test_inspect_differs_by_the_shadows(
    both: Both, places: dict[str, Path], engine: Engine, document: dict[str, Any]
) -> None:
    ours, plain = both.inspect(said(document, places, engine.image))

    before, after = (about["HostConfig"].pop("Tmpfs", None) or {} for about in (plain, ours))
    assert sorted(set(after) - set(before)) == expected(document)
    assert {path: options for path, options in after.items() if path in before} == before
    assert ours == plain


# ---- one request, in each way that HTTP has to write it

BODY = '{"Image": "@image", "Cmd": ["true"], "HostConfig": {"Binds": ["@app:/app"]}}'


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
    way: Way, both: Both, places: dict[str, Path], engine: Engine, line: str, headers: str, chunked: bool
) -> None:
    body = BODY.replace("@image", engine.image).replace("@app", str(places["app"])).encode()
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
