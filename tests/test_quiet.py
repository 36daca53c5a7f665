"""What --quiet means, the same for each command that has it: stderr is for errors, and all else is as without it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from paude_venv_hook.cli import command_names, load
from paude_venv_hook.command_line.options import QUIET

Programs = Callable[[str, str], Path]

WARNING = (
    "paude-venv-hook: warning: the workspace folder itself is a venv, which cannot be shadowed: it holds the source; "
    "make it anew in .venv\n"
)
CALLS = {
    "devcontainer-config": ["devcontainer-config"],
    "exec": ["exec", "docker", "run", "-v", ".:/app", "IMG"],
    "print": ["print"],
    "run": ["run"],
    "verify": ["verify", "web"],
}
DOCKER = """case "$*" in
    --version) echo "Docker version 28" ;;
    "container inspect web") printf '%s' '{inspected}' ;;
    "exec c "*) ;;
    *) printf '%s\\n' "$@" ;;
esac"""


@pytest.fixture
def app(workspace: Path, programs: Programs) -> Path:
    """Return a workspace of which each command says something, and an engine that has it in a container."""
    fill(workspace, "pyvenv.cfg", "uv.lock", ".devcontainer.json = {}")
    bind = {"Type": "bind", "Source": str(workspace), "Destination": "/app"}
    inspected = json.dumps([{"Id": "c", "State": {"Running": True}, "Mounts": [bind]}])
    programs("docker", DOCKER.format(inspected=inspected))
    return workspace


def start(command: list[str], words: list[str]) -> tuple[int, str, str]:
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_all_commands_that_have_it_are_tested_here() -> None:
    assert {name for name in command_names() if QUIET in load(name).ARGUMENTS} == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_quiet_leaves_stderr_to_errors_and_changes_nothing_else(app: Path, command: list[str], name: str) -> None:
    _, *words = CALLS[name]

    loud, quiet = start(command, [name, *words]), start(command, [name, "--quiet", *words])

    assert loud[2].startswith(WARNING)
    assert quiet == (*loud[:2], "")


@pytest.mark.parametrize("name", CALLS)
def test_an_error_is_said_all_the_same(app: Path, command: list[str], name: str) -> None:
    fill(app, 'paude.json = {"venv": "Auto"}')
    _, *words = CALLS[name]

    code, out, said = start(command, [name, "--quiet", *words])

    assert (code, out) == (125 if name == "exec" else 1, "")
    assert said.startswith(f'paude-venv-hook: error[settings]: {app}/paude.json: venv: "Auto" is not known')


def test_what_was_made_is_not_said_either(workspace: Path, programs: Programs, command: list[str]) -> None:
    fill(workspace, "uv.lock")
    programs("docker", "")

    said = start(command, ["exec", "--quiet", "docker", "run", "-v", ".:/app", "IMG"])

    assert said == (0, "", "")
    assert (workspace / ".venv").is_dir()


@pytest.mark.parametrize("flags", [[], ["--quiet"]])
def test_a_mount_point_that_cannot_be_made_is_a_warning(
    workspace: Path, programs: Programs, command: list[str], flags: list[str]
) -> None:
    fill(workspace, "uv.lock")
    programs("docker", 'echo "$@"')
    fail = (
        "import os, sys; from paude_venv_hook import cli, files\n"
        "def refuse(*_): raise OSError(28, 'No space left on device')\n"
        "files._in_place = refuse; sys.exit(cli.main(sys.argv[1:]))"
    )

    said = start([sys.executable, "-c", fail], ["exec", *flags, "docker", "run", "-v", ".:/app", "IMG"])

    warning = (
        f"paude-venv-hook: warning: nothing shadowed: {workspace}/.venv: the mount point cannot be made: "
        'No space left on device; make it, or write "venv": "none" in paude.json\n'
    )
    assert said == (0, "run -v .:/app IMG\n", "" if flags else warning)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["exec", "podman-compose", "up"], "Shadowing venv: .venv\n"),
        (["exec", "podman", "compose", "up"], "Shadowing venv: .venv\n"),
        (["exec", "--quiet", "podman-compose", "up"], ""),
    ],
)
def test_what_podman_compose_starts_is_announced_by_the_wrapper_that_shadows_it(
    workspace: Path, make_venv: MakeVenv, programs: Programs, command: list[str], words: list[str], said: str
) -> None:
    """One line for each container that is made with a shadow, and none for the others."""
    make_venv(workspace / ".venv")
    starts = """case "$*" in *version) echo podman-compose version 1.5; exit ;; esac
    while [ "$1" != --podman-path ]; do shift; done
    "$2" ps && "$2" create --name db IMG && "$2" create --name web -v .:/app IMG && "$2" start web"""
    programs("podman-compose", starts)
    programs("podman", f'if [ "$1" = compose ]; then {starts}\nfi; [ "$1" != create ] || echo $#')

    assert start(command, words) == (0, "4\n8\n", said)  # words: the second got a --tmpfs


def test_exec_and_a_wrapper_that_it_leads_to_say_it_once(
    workspace: Path, make_venv: MakeVenv, programs: Programs, command: list[str]
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "tool/.venv/pyvenv.cfg")
    engine = programs("engine", 'echo "$@"')
    own = "import sys; from paude_venv_hook.launchers.wrapper import docker; sys.exit(docker())"
    programs("docker", f"PAUDE_VENV_DOCKER='{engine}' exec '{sys.executable}' -c '{own}' \"$@\"")

    code, out, said = start(command, ["exec", "docker", "run", "-v", ".:/app", "IMG"])

    assert (code, out.count("--tmpfs")) == (0, 1)
    assert said == (
        "paude-venv-hook: warning: tool/.venv stays visible in the container; to shadow what is there, "
        'write "venv": [".venv", "tool/.venv"] in paude.json\nShadowing venv: .venv\n'
    )


def test_the_wrapper_of_podman_compose_itself_announces_nothing(
    workspace: Path, make_venv: MakeVenv, programs: Programs
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "tool/.venv/pyvenv.cfg")
    programs("podman", "")
    programs("podman-compose", """while [ "$1" != --podman-path ]; do shift; done
        "$2" create --name web -v .:/app IMG""")  # fmt: skip
    own = "import sys; from paude_venv_hook.launchers.wrapper import podman_compose; sys.exit(podman_compose())"

    code, out, said = start([sys.executable, "-c", own], ["up"])

    assert (code, out) == (0, "")
    assert said == (
        "paude-venv-hook: warning: tool/.venv stays visible in the container; to shadow what is there, "
        'write "venv": [".venv", "tool/.venv"] in paude.json\n'
    )
