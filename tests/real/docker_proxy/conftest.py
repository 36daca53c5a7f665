"""The proxy in front of the engine's daemon, and the ways of a client: each test takes each of them.

What a test expects is the same on the plain socket, which is the control, and through the proxy, but for the shadows.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lab import missing
from layout import fill
from real.containers import ENVIRONMENT, Engine, need_engine, run
from real.docker_proxy.harness import UPSTREAM, OwnProxy, Proxy, Way, nothing_is_left


@pytest.fixture(scope="session")
def docker(image: str) -> Engine:
    """Return Docker as it is, at a local socket."""
    if sys.platform != "linux":
        pytest.skip("these tests look into /proc, and use programs of Linux")
    engine = need_engine("docker", image)
    if not UPSTREAM.startswith("/"):
        missing(f"DOCKER_HOST is {UPSTREAM}, which is no local socket")
    return engine


@pytest.fixture(scope="session")
def proxy(docker: Engine) -> Iterator[Proxy]:
    """Return the proxy before the engine's daemon."""
    with TemporaryDirectory(prefix="paude-proxy-") as folder:
        proxy = Proxy(Path(folder))
        proxy.start()
        yield proxy
        proxy.stop()


@pytest.fixture
def own_proxy() -> Iterator[OwnProxy]:
    """Return a function that makes a proxy of the test's own; it is ended after the test."""
    with TemporaryDirectory(prefix="paude-proxy-") as folder:
        made = []

        def make(upstream: str = UPSTREAM, before: Sequence[str] = ()) -> Proxy:
            made.append(Proxy(Path(folder), upstream, before))
            return made[-1]

        yield make
        for proxy in made:
            if proxy.process and proxy.process.poll() is None:
                proxy.stop(signal.SIGKILL)


@pytest.fixture(autouse=True)
def leaves_nothing(proxy: Proxy) -> Iterator[None]:
    """Check after each test that the proxy has no more file descriptors than before, and logged no bug."""
    with nothing_is_left(proxy):
        yield


@pytest.fixture(scope="session", params=["plain", "DOCKER_HOST", "context"])
def way(request: pytest.FixtureRequest, docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Way:
    """Return the way of a client: the plain socket, the proxy by the variable, or by a context that is in use."""
    plain = {**ENVIRONMENT, "DOCKER_HOST": f"unix://{UPSTREAM}"}
    if request.param == "plain":
        return Way(plain, shadows=False)
    proxy: Proxy = request.getfixturevalue("proxy")
    host = f"unix://{proxy.socket}"
    if request.param == "DOCKER_HOST":
        return Way({**plain, "DOCKER_HOST": host}, shadows=True)
    folder = tmp_path_factory.mktemp("docker-config")
    plugins = Path(ENVIRONMENT.get("DOCKER_CONFIG") or f"{ENVIRONMENT['HOME']}/.docker", "cli-plugins")
    if plugins.is_dir():
        shutil.copytree(plugins, folder / "cli-plugins", symlinks=True)
    environ = {**ENVIRONMENT, "DOCKER_CONFIG": str(folder)}
    environ.pop("DOCKER_HOST", None)
    run("docker", "context", "create", "paude-venv", "--docker", f"host={host}", env=environ)
    run("docker", "context", "use", "paude-venv", env=environ)
    return Way(environ, shadows=True)


@pytest.fixture(scope="session")
def engine(docker: Engine, way: Way) -> Engine:
    """Return Docker, reached by the way."""
    return replace(docker, command=way.command)


@pytest.fixture
def workspace(workspace: Path) -> Path:
    """Return a workspace that opted in."""
    return fill(workspace, "paude.json = {}")
