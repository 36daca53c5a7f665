"""How the program ends: signals, closed streams, a folder that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from layout import fill
from paude_venv_hook.terminal import guarded

RUN = (
    "import os, sys; from paude_venv_hook import cli; from paude_venv_hook.commands import run\n"
    "def interrupted(*_): os.kill(os.getpid(), int(sys.argv[1]))\n"
    "run.write_if_changed = interrupted; sys.exit(cli.main(['run', '--engine', 'docker']))"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_no_mount_point_behind(workspace: Path, number: int) -> None:
    fill(workspace, "uv.lock")

    words = [sys.executable, "-c", RUN, str(number)]
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL

    done = subprocess.run(
        words, capture_output=True, text=True, check=False, preexec_fn=lambda: signal.signal(number, default)
    )  # whatever the tests were started with, `nohup` say

    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
    assert os.listdir(workspace) == ["uv.lock"]


def test_a_signal_that_is_ignored_stays_so(workspace: Path) -> None:
    fill(workspace, "uv.lock")
    words = [sys.executable, "-c", RUN, str(int(signal.SIGHUP))]

    done = subprocess.run(["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *words], capture_output=True, check=False)

    assert (done.returncode, sorted(os.listdir(workspace))) == (0, [".venv", "uv.lock"])


def test_what_was_there_for_the_signals_is_there_again() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]

    assert guarded(lambda: 0) == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["print"], 1),
        (["schema", "overlay"], 1),
        (["path"], 1),
        (["run", "--output", "-"], 1),
        (["--version"], 1),
        (["run", "--quiet"], 0),
    ],
)
def test_data_that_cannot_be_written_since_stdout_is_closed_is_an_error(
    workspace: Path, command: list[str], words: list[str], code: int
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *command, *words], stderr=subprocess.PIPE, text=True, check=False
    )

    said = "paude-venv-hook: error[overlay]: stdout: is closed; open it\n"
    assert (done.returncode, done.stderr) == (code, said if code else "")


@pytest.mark.parametrize("words", [["run"], ["print"], ["status"], ["init", "--template", "pip"], ["path"]])
def test_a_current_folder_that_was_removed_is_said(tmp_path: Path, command: list[str], words: list[str]) -> None:
    gone = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'

    done = subprocess.run(
        ["/bin/sh", "-c", gone, tmp_path / "gone", *command, *words], capture_output=True, text=True, check=False
    )

    said = "paude-venv-hook: error[workspace]: the current folder was removed; change to another one"
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (1, "", said)


def test_in_a_folder_that_was_removed_another_one_can_be_named(tmp_path: Path, command: list[str]) -> None:
    gone = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    words = ["print", "--workspace-folder", str(tmp_path), "--quiet"]

    done = subprocess.run(
        ["/bin/sh", "-c", gone, tmp_path / "gone", *command, *words], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "\n")
