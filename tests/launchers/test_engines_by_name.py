"""`exec` with each engine: which one a program is, and what it gets, told by programs that stand in for them."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from paude_venv_hook.engines.choice import engine_by_name

Programs = Callable[[str, str], Path]
RunExec = Callable[..., tuple[list[str], str]]

DOCKER = ["--tmpfs", f"/app/.venv:rw,exec,nosuid,nodev,uid={os.getuid()},gid={os.getgid()},mode=1777"]
PODMAN = ["--tmpfs", "/app/.venv:rw,exec,nosuid,nodev,notmpcopyup,mode=1777"]
CONTAINER = ["--mount", "type=tmpfs,destination=/app/.venv,mode=1777"]
BWRAP = ["--perms", "1777", "--tmpfs", "/app/.venv"]
SHADOWING = "Shadowing venv: .venv\n"


@pytest.fixture
def run_exec(programs: Programs, workspace: Path, make_venv: MakeVenv, command: list[str]) -> RunExec:
    """Return a function that runs `exec` in a workspace with a venv: the words that the program got, and stderr."""
    make_venv(workspace / ".venv")

    def run(line: str, *options: str) -> tuple[list[str], str]:
        name, *words = shlex.split(line)
        programs(os.path.basename(name), "printf '%s\\n' \"$@\"")
        done = subprocess.run(
            [*command, "exec", *options, "--", name.replace("./", f"{workspace.parent}/programs/"), *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.stderr

    return run


@pytest.mark.parametrize(
    ("before", "added", "after"),
    [
        ("nerdctl run", DOCKER, "-v .:/app IMG"),
        ("nerdctl --namespace k8s.io run", DOCKER, "--rm -it -v .:/app --snapshotter=stargz --verify none IMG sh"),
        ("nerdctl -n k8s.io container create", DOCKER, "--mount type=bind,src=.,dst=/app --init-binary tini IMG"),
        ("finch run", DOCKER, "--rm -v .:/app IMG"),
        ("finch --debug container run", DOCKER, "-v .:/app IMG"),
        ("nerdctl.lima run", DOCKER, "-v .:/app IMG"),
        ("docker.real run", DOCKER, "-v .:/app IMG"),
        ("docker-rootless run", DOCKER, "-v .:/app IMG"),
        ("podman-remote run", PODMAN, "-v .:/app IMG"),
        ("container run --rm -it -v .:/app", CONTAINER, "IMG sh"),
        ("container create --volume=.:/app --ssh --cpus 2 -m 1g", CONTAINER, "-- IMG"),
        ("container --debug run --mount type=virtiofs,source=.,target=/app", CONTAINER, "IMG -v x:y"),
        ("container run --mount source=.,target=/app,readonly --progress plain", CONTAINER, "IMG"),
        ("bwrap --ro-bind /usr /usr --bind . /app", BWRAP, "--tmpfs /tmp --chdir /app -- sh -c x"),
    ],
)  # fmt: skip
def test_a_program_gets_what_its_engine_understands(
    run_exec: RunExec, before: str, added: list[str], after: str
) -> None:
    words, stderr = run_exec(f"{before} {after}")

    assert words == [*shlex.split(before)[1:], *added, *shlex.split(after)]
    assert stderr == SHADOWING


@pytest.mark.parametrize(
    ("engine", "before", "added"),
    [
        ("docker", "./my-docker run", DOCKER),
        ("podman", "./my-docker run", PODMAN),
        ("nerdctl", "./limactl run", DOCKER),
        ("bwrap", "./sandbox --bind . /app", BWRAP),
        ("container", "./docker run -v .:/app", CONTAINER),
    ],
)
def test_engine_says_what_a_program_is_whatever_its_name(
    run_exec: RunExec, engine: str, before: str, added: list[str]
) -> None:
    after = "IMG" if engine in ("bwrap", "container") else "-v .:/app IMG"

    words, stderr = run_exec(f"{before} {after}", "--engine", engine)

    assert words == [*shlex.split(before)[1:], *added, *shlex.split(after)]
    assert stderr == SHADOWING


def test_engine_says_it_also_of_podman_under_dockers_name(
    programs: Programs, workspace: Path, make_venv: MakeVenv, command: list[str]
) -> None:
    """As podman-docker installs it, which gets Podman's arguments unless somebody knows better."""
    make_venv(workspace / ".venv")
    programs("docker", '[ "$1" = --version ] && echo podman version 5 || printf "%s\\n" "$@"')
    line = ["docker", "run", "-v", ".:/app", "IMG"]

    outputs = [
        subprocess.run([*command, "exec", *options, "--", *line], capture_output=True, text=True, check=True).stdout
        for options in ([], ["--engine", "docker"])
    ]

    assert [output.splitlines() for output in outputs] == [["run", *PODMAN, *line[2:]], ["run", *DOCKER, *line[2:]]]


def test_a_compose_program_stays_one_whatever_engine_is_named(run_exec: RunExec) -> None:
    words, stderr = run_exec("podman-compose ps", "--engine", "podman")

    assert words == ["ps"]
    assert stderr == "paude-venv-hook: nothing shadowed: podman-compose ps starts no new container\n"


@pytest.mark.parametrize("line", ["./my-docker run -v .:/app IMG", "./ctr run -v .:/app IMG", "./make container run"])
def test_the_line_of_a_program_that_is_no_known_engine_stays_as_it_is(
    run_exec: RunExec, programs: Programs, line: str
) -> None:
    programs("podman", "")  # for what the program may start

    words, stderr = run_exec(line)

    assert (words, stderr) == (shlex.split(line)[1:], "")


@pytest.mark.parametrize("line", ["nerdctl run --future x -v .:/app IMG", "container run --gpus all -v .:/app IMG"])
def test_an_option_that_an_engine_is_not_known_to_have_gets_nothing_and_is_said(run_exec: RunExec, line: str) -> None:
    words, stderr = run_exec(line)

    name, _, option = line.split()[:3]
    assert words == line.split()[1:]
    assert stderr == (
        f"paude-venv-hook: warning: nothing shadowed: {option} is no option of {name} that is known here; "
        "add what print says\n"
    )


def test_what_container_cannot_name_is_left_out_and_said(run_exec: RunExec, workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv": [".venv", "a,b"]}')

    words, stderr = run_exec("container run -v .:/app IMG")

    assert words == ["run", "-v", ".:/app", *CONTAINER, "IMG"]
    assert stderr == (
        "paude-venv-hook: warning: a,b not shadowed: container has no way to mount a tmpfs on /app/a,b, for its comma; "
        f"rename the folder\n{SHADOWING}"
    )


@pytest.mark.parametrize(
    ("names", "engine"),
    [
        (("/usr/bin/docker",), "docker"),
        (("/opt/podman-5.0/podman5", "docker"), "podman"),
        (("/snap/bin/snap", "/snap/bin/docker"), "docker"),
        (("/usr/local/bin/my-docker", "/x/my-docker", "podman"), "podman"),
        (("/usr/bin/containerd", "/usr/bin/ctr", ""), ""),
        (("/usr/bin/dockerd",), ""),
    ],
)
def test_the_first_name_that_begins_like_an_engine_says_which(names: tuple[str, ...], engine: str) -> None:
    assert engine_by_name(*names) == engine
