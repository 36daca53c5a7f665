"""Real processes: which modules each command loads, and above all which it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layout import fill
from paude_venv_hook import __version__

DUMP = "import sys; from paude_venv_hook.cli import main; main(sys.argv[1:]); print('', *sys.modules, file=sys.stderr)"
# What takes time to load, or is for few workspaces only.
HEAVY = {
    "argparse",
    "asyncio",
    "csv",
    "dataclasses",
    "difflib",
    "hypothesis",
    "importlib.metadata",
    "importlib.resources",
    "inspect",
    "json5",
    "logging",
    "pathlib",
    "platformdirs",
    "shlex",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "textwrap",
    "traceback",
    "typing",
    "urllib.parse",
    "paude_venv_hook.command_line.parser",
    "paude_venv_hook.launchers.compose",
    "paude_venv_hook.launchers.around",
    "paude_venv_hook.launchers.run_line",
    "paude_venv_hook.launchers.oci",
    "paude_venv_hook.proxy.listener",
    "paude_venv_hook.proxy.server",
    "paude_venv_hook.docker_api.sockets",
    "paude_venv_hook.launchers.devcontainer_cli",
    "paude_venv_hook.installation.podman_hook",
    "paude_venv_hook.installation.coverage",
    "paude_venv_hook.commands.completion",
    "paude_venv_hook.commands.status",
    "paude_venv_hook.commands.init",
    "paude_venv_hook.commands.verify",
    "paude_venv_hook.commands.store",
    "paude_venv_hook.stores.folder",
    "paude_venv_hook.stores.listing",
    "paude_venv_hook.stores.purpose",
    "paude_venv_hook.stores.removal",
    "paude_venv_hook.launchers.wrapper",
}
PARSER = {"argparse", "paude_venv_hook.command_line.parser"}
# Of what `install` made, files tell, and Docker's client: Podman is not started.
STATUS = {
    "textwrap",
    "paude_venv_hook.commands.status",
    "paude_venv_hook.docker_api.sockets",
    "paude_venv_hook.installation.coverage",
    "paude_venv_hook.installation.podman_hook",
}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs says where the folders are")


def loaded(*arguments: str) -> set[str]:
    """Return the modules that a command loads, without those that any process of this interpreter has."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # coverage loads many

    def run(code: str) -> set[str]:
        words = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=environ)
        return set(done.stderr.splitlines()[-1].split())

    return run(DUMP) - run("import sys; print('', *sys.modules, file=sys.stderr)")


@pytest.fixture
def podman(programs: Callable[[str, str], Path]) -> Path:
    """Let Podman be what is found on PATH."""
    return programs("podman", "exit 1")


@on_linux
@pytest.mark.usefixtures("podman")
@pytest.mark.parametrize("arguments", [[], ["run"]])
@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([], id="nothing"),
        pytest.param([".venv/pyvenv.cfg", "env -> .venv"], id="venvs"),
        pytest.param(['paude.json = {"venv": [".venv"], "venv-tmpfs": {"size": "2g"}}'], id="strict JSON"),
        pytest.param(['paude.json = {// a comment\n "venv": "auto", /* and */ }'], id="comments and trailing commas"),
        pytest.param(
            ['.devcontainer.json = {// a comment\n "runArgs": ["-v", "/a:/b"], "mounts": ["source=v,target=/c"],}'],
            id="a devcontainer.json",
        ),
        pytest.param(
            [".devcontainer.json = {}", ".git/HEAD = ref: refs/heads/x", ".git/config", ".git/objects/", ".git/refs/"],
            id="a git repository",
        ),
    ],
)
def test_the_run_of_every_launch_loads_nothing_heavy(workspace: Path, entries: list[str], arguments: list[str]) -> None:
    fill(workspace, "pyproject.toml", *entries)

    assert loaded(*arguments) & HEAVY == set()


@on_linux
@pytest.mark.usefixtures("podman")
def test_json5_is_loaded_for_a_paude_json_that_needs_it(workspace: Path) -> None:
    fill(workspace, "paude.json = {venv: 'auto'}")

    assert "json5" in loaded()


@on_linux
def test_a_docker_that_may_be_podman_is_asked_and_a_program_that_is_not_is_not(
    workspace: Path, programs: Callable[[str, str], Path]
) -> None:
    docker = programs("docker", "echo Docker version 28")

    assert "subprocess" in loaded("--workspace-folder", str(workspace))
    docker.write_bytes(b"\x7fELF")
    assert "subprocess" not in loaded("--workspace-folder", str(workspace))


@on_linux
@pytest.mark.usefixtures("podman")
@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--quiet", "--workspace-folder", "."], set()),
        (["--workspace-folder=."], PARSER),
        (["print"], {"shlex"}),
        (["print", "--format", "nul"], set()),
        (["status"], STATUS),
        (["status", "--json"], STATUS),
        (["path"], set()),
    ],
)
def test_a_command_loads_what_it_uses_and_the_parser_for_unusual_flags(
    workspace: Path, arguments: list[str], allowed: set[str]
) -> None:
    fill(workspace, ".venv/pyvenv.cfg", 'paude.json = {"venv": "auto",}')

    assert loaded(*arguments) & HEAVY == allowed


def test_version_needs_nothing(workspace: Path) -> None:
    modules = loaded("--version")

    assert modules & HEAVY == set()
    assert not modules & {"json", "hashlib", "paude_venv_hook.decision", "paude_venv_hook.settings"}
    assert os.listdir(workspace) == []


def test_schema_looks_at_no_workspace(workspace: Path) -> None:
    modules = loaded("schema", "overlay")

    assert not modules & {"json5", "platformdirs", "subprocess", "hashlib", "paude_venv_hook.decision"}
    assert os.listdir(workspace) == []


def test_the_help_of_the_proxy_needs_no_socket(workspace: Path) -> None:
    assert not loaded("docker-proxy", "--help") & {"socket", "paude_venv_hook.proxy.server"}


def test_the_proxy_loads_what_plans_only_when_the_first_container_is_created() -> None:
    code = "import sys, paude_venv_hook.proxy.server; print(*sys.modules)"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # as above
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    modules = set(done.stdout.split())

    assert "paude_venv_hook.proxy.server" in modules
    assert not modules & {"asyncio", "concurrent.futures", "json", "ssl", "subprocess", "threading", "typing"}
    assert not modules & {"paude_venv_hook.proxy.planning", "paude_venv_hook.workspace"}


def test_a_refusal_of_the_proxy_loads_nothing_since_no_file_may_be_left_to_open() -> None:
    code = """if True:
        import socket, sys
        from paude_venv_hook.proxy.client import Client, Shared
        from paude_venv_hook.proxy.loop import Loop
        from paude_venv_hook.proxy.setup import Setup
        loop = Loop()
        client, theirs = socket.socketpair()
        loop.adopt(theirs)
        client.sendall(b"GET /_ping HTTP/1.1\\r\\n\\r\\n")
        before = set(sys.modules)
        Client(theirs, Shared(Setup("/no.sock", "/own.sock", {}), loop, None))
        print(client.recv(12), *set(sys.modules) - before)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "b'HTTP/1.1 502'\n"


def test_the_module_is_the_program(workspace: Path, command: list[str]) -> None:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False, cwd=workspace)
    failed = subprocess.run([*command, "no-such"], capture_output=True, text=True, check=False, cwd=workspace)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"paude-venv-hook {__version__}\n", "")
    assert failed.returncode == 2


def test_importing_the_package_loads_nothing_else(workspace: Path) -> None:
    code = "import sys; before = set(sys.modules); import paude_venv_hook; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=workspace)

    assert done.stdout.split() == ["paude_venv_hook"]
