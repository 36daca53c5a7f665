"""Completion, typed into real shells: what the Tab key makes of a line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
# Typed after that: it writes the line as it is now, and ends the shell.
SHOW = "\x18s"
SETUP = {
    "bash": """bind -x '"\\C-xs": printf "%s" "$READLINE_LINE" >line; kill -KILL $$'""",
    "zsh": """autoload -U compinit && compinit -u && zle -N show && bindkey '^Xs' show
        show() { printf '%s' "$BUFFER" >line; kill -KILL $$ }""",
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


def typed(shell: str, setup: str, line: str, environ: dict[str, str]) -> str:
    """Return what a line, and then Tab, become in a terminal with this shell."""
    words = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", need(shell), *OPTIONS[shell]]
    keys = f"{SETUP[shell]}\n{setup}\n{line}\t{SHOW}".encode()
    done = subprocess.run(words, input=keys, capture_output=True, check=False, env=environ, timeout=60)
    assert os.path.exists("line"), done.stdout.decode()
    return Path("line").read_text(encoding="utf-8")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("line", COMPLETED)
def test_tab_completes(environ: dict[str, str], folder: Path, shell: str, line: str) -> None:
    setup = f'eval "$(paude-venv-hook completion {need(shell) and shell})"'

    assert typed(shell, setup, f"paude-venv-hook {line}", environ) == f"paude-venv-hook {COMPLETED[line]}"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_does_not_offer_what_is_for_podman(environ: dict[str, str], folder: Path, shell: str) -> None:
    setup = f'eval "$(paude-venv-hook completion {need(shell) and shell})"'

    assert typed(shell, setup, "paude-venv-hook oci", environ) == "paude-venv-hook oci"


def offered(line: str, setup: str, environ: dict[str, str]) -> list[str]:
    """Return what fish offers for the last word of a line."""
    words = [need("fish"), "-c", f"{setup}; complete --do-complete $argv[1]", line]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environ)
    return [item.partition("\t")[0] for item in done.stdout.splitlines()]


@pytest.mark.parametrize("line", COMPLETED)
def test_fish_offers(environ: dict[str, str], folder: Path, line: str) -> None:
    expected = COMPLETED[line].split()[-1]

    assert offered(f"paude-venv-hook {line}", "paude-venv-hook completion fish | source", environ) == [expected]


def test_fish_does_not_offer_what_is_for_podman(environ: dict[str, str], folder: Path) -> None:
    assert "oci-precreate" not in offered("paude-venv-hook ", "paude-venv-hook completion fish | source", environ)


def test_shells_find_the_scripts_where_they_are_installed(
    environ: dict[str, str], folder: Path, installed: Path
) -> None:
    share = installed.parent / "share"

    environ["XDG_DATA_DIRS"] = f"{share}:/usr/local/share:/usr/share"  # a system's own are there without
    assert offered("paude-venv-hook pri", "true", environ) == ["print"]
    environ["FPATH"] = f"{share}/zsh/site-functions:{zsh_functions(environ)}"
    assert typed("zsh", "true", "paude-venv-hook pri", environ) == "paude-venv-hook print "


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
