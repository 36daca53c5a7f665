"""The private proxy around a program: real processes, with a stand-in for the daemon."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import MakeVenv
from daemon_lab import CLIENT, Daemon, daemon
from layout import fill

PING = shlex.join([*CLIENT, "GET", "/_ping"])
PONG = '{"path": "/_ping"}'
HELPER_SECONDS = 30
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no system tells the environment of a process")


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Return the user's runtime folder, whose path is short enough for a socket."""
    with TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, runtime: Path) -> Iterator[Daemon]:
    """Let a daemon be the one in DOCKER_HOST."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with daemon() as running:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{running.socket}")
        yield running


@pytest.fixture(autouse=True)
def leaves_nothing(runtime: Path, docker: Daemon) -> Iterator[None]:
    """Check after each test that no private folder is left."""
    yield
    until(lambda: private_folders(runtime) == [], "the helper ends, and leaves no folder")


def private_folders(runtime: Path) -> list[str]:
    family = runtime / "paude-exec"
    return os.listdir(family) if family.exists() else []


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + HELPER_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {HELPER_SECONDS} s: {what}"
        time.sleep(0.02)


def surrounded(command: list[str], *words: str) -> list[str]:
    return [*command, "exec", "--", *words]


def run(command: list[str], *words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return] # the test's own words
        surrounded(command, *words), text=True, check=False, **{"capture_output": True, "timeout": 60, **more}
    )


def test_a_client_of_the_api_reaches_the_daemon(docker: Daemon, command: list[str]) -> None:
    done = run(command, *CLIENT, "GET", "/_ping")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{PONG}\n", "")
    assert [call.path for call in docker.calls] == ["/_ping"]


def test_a_container_that_is_created_is_shadowed(
    docker: Daemon, command: list[str], workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "paude.json = {}")
    body = json.dumps({"Image": "IMG", "HostConfig": {"Binds": [f"{workspace}:/app"]}})

    done = run(command, *CLIENT, "POST", "/containers/create", body)

    assert json.loads(done.stdout)["Id"] == "made"
    [created] = docker.created()
    assert list(created["HostConfig"]["Tmpfs"]) == ["/app/.venv"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -TERM $$", -signal.SIGTERM),
        ("trap 'exit 9' TERM; kill -TERM $$", 9),
        ("trap 'exit 4' INT; kill -INT $$", 4),
    ],
)
def test_the_end_is_the_programs_own(command: list[str], script: str, code: int) -> None:
    assert run(command, "sh", "-c", script).returncode == code


def test_it_is_the_same_process_with_the_same_stdin(command: list[str]) -> None:
    words = surrounded(command, "sh", "-c", "echo $$; cat")

    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        large = b"x" * 1_000_000
        output, _ = process.communicate(large)

    number, _, rest = output.partition(b"\n")
    assert int(number) == process.pid
    assert rest == large


def test_it_is_called_as_it_was_written(command: list[str]) -> None:
    assert run(command, "sh", "-c", "echo $0").stdout == "sh\n"


def test_nothing_else_of_the_environment_changes(docker: Daemon, command: list[str], runtime: Path) -> None:
    show = (sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))")
    plain = json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)

    environ = json.loads(run(command, *show).stdout)

    assert os.path.dirname(environ["DOCKER_HOST"]).startswith(f"unix://{runtime}/paude-exec/")
    folder = environ.pop("DOCKER_HOST").removeprefix("unix://").removesuffix("/docker.sock")
    assert environ.pop("PATH") in (plain["PATH"], f"{folder}/bin:{plain['PATH']}")
    assert environ.pop("PAUDE_VENV_TELLS", "2") == "2"
    for name in ("PATH", "DOCKER_HOST", "LC_CTYPE"):
        plain.pop(name, None)
    environ.pop("LC_CTYPE", None)
    assert environ == plain


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("(sleep 0.5; {ping} >{out} 2>&1) & exit 3", id="of a shell"),
        pytest.param(
            'exec {python} -c \'import subprocess, sys; subprocess.Popen(["sh", "-c", sys.argv[1]]); sys.exit(3)\''
            " 'sleep 0.5; {quoted} >{out} 2>&1'",
            id="of Python, which closes what it has",
            marks=on_linux,
        ),
    ],
)
def test_a_program_in_the_background_that_outlives_it_is_served(command: list[str], tmp_path: Path, start: str) -> None:
    out, script = tmp_path / "out", tmp_path / "ping"
    script.write_text(f"#!/bin/sh\nexec {PING}\n")
    script.chmod(0o755)
    words = start.format(ping=PING, quoted=script, out=out, python=sys.executable)

    done = run(command, "sh", "-c", words)

    assert done.returncode == 3
    until(lambda: out.exists() and out.read_text(), "the program in the background is answered")
    assert out.read_text() == f"{PONG}\n"


def test_what_reads_its_stderr_ends_with_it(command: list[str], tmp_path: Path) -> None:
    script = f"(while [ ! -e {tmp_path}/end ]; do sleep 0.05; done) >/dev/null 2>&1 & echo said >&2"

    done = run(command, "sh", "-c", script, stdin=subprocess.DEVNULL)

    (tmp_path / "end").touch()
    assert done.stderr == "said\n"


def test_what_it_inherits_is_its_own(command: list[str]) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"through it\n")
    read_to_the_end = f"import os; os.close({theirs}); print(open({ours}).read(), end='')"

    with subprocess.Popen(
        surrounded(command, sys.executable, "-c", read_to_the_end), pass_fds=(ours, theirs), stdout=subprocess.PIPE
    ) as process:
        os.close(theirs)
        os.close(ours)
        output, _ = process.communicate(timeout=60)

    assert output == b"through it\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "2>&-", "<&- >&- 2>&-"])
def test_stdin_and_stdout_may_be_closed(command: list[str], tmp_path: Path, closed: str) -> None:
    out = tmp_path / "out"
    line = shlex.join(surrounded(command, "sh", "-c", f"{PING} >{out} 2>&1"))

    done = subprocess.run(["sh", "-c", f"{line} {closed}"], check=False, timeout=60)

    assert (done.returncode, out.read_text()) == (0, f"{PONG}\n")


def test_signals_that_are_ignored_do_no_harm(command: list[str]) -> None:
    line = shlex.join(surrounded(command, "sh", "-c", PING))

    done = subprocess.run(
        ["sh", "-c", f"trap '' INT HUP TERM CHLD PIPE; exec {line}"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{PONG}\n", "")


def test_a_script_that_is_none_to_the_system_runs_as_in_a_shell(command: list[str], tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$# $1"\n')
    script.chmod(0o755)

    assert run(command, str(script), "one word").stdout == "1 one word\n"


@on_linux
@pytest.mark.parametrize("in_place", ["socket", "directory"])
def test_what_a_killed_helper_left_is_removed_by_the_next_one(
    command: list[str], runtime: Path, tmp_path: Path, in_place: str
) -> None:
    script = "echo started; read line"
    with subprocess.Popen(
        surrounded(command, "sh", "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout, "a pipe"
        process.stdout.readline()
        [folder] = [runtime / "paude-exec" / name for name in private_folders(runtime)]
        os.kill(helper_of(process.pid, folder), signal.SIGKILL)
        process.communicate(b"\n")
    if in_place == "directory":  # Docker makes one if a container that starts binds the socket
        (folder / "docker.sock").unlink()
        (folder / "docker.sock").mkdir()
    assert folder.exists()

    run(command, "true")

    until(lambda: not folder.exists(), "the folder is removed")


def helper_of(program: int, folder: Path) -> int:
    """Return the process of the helper: the one that holds its folder, besides none."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            held = [os.readlink(f"/proc/{process}/fd/{name}") for name in os.listdir(f"/proc/{process}/fd")]
        except OSError:
            continue
        if str(folder) in held and int(process) != program:
            return int(process)
    raise AssertionError("there is no helper")


@pytest.mark.parametrize("kind", ["shared", "link", "file", "long"])
def test_a_runtime_folder_that_cannot_be_used_is_not(
    docker: Daemon, command: list[str], runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    family = runtime / "paude-exec"
    if kind == "shared":
        family.mkdir()
        family.chmod(0o777)
    elif kind == "link":
        family.symlink_to(tmp_path)
    elif kind == "file":
        family.touch()
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / ("long" * 30)))
    monkeypatch.setenv("TMPDIR", str(runtime))

    done = run(command, "sh", "-c", f"echo $DOCKER_HOST; {PING}")

    host, answer = done.stdout.splitlines()
    assert host.startswith(f"unix://{runtime}/paude-exec-{os.geteuid()}/")
    assert answer == PONG
    if family.is_symlink() or family.is_file():
        family.unlink()


def test_a_nested_one_starts_from_what_was_there_before(command: list[str], tmp_path: Path) -> None:
    show = "import os; print(os.environ['DOCKER_HOST']); print(os.environ['PATH'].count('paude-exec'))"
    inner = shlex.join(surrounded(command, sys.executable, "-c", show))

    outer, host, count = run(command, "sh", "-c", f"echo $DOCKER_HOST; {inner}").stdout.splitlines()

    assert host != outer
    assert count in ("0", "1")
