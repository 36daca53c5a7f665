"""`exec` and the wrappers in front of anything: real processes, with stand-ins for engines and Docker's daemon."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import MakeVenv
from daemon_lab import CLIENT, Daemon, daemon
from layout import fill

Programs = Callable[[str, str], Path]

# Tells its arguments and where it would find its daemon; knows its version and one context.
DOCKER = """case "$*" in
--version) echo 'Docker version 28.0.0, build x' ;;
"context inspect near") printf '[{"Name": "near", "Endpoints": {"docker": {"Host": "%s"}}}]' "$NEAR" ;;
"context inspect far") echo '[{"Name": "far", "Endpoints": {"docker": {"Host": "ssh://far"}}}]' ;;
*) echo "$* | ${DOCKER_HOST-unset} ${DOCKER_CONTEXT-unset} ${BUILDX_BUILDER-unset}" ;;
esac"""
COMPOSE = DOCKER
PODMAN = """case "$*" in
--version) echo 'podman version 5.0.0' ;;
*) echo "$*" ;;
esac"""
WRAPPER = "import sys; sys.argv[0] = 'paude-venv'; from paude_venv_hook.launchers.wrapper import {0}; sys.exit({0}())"
PRIVATE = "unix://{}/paude-exec/"


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the user's runtime folder, whose path is short enough for a socket."""
    with TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, runtime: Path, programs: Programs) -> Iterator[Daemon]:
    """Let a daemon be there, with Docker's client and docker-compose."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    programs("docker", DOCKER)
    programs("docker-compose", COMPOSE)
    with daemon() as running:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{running.socket}")
        monkeypatch.setenv("NEAR", f"unix://{running.socket}")
        yield running


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    make_venv(workspace / ".venv")
    return workspace


def execute(command: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, "exec", "--", *words], capture_output=True, text=True, check=False, timeout=60)


def wrapper(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = WRAPPER.format(name)
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=60)


# ---- compose


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("docker compose up -d", "compose up -d"),
        ("docker compose -f x run web -f", "compose -f x run web -f"),
        ("docker -D compose restart", "-D compose restart"),
        ("docker -H {} compose start", "compose start"),
        ("docker --context near compose scale web=2", "compose scale web=2"),
        ("docker-compose create", "create"),
        ("docker-compose --host={} -p x watch", "-p x watch"),
    ],
)
def test_what_starts_containers_is_led_to_a_private_socket_and_sees_no_other_variable(
    docker: Daemon, command: list[str], runtime: Path, line: str, left: str
) -> None:
    done = execute(command, *line.format(f"unix://{docker.socket}").split())

    words, _, variables = done.stdout.strip().partition(" | ")
    option, host, rest = words.split(" ", 2)
    assert (done.returncode, done.stderr, option, rest) == (0, "", "-H", left)
    assert host.startswith(PRIVATE.format(runtime))
    assert variables == f"unix://{docker.socket} unset unset"  # compose puts them into what it reads


@pytest.mark.parametrize("line", ["docker compose ps", "docker compose -f up down -v", "docker-compose logs up"])
def test_what_starts_none_passes_as_it_is(docker: Daemon, command: list[str], runtime: Path, line: str) -> None:
    program, *words = line.split()

    done = execute(command, program, *words)

    assert done.stdout == f"{' '.join(words)} | unix://{docker.socket} unset unset\n"
    action = next(word for word in words if word in ("ps", "down", "logs"))
    called = "docker compose" if program == "docker" else program
    assert done.stderr == f"paude-venv-hook: nothing shadowed: {called} {action} starts no new container\n"
    assert os.listdir(runtime) == []


@pytest.mark.parametrize(("name", "words"), [("docker", ["compose"]), ("docker_compose", [])])
def test_the_wrappers_do_the_same_without_a_word(docker: Daemon, runtime: Path, name: str, words: list[str]) -> None:
    started, passed = wrapper(name, *words, "up"), wrapper(name, *words, "ps")

    assert (started.stderr, passed.stderr) == ("", "")
    assert started.stdout.startswith(f"-H {PRIVATE.format(runtime)}")
    assert f"| unix://{docker.socket} " in passed.stdout


@pytest.mark.parametrize(
    ("variables", "words", "why"),
    [
        ({"DOCKER_HOST": "tcp://far:2375"}, [], "DOCKER_HOST leads to tcp://far:2375, whose folders are not those of"),
        ({"DOCKER_CONTEXT": "far"}, [], "the docker context far leads to ssh://far, whose folders are not those of"),
        ({}, ["--context", "far"], "the docker context far leads to ssh://far, whose folders are not those of"),
    ],
)
def test_a_daemon_elsewhere_gets_the_line_as_it_is(
    docker: Daemon,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    words: list[str],
    why: str,
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    done = execute(command, "docker", *words, "compose", "up")

    said = [variables.get(name, "unset") for name in ("DOCKER_HOST", "DOCKER_CONTEXT")]
    assert done.stdout == f"{' '.join([*words, 'compose', 'up'])} | {' '.join(said)} unset\n"
    assert done.stderr == f"paude-venv-hook: warning: nothing shadowed: {why} this machine\n"


def test_no_daemon_is_left_to_compose(
    docker: Daemon, command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    done = execute(command, "docker", "compose", "up")

    assert (done.stdout, done.stderr) == (f"compose up | unix://{tmp_path}/none.sock unset unset\n", "")


def test_the_builder_that_was_selected_is_kept(
    docker: Daemon, command: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected = json.dumps({"Key": f"unix://{docker.socket}", "Name": "mine"})
    fill(home, f".docker/buildx/current = {selected}")

    assert execute(command, "docker", "compose", "up").stdout.endswith(" unset mine\n")
    monkeypatch.setenv("BUILDX_BUILDER", "another")
    assert execute(command, "docker", "compose", "up").stdout.endswith(" unset another\n")


def test_the_builder_of_a_context_is_kept_and_that_of_another_configuration(
    docker: Daemon, command: list[str], tmp_path: Path
) -> None:
    fill(tmp_path / "other", f"buildx/current = {json.dumps({'Key': 'near', 'Name': 'mine'})}")

    words = ("docker", "--config", str(tmp_path / "other"), "--context", "near", "compose", "up")
    assert execute(command, *words).stdout.endswith(" unset mine\n")
    assert execute(command, "docker", "--context", "near", "compose", "up").stdout.endswith(" unset unset\n")


def test_a_program_of_snap_does_not_get_what_it_cannot_reach(
    docker: Daemon, command: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "snap" / "bin" / "docker"
    program.parent.mkdir(parents=True)
    program.symlink_to(tmp_path / "programs" / "docker")

    done = execute(command, str(program), "compose", "up")

    assert done.stdout == f"compose up | unix://{docker.socket} unset unset\n"
    assert done.stderr == (
        "paude-venv-hook: warning: nothing shadowed: a program of snap does not reach a private socket; what it reads "
        "by itself is written by paude-venv-hook print --format compose --output compose.override.yaml\n"
    )


@pytest.mark.parametrize("line", ["podman-compose -f x up", "docker-compose -f x up", "podman compose -f x up"])
def test_podman_compose_starts_the_wrapper_in_place_of_podman(
    docker: Daemon, programs: Programs, command: list[str], line: str
) -> None:
    program, *words = line.split()
    programs(
        program, 'case $* in *version) echo podman-compose version 1.6.0 ;; *) echo "$* $PAUDE_VENV_TELLS" ;; esac'
    )

    done = execute(command, program, *words)

    before, option, path, rest = done.stdout.rsplit(maxsplit=4)[0], *done.stdout.split()[-4:-1]
    assert (before, option, rest) == (" ".join(words[:-1]), "--podman-path", "up")
    assert os.path.basename(path) == "paude-venv-podman"
    assert (done.stdout.split()[-1], done.stderr) == ("2", "")


def test_docker_compose_behind_podman_has_to_be_started_by_itself(
    docker: Daemon, programs: Programs, command: list[str]
) -> None:
    programs("podman", 'case $* in *version) echo Docker Compose version v2 ;; *) echo "$*" ;; esac')

    done = execute(command, "podman", "compose", "up")

    assert done.stdout == "compose up\n"
    assert done.stderr == (
        "paude-venv-hook: warning: nothing shadowed: podman compose leads docker-compose to a socket of its own "
        "choice; start that yourself: DOCKER_HOST=unix://SOCKET paude-venv-hook exec -- docker-compose …\n"
    )


# ---- engines


@pytest.mark.parametrize(
    ("words", "variables", "why"),
    [
        ("run", {"DOCKER_HOST": "ssh://me@far"}, "DOCKER_HOST leads to ssh://me@far"),
        ("--context far container create", {}, "the docker context far leads to ssh://far"),
        ("-H tcp://far run", {}, "-H leads to tcp://far"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_container_on_another_machine_is_left_alone(  # noqa: PLR0917 - what it takes, and three parameters
    docker: Daemon,
    command: list[str],
    app: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    variables: dict[str, str],
    why: str,
    inside: bool,
) -> None:
    line = f"{words} -v {app}:/app IMG"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    done = execute(command, "/bin/sh", "-c", f"docker {line}") if inside else execute(command, "docker", *line.split())

    assert done.stdout.startswith(f"{line} | ")
    assert done.stderr == (
        f"paude-venv-hook: warning: nothing shadowed: {why}, whose folders are not those of this machine\n"
    )


def test_on_another_machine_what_starts_no_container_needs_no_line(
    docker: Daemon, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@far")

    assert execute(command, "/bin/sh", "-c", "docker ps").stderr == ""


# ---- anything else


def test_an_engine_inside_of_a_script_is_our_wrapper(
    docker: Daemon, programs: Programs, command: list[str], app: Path
) -> None:
    programs("podman", PODMAN)

    done = execute(command, "/bin/sh", "-c", "docker run -v .:/app IMG; podman run -v .:/app IMG; docker ps")

    run_docker, run_podman, ps = done.stdout.splitlines()
    assert run_docker.startswith("run --tmpfs /app/.venv:rw,exec,nosuid,nodev,uid=")
    assert run_podman.startswith("run --tmpfs /app/.venv:rw,exec,nosuid,nodev,notmpcopyup,")
    assert ps == f"ps | unix://{docker.socket} unset unset"
    assert done.stderr == "Shadowing venv: .venv\n" * 2


@pytest.mark.parametrize(
    ("script", "host", "context"),
    [
        ("docker ps", "{0}", "unset"),
        ("DOCKER_CONTEXT=far docker ps", "{0}", "far"),
        ("DOCKER_HOST=unix:///mine.sock docker ps", "unix:///mine.sock", "unset"),
        ("unset DOCKER_HOST; docker ps", "unset", "unset"),
        ("docker buildx build .", "{0}", "unset"),
        ("docker compose ps", "{0}", "unset"),
        ("docker-compose down", "{0}", "unset"),
    ],
)
def test_a_client_inside_of_a_script_sees_the_daemon_of_its_user(
    docker: Daemon, command: list[str], script: str, host: str, context: str
) -> None:
    done = execute(command, "/bin/sh", "-c", script)

    assert done.stdout.partition(" | ")[2] == f"{host.format(f'unix://{docker.socket}')} {context} unset\n"
    assert done.stderr == ""


def test_a_client_inside_of_a_script_sees_no_variable_if_there_was_none(
    docker: Daemon, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "near")

    done = execute(command, "/bin/sh", "-c", "echo $DOCKER_HOST; docker ps")

    own, ps = done.stdout.splitlines()
    assert "paude-exec" in own
    assert ps == "ps | unset near unset"


def test_a_line_inside_of_a_script_names_the_daemons_socket_and_not_the_private_one(
    docker: Daemon, command: list[str], app: Path
) -> None:
    script = (
        "docker run -e DOCKER_HOST=$DOCKER_HOST -v ${DOCKER_HOST#unix://}:/s -v .:/app IMG; docker -H $DOCKER_HOST ps"
    )

    run, ps = execute(command, "/bin/sh", "-c", script).stdout.splitlines()

    host = f"unix://{docker.socket}"
    assert f" -e DOCKER_HOST={host} -v {docker.socket}:/s -v .:/app IMG | {host} " in run
    assert ps.startswith(f"-H {host} ps | ")


@pytest.mark.parametrize(
    ("script", "is_private"),
    [
        ("docker compose up", True),
        ("docker --context near compose up", True),
        ("DOCKER_CONTEXT=near DOCKER_HOST= docker compose up", True),
        ("docker-compose up", True),
        ("docker --context far compose up", False),
    ],
)
def test_compose_inside_of_a_script_takes_the_daemon_of_its_user(
    docker: Daemon, command: list[str], runtime: Path, script: str, is_private: bool
) -> None:
    done = execute(command, "/bin/sh", "-c", f"{script}; echo $DOCKER_HOST")

    compose, own = done.stdout.splitlines()
    words, _, variables = compose.partition(" | ")
    assert words.startswith(f"-H {PRIVATE.format(runtime)}") == is_private
    assert own not in compose
    assert PRIVATE.format(runtime) not in variables


def test_a_client_of_the_api_is_shadowed(docker: Daemon, command: list[str], app: Path) -> None:
    fill(app, "paude.json = {}")
    body = json.dumps({"Image": "IMG", "HostConfig": {"Binds": [f"{app}:/app"]}})

    execute(command, *CLIENT, "POST", "/v1.41/containers/create", body)

    [created] = docker.created()
    assert list(created["HostConfig"]["Tmpfs"]) == ["/app/.venv"]


def test_only_programs_that_are_there_get_a_wrapper(docker: Daemon, command: list[str]) -> None:
    script = "command -v docker; command -v podman; command -v docker-compose; exit 0"

    found = execute(command, "/bin/sh", "-c", script).stdout.splitlines()

    assert [path.rpartition("/")[2] for path in found] == ["docker", "docker-compose"]
    assert all("/paude-exec/" in path for path in found)


def test_quiet_says_nothing_inside_either(docker: Daemon, command: list[str], app: Path) -> None:
    words = [*command, "exec", "--quiet", "--", "/bin/sh", "-c", "docker run -v .:/app IMG"]

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.stdout.startswith("run --tmpfs ")
    assert done.stderr == ""


def test_a_nested_one_adds_nothing_twice(docker: Daemon, command: list[str], app: Path) -> None:
    inner = shlex.join([*command, "exec", "--"])

    done = execute(
        command, "/bin/sh", "-c", f"{inner} docker run -v .:/app IMG; {inner} /bin/sh -c 'docker run -v .:/app IMG'"
    )

    for line in done.stdout.splitlines():
        assert line.count("--tmpfs") == 1
        assert line.endswith(f"-v .:/app IMG | unix://{docker.socket} unset unset")
    assert done.stderr == "Shadowing venv: .venv\n" * 2


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        ("sudo", "docker run IMG", "sudo takes our environment away; write sudo paude-venv-hook exec -- docker …"),
        ("sudo", "-u me podman ps",
         "sudo takes our environment away; write sudo -u me paude-venv-hook exec -- podman …"),
        ("sudo", "make up", "sudo takes our environment away; write sudo … paude-venv-hook exec -- PROGRAM …"),
        ("doas", "/usr/bin/docker ps",
         "doas takes our environment away; write doas paude-venv-hook exec -- /usr/bin/docker …"),
        ("env", "-i A=b docker run IMG",
         "env takes our environment away; write env -i A=b paude-venv-hook exec -- docker …"),
        ("env", "A=b - sh -c true", "env takes our environment away; write env … paude-venv-hook exec -- PROGRAM …"),
        ("systemd-run", "--user docker run IMG",
         "systemd-run takes our environment away; write systemd-run --user paude-venv-hook exec -- docker …"),
        ("nice", "bwrap sh", "it is not seen what starts behind nice; write nice paude-venv-hook exec -- bwrap …"),
    ],
)  # fmt: skip
def test_what_is_not_covered_runs_as_it_is_and_one_line_says_what_to_write(
    docker: Daemon, programs: Programs, command: list[str], name: str, words: str, line: str
) -> None:
    programs(name, 'echo "$* | $DOCKER_HOST"')

    done = execute(command, name, *words.split())

    assert done.stdout == f"{words} | unix://{docker.socket}\n"
    assert done.stderr == f"paude-venv-hook: warning: nothing shadowed: {line}\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("env", "A=b grep -i x"),
        ("env", "-u A docker ps"),
        ("env", "-C / make -i"),
        ("env", ""),
        ("systemd-run", "--user --scope make"),
    ],
)
def test_what_keeps_our_variables_is_as_any_program(
    docker: Daemon, programs: Programs, command: list[str], runtime: Path, name: str, words: str
) -> None:
    programs(name, 'echo "$* | $DOCKER_HOST"')

    done = execute(command, name, *words.split())

    assert done.stdout.startswith(f"{words} | {PRIVATE.format(runtime)}")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("entries", "is_said"),
    [
        ([], True),
        (["tox.ini = [testenv]\npass_env = HOME\n"], True),
        (["tox.ini = [testenv]\npass_env = DOCKER_*\n"], False),
        (["pyproject.toml = [tool.tox]\nenv_run_base = {pass_env = ['DOCKER_HOST']}\n"], False),
    ],
)
def test_tox_has_to_pass_the_variable_on(
    docker: Daemon, programs: Programs, command: list[str], workspace: Path, entries: list[str], is_said: bool
) -> None:
    programs("tox", "")
    fill(workspace, *entries)

    line = "tox passes no DOCKER_HOST on; for what uses Docker's API, write pass_env = DOCKER_HOST in tox.ini"
    assert execute(command, "tox").stderr == (f"paude-venv-hook: warning: {line}\n" if is_said else "")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("folder", "is a folder; name a program"),
        ("file", "is no program; make it one with chmod +x, or name another one"),
    ],
)
def test_what_is_no_program_ends_as_in_a_shell(command: list[str], tmp_path: Path, kind: str, problem: str) -> None:
    path = tmp_path / "it"
    if kind == "folder":
        path.mkdir()
    else:
        path.touch()

    done = execute(command, str(path))

    assert done.returncode == 126
    assert done.stderr == f"paude-venv-hook: {path}: {problem}\n"


def test_without_any_engine_it_runs_and_one_line_says_so(
    programs: Programs, command: list[str], runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    programs("make", 'echo "$* | $DOCKER_HOST"')

    done = execute(command, "make", "up")

    assert done.stdout == f"up | unix://{tmp_path}/none.sock\n"
    assert done.stderr == (
        "paude-venv-hook: warning: nothing shadowed: there is no docker, no podman and no socket of Docker here; "
        "install one of them\n"
    )
    assert os.listdir(runtime) == []


def test_with_podman_alone_docker_host_is_left_alone(
    programs: Programs, command: list[str], app: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    programs("podman", PODMAN)

    done = execute(command, "/bin/sh", "-c", "echo $DOCKER_HOST; podman run -v .:/app IMG")

    host, run = done.stdout.splitlines()
    assert host == f"unix://{tmp_path}/none.sock"
    assert run.startswith("run --tmpfs ")


@pytest.mark.parametrize("words", [["make"], ["docker", "compose", "up"]])
def test_a_socket_that_this_user_may_not_use_is_left_to_its_clients(
    docker: Daemon, programs: Programs, runtime: Path, words: list[str]
) -> None:
    code = """if True:
        import os, sys
        from paude_venv_hook.__main__ import main

        access = os.access
        os.access = lambda path, mode: not path.endswith(".sock") and access(path, mode)
        raise SystemExit(main())
    """
    programs("make", 'echo "$DOCKER_HOST"')

    done = subprocess.run(
        [sys.executable, "-c", code, "exec", "--", *words], capture_output=True, text=True, check=False
    )

    assert f"unix://{docker.socket}" in done.stdout
    assert (PRIVATE.format(runtime) in done.stdout, done.stderr) == (False, "")


def test_a_socket_that_cannot_be_made_stops_nothing(
    docker: Daemon, programs: Programs, command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    code = """if True:
        from paude_venv_hook.__main__ import main
        from paude_venv_hook.proxy import private

        private._families = lambda environ: ["/proc/none"]
        raise SystemExit(main())
    """
    programs("make", 'echo "$DOCKER_HOST"')

    done = subprocess.run(
        [sys.executable, "-c", code, "exec", "--", "make"], capture_output=True, text=True, check=False
    )

    assert done.stdout == f"unix://{docker.socket}\n"
    assert done.stderr.startswith("paude-venv-hook: warning: nothing shadowed: a private socket cannot be made: ")
