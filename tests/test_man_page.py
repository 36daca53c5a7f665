"""The manual page: what programs that show it say of it, and that it leaves nothing out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import Hook
from lab import missing
from paude_venv_hook import __version__, overlay
from paude_venv_hook.cli import command_names
from paude_venv_hook.launchers.wrapper import MARK
from paude_venv_hook.stores.folder import stores_folder
from paude_venv_hook.terminal import VERBOSITY_VARIABLE
from paude_venv_hook.workspace.settings import user_file

PACKAGE = Path(__file__).parents[1] / "hook" / "paude_venv_hook"
CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


@pytest.fixture
def page(installed: Path) -> Path:
    """Return the page as it was installed."""
    return installed.parent / "share" / "man" / "man1" / "paude-venv-hook.1"


@pytest.fixture
def text(page: Path) -> str:
    """Return what a reader sees, without bold letters."""
    if not shutil.which("groff"):
        missing("groff is not installed")
    words = ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-P-c", "-rLL=200n", str(page)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.stderr == ""
    return re.sub(".\b", "", done.stdout)


def section(text: str, title: str) -> str:
    """Return a section of the text."""
    return text.partition(f"\n{title}\n")[2].partition("\n\n\n")[0]


def test_nothing_is_wrong_with_the_page(page: Path) -> None:
    if not shutil.which("mandoc"):
        missing("mandoc is not installed")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_man_shows_the_page(page: Path) -> None:
    if not shutil.which("man"):
        missing("man is not installed")
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFOPT": "", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=True, env=environ)

    assert done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("PAUDE-VENV-HOOK(1)")
    day = re.findall(r"^## \[\d.*\] - (\d{4}-\d\d-\d\d)$", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)[0]
    version, shown_day, _ = re.split(r"  +", done.stdout.splitlines()[-1])
    assert (version, shown_day) == (f"paude-venv-hook {__version__}", day)


def test_each_command_for_people_is_there_with_all_that_its_help_says(text: str, hook: Hook) -> None:
    words = " ".join(text.split())
    for name in command_names():
        help_text = hook(name, "--help").out
        if name == "oci-precreate":
            assert name not in words
            continue
        usage, *paragraphs = help_text.removeprefix("usage: ").split("\n\n")
        assert " ".join(usage.split()) in words
        for line in paragraphs[-1].splitlines():
            assert line.strip() in text, name
        for option in re.findall(r"^  (--[a-z-]+)", help_text, re.MULTILINE):
            assert re.search(rf"^ +(-., |--[a-z-]+, )*{option}\b", text, re.MULTILINE), option


def test_each_variable_that_is_read_is_there(text: str) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    read = set(re.findall(r"\bPAUDE_VENV(?:_[A-Z]+)*\b(?!_)", sources)) - {MARK, VERBOSITY_VARIABLE}

    assert set(re.findall(r"\b(?:PAUDE_VENV)(?:_[A-Z]+)*", section(text, "ENVIRONMENT"))) == read
    for name in re.findall(r"\b(?:XDG_[A-Z_]+|NO_COLOR)\b", section(text, "ENVIRONMENT")):
        assert f'"{name}"' in sources


def test_the_files_are_where_the_page_says(text: str, home: Path, tmp_path: Path) -> None:
    named = re.findall(r"^ +~/(\S+)", section(text, "FILES"), re.MULTILINE)

    assert [str(home / name) for name in named] == [
        user_file(),
        os.path.dirname(overlay.default_path(str(tmp_path))),
        stores_folder(),
    ]
