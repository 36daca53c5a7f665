"""What else speaks Docker's API: docker-py, testcontainers, docker compose, the devcontainer CLI; each unmodified."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import MakeVenv
from lab import missing, need_devcontainer_cli
from layout import fill
from real.containers import Container, Engine, as_owner, devcontainer, run, tree_hash
from real.docker_proxy.harness import Way

proves = pytest.mark.proves
pytestmark = pytest.mark.usefixtures("engine")  # the table of what was proved names it
WITHOUT_CONTEXT = pytest.mark.parametrize("way", ["plain", "DOCKER_HOST"], indirect=True)
PROGRAMS = Path(__file__).parent / "programs"
WORKS = "python3 -m venv --clear --without-pip {0} && {0}/bin/python -c 'import sys; print(sys.prefix)'"


@pytest.fixture
def hosts(workspace: Path, venv: Path) -> Iterator[Path]:
    """Return the workspace with a real venv; it is as it was after the test, and the venv works."""
    before = tree_hash(workspace)
    yield workspace
    assert tree_hash(workspace) == before
    assert as_owner(venv / "bin/python", "-B", "-c", "import markupsafe._speedups; print('ok')") == "ok\n"


@WITHOUT_CONTEXT
@pytest.mark.parametrize(
    ("program", "folders", "more"),
    [
        pytest.param(
            "with_docker_py.py",
            ("/app", "/again"),
            {
                "attached": "through\n",
                "archive": ["empty", "empty"],
                "exit code": 137,
                "logs": "through\n",
                "events": [],
            },
            marks=proves("Docker's proxy: docker-py, its binds and mounts, streams and archives"),
        ),
        pytest.param(
            "with_testcontainers.py", ("/app",), {}, marks=proves("Docker's proxy: testcontainers for Python")
        ),
    ],
)
def test_a_library(
    way: Way, engine: Engine, hosts: Path, program: str, folders: tuple[str, ...], more: dict[str, object]
) -> None:
    environ = {**way.environ, "TESTCONTAINERS_RYUK_DISABLED": "true"}  # its reaper is an image of its own

    seen = json.loads(run(sys.executable, PROGRAMS / program, engine.image, hosts, env=environ).stdout)

    host = set(os.listdir(hosts / ".venv"))
    for folder in folders:
        assert set(seen.pop(folder).split()) == (set() if way.shadows else host)
        made = set(seen.pop(f"made in {folder}").split())
        assert made == host if not way.shadows else made >= {"bin", "lib", "pyvenv.cfg"}
    assert seen == more


@proves("Docker's proxy: docker compose, `up --build`, `up` again, `exec`, `logs`, `down`")
def test_compose(way: Way, engine: Engine, hosts: Path, make_venv: MakeVenv, tmp_path: Path) -> None:
    if engine("compose", "version", check=False).returncode:
        missing("docker compose does not work")
    if not engine("buildx", "version", check=False).returncode:  # Debian's is too old for compose, none is right
        engine = replace(engine, command=(*engine.command[:-1], "DOCKER_BUILDKIT=0", "docker"))
    make_venv(tmp_path / "other" / ".venv")
    project = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    fill(tmp_path / "context", f"Dockerfile = FROM {engine.image}\nCOPY file /copied\n", "file = copied")
    built = {"image": project, "build": {"context": "context"}}
    common = {"image": engine.image, "network_mode": "host", "stop_grace_period": "0s"}
    forever = ["sh", "-c", "echo started; exec sleep infinity"]
    long = {"type": "bind", "source": str(hosts), "target": "/long"}
    services = {
        "app": {**common, "command": forever, "volumes": [f"{hosts}:/app", f"{tmp_path}/other:/other"]},
        "web": {**common, **built, "command": forever, "volumes": [long, "data:/data"]},
    }
    file = tmp_path / "compose.yaml"
    file.write_text(json.dumps({"services": services, "volumes": {"data": None}}))
    compose = ("compose", "-p", project, "-f", str(file))

    try:
        engine(*compose, "up", "--detach", "--build")
        assert engine(*compose, "exec", "-T", "web", "cat", "/copied").stdout == "copied"
        for service, folder in (("app", "/app"), ("web", "/long")):
            seen = engine(*compose, "exec", "-T", service, "ls", "-A", f"{folder}/.venv").stdout
            assert ("pyvenv.cfg" in seen) == (not way.shadows)
            if way.shadows:
                made = engine(*compose, "exec", "-T", service, "sh", "-c", WORKS.format(f"{folder}/.venv"))
                assert made.stdout == f"{folder}/.venv\n"
        assert engine(*compose, "exec", "-T", "app", "ls", "-A", "/other/.venv").stdout == "pyvenv.cfg\n"
        ids = engine(*compose, "ps", "--quiet").stdout
        engine(*compose, "up", "--detach")
        assert engine(*compose, "ps", "--quiet").stdout == ids
        assert engine(*compose, "logs", "--no-log-prefix", "app").stdout == "started\n"
    finally:
        engine(*compose, "down", "--volumes", "--rmi=local")


@proves("Docker's proxy: devcontainer CLI, `up` with a Dockerfile, `up` again, `exec`, and anew")
def test_the_devcontainer_cli(way: Way, docker: Engine, hosts: Path, tmp_path: Path) -> None:
    need_devcontainer_cli()
    config = tmp_path / "devcontainer.json"
    label = f"paude-venv-hook-test={uuid.uuid4().hex}"
    fill(tmp_path, f"Dockerfile = FROM {docker.image}\nCOPY file /copied\n", "file = copied")
    build = {"build": {"dockerfile": "Dockerfile"}, "updateRemoteUserUID": False}
    config.write_text(json.dumps({**build, "runArgs": ["--network=host"]}))
    own = ("--workspace-folder", hosts, "--config", config, "--id-label", label)
    buildkit = "never" if docker("buildx", "version", check=False).returncode else "auto"

    def up(*flags: str) -> Container:
        done = devcontainer("up", *own, "--buildkit", buildkit, *flags, env=way.environ)
        return Container(docker, json.loads(done.stdout.splitlines()[-1])["containerId"])

    try:
        first = up()
        assert first.sh("cat /copied") == "copied"
        seen = devcontainer("exec", *own, "ls", "-A", "/workspaces/app/.venv", env=way.environ).stdout
        assert ("pyvenv.cfg" in seen) == (not way.shadows)
        if way.shadows:
            assert first.sh(WORKS.format("/workspaces/app/.venv")) == "/workspaces/app/.venv\n"
        assert up().name == first.name
        anew = up("--remove-existing-container")
        assert anew.name != first.name
        assert ("pyvenv.cfg" in anew.sh("ls -A /workspaces/app/.venv")) == (not way.shadows)
    finally:
        found = docker("ps", "--all", "--quiet", "--filter", f"label={label}").stdout.split()
        if found:
            docker("rm", "--force", "--volumes", *found)
