"""What the READMEs say to run with an engine, taken from them and run by a shell, as a person does.

They name the image python:3.11. Where an engine does not have it, the test image stands in under that name.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import terminal_picture
from lab import missing, need_devcontainer_cli
from layout import fill, planned
from readmes import ROOT
from real.containers import ENVIRONMENT, SCRIPTS, Container, Engine, patiently, run, tree_hash
from real.test_compose_line import Project, docker_project, project  # noqa: F401 - fixtures

IMAGE = "docker.io/library/python:3.11"
SHADOWED = "Shadowing venv: .venv\n"
proves = pytest.mark.proves
docker_only = pytest.mark.parametrize("engine", ["docker"], indirect=True)
podman_only = pytest.mark.parametrize("engine", ["podman"], indirect=True)


class Shell:
    """A shell in the workspace folder, with the hook's programs on PATH, and a home folder of its own."""

    def __init__(self, home: Path) -> None:
        """Take the home folder."""
        self.environ = {**ENVIRONMENT, "HOME": str(home), "PATH": f"{SCRIPTS}:{ENVIRONMENT['PATH']}"}
        self.environ["DOCKER_CONFIG"] = ENVIRONMENT.get("DOCKER_CONFIG") or f"{ENVIRONMENT['HOME']}/.docker"

    def __call__(self, text: str, *, check: bool = True) -> str:
        """Run the text, and return what it says on stdout and stderr, in their order."""
        done = patiently("bash", "-euc", f"exec 2>&1\n{text}", check=check, env=self.environ)
        # The private daemon's, and what it says while it fetches or makes something.
        return re.sub(r"^WARNING: IPv4 forwarding .*\n", "", done.stdout, flags=re.MULTILINE)


@pytest.fixture
def stand_in(engine: Engine) -> Iterator[None]:
    """Let the engine have an image of the name that READMEs use."""
    there = engine("image", "inspect", IMAGE, check=False).returncode == 0
    if not there:
        engine("tag", engine.image, IMAGE)
    yield
    if not there:
        engine("rmi", IMAGE, check=False)


@pytest.fixture
def shell(engine: Engine, stand_in: None, home: Path, workspace: Path, with_devcontainer: bool) -> Shell:
    """Return a shell in a workspace that has a venv of the host, of which a file is enough."""
    fill(workspace, ".venv/pyvenv.cfg = home = /usr/bin\n")
    return Shell(home)


@proves("the README's picture of a terminal is a real run")
def test_the_picture_is_a_real_run(engine: Engine, stand_in: None, home: Path, workspace: Path) -> None:
    """But for versions and the home folder; the picture says docker, which stands for Podman too."""
    run(sys.executable, "-m", "venv", workspace / ".venv")
    shell = Shell(home)

    for command, said in terminal_picture.commands(terminal_picture.TEXT.read_text(encoding="utf-8")):
        done = shell(re.sub(r"\bdocker\b", engine.name, command), check=False)

        assert masked(done.replace(str(workspace), "/home/me/app")) == masked(said)


def masked(text: str) -> str:
    """Return the text without the numbers of versions."""
    return re.sub(r"\b(pip |python ?)[0-9.]*[0-9]", r"\1N", text)


def test_a_run(written: list[str], engine: Engine, shell: Shell, workspace: Path) -> None:
    """In a clone, which has the program in the venv that is shadowed."""
    fill(workspace, f".venv/bin/paude-venv-hook -> {SCRIPTS / 'paude-venv-hook'}")
    before = tree_hash(workspace)
    (text,) = written

    assert shell(re.sub(r"\bdocker\b", engine.name, text)) == SHADOWED

    assert tree_hash(workspace) == before


def test_exec_lines(written: list[str], engine: Engine, shell: Shell) -> None:
    (text,) = written
    (line,) = (line for line in text.splitlines() if f" {engine.name} " in line)

    assert shell(line) == SHADOWED


@docker_only
def test_a_link_on_path(written: list[str], engine: Engine, shell: Shell) -> None:
    (text,) = written

    assert shell(text) == ""
    assert shell(text.splitlines()[-1]) == "pyvenv.cfg\n"  # the control: without the link


@docker_only
def test_a_venv_that_stays(written: list[str], engine: Engine, shell: Shell) -> None:
    (text,) = written
    opting_in, first, second, listed, cleaned, pruned = text.splitlines()
    shell(opting_in)

    shell(first)
    assert " from /app/.venv/" in shell(second)
    assert "python:3.11" in shell(listed)
    shell(cleaned)
    assert "No such file" in shell(second, check=False) or "no such file" in shell(second, check=False)
    shell(pruned)


@podman_only
def test_a_script_of_ones_own(written: list[str], engine: Engine, shell: Shell) -> None:
    (text,) = written

    assert shell(text) == planned(".venv")


@podman_only
def test_podman_hook(written: list[str], engine: Engine, shell: Shell, with_devcontainer: bool, tmp_path: Path) -> None:
    """Installed into a folder of the test's, which a `podman` on PATH names to the real one."""
    opt_in, text = written
    dry_run, install, uninstall = text.splitlines()
    launch = f"podman run --rm -v $PWD:/app -w /app {IMAGE} ls -A .venv"
    hooks, conf, real = tmp_path / "hooks.d", tmp_path / "containers.conf", shutil.which("podman")
    fill(tmp_path, f'containers.conf = [engine]\nhooks_dir = ["{hooks}"]\n')
    fill(tmp_path, f'bin/podman = #!/bin/sh\nexec {real} --hooks-dir={hooks} "$@"\n')
    (tmp_path / "bin/podman").chmod(0o755)
    configured = f"export CONTAINERS_CONF={conf}; "

    shell(configured + dry_run)
    assert not hooks.exists()
    shell(configured + install)
    shell.environ["PATH"] = f"{tmp_path / 'bin'}:{shell.environ['PATH']}"
    assert shell(launch) == ("" if with_devcontainer else "pyvenv.cfg\n")  # only then it has opted in
    shell(opt_in)
    assert shell(launch) == ""
    shell(configured + uninstall)
    assert shell(launch) == "pyvenv.cfg\n"


# ---- compose


@docker_only
def test_compose_up(written: list[str], docker_project: Project, shell: Shell) -> None:  # noqa: F811 - the fixture
    listing = {"command": ["ls", "-A", "/app/.venv", "/app/paude.json"], "volumes": [".:/app"]}
    fill(docker_project.folder, "paude.json = {}")
    docker_project.configure(web={**listing, "image": IMAGE})
    shell.environ.update(docker_project.environ, PATH=shell.environ["PATH"])

    for text in dict.fromkeys(line.strip() for line in written):  # a container that is there is not made again
        said = shell(text)

        assert SHADOWED in said
        assert "/app/paude.json" in said
        assert "pyvenv.cfg" not in said


@docker_only
def test_compose_override(written: list[str], docker_project: Project, shell: Shell) -> None:  # noqa: F811 - as above
    (text,) = written
    docker_project.configure(web={"command": ["ls", "-A", "/app/.venv"], "volumes": [".:/app"], "image": IMAGE})
    shell.environ.update(docker_project.environ, PATH=shell.environ["PATH"])
    assert "pyvenv.cfg" in shell("docker compose up")  # the control

    assert "pyvenv.cfg" not in shell(text)


# ---- the devcontainer CLI


@docker_only
@pytest.mark.parametrize("with_devcontainer", ["with devcontainer.json"], indirect=True)
def test_devcontainer_up(written: list[str], engine: Engine, shell: Shell, workspace: Path, tmp_path: Path) -> None:
    need_devcontainer_cli()
    fill(workspace, f".devcontainer/devcontainer.json = {json.dumps({'image': IMAGE, 'runArgs': ['--network=host']})}")
    fill(tmp_path, "temporary/")

    for text in dict.fromkeys(written):
        said = shell(text.replace("/tmp/", f"{tmp_path}/temporary/"))  # noqa: S108 - what is not to be used
        name = re.findall(r'"containerId":"(\w+)"', said)[-1]
        try:
            assert Container(engine, name).sh("ls -A /workspaces/app/.venv") == ""
        finally:
            engine("rm", "--force", "--volumes", name, check=False)


# ---- the two commands


def test_the_first_command(written: list[str], tmp_path: Path) -> None:
    """In a copy of the tree, with what pip finds."""
    (text,) = written
    left_out = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__")
    clone = Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=left_out))

    done = subprocess.run(["bash", "-euc", text], cwd=clone, capture_output=True, text=True, check=False)

    if "No matching distribution found" in done.stderr:
        missing(f"pip finds nothing: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^workspace +\S+/clone/templates/pip$", done.stdout, re.MULTILINE)
