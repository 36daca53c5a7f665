"""Each template project, from its copy to a restart of its container: its tool, the devcontainer CLI, and Docker.

What is run is what the template says: its README on the host, its devcontainer.json and its paude.json inside. Where
no registry gives the image that the templates name, an image of this machine stands in for it under the same name: the
test image with pipx, the user `vscode` and the tools, installed by each template's `onCreateCommand`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lab import missing, need_devcontainer_cli
from paude_venv_hook.workspace.jsonfile import read_object
from real.conftest import give_to_owner
from real.containers import (
    AS_OWNER,
    ENVIRONMENT,
    OWNER,
    SCRIPTS,
    Container,
    Engine,
    bind,
    devcontainer,
    need_engine,
    run,
    tree_hash,
)

RecordProperty = Callable[[str, object], None]

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
CONFIG = ".devcontainer/devcontainer.json"
IDS = sorted(path.parents[1].name for path in TEMPLATES.glob(f"*/{CONFIG}"))
VENVS = {"hatch": [".hatch"], "monorepo": [".venv", "legacy/.venv"]}
LOCKS = {"monorepo": ["uv.lock", "legacy/uv.lock"], "pdm": ["pdm.lock"], "pipenv": ["Pipfile.lock"],
         "poetry": ["poetry.lock"], "uv": ["uv.lock"]}  # fmt: skip

# How the tools of this machine reach the package index, and trust it.
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
INDEX = ("HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "https_proxy", "no_proxy")
# Poetry asks the index in a way of its own, which a mirror may not know. With this variable a plugin asks as pip does.
MIRROR = "POETRY_PYPI_MIRROR_URL"
PLUGIN = "pipx inject poetry poetry-plugin-pypi-mirror"
ASK_AS_POETRY_DOES = """
from urllib.request import urlopen
from pip._internal.models.index import PyPI
print(PyPI.simple_url)
urlopen(f"{PyPI.pypi_url}/poetry/2.0.0/json")
"""

# What the tools would take from the user who runs the tests.
NOT_THE_USERS = ("HATCH_", "PDM_", "PIPENV_", "PIPX_", "POETRY_", "UV_PROJECT_", "VIRTUAL_ENV", "XDG_")

# The image that the templates name has these, and so has the one that stands in.
PIPX = {
    "PIPX_HOME": "/usr/local/py-utils",
    "PIPX_BIN_DIR": "/usr/local/py-utils/bin",
    "PATH": "/usr/local/py-utils/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
METADATA = [{"remoteUser": "vscode"}]
MAKE_STAND_IN = f"""
useradd --create-home --shell /bin/bash --uid {OWNER} vscode
python3 -m venv /usr/local/pipx
/usr/local/pipx/bin/python -m pip install --quiet 'pipx[uv]'
ln -s /usr/local/pipx/bin/pipx /usr/local/bin/
install --directory --owner=vscode $PIPX_HOME
export HOME=/home/vscode
exec setpriv --reuid=vscode --regid=vscode --init-groups sh -euc "$1"
"""


UP = ("--buildkit", "never", "--skip-non-blocking-commands")


def config_of(template: str) -> dict[str, Any]:
    """Return what the template's devcontainer.json says."""
    return read_object(str(TEMPLATES / template / CONFIG))


def install(*command: str | Path, env: Mapping[str, str]) -> None:
    """Run the command, which needs the package index."""
    done = run(*command, check=False, env=env)
    if done.returncode:
        missing(f"the tools cannot be installed: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def engine(image: str) -> Engine:
    """Return Docker."""
    if sys.version_info < (3, 11):
        missing("the templates are for Python 3.11 and newer")
    need_devcontainer_cli()
    return need_engine("docker", image)


@pytest.fixture(scope="session")
def index() -> dict[str, str]:
    """Return the variables by which the tools of this machine reach the package index."""
    variables = {name: os.environ[name] for name in INDEX if name in os.environ}
    variables |= {name: os.environ[name] for name in CERTIFICATES if os.path.isfile(os.environ.get(name, ""))}
    asked = run(sys.executable, "-c", ASK_AS_POETRY_DOES, check=False, env=ENVIRONMENT)
    return {MIRROR: asked.stdout.strip(), **variables} if asked.returncode and asked.stdout else variables


@pytest.fixture(scope="session")
def installation(index: dict[str, str]) -> str:
    """Return the shell script that installs the tools, as each template does if one is missing."""
    commands = {config_of(template).get("onCreateCommand", ":") for template in IDS}
    return "\n".join([*sorted(commands), *([PLUGIN] if MIRROR in index else [])])


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which all tools, on the host and in containers, keep what they have downloaded."""
    folder = tmp_path_factory.mktemp("cache")
    give_to_owner(folder)
    return folder


@pytest.fixture(scope="session")
def tools(
    installation: str, index: dict[str, str], cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Return the environment of a user of this machine who has the tools."""
    folder = tmp_path_factory.mktemp("tools")
    run(sys.executable, "-m", "venv", folder / "pipx")
    install(folder / "pipx/bin/python", "-m", "pip", "install", "--quiet", "pipx[uv]", env=ENVIRONMENT)
    (folder / "bin").mkdir()
    (folder / "bin/pipx").symlink_to(folder / "pipx/bin/pipx")
    give_to_owner(folder)
    environment = {
        **{name: value for name, value in ENVIRONMENT.items() if not name.startswith(NOT_THE_USERS)},
        **index,
        "HOME": str(folder),
        "PATH": f"{folder}/bin:{ENVIRONMENT['PATH']}",
        "PIPX_BIN_DIR": f"{folder}/bin",
        "PIPX_HOME": str(folder / "tools"),
        "XDG_CACHE_HOME": str(cache),
    }
    install(*AS_OWNER, "sh", "-euc", installation, env=environment)
    return environment


@pytest.fixture(scope="session")
def docker(engine: Engine, cache: Path, index: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program that is Docker, and gives each container the way to the package index, and the cache."""
    certificates = {value for name, value in index.items() if name in CERTIFICATES}
    options = [
        "--network=host",
        *(bind(Path(path), path, read_only=True) for path in certificates),
        bind(cache, "/cache"),
        *(f"--env={name}={value}" for name, value in {**index, "XDG_CACHE_HOME": "/cache"}.items()),
    ]
    program = tmp_path_factory.mktemp("docker") / "docker"
    program.write_text(f"""#!/bin/sh
case $1 in
    run) shift && set -- run {shlex.join(options)} "$@" ;;
    build) shift && set -- build --network=host "$@" ;; # BuildKit has no other network in a private daemon
esac
exec {shlex.join(engine.command)} "$@"
""")
    program.chmod(0o755)
    return program


@pytest.fixture(scope="session")
def stands_in(engine: Engine, docker: Path, installation: str) -> Iterator[bool]:
    """Give Docker the image that the templates name, and return whether another one stands in for it."""
    (name,) = {config_of(template)["image"] for template in IDS}
    if any(engine(*words, name, check=False).returncode == 0 for words in (("image", "inspect"), ("pull",))):
        yield False
        return
    container = f"paude-venv-hook-test-{os.getpid()}"
    variables = [f"{key}={value}" for key, value in PIPX.items()]
    changes = [*(f"ENV {variable}" for variable in variables), f"LABEL devcontainer.metadata='{json.dumps(METADATA)}'"]
    try:
        own = ("--name", container, "--label=paude-venv-hook-test", *(f"--env={variable}" for variable in variables))
        install(docker, "run", *own, engine.image, "sh", "-euc", MAKE_STAND_IN, "sh", installation, env=ENVIRONMENT)
        engine("commit", *(f"--change={change}" for change in changes), container, name)
        yield True
    finally:
        engine("rm", "--force", container, check=False)
        engine("rmi", "--force", name, check=False)


@dataclass(frozen=True)
class Project:
    """A project folder, with the tools on the host, and the devcontainer CLI."""

    engine: Engine
    folder: Path
    tools: Mapping[str, str]
    launcher: Mapping[str, str]
    docker_path: str

    def told(self, what: str) -> list[str]:
        """Return the commands in a line of the README, before its semicolon."""
        lines = (self.folder / "README.md").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith(f"- {what}")]
        return re.findall("`([^`]+)`", line.partition("; ")[0])

    def on_host(self, *commands: str) -> str:
        """Let the owner run the commands on the host, and return their stdout; they have to succeed."""
        script = " && ".join(['cd "$0"', *commands])
        return run(*AS_OWNER, "sh", "-c", script, self.folder, env=self.tools).stdout

    def devcontainer(self, command: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the devcontainer CLI."""
        own = (command, "--workspace-folder", self.folder, "--docker-path", self.docker_path)
        return devcontainer(*own, *arguments, env=self.launcher, check=check)

    def up(self, *arguments: str) -> tuple[Container, str]:
        """Launch it, as far as an editor waits, and return the container and what was said."""
        done = self.devcontainer("up", *UP, *arguments)
        return Container(self.engine, json.loads(done.stdout.splitlines()[-1])["containerId"]), done.stderr

    def containers(self) -> list[str]:
        """Return its containers."""
        label = f"label=devcontainer.local_folder={self.folder}"
        return self.engine("ps", "--all", "--quiet", "--filter", label).stdout.split()

    def remove(self) -> None:
        """Remove its containers."""
        for name in self.containers():
            self.engine("rm", "--force", "--volumes", name)

    def inside(self, command: str) -> str:
        """Run the command in the container, and return its stdout; it has to succeed."""
        return self.devcontainer("exec", "sh", "-c", command).stdout

    def inside_as_paude(self, command: str) -> str:
        """Run it without the variables of devcontainer.json, which paude does not know, and return its stdout."""
        variables = read_object(str(self.folder / CONFIG))["containerEnv"]
        return self.inside(f"env {' '.join(f'--unset={name}' for name in variables)} sh -c {shlex.quote(command)}")

    def check_interpreter(self) -> None:
        """Check that the container has the interpreter that an editor is told to use, and that it is a venv's."""
        settings = read_object(str(self.folder / CONFIG))["customizations"]["vscode"]["settings"]
        path = settings["python.defaultInterpreterPath"].replace("${containerWorkspaceFolder}", "/workspaces/app")
        assert self.inside(f"{path} -c 'import sys; print(sys.prefix)'") == f"{path.removesuffix('/bin/python')}\n"


@pytest.fixture
def launcher(docker: Path, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a launch: the hook is on PATH, and its files stay in the folder of the test."""
    own = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("PAUDE_VENV")}
    own |= {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CACHE", "CONFIG", "DATA", "STATE")}
    return {**own, "PATH": f"{SCRIPTS}:{own['PATH']}", "PAUDE_VENV_DOCKER": str(docker)}


@pytest.fixture
def project(
    engine: Engine, tools: dict[str, str], launcher: dict[str, str], stands_in: bool, tmp_path: Path
) -> Iterator[Project]:
    """Return a project folder that is to be filled; its containers are removed at the end."""
    folder = tmp_path / "app"
    project = Project(engine, folder, tools, launcher, "paude-venv-docker")
    yield project
    project.remove()


def copy(template: str, project: Project) -> None:
    """Copy the template to the project folder, without what a trial in it may have left."""
    ignored = (TEMPLATES / template / ".gitignore").read_text().replace("/", "").split()
    shutil.copytree(TEMPLATES / template, project.folder, ignore=shutil.ignore_patterns(*ignored, "*.lock"))
    give_to_owner(project.folder)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(
            name, marks=pytest.mark.proves(f"template {name}: with and without wrapper and host's venv, restart")
        )
        for name in IDS
    ],
)
def test_host_and_container_each_keep_their_own(
    template: str, project: Project, docker: Path, stands_in: bool, record_property: RecordProperty
) -> None:
    copy(template, project)
    names = VENVS.get(template, [".venv"])
    venvs = [project.folder / name for name in names]
    locks = [project.folder / name for name in LOCKS.get(template, [])]
    *exports, setup = project.told("Host")
    (tests,) = project.told("Tests")
    config = (project.folder / CONFIG).read_bytes()
    bare = replace(project, docker_path=str(docker))

    # With the wrapper, and no venv of the host.
    container, said = project.up()
    assert f"Planned shadow: {', '.join(names)}" in said
    project.check_interpreter()
    assert [list(venv.iterdir()) for venv in venvs] == [[] for _ in venvs]
    give_to_owner(project.folder)  # who would have been the one to reserve them

    # The host makes its own, and the container starts again.
    project.on_host(*exports, setup)
    assert all(lock.is_file() for lock in locks)
    assert " passed" in project.on_host(*exports, tests)
    before = [tree_hash(venv) for venv in venvs]
    project.engine("stop", "--time=0", container.name)
    again, _ = project.up()
    assert again.name == container.name
    project.check_interpreter()
    assert " passed" in project.inside(tests)
    assert [tree_hash(venv) for venv in venvs] == before

    # A new container, with paude's setup.
    project.remove()
    for lock in locks:
        lock.unlink()
    project.up("--skip-post-create")
    project.inside_as_paude(read_object(str(project.folder / "paude.json"))["setup"])
    assert " passed" in project.inside_as_paude(tests)
    assert all(lock.is_file() for lock in locks)

    # Without the wrapper the setup stops before it harms the host's.
    project.remove()
    done = bare.devcontainer("up", *UP, check=False)
    assert done.returncode != 0
    assert f"{names[0]} may be the host's and is left alone. For one of the container's own, install" in done.stderr
    assert [tree_hash(venv) for venv in venvs] == before
    assert " passed" in project.on_host(*exports, tests)
    assert [tree_hash(venv) for venv in venvs] == before

    # Without any, it makes one for both, and goes on with it after a restart.
    project.remove()
    for venv in venvs:
        shutil.rmtree(venv)
        venv.mkdir()
        give_to_owner(venv)
    container, _ = bare.up()
    bare.check_interpreter()
    bare.engine("restart", "--time=0", container.name)
    again, _ = bare.up()
    assert again.name == container.name
    bare.check_interpreter()
    assert all(list(venv.iterdir()) for venv in venvs)
    assert (project.folder / CONFIG).read_bytes() == config
    if stands_in:
        record_property("result", "yes, with an image that stands in")


@pytest.mark.proves("a template without the hook: one line says so, and host and container share the venv")
def test_without_the_hook_the_launch_works(project: Project, launcher: dict[str, str], docker: Path) -> None:
    folders = launcher["PATH"].split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if not os.path.exists(f"{folder}/paude-venv-hook"))
    bare = replace(project, launcher={**launcher, "PATH": path}, docker_path=str(docker))
    copy("uv", bare)

    _, said = bare.up()

    assert said.count("paude-venv-hook is not installed: host and container share .venv\n") == 1
    bare.check_interpreter()
    assert " passed" in bare.inside(*bare.told("Tests"))
    assert (bare.folder / ".venv/pyvenv.cfg").is_file()

    bare.remove()  # and a rebuilt container goes on with the venv of the former one
    bare.up()
    assert " passed" in bare.inside(*bare.told("Tests"))


@pytest.mark.proves("a failure of the hook stops the launch of a template")
def test_a_failure_of_the_hook_stops_the_launch(project: Project) -> None:
    copy("uv", project)
    (project.folder / "paude.json").write_text('{"venv": "no"}')

    done = project.devcontainer("up", *UP, check=False)

    assert done.returncode != 0
    assert "paude-venv-hook: error[settings]: " in done.stderr
    assert project.containers() == []


@pytest.mark.proves("this repository in its own dev container")
def test_this_repository_in_its_own_dev_container(project: Project, docker: Path) -> None:
    tracked = run("git", "-C", ROOT, "ls-files", "-z", check=False, env=ENVIRONMENT)
    if tracked.returncode:
        missing("this is no git repository")
    for name in tracked.stdout.split("\0")[:-1]:
        target = project.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    (project.folder / ".venv").mkdir()
    (project.folder / ".venv/pyvenv.cfg").write_text("home = /nowhere\n")
    give_to_owner(project.folder)
    before = tree_hash(project.folder / ".venv")

    _, said = project.up()

    assert "Planned shadow: .venv, for " in said
    project.check_interpreter()
    assert " passed" in project.inside(".venv/bin/python -m pytest tests/test_plan.py")
    assert tree_hash(project.folder / ".venv") == before

    project.remove()
    done = replace(project, docker_path=str(docker)).devcontainer("up", *UP, check=False)
    assert done.returncode != 0
    assert ".venv may be the host's and is left alone." in done.stderr
    assert tree_hash(project.folder / ".venv") == before
