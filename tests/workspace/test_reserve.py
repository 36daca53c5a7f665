"""What tells that a project keeps its venv in `.venv`, and what does not."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from layout import fill
from paude_venv_hook.notes import to_text
from paude_venv_hook.workspace.central import find_cached_environment
from paude_venv_hook.workspace.contents import Directory, Kind, Reason
from paude_venv_hook.workspace.detection import Detection, detect
from paude_venv_hook.workspace.guards import find_guard, guards_reserved
from paude_venv_hook.workspace.reserve import find_evidence, names_reserved

UV_TABLE = "[tool.uv] in pyproject.toml"
PDM_TABLE = "[tool.pdm] in pyproject.toml"
DEVCONTAINER = ".devcontainer/devcontainer.json"


def evidence(folder: Path) -> str:
    """Return what tells it of a folder, with the configurations that a workspace may have."""
    return find_evidence(str(folder), [str(folder / DEVCONTAINER), str(folder / "paude.json")]).text


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
        {"workspaceFolder": "/srv/app/", "python.pythonPath": "/srv/app/.venv/bin/python"},
        {"workspaceFolder": f"/{250 * 'w'}", "python.pythonPath": f"/{250 * 'w'}/.venv/bin/python"},
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


LAYOUTS = [
    "layout python",
    "layout python3",
    "layout_python",
    "layout python python3.12",
    "has uv && layout uv",
    "layout_uv",
    "layout poetry",
    "layout_poetry",
    "layout pipenv",
    "use uv",
]


@pytest.mark.parametrize(
    "entry",
    [
        "Makefile = .venv:\n\tpython3 -m venv .venv\n",
        "makefile = install: .venv\n\n.venv/ : requirements.txt\n\tuv venv\n",
        "GNUmakefile = $(VENV):\n\tpython3 -m venv $@\n",
        "Makefile = install:\n\ttest -d .venv || python3 -m venv .venv\n",
        ".envrc = [ -d .venv ] || python -m venv .venv\nsource .venv/bin/activate\n",
        *(f".envrc = source_up\n{layout}\n" for layout in LAYOUTS),
        ".envrc = export VIRTUAL_ENV=.venv\ntest -d $VIRTUAL_ENV || python -m venv $VIRTUAL_ENV\n",
        '.envrc = export VIRTUAL_ENV="$PWD/.venv"\n[[ ! -d "${VIRTUAL_ENV}" ]] && python -m venv "$VIRTUAL_ENV"\n',
        ".envrc = if [ ! -d $VENV_DIR ]; then python -m venv $VENV_DIR; fi\n",
        "Makefile = VENV ?= .venv\ninstall:\n\ttest -d $(VENV) || python3 -m venv $(VENV)\n",
        "Makefile = venv:\n\ttest -d $(CURDIR)/.venv || python3 -m venv .venv\n",
        "justfile = venv:\n    [ -d .venv ] || python3 -m venv .venv\n",
        "Justfile = venv := '.venv'\ninit:\n    test -d {{venv}} || python3 -m venv {{ venv }}\n",
        ".justfile = init:\n    test -e {{justfile_directory()}}/.venv || uv venv\n",
        "justfile = x := if path_exists('.venv') == 'true' { '' } else { shell('uv venv') }\n",
        "Taskfile.yml = tasks:\n  venv:\n    status: [test -d .venv]\n    cmds: [uv venv]\n",
        "taskfile.yaml = vars: {VENV: .venv}\ntasks:\n  venv:\n    status:\n      - test -d {{.VENV}}\n",
        'tasks.py = if not os.path.exists(".venv"): c.run("uv venv")\n',
        'tasks.py = if not Path(".venv").exists(): c.run("uv venv")\n',
        'package.json = {"scripts": {"postinstall": "[ -d .venv ] || python3 -m venv .venv"}}',
        'mise.toml = [env]\n_.python.venv = { path = ".venv", create = true }\n',
        "set-up.sh = if [ ! -d .venv ]; then python3 -m venv .venv; fi\n",
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
        ".envrc = # layout python\ndotenv\nuse node\nlayout ruby\n",
        ".envrc = export VIRTUAL_ENV=/opt/env\ntest -d $VIRTUAL_ENV || python -m venv $VIRTUAL_ENV\n",
        ".envrc = [ -d $VIRTUAL_ENV ] && source $VIRTUAL_ENV/bin/activate\n",
        "Makefile = VENV := env\n$(VENV):\n\tpython3 -m venv $(VENV)\ntest:\n\ttest -d $(VENV) || exit 1\n",
        "Makefile = test:\n\t[ -x $(VENV)/bin/python ] || uv venv\n",
        "justfile = test:\n    .venv/bin/pytest\n",
        "Taskfile.yml = tasks:\n  venv:\n    status: [test -x .venv/bin/python]\n",
        'mise.toml = [env]\n_.python.venv = ".venv"\n',
        "set-up.sh = [ -d .venv ] && rm -rf .venv; uv venv\n",
        "scripts/deep.sh = [ -d .venv ] || uv venv\n",
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
        'for venv in "$1" "$1"/*; do [ ! -e "$venv/$sign" ] || exit 1; done',
        "[ -e .venv/$file ] || uv sync",
    ],
)
def test_a_command_that_looks_for_something_else_is_no_such_guard(command: str) -> None:
    assert not guards_reserved(json.dumps({"postCreateCommand": command}))


def warnings(folder: Path) -> list[str]:
    """Return what a person should know, one line each."""
    notes = find_evidence(str(folder), [str(folder / DEVCONTAINER), str(folder / "paude.json")]).notes
    return [to_text(note) for note in notes]


# ---- What a container makes


SCRIPT = 'set -e\ncd "$(dirname "$0")/.."\npython3 -m venv {name}\n{name}/bin/pip install -e .\n'


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([f'{DEVCONTAINER} = {{"postCreateCommand": "./.devcontainer/post.sh"}}'], "postCreateCommand"),
        ([f'{DEVCONTAINER} = {{"postStartCommand": ["bash", ".devcontainer/post.sh"]}}'], "postStartCommand"),
        (
            [f'{DEVCONTAINER} = {{"onCreateCommand": {{"x": "make -C . venv"}}}}', "Makefile = venv:\n\tuv venv\n"],
            "onCreateCommand",
        ),
        (['paude.json = {"setup": "sh .devcontainer/post.sh"}'], "setup"),
        ([f'{DEVCONTAINER} = {{"postCreateCommand": "uv venv && uv pip install x"}}'], "postCreateCommand"),
    ],
)
def test_a_script_that_makes_the_venv_is_evidence(workspace: Path, entries: list[str], found: str) -> None:
    fill(workspace, *entries, f".devcontainer/post.sh = {SCRIPT.format(name='.venv')}")

    assert (evidence(workspace), warnings(workspace)) == (found, [])


def test_a_venv_of_another_name_that_a_container_will_make_is_named_until_it_is_there(workspace: Path) -> None:
    config = {"postCreateCommand": "./.devcontainer/post.sh", "postStartCommand": "uv --directory api sync; uv sync"}
    fill(workspace, f"{DEVCONTAINER} = {json.dumps(config)}", f".devcontainer/post.sh = {SCRIPT.format(name='env')}")
    line = (
        "postCreateCommand, postStartCommand makes env, api/.venv, which lands on the host too; to shadow it, "
        'write "venv-also": ["env", "api/.venv"] in paude.json'
    )

    assert (evidence(workspace), warnings(workspace)) == ("postStartCommand", [line])
    fill(workspace, ".venv/pyvenv.cfg")
    notes = detect(str(workspace), (), [str(workspace / DEVCONTAINER)], same_path=False).notes
    assert [to_text(note) for note in notes] == [line]

    fill(workspace, "env/pyvenv.cfg", "api/.venv/pyvenv.cfg")
    assert warnings(workspace) == []


@pytest.mark.parametrize(
    ("command", "entries", "where"),
    [
        ("[ -d .venv ] || uv sync", [], "postCreateCommand"),
        ("sh set-up.sh", ["set-up.sh = [ -d .venv ] || uv venv\n"], "postCreateCommand"),
        ("uv sync", ["Makefile = .venv:\n\tuv sync\n"], "Makefile"),
        ("uv sync", [".envrc = layout uv\n"], ".envrc"),
    ],
)
def test_a_venv_that_lands_on_the_host_for_a_guard_is_named(
    workspace: Path, command: str, entries: list[str], where: str
) -> None:
    fill(workspace, f"{DEVCONTAINER} = {json.dumps({'postCreateCommand': command})}", "uv.lock", *entries)

    assert evidence(workspace) == ""
    assert warnings(workspace) == [
        f"postCreateCommand makes .venv, which lands on the host too; let {where}, which makes none if there is such a "
        "directory, look for .venv/bin/python"
    ]


# ---- What tools of the host keep elsewhere

EDITOR = {"customizations": {"vscode": {"settings": {"python.defaultInterpreterPath": "${workspaceFolder}/.venv"}}}}
SWITCHES = {"poetry": "POETRY_VIRTUALENVS_IN_PROJECT", "pipenv": "PIPENV_VENV_IN_PROJECT"}
KEPT_ELSEWHERE = [
    "pyproject.toml = [tool.poetry]\nname = 'x'\n",
    "pyproject.toml = [project]\n[build-system]\nrequires = ['poetry-core>=2']\n",
    "poetry.lock",
    "Pipfile",
]


def cached(home: Path, folder: Path, tool: str, *, where: str = "") -> Path:
    """Make what is an environment in the cache of Poetry or Pipenv for a folder, and return it."""
    path = str(folder) if tool == "poetry" else f"{folder}/Pipfile"
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.encode()).digest()).decode()[:8]
    default = ".cache/pypoetry/virtualenvs" if tool == "poetry" else ".local/share/virtualenvs"
    environment = home / (where or default) / (f"app-{digest}-py3.12" if tool == "poetry" else f"app-{digest}")
    environment.mkdir(parents=True)
    return environment


@pytest.mark.parametrize("entry", KEPT_ELSEWHERE)
@pytest.mark.parametrize("config", [EDITOR, {"settings": {"python.pythonPath": ".venv/bin/python"}}])
def test_an_editor_setting_is_no_evidence_in_a_project_of_poetry_or_pipenv(
    workspace: Path, entry: str, config: dict[str, object]
) -> None:
    fill(workspace, f"{DEVCONTAINER} = {json.dumps(config)}")
    assert evidence(workspace) == "devcontainer.json"

    fill(workspace, entry)
    assert (evidence(workspace), warnings(workspace)) == ("", [])


@pytest.mark.skipif(sys.platform == "darwin", reason="the folders are those of Linux")
@pytest.mark.parametrize("tool", SWITCHES)
@pytest.mark.parametrize(
    "config",
    [
        {"containerEnv": "{switch}"},
        {"postCreateCommand": "export {switch}=1; {tool} install"},
        {"postCreateCommand": "python3 -m venv .venv"},
    ],
)
def test_a_container_that_makes_it_is_no_evidence_if_the_host_would_lose_its_environment(
    workspace: Path, home: Path, tool: str, config: dict[str, str]
) -> None:
    switch = SWITCHES[tool]
    texts = {key: text.format(switch=switch, tool=tool) for key, text in config.items()}
    own = {key: {text: "true"} if key == "containerEnv" else text for key, text in texts.items()}
    fill(workspace, f"{DEVCONTAINER} = {json.dumps({**own, **EDITOR})}")
    fill(workspace, "Pipfile" if tool == "pipenv" else "poetry.lock")
    assert (evidence(workspace) != "", warnings(workspace)) == (True, [])

    environment = cached(home, workspace, tool)

    assert evidence(workspace) == ""
    assert warnings(workspace) == [
        f".venv is not reserved, since the host's environment in {environment} would be forgotten for it; "
        "let the container keep its own outside of the workspace, too"
    ]
    environment.rename(environment.with_name("app-0123abcd-py3.12"))  # the hash of another folder
    assert evidence(workspace) != ""


@pytest.mark.skipif(sys.platform == "darwin", reason="the folders are those of Linux")
@pytest.mark.parametrize(
    ("where", "variable", "config", "own"),
    [
        ("envs", ("POETRY_VIRTUALENVS_PATH", "{home}/envs"), "", ""),
        ("c/virtualenvs", ("POETRY_CACHE_DIR", "{home}/c"), "", ""),
        ("c/virtualenvs", ("XDG_CACHE_HOME", "{home}/x"), 'cache-dir = "{home}/c"', ""),
        ("x/pypoetry/virtualenvs", ("XDG_CACHE_HOME", "{home}/x"), "", ""),
        ("v", ("", ""), '[virtualenvs]\npath = "~/v"', ""),
        ("c/v", ("", ""), "cache-dir = '{home}/c'", '[virtualenvs]\npath = "{{cache-dir}}/v"'),
    ],
)
def test_poetrys_own_settings_say_where_its_environments_are(
    workspace: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    variable: tuple[str, str],
    config: str,
    own: str,
) -> None:
    if variable[0]:
        monkeypatch.setenv(variable[0], variable[1].format(home=home))
    environment = cached(home, workspace, "poetry", where=where)
    fill(workspace, "poetry.lock", f"poetry.toml = {own.format(home=home)}")
    fill(home, f".config/pypoetry/config.toml = {config.format(home=home)}")

    assert find_cached_environment(str(workspace)) == str(environment)


def test_poetry_that_keeps_it_in_the_project_on_the_host_is_evidence_whatever_is_in_its_cache(
    workspace: Path, home: Path
) -> None:
    cached(home, workspace, "poetry")

    assert evidence(fill(workspace, "poetry.toml = virtualenvs.in-project = true", "poetry.lock")) == "poetry.toml"


# ---- uv's central environments

APART = "to keep both sides apart, set UV_PROJECT_ENVIRONMENT=.venv-container in the container's environment"
FEATURE = "centralized-project-envs"


@pytest.mark.parametrize(
    ("entry", "switch"),
    [
        ("pyproject.toml = [project]\nname = 'x'\n[tool.uv]\npreview = true\n", UV_TABLE),
        ("pyproject.toml = [tool.uv]\npreview-features = true\n[tool.x]\n", UV_TABLE),
        (f"pyproject.toml = [tool.uv]\npackage = false\npreview-features = [\n  'x',\n  '{FEATURE}',\n]\n", UV_TABLE),
        ("uv.toml = preview = true\n", "uv.toml"),
        (f'uv.toml = preview-features = ["{FEATURE}"]\n', "uv.toml"),
        (f'{DEVCONTAINER} = {{"containerEnv": {{"UV_PREVIEW": "1"}}}}', "UV_PREVIEW"),
        (f'{DEVCONTAINER} = {{"remoteEnv": {{"UV_PREVIEW_FEATURES": "pylock,{FEATURE}"}}}}', "UV_PREVIEW_FEATURES"),
        (f'{DEVCONTAINER} = {{"postCreateCommand": "UV_PREVIEW=true uv sync"}}', "UV_PREVIEW"),
    ],
)
def test_uvs_central_environments_reserve_nothing_and_a_line_keeps_both_sides_apart(
    workspace: Path, entry: str, switch: str
) -> None:
    fill(workspace, "uv.lock", entry)

    assert evidence(workspace) == ""
    assert warnings(workspace) == [f"uv keeps its environments in its cache ({switch}), not in .venv; {APART}"]


@pytest.mark.parametrize("variable", [("UV_PREVIEW", "1"), ("UV_PREVIEW", "true"), ("UV_PREVIEW_FEATURES", FEATURE)])
def test_a_variable_on_the_host_switches_them_on_and_so_do_the_users_own_settings(
    workspace: Path, home: Path, monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]
) -> None:
    fill(workspace, "uv.lock")
    assert evidence(workspace) == "uv.lock"

    monkeypatch.setenv(*variable)
    assert (evidence(workspace), len(warnings(workspace))) == ("", 1)

    monkeypatch.delenv(variable[0])
    fill(home, ".config/uv/uv.toml = preview-features = true\n")
    assert (evidence(workspace), len(warnings(workspace))) == ("", 1)


@pytest.mark.parametrize(
    "entry",
    [
        "pyproject.toml = [tool.uv]\npreview = false\n[tool.x]\npreview = true\n",
        "pyproject.toml = [tool.uv]\npreview-features = ['pylock']\n# preview = true\n",
        "uv.toml = # preview = true\n",
        f'{DEVCONTAINER} = {{"containerEnv": {{"UV_PREVIEW": "0", "UV_PREVIEW_FEATURES": "pylock"}}}}',
    ],
)
def test_other_previews_of_uv_do_not_matter(workspace: Path, entry: str) -> None:
    assert evidence(fill(workspace, "uv.lock", entry)) == "uv.lock"


def test_uvs_central_environments_do_not_matter_to_other_tools(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PREVIEW", "1")

    assert evidence(fill(workspace, "pdm.lock")) == "pdm.lock"
    fill(workspace, "uv.lock", f'{DEVCONTAINER} = {{"containerEnv": {{"UV_PROJECT_ENVIRONMENT": ".venv-docker"}}}}')
    assert (evidence(workspace), warnings(workspace)) == ("pdm.lock", [])


@pytest.mark.parametrize("is_there", [True, False])
def test_uvs_own_link_is_left_alone_with_what_keeps_both_sides_apart(
    workspace: Path, home: Path, *, is_there: bool
) -> None:
    target = f"{home}/.cache/uv/environments-v2/app-cp3.11.7-0123456789abcdef"
    fill(workspace, "uv.lock", f".venv -> {target}")
    if is_there:
        fill(Path(target), "pyvenv.cfg = uv = 0.13.9\n")

    for same_path in (True, False):
        detected = detect(str(workspace), (), (), same_path=same_path)
        assert detected == Detection(
            [Directory(".venv", target, Kind.LINK, problem=Reason("uv's link to its cache", APART))], [], []
        )


@pytest.mark.parametrize("target", ["environments-v2/app", "environments/app", "environments-vx/app"])
def test_another_link_is_none_of_uvs(workspace: Path, home: Path, target: str) -> None:
    fill(home, f"{target}/pyvenv.cfg = home = /usr/bin\n")
    fill(workspace, f".venv -> {home}/{target}")

    (found,) = detect(str(workspace), (), (), same_path=False).directories

    assert found.problem == Reason(f"a symlink to {home}/{target}, outside of the workspace", "make it a directory")


FILES = ("Makefile", "justfile", "Taskfile.yml", ".envrc", "mise.toml", "tasks.py", "set-up.sh")


def test_a_hostile_makefile_takes_no_long_time(workspace: Path) -> None:
    for text in (
        *("$(" + "venv" * 16_000, ".venv" + " " * 60_000, "./" * 30_000, "venv = {" * 8_000, "venv_" * 12_000),
        "".join(f"test -d $venv{index}/x {{{{ .VENV{index}" for index in range(2_000)),
        "".join(f"test -d $venv{index} || :\nvenv{index} = env\n" for index in range(1_500)),
        "layout " * 9_000,
    ):
        assert not find_guard(str(fill(workspace, *(f"{name} = {text}x" for name in FILES))), ())


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
    problem = f"{workspace} cannot be written, so no mount point can be made in it; make it"

    assert detect(str(workspace), (), (), same_path=False).directories == [
        Directory("venv", f"{workspace}/venv", Kind.VENV),
        Directory(".venv", f"{workspace}/.venv", Kind.RESERVED, "uv.lock", Reason(problem)),
    ]
    fill(workspace, ".venv/")
    assert not detect(str(workspace), (), (), same_path=False).directories[1].problem


def test_it_is_reserved_beside_another_venv(workspace: Path) -> None:
    fill(workspace, "uv.lock", "venv/pyvenv.cfg")

    assert detect(str(workspace), (), (), same_path=False).directories == [
        Directory("venv", f"{workspace}/venv", Kind.VENV),
        Directory(".venv", f"{workspace}/.venv", Kind.RESERVED, "uv.lock"),
    ]


def test_it_is_not_reserved_in_what_is_a_venv_itself_or_where_one_is_named_so(workspace: Path) -> None:
    fill(workspace, "uv.lock", "pyvenv.cfg")
    assert detect(str(workspace), (), (), same_path=False).directories == []

    (workspace / "pyvenv.cfg").unlink()
    fill(workspace, ".venv -> envs/main", "envs/main/")
    assert [item.why for item in detect(str(workspace), (), (), same_path=False).directories] == [
        "symlink to a directory"
    ]
