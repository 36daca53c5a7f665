"""`paude-venv-hook exec` and the wrappers on real engines: the line that a person writes, with the shadows in it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import MakeVenv
from real.containers import ENVIRONMENT, OWNER, PROGRAM, SCRIPTS, Engine, tree_hash

proves = pytest.mark.proves
LEFT_ALONE = "paude-venv-hook: warning: .venv not shadowed: the configuration mounts something on /app/.venv already\n"
SAYS = {"exec": "Shadowing venv: .venv\n", "wrapper": ""}


class Line:
    """A line that starts a container with the current folder, the workspace, at /app."""

    def __init__(self, engine: Engine, workspace: Path, how: str) -> None:
        """Take `exec`, `wrapper`, or `direct` for the engine alone."""
        self.engine, self.workspace, self.environ = engine, workspace, ENVIRONMENT
        self.name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
        self.start = {
            "direct": [*engine.command],
            "exec": [str(PROGRAM), "exec", "--", *engine.command],
            "wrapper": [str(SCRIPTS / f"paude-venv-{engine.name}"), *engine.command[1:]],
        }[how]
        self.options = ["--rm", "--name", self.name, "--network=host", "--volume=.:/app", "--workdir=/app"]

    @contextmanager
    def started(self, words: list[str]) -> Iterator[subprocess.Popen[str]]:
        """Start the words, with pipes, in a process group of their own as a shell does; none outlives a failure."""
        with subprocess.Popen(
            [*self.start, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.workspace,
            env=self.environ,
            start_new_session=True,
        ) as process:
            try:
                yield process
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise

    def __call__(self, *words: str, stdin: str = "") -> tuple[int, str, str]:
        """Run the words, and return the exit code, and what came on stdout and stderr."""
        with self.started([*words]) as process:
            out, err = process.communicate(stdin, timeout=60)
        return process.returncode, out, err

    def run(self, *options: str, script: str) -> list[str]:
        """Return the words of a `run` with these options more."""
        return ["run", *self.options, *options, self.engine.image, "sh", "-c", script]


@pytest.fixture
def how() -> str:
    """Return how the container is started, if the test does not say it."""
    return "exec"


@pytest.fixture
def line(engine: Engine, workspace: Path, make_venv: MakeVenv, how: str) -> Iterator[Line]:
    """Return a line that starts a container with a workspace that has a venv; the container is removed at the end."""
    make_venv(workspace / ".venv")
    line = Line(engine, workspace, how)
    yield line
    engine("rm", "--force", "--volumes", line.name, check=False)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("exec", marks=proves("`exec -- ENGINE run`: shadowed; stdin, stdout and exit code as without it")),
        pytest.param("wrapper", marks=proves("`paude-venv-ENGINE run`: the same, with nothing said")),
    ],
)
def test_a_run_is_shadowed_and_else_as_without_it(line: Line, how: str) -> None:
    before = tree_hash(line.workspace)
    script = "ls -A .venv; touch .venv/file; cat; echo to stderr >&2; exit 7"

    done = line(*line.run("--interactive", f"--user={OWNER}", script=script), stdin="from stdin\n")

    assert done == (7, "from stdin\n", f"{SAYS[how]}to stderr\n")
    assert tree_hash(line.workspace) == before


def test_without_it_the_hosts_venv_is_there(engine: Engine, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    line = Line(engine, workspace, "direct")

    assert line(*line.run(script="ls -A .venv")) == (0, "pyvenv.cfg\n", "")


@pytest.mark.parametrize("how", ["exec", "wrapper"])
@proves("`exec -- ENGINE create`, and then `start`")
def test_a_container_that_is_created_is_shadowed_when_it_starts(line: Line, how: str) -> None:
    code, out, err = line("create", *line.options, line.engine.image, "ls", "-A", ".venv", "paude.json", "app.py")
    assert (code, out.count("\n"), err) == (0, 1, SAYS[how])  # the container's id

    started = line.engine("start", "--attach", out.strip(), check=False)

    assert started.stdout == "app.py\n\n.venv:\n"
    assert "paude.json" in started.stderr


@proves("`exec -- ENGINE --global-option container run`")
def test_container_run_after_global_options(line: Line) -> None:
    words = line.run(script="ls -A .venv")

    assert line("--log-level=error", "container", *words) == (0, "", SAYS["exec"])
    assert line("--log-level", "error", *words) == (0, "", SAYS["exec"])


@pytest.mark.parametrize("engine", ["podman"], indirect=True)
@proves("`exec -- podman run --global-option`, which Docker refuses")
def test_global_options_of_podman_after_run(line: Line) -> None:
    words = line.run("--log-level=error", "--events-backend", "none", script="ls -A .venv")

    assert line(*words) == (0, "", SAYS["exec"])
    assert line("container", "--log-level", "error", *words) == (0, "", SAYS["exec"])


@pytest.mark.parametrize("how", ["exec", "wrapper"])
@proves("`exec`: a volume of the line's own on `.venv` is left alone, and said")
def test_a_volume_of_its_own_on_the_venv_is_left_alone_and_said(line: Line) -> None:
    volume = f"--volume={line.name}:/app/.venv"
    before = tree_hash(line.workspace)
    try:
        assert line(*line.run(volume, script="echo kept >.venv/file")) == (0, "", LEFT_ALONE)
        assert line(*line.run(volume, script="cat .venv/file")) == (0, "kept\n", LEFT_ALONE)
    finally:
        line.engine("volume", "rm", "--force", line.name)
    assert tree_hash(line.workspace) == before


@pytest.mark.parametrize("how", ["direct", "exec", "wrapper"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@proves("`exec`: Ctrl-C and SIGTERM reach the engine as without it, since it is the same process")
def test_a_signal_reaches_the_container_as_without_it(line: Line, sent: signal.Signals, how: str) -> None:
    # A second later, since Podman starts to forward signals only after the container, whoever started it.
    traps = "trap 'echo INT; exit 3' INT; trap 'echo TERM; exit 4' TERM"
    script = f"{traps}; sleep 1; echo ready; while :; do sleep 0.1; done"

    with line.started(line.run(script=script)) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        words = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        assert line.engine.command[0] in map(os.path.basename, words[:2])  # and no longer a program of ours
        if sent == signal.SIGINT:
            os.killpg(process.pid, sent)  # as a terminal does
        else:
            process.send_signal(sent)
        out, err = process.communicate(timeout=60)

    expected = {signal.SIGINT: (3, "INT\n"), signal.SIGTERM: (4, "TERM\n")}[sent]
    assert (process.returncode, out, err) == (*expected, SAYS.get(how, ""))
