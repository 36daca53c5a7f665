"""exec, paude-venv-docker and paude-venv-podman: real processes that become a (fake) engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import MakeVenv

ECHO = 'if [ "$1" = --version ]; then echo "{version}"; else printf "%s\\n" "$@"; fi'
DOCKER = ECHO.format(version="Docker version 28.0.0, build x")
PODMAN = ECHO.format(version="podman version 5.0.0")
WRAPPER = "import sys; sys.argv[0] = '{own}'; from paude_venv_hook.launchers.wrapper import {name}; sys.exit({name}())"
Programs = Callable[[str, str], Path]


def wrapper(name: str, *arguments: str, own: Path | str = "paude-venv") -> subprocess.CompletedProcess[str]:
    code = WRAPPER.format(own=own, name=name)
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    make_venv(workspace / ".venv")
    return workspace


@pytest.mark.parametrize(
    ("name", "script", "options"),
    [
        ("docker", DOCKER, "rw,exec,nosuid,nodev,uid={uid},gid={gid},mode=1777"),
        ("docker", PODMAN, "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"),
        ("podman", PODMAN, "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"),
    ],
)
def test_a_run_gets_the_arguments_of_what_the_engine_really_is(
    app: Path, programs: Programs, name: str, script: str, options: str
) -> None:
    programs(name, script)

    done = wrapper(name, "run", "-v", f"{app}:/app", "IMG", "run")

    options = options.format(uid=os.getuid(), gid=os.getgid())
    assert done.stdout.splitlines() == ["run", "--tmpfs", f"/app/.venv:{options}", "-v", f"{app}:/app", "IMG", "run"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments", [("-v",), ("ps", "-a"), ("exec", "-i", "c", "sh", "-c", "run"), ("run", "IMG"), ()]
)
def test_all_else_passes_unchanged(app: Path, programs: Programs, arguments: tuple[str, ...]) -> None:
    programs("podman", PODMAN)

    done = wrapper("podman", *arguments)

    assert done.stdout == "".join(f"{word}\n" for word in arguments or ("",))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_exit_code_is_the_engines(app: Path, programs: Programs) -> None:
    programs("podman", "exit 42")

    assert wrapper("podman", "ps").returncode == 42
    assert wrapper("podman", "run", "-v", ".:/app", "IMG").returncode == 42


def test_the_engine_is_the_same_process_with_the_same_stdin(app: Path, programs: Programs) -> None:
    programs("podman", "echo $$; read line; echo $line; kill -TERM $$")

    code = WRAPPER.format(own="x", name="podman")
    with subprocess.Popen(
        [sys.executable, "-c", code, "run", "-v", ".:/app", "IMG"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        output, _ = process.communicate("hello\n")

    assert output.split() == [str(process.pid), "hello"]
    assert process.returncode == -signal.SIGTERM


def test_the_engine_has_the_same_terminal(app: Path, programs: Programs, command: list[str]) -> None:
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    programs("podman", "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && read line && echo got $line")
    ours, its = pty.openpty()
    words = [*command, "exec", "--quiet", "--", "podman", "run", "-it", "-v", ".:/app", "IMG"]

    with subprocess.Popen(words, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        os.write(ours, b"hello\n")
        seen = b""
        while b"got hello" not in seen:
            seen += os.read(ours, 1000)  # an error where nobody writes to the terminal any more
    os.close(ours)

    assert process.returncode == 0


def test_a_variable_names_the_engine(app: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs("docker", "echo wrong")
    monkeypatch.setenv("PAUDE_VENV_DOCKER", str(programs("other", "echo right")))

    assert wrapper("docker", "ps").stdout == "right\n"


def test_a_wrapper_that_is_called_like_the_engine_does_not_start_itself(
    app: Path, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = programs("paude-venv-docker", "echo itself")
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "docker").symlink_to(own)
    programs("docker", "echo real")
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}{os.pathsep}{os.environ['PATH']}")

    assert wrapper("docker", "ps", own=tmp_path / "first" / "docker").stdout == "real\n"


def test_without_an_engine_there_is_one_line(app: Path, programs: Programs) -> None:
    done = wrapper("podman", "ps")

    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == "paude-venv-podman: podman is not on PATH; name it in PAUDE_VENV_PODMAN\n"


def test_an_engine_that_cannot_be_started_is_named(app: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAUDE_VENV_DOCKER", str(tmp_path))

    done = wrapper("docker", "ps")

    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr == f"paude-venv-hook: {tmp_path}: cannot be started: Permission denied\n"


def test_a_wrong_setting_stops_the_launch(app: Path, programs: Programs) -> None:
    programs("podman", PODMAN)
    (app / "paude.json").write_text('{"venv": "Auto"}')

    done = wrapper("podman", "run", "-v", ".:/app", "IMG")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f'paude-venv-hook: error[settings]: {app}/paude.json: venv: "Auto" is not known (did you mean "auto"?); '
        'use "auto", "none" or a list of directories\n'
    )


def test_a_reserved_mount_point_is_made(workspace: Path, programs: Programs) -> None:
    programs("podman", PODMAN)
    (workspace / "uv.lock").touch()

    wrapper("podman", "run", "-v", ".:/app", "IMG")

    assert (workspace / ".venv").is_dir()


def test_compose_is_warned_of_where_the_folder_holds_a_venv_and_passed_on(app: Path, programs: Programs) -> None:
    programs("docker", DOCKER)
    line = ("compose", "-f", "compose.yaml", "up", "-d")

    done = wrapper("docker", *line)

    assert (done.returncode, done.stdout.split()) == (0, list(line))
    assert done.stderr.startswith("paude-venv-hook: nothing shadowed: compose decides what is mounted; ")
    assert wrapper("docker", "compose", "ps").stderr == ""
    (app / ".venv" / "pyvenv.cfg").unlink()
    assert wrapper("docker", *line).stderr == ""


def test_an_option_before_the_subcommand_that_is_not_known_is_said_and_passed_on(app: Path, programs: Programs) -> None:
    programs("docker", DOCKER)

    done = wrapper("docker", "--future", "x", "run", "-v", f"{app}:/app", "IMG")

    assert (done.returncode, done.stdout.split()[:2]) == (0, ["--future", "x"])
    assert done.stderr == (
        "paude-venv-hook: warning: nothing shadowed: --future is no option of docker that is known here\n"
    )


@pytest.mark.parametrize(
    ("words", "nothing"),
    [
        ("docker ps", "docker ps starts no container"),
        ("docker run IMG", "no bind mount of the line carries a workspace"),
        ("env A=1 docker run IMG", "env is no engine; write env A=1 paude-venv-hook exec -- docker …"),
    ],
)
def test_exec_says_why_nothing_is_shadowed_and_quiet_does_not(
    app: Path, programs: Programs, command: list[str], words: str, nothing: str
) -> None:
    programs("docker", DOCKER)
    programs("env", 'echo "$@"')

    def run(*flags: str) -> tuple[int, str]:
        line = [*command, "exec", *flags, "--", *words.split()]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    assert run() == (0, f"paude-venv-hook: nothing shadowed: {nothing}\n")
    assert run("--quiet") == (0, "")


def test_a_call_that_is_passed_on_loads_nothing_but_what_exec_needs(programs: Programs) -> None:
    program = programs("docker", "")
    code = (
        "import json, os, sys; before = set(sys.modules); from paude_venv_hook.launchers import wrapper\n"
        "os.execv = lambda *_: print(json.dumps(sorted(set(sys.modules) - before)))\n"
        "sys.argv = ['paude-venv-docker', 'ps']; wrapper.docker()"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False,
                          env={"PATH": str(program.parent), "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip

    assert json.loads(done.stdout) == [
        "__future__",
        "paude_venv_hook",
        "paude_venv_hook.engines",
        "paude_venv_hook.engines.programs",
        "paude_venv_hook.launchers",
        "paude_venv_hook.launchers.wrapper",
    ]


def test_exec_says_what_it_shadows_and_becomes_the_engine(app: Path, programs: Programs, command: list[str]) -> None:
    programs("podman", PODMAN)

    done = subprocess.run(
        [*command, "exec", "--", "podman", "run", "-v", ".:/app", "IMG", "--", "x"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    options = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"
    assert done.stdout.splitlines() == ["run", "--tmpfs", f"/app/.venv:{options}", "-v", ".:/app", "IMG", "--", "x"]
    assert (done.returncode, done.stderr) == (0, "Shadowing venv: .venv\n")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["exec"], 2, "error[usage]: exec: no engine is named; write exec -- podman run … or exec -- docker run …"),
        (["exec", "--", "nerdctl", "run"], 127, "nerdctl: is not on PATH; install it or write its whole path"),
    ],
)
def test_exec_without_an_engine(
    app: Path, programs: Programs, command: list[str], arguments: list[str], code: int, error: str
) -> None:
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"paude-venv-hook: {error}\n")


def test_exec_warns_of_a_line_that_it_does_not_understand(app: Path, programs: Programs, command: list[str]) -> None:
    programs("podman", PODMAN)

    done = subprocess.run(
        [*command, "exec", "podman", "run", "--new", "-v", ".:/app", "IMG"], capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines() == ["run", "--new", "-v", ".:/app", "IMG"]
    assert done.stderr == (
        "paude-venv-hook: warning: nothing shadowed: --new is no option of podman that is known here\n"
    )


def test_under_load_each_launch_has_the_right_arguments(app: Path, programs: Programs) -> None:
    programs("podman", PODMAN)
    expected = [f"/app{index}/.venv:rw,exec,nosuid,nodev,notmpcopyup,mode=1777" for index in range(200)]

    def launch(index: int) -> str:
        return wrapper("podman", "run", "-v", f".:/app{index}", "IMG").stdout.splitlines()[2]

    with ThreadPoolExecutor(max_workers=20) as at_once:
        assert list(at_once.map(launch, range(20))) == expected[:20]
    assert [launch(index) for index in range(200)] == expected
