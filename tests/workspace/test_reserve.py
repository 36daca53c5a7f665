"""What tells that a project keeps its venv in `.venv`, and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from layout import fill
from paude_venv_hook.workspace.detection import detect
from paude_venv_hook.workspace.found import Found, Kind, Reason
from paude_venv_hook.workspace.reserve import find_evidence, guards_reserved, is_guarded, names_reserved

UV_TABLE = "[tool.uv] in pyproject.toml"
PDM_TABLE = "[tool.pdm] in pyproject.toml"
DEVCONTAINER = ".devcontainer/devcontainer.json"


def evidence(folder: Path) -> str:
    """Return what tells it of a folder, with the configurations that a workspace may have."""
    return find_evidence(str(folder), [str(folder / DEVCONTAINER), str(folder / "paude.json")])


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["uv.lock"], "uv.lock"),
        (["uv.toml"], "uv.toml"),
        (["pdm.lock"], "pdm.lock"),
        (["pdm.toml = [venv]\nin_project = true"], "pdm.toml"),
        (["pyproject.toml = [project]\nname = 'x'\n[tool.uv]\n"], UV_TABLE),
        (["pyproject.toml = [[tool.uv.index]]\n"], UV_TABLE),
        (["pyproject.toml = [ tool . uv . sources ]\n"], UV_TABLE),
        (["pyproject.toml = [tool.pdm.dev-dependencies]\n"], PDM_TABLE),
        (["poetry.toml = [virtualenvs]\nin-project = true\n"], "poetry.toml"),
        (["poetry.toml = virtualenvs.in-project = true\n"], "poetry.toml"),
        (["poetry.toml = virtualenvs = {create = true, in-project = true}\n"], "poetry.toml"),
        ([".venv/"], "an empty .venv"),
        ([".venv/.gitkeep", ".venv/.gitignore", ".venv/.keep"], "an empty .venv"),
        ([".venv/", "uv.lock"], "uv.lock"),
        ([f'{DEVCONTAINER} = {{"postCreateCommand": "python -m venv .venv"}}'], "devcontainer.json"),
        (['paude.json = {"setup": "python3 -m venv .venv"}'], "paude.json"),
    ],
)
def test_a_project_that_keeps_its_venv_there(workspace: Path, entries: list[str], found: str) -> None:
    assert evidence(fill(workspace, *entries)) == found


@pytest.mark.parametrize(
    "entries",
    [
        *(
            [name]
            for name in ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "Pipfile.lock")
        ),
        *([name] for name in ("tox.ini", "noxfile.py", "hatch.toml", "poetry.lock", "pylock.toml", "environment.yml")),
        ["pyproject.toml = [tool.poetry]\n"],
        ["pyproject.toml = [tool.hatch.envs.default]\n"],
        ["pyproject.toml = [tool.uv-dynamic-versioning]\n"],
        ["pyproject.toml = [tool.uv.build-backend]\n"],
        ["pyproject.toml = [tool.pdm.build]\n[tool.pdm.version]\n"],
        ["pyproject.toml = # [tool.uv]\n"],
        ["pyproject.toml = description = '[tool.uv]'\n"],
        ["pdm.lock", "pdm.toml = [venv]\nin_project = false\n"],
        ["poetry.toml = [virtualenvs]\nin-project = false\n"],
        ["poetry.toml = [virtualenvs]\n# in-project = true\ncreate = false\n"],
        ["uv.lock/"],
        ["uv.lock", f'{DEVCONTAINER} = {{"containerEnv": {{"UV_PROJECT_ENVIRONMENT": "/opt/venv"}}}}'],
        ["uv.lock", f'{DEVCONTAINER} = {{"remoteEnv": {{"UV_PROJECT_ENVIRONMENT": ".venv-docker"}}}}'],
        ["uv.lock", ".venv/README"],
        ["uv.lock", ".venv"],
        ["uv.lock", ".venv -> gone"],
        [f"{DEVCONTAINER} = {{// .venv is made by hand\n}}"],
    ],
)
def test_a_project_that_may_keep_it_elsewhere(workspace: Path, entries: list[str]) -> None:
    assert evidence(fill(workspace, *entries)) == ""


def test_uv_that_is_told_to_use_it_all_the_same(workspace: Path) -> None:
    fill(workspace, "uv.lock", f'{DEVCONTAINER} = {{"containerEnv": {{"UV_PROJECT_ENVIRONMENT": ".venv"}}}}')

    assert evidence(workspace) == "uv.lock"


@pytest.mark.parametrize(
    "config",
    [
        {"postCreateCommand": "python3 -m venv .venv && .venv/bin/pip install -e ."},
        {"postCreateCommand": ["uv", "venv", ".venv"]},
        {"onCreateCommand": {"venv": "virtualenv --clear ./.venv"}},
        {"customizations": {"vscode": {"settings": {"python.defaultInterpreterPath": ".venv/bin/python"}}}},
        {"python.defaultInterpreterPath": "${containerWorkspaceFolder}/.venv/bin/python"},
        {"python.defaultInterpreterPath": "${workspaceFolder}/.venv/bin/python"},
        {"python.defaultInterpreterPath": "/workspaces/app/.venv/bin/python"},
        {"workspaceFolder": "/srv/app", "python.pythonPath": "/srv/app/.venv/bin/python"},
        {"remoteEnv": {"PATH": "${containerWorkspaceFolder}/.venv/bin:${containerEnv:PATH}"}},
        {"postCreateCommand": "bash -c \"source '.venv/bin/activate'\""},
        {"postCreateCommand": "cd $PWD; python -m venv --prompt=x $PWD/.venv"},
        {"containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}},
        {"containerEnv": {"PIPENV_VENV_IN_PROJECT": "1"}},
        {"postCreateCommand": "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install"},
        {"postCreateCommand": "poetry config virtualenvs.in-project true --local && poetry install"},
    ],
)
def test_a_text_that_names_the_workspaces_own(config: dict[str, object]) -> None:
    assert names_reserved(json.dumps(config))


@pytest.mark.parametrize(
    "config",
    [
        {"postCreateCommand": "python3 -m venv /opt/.venv"},
        {"postCreateCommand": "python3 -m venv ~/.venv && $HOME/.venv/bin/pip install x"},
        {"postCreateCommand": "python3 -m venv backend/.venv"},
        {"postCreateCommand": "python3 -m venv .venv-docker; touch x.venv .venv.bak .venvs"},
        {"python.defaultInterpreterPath": "/home/vscode/.venv/bin/python"},
        {"python.defaultInterpreterPath": "/workspaces/app/backend/.venv/bin/python"},
        {"workspaceFolder": "/srv/app", "python.pythonPath": "/srv/other/.venv/bin/python"},
        {"files.exclude": {".venv": True, "**/.venv": True}},
        {"search.exclude": ["**/.venv", "*/.venv/**"]},
        {"containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "false"}},
        {"postCreateCommand": "poetry install"},
    ],
)
def test_a_text_that_does_not(config: dict[str, object]) -> None:
    assert not names_reserved(json.dumps(config))


@pytest.mark.parametrize(
    "command",
    [
        "[ ! -d .venv ] && python3 -m venv .venv",
        "[ -d .venv ] || uv sync",
        "[ -e ./.venv/ ] || uv sync",
        'if [[ ! -d ".venv" ]]; then uv venv; fi',
        "test -d .venv || python3 -m venv .venv",
        "test ! -d ${containerWorkspaceFolder}/.venv && uv venv",
        ["bash", "-c", "[ -d '/workspaces/app/.venv' ] || uv venv"],
    ],
)
def test_where_a_command_looks_for_the_directory_none_is_made(workspace: Path, command: object) -> None:
    text = json.dumps({"postCreateCommand": command})
    fill(workspace, "uv.lock", f"{DEVCONTAINER} = {text}")

    assert (guards_reserved(text), evidence(workspace)) == (True, "")
    fill(workspace, ".venv/")
    assert evidence(workspace) == "an empty .venv"


def test_where_a_script_looks_for_the_directory_none_is_made(workspace: Path) -> None:
    config = f'{DEVCONTAINER} = {{"postCreateCommand": "bash ${{containerWorkspaceFolder}}/.devcontainer/set-up.sh x"}}'
    fill(workspace, "uv.lock", config, ".devcontainer/set-up.sh = set -e\n[ -d .venv ] || python3 -m venv .venv\n")
    assert evidence(workspace) == ""

    fill(workspace, ".devcontainer/set-up.sh = python3 -m venv .venv\n")
    assert evidence(workspace) == "uv.lock"


def test_no_script_outside_of_the_workspace_is_read(workspace: Path) -> None:
    fill(workspace, "uv.lock", f'{DEVCONTAINER} = {{"postCreateCommand": "../set-up.sh"}}')
    fill(workspace.parent, "set-up.sh = [ -d .venv ] || python3 -m venv .venv\n")

    assert evidence(workspace) == "uv.lock"


@pytest.mark.parametrize(
    "entry",
    [
        "Makefile = .venv:\n\tpython3 -m venv .venv\n",
        "makefile = install: .venv\n\n.venv/ : requirements.txt\n\tuv venv\n",
        "GNUmakefile = $(VENV):\n\tpython3 -m venv $@\n",
        "Makefile = install:\n\ttest -d .venv || python3 -m venv .venv\n",
        ".envrc = [ -d .venv ] || python -m venv .venv\nsource .venv/bin/activate\n",
    ],
)
def test_where_a_makefile_or_direnv_looks_for_the_directory_none_is_made(workspace: Path, entry: str) -> None:
    assert evidence(fill(workspace, "uv.lock", entry)) == ""


@pytest.mark.parametrize(
    "entry",
    [
        "Makefile = .venv/bin/python:\n\tpython3 -m venv .venv\n",
        "Makefile = $(VENV)/bin/activate: requirements.txt\n\tpython3 -m venv $(VENV)\n",
        "Makefile = VENV := .venv\nPATH := .venv/bin:$(PATH)\ninstall: .venv/bin/python\n\tuv sync\n",
        ".envrc = source .venv/bin/activate\n",
    ],
)
def test_a_makefile_or_direnv_that_looks_for_what_is_in_it_is_no_such_guard(workspace: Path, entry: str) -> None:
    assert evidence(fill(workspace, "uv.lock", entry)) == "uv.lock"


@pytest.mark.parametrize(
    "command",
    [
        "[ -x .venv/bin/python ] || python3 -m venv .venv",
        "test -e .venv/pyvenv.cfg || uv venv",
        "[ -d backend/.venv ] || uv venv backend/.venv",
        "[ -d .venv-docker ] || uv venv .venv-docker",
        "[ -f .venv ] && rm .venv; rm -d .venv; uv venv",
        "[ -d .venv ] && source .venv/bin/activate; uv sync",
        "[[ -d '.venv/' ]] && rm -rf .venv",
        "test -d .venv && . .venv/bin/activate",
    ],
)
def test_a_command_that_looks_for_something_else_is_no_such_guard(command: str) -> None:
    assert not guards_reserved(json.dumps({"postCreateCommand": command}))


def test_a_hostile_makefile_takes_no_long_time(workspace: Path) -> None:
    for text in ("$(" + "venv" * 16_000, ".venv" + " " * 60_000, "./" * 30_000):
        assert not is_guarded(str(fill(workspace, f"Makefile = {text}x")), ())


def test_a_hostile_text_takes_no_long_time(workspace: Path) -> None:
    """Quadratic matching would take minutes; a test that hangs is a test that fails."""
    for text in (
        "a" * 60_000,
        "/.venv" * 10_000,
        " " * 60_000,
        '"UV_PROJECT_ENVIRONMENT' * 2_000,
        "$" * 60_000,
        "test -d " * 8_000,
    ):
        assert not names_reserved(text + "x")
        assert not guards_reserved(text + "x")


def test_where_it_cannot_be_made_it_is_not_reserved_and_the_rest_is_found(
    workspace: Path, mocker: MockerFixture
) -> None:
    """As root may write everywhere but to a file system that is read-only, the answer is given here."""
    fill(workspace, "uv.lock", "venv/pyvenv.cfg")
    mocker.patch("paude_venv_hook.workspace.detection.can_make", return_value=False)
    problem = f"{workspace} cannot be written, so that it cannot be made; make it"

    assert detect(str(workspace), (), (), same_path=False).found == [
        Found("venv", f"{workspace}/venv", Kind.VENV),
        Found(".venv", f"{workspace}/.venv", Kind.RESERVED, "uv.lock", Reason(problem)),
    ]
    fill(workspace, ".venv/")
    assert not detect(str(workspace), (), (), same_path=False).found[1].problem


def test_it_is_reserved_beside_another_venv(workspace: Path) -> None:
    fill(workspace, "uv.lock", "venv/pyvenv.cfg")

    assert detect(str(workspace), (), (), same_path=False).found == [
        Found("venv", f"{workspace}/venv", Kind.VENV),
        Found(".venv", f"{workspace}/.venv", Kind.RESERVED, "uv.lock"),
    ]


def test_it_is_not_reserved_in_what_is_a_venv_itself_or_where_one_is_named_so(workspace: Path) -> None:
    fill(workspace, "uv.lock", "pyvenv.cfg")
    assert detect(str(workspace), (), (), same_path=False).found == []

    (workspace / "pyvenv.cfg").unlink()
    fill(workspace, ".venv -> envs/main", "envs/main/")
    assert [item.why for item in detect(str(workspace), (), (), same_path=False).found] == ["symlink to a directory"]
