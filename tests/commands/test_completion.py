"""Completion, typed into real shells: what the Tab key makes of a line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from conftest import Hook
from distributions import Built
from lab import missing
from layout import fill
from paude_venv_hook.commands import completion

# A line, and what it becomes.
COMPLETED = {
    "pri": "print ",
    "devc": "devcontainer-config ",
    "--work": "--workspace-folder ",
    "--engine p": "--engine podman ",
    "--workspace-folder so": "--workspace-folder source/",
    "print --for": "print --format ",
    "print --format j": "print --format json ",
    "run --engine p": "run --engine podman ",
    "run --storage d": "run --storage disk ",
    "run --config devcon": "run --config devcontainer.json ",
    "run --workspace-folder so": "run --workspace-folder source/",
    "init so": "init source/",
    "init --template po": "init --template poetry ",
    "schema o": "schema overlay ",
    "store cl": "store clean ",
    "exec engine-of-the-te": "exec engine-of-the-test ",
    "exec -- engine-of-the-te": "exec -- engine-of-the-test ",
}
# Typed after each: it writes the line as it is now, and empties it. What ends the shell is typed in the end.
SHOW, END = "\x18s", "\x18e"
SETUP = {
    "bash": """
        show() { printf '%s\\n' "$READLINE_LINE" >>lines; READLINE_LINE=; }
        bind -x '"\\C-xs": show'; bind -x '"\\C-xe": kill -KILL $$'
    """,
    "zsh": """
        autoload -U compinit && compinit -u
        show() { printf '%s\\n' "$BUFFER" >>lines; BUFFER=; }
        leave() { kill -KILL $$ }
        zle -N show && zle -N leave && bindkey '^Xs' show && bindkey '^Xe' leave
    """,
}
OPTIONS = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}


def need(shell: str) -> str:
    """Return the path of the shell; without it the test is skipped."""
    return shutil.which(shell) or missing(f"{shell} is not installed")


@pytest.fixture
def environ(installed: Path, tmp_path: Path, home: Path) -> dict[str, str]:
    """Return an environment in which the installed program is found, and a program of the test."""
    program = fill(tmp_path, "programs/engine-of-the-test = #!/bin/sh") / "programs" / "engine-of-the-test"
    program.chmod(0o755)
    path = os.pathsep.join((str(installed), str(program.parent), "/usr/local/bin", "/usr/bin", "/bin"))
    return {"HOME": str(home), "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def folder(workspace: Path) -> Path:
    """Return the folder in which the lines are typed."""
    return fill(workspace, "devcontainer.json", "source/", "sources.txt")


def typed(shell: str, setup: str, lines: Iterable[str], environ: dict[str, str]) -> list[str]:
    """Return what each line, and then Tab, become in a terminal with this shell."""
    words = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", need(shell), *OPTIONS[shell]]
    keys = "".join(f"paude-venv-hook {line}\t{SHOW}" for line in lines)
    text = f"{SETUP[shell]}\n{setup}\n{keys}{END}"
    done = subprocess.run(words, input=text.encode(), capture_output=True, check=False, env=environ, timeout=60)
    assert os.path.exists("lines"), done.stdout.decode()
    return [line.removeprefix("paude-venv-hook ") for line in Path("lines").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_completes_but_does_not_offer_what_is_for_podman(environ: dict[str, str], folder: Path, shell: str) -> None:
    setup = f'eval "$(paude-venv-hook completion {need(shell) and shell})"'

    completed = typed(shell, setup, [*COMPLETED, "oci"], environ)

    assert dict(zip([*COMPLETED, "oci"], completed, strict=True)) == {**COMPLETED, "oci": "oci"}


def offered(lines: Iterable[str], setup: str, environ: dict[str, str]) -> list[list[str]]:
    """Return what fish offers for the last word of each line."""
    script = f"{setup}; for line in $argv; complete --do-complete $line; echo; end"
    words = [need("fish"), "-c", script, *(f"paude-venv-hook {line}" for line in lines)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environ)
    return [[item.partition("\t")[0] for item in items.splitlines()] for items in done.stdout.split("\n\n")[:-1]]


def test_fish_offers_what_completes_but_not_what_is_for_podman(environ: dict[str, str], folder: Path) -> None:
    *completing, all_words = offered([*COMPLETED, ""], "paude-venv-hook completion fish | source", environ)

    assert completing == [[completed.split()[-1]] for completed in COMPLETED.values()]
    assert "print" in all_words
    assert "oci-precreate" not in all_words


def test_shells_find_the_scripts_where_they_are_installed(
    environ: dict[str, str], folder: Path, installed: Path
) -> None:
    share = installed.parent / "share"

    environ["XDG_DATA_DIRS"] = f"{share}:/usr/local/share:/usr/share"  # a system's own are there without
    assert offered(["pri"], "true", environ) == [["print"]]
    environ["FPATH"] = f"{share}/zsh/site-functions:{zsh_functions(environ)}"
    assert typed("zsh", "true", ["pri"], environ) == ["print "]


def zsh_functions(environ: dict[str, str]) -> str:
    """Return where zsh looks for functions."""
    words = [need("zsh"), "-f", "-c", "print -r -- $FPATH"]
    return subprocess.run(words, capture_output=True, text=True, check=True, env=environ).stdout.strip()


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_the_script_is_the_one_of_the_wheel(built: Built, installed: Path, shell: str) -> None:
    script = installed.parent / completion.SCRIPTS[shell]

    assert built.run(installed / "paude-venv-hook", "completion", shell) == script.read_text(encoding="utf-8")


def test_a_source_that_is_not_installed_says_so(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", lambda _: None)

    assert hook("completion", "bash") == (
        1,
        "",
        "paude-venv-hook: error[installation]: share/bash-completion/completions/paude-venv-hook: is not part of this "
        "installation; install paude-venv-hook with pip, pipx or uv\n",
    )
