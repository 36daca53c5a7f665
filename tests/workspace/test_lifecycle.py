"""Which commands are read at all: a quick look at their texts must never miss one that makes an environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from layout import fill
from paude_venv_hook.workspace.lifecycle import may_make_environment, read_set_ups
from paude_venv_hook.workspace.makers import MAKERS
from paude_venv_hook.workspace.recipes import RUNNERS
from paude_venv_hook.workspace.setup import read_commands

OTHER_WORDS = """
-m venv sync install x y.sh z.py python py bash -c eval source . ./x sudo env A=uv A= u v no echo # <<x <x cd é [
"""
WORDS = st.sampled_from([*OTHER_WORDS.split(), *MAKERS, *RUNNERS])
SCRIPTS = ("python -m venv x", "python x", ". x", "source x", "bash x", "./x", "bin/x", "x.sh")
GLUE = st.sampled_from(
    ["", " ", "\n", "\t", "\r", "\\", "\\\n", "'", '"', "$", "`", "\0", ";", "&&", "|", "(", "{", "="]
)
TEXTS = st.lists(st.tuples(WORDS, GLUE), max_size=6).map(lambda pairs: "".join(word + glue for word, glue in pairs))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with scripts and targets that make an environment, under names as plain as can be."""
    folder = tmp_path_factory.mktemp("app")
    in_python = "@task\ndef x(c):\n    c.run('uv sync')\n"
    fill(folder, "x = uv sync\n", "y.sh = uv sync\n", "Makefile = x:\n\tuv sync\n")
    fill(folder, f"z.py = {in_python}", f"tasks.py = {in_python}", 'package.json = {"scripts": {"x": "uv sync"}}')
    return folder


@pytest.mark.parametrize("name", sorted({*MAKERS, *RUNNERS, *SCRIPTS}))
def test_each_program_that_is_known_to_make_one_or_to_run_a_script_is_read(name: str) -> None:
    assert may_make_environment(name)


@given(TEXTS)
@example("python x")
@example("u''v sync")
@example("A=u; ${A}v sync")
@example("u\\\nv sync")
@example("u\rv sync")
@example("sudo -u x uv sync")
@example("true && python -m uv sync")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_not_read_makes_none(app: Path, text: str) -> None:
    made = read_commands({}, [("postCreateCommand", text)], str(app))

    assert may_make_environment(text) or made == ()


@pytest.mark.parametrize("command", ["x", "echo hello", "sudo apt-get update && sudo apt-get upgrade -y", "git status"])
def test_a_command_that_surely_makes_none_is_not_read(command: str) -> None:
    assert not may_make_environment(command)


@pytest.mark.parametrize("other", ["date", "poetry config virtualenvs.in-project true"])
def test_all_commands_of_a_file_are_read_together(tmp_path: Path, other: str) -> None:
    path = tmp_path / "devcontainer.json"
    path.write_text(json.dumps({"onCreateCommand": other, "postCreateCommand": ["poetry", "install"]}))
    is_inside = other != "date"

    assert [item.venv for item in read_set_ups(str(path), str(tmp_path))] == [".venv" if is_inside else ""]
