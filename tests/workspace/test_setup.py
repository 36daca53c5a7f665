"""Which command of a devcontainer.json makes an environment: where, when, and whether one that is there keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layout import fill
from paude_venv_hook.workspace.environments import (
    BY_CONTENT,
    BY_DIRECTORY,
    BY_OTHER,
    UNGUARDED,
    SetUp,
    is_made_again,
    made_once,
)
from paude_venv_hook.workspace.lifecycle import read_set_ups

TOOLS = [
    # What is written, and the environment that it makes: "" if the tool decides where, None for none in the workspace.
    ("python -m venv .venv", ".venv"),
    ("python3.12 -m venv --upgrade-deps --prompt app venv", "venv"),
    ("/usr/bin/python3 -m venv ./env && env/bin/pip install -r requirements.txt", "env"),
    ("$PYTHON -m venv .venv", ".venv"),
    ("python -m virtualenv -p python3.11 .venv", ".venv"),
    ("virtualenv --python=3.11 .venv-docker", ".venv-docker"),
    ("uv venv", ".venv"),
    ("uv venv --python 3.12 --allow-existing envs/dev", "envs/dev"),
    ("uv sync --frozen --extra dev", ".venv"),
    ("~/.local/bin/uv sync", ".venv"),
    ("uv --directory backend sync", "backend/.venv"),
    ("uv sync --project tools/lint", "tools/lint/.venv"),
    ("uv run --group dev pytest --isolated", ".venv"),
    ("uv add ruff", ".venv"),
    ("UV_PROJECT_ENVIRONMENT=.venv-docker uv sync", ".venv-docker"),
    ("export UV_PROJECT_ENVIRONMENT=/opt/venv; uv sync", None),
    ("uv sync --active", ""),
    ("uv run --no-project script.py", None),
    ("uv pip install -r requirements.txt", None),
    ("uv tool install ruff", None),
    ("uv --version", None),
    ("poetry install --with dev", ""),
    ("python -m poetry sync", ""),
    ("POETRY_VIRTUALENVS_IN_PROJECT=true poetry -C api install", "api/.venv"),
    ("poetry config virtualenvs.in-project true && poetry install", ".venv"),
    ("poetry config virtualenvs.create false && poetry install", None),
    ("poetry env info", None),
    ("pdm install -G dev", ".venv"),
    ("pdm -p sub sync", "sub/.venv"),
    ("pdm build", None),
    ("pipenv sync --dev", ""),
    ("PIPENV_VENV_IN_PROJECT=1 pipenv install", ".venv"),
    ("pipenv install --system --deploy", None),
    ("hatch env create", ""),
    ("hatch build", None),
    ("tox --devenv venv -e py312", "venv"),
    ("tox devenv .venv", ".venv"),
    ("tox run --notest", ".tox"),
    ("tox list", None),
    ("nox --install-only", ".nox"),
    ("rye sync", ".venv"),
    ("pixi install", ".pixi/envs"),
    ("conda env create -f environment.yml -p ./envs", "envs"),
    ("conda create -n app python", None),
    ("npm ci", "node_modules"),
    ("npm --prefix web install", "web/node_modules"),
    ("npm install -g @devcontainers/cli", None),
    ("npm test", None),
    ("pnpm i --frozen-lockfile", "node_modules"),
    ("yarn", "node_modules"),
    ("yarn --cwd web install", "web/node_modules"),
    ("yarn build", None),
    # Around it.
    ("sudo -E -u vscode env A=b uv sync", ".venv"),
    ("bash -lc 'cd backend && uv sync'", "backend/.venv"),
    ('bash -c "python -m venv \\"$PWD/.venv\\""', ".venv"),
    ("uvx poetry install", ""),
    ("pipx run --spec uv uv sync", ".venv"),
    ("timeout -k 5 600 uv sync", ".venv"),
    ("pip install uv && uv sync 2>&1 | tee /tmp/log", ".venv"),
    ("(cd api && uv sync)", "api/.venv"),
    ("cd api; cd ..; uv sync", ".venv"),
    ("for d in a b; do echo $d; done; uv sync", ".venv"),
    ("case $CI in true) uv sync ;; esac", ".venv"),
    ("VENV_DIR=.venv; python -m venv $VENV_DIR", ".venv"),
    ('VENV_DIR="${VENV_DIR:-.venv}"; python -m venv "${VENV_DIR}"', ".venv"),
    ("python -m venv ${containerWorkspaceFolder}/.venv", ".venv"),
    ("python -m venv /workspaces/app/.venv", ".venv"),
    ('python -m venv "$(pwd)/.venv"', ".venv"),
    ('python -m venv "$(git rev-parse --show-toplevel)/.venv"', ".venv"),
    ('python -m venv "$ROOT/.venv"', ".venv"),
    ("python -m venv $NAME", ""),
    ("python -m venv ~/.venv", None),
    ("python -m venv $HOME/venvs/app", None),
    ("python -m venv /opt/venv", None),
    ("python -m venv ../.venv", None),
    ("echo uv sync", None),
    ("echo 'run uv sync first'  # uv sync", None),
    ("pip install -r requirements.txt", None),
    (".venv/bin/pip install -e .", None),
    ("git config --global --add safe.directory . && npm test", None),
    ("cat >x <<END\nuv sync\nEND\n", None),
]

GUARDS = [
    # What is written, and what keeps it from making .venv.
    ("uv sync", UNGUARDED),
    ("test -x .venv/bin/python || uv sync", BY_CONTENT),
    ("[ -e .venv/bin/activate ] || (python3 -m venv .venv && .venv/bin/pip install -e .)", BY_CONTENT),
    ("if [ ! -x .venv/bin/python ]; then\n  uv sync\nfi", BY_CONTENT),
    ("if [ -f .venv/pyvenv.cfg ]; then echo fine; else uv sync; fi", BY_CONTENT),
    ("if test -f .venv/pyvenv.cfg; then :; elif true; then uv sync; fi", BY_CONTENT),
    ("[[ -x ./.venv/bin/python3 ]] || { sh guard.sh .venv && uv sync; }", BY_CONTENT),
    ("! test -x $PWD/.venv/bin/python && uv sync", BY_CONTENT),
    ("[ -x .venv/bin/python ] && exit 0; uv sync", BY_CONTENT),
    ("if [ -x .venv/bin/python ]; then exit 0; fi; uv sync", BY_CONTENT),
    (".venv/bin/python -c '' || uv sync", BY_CONTENT),
    (". .venv/bin/activate 2>/dev/null || uv sync", BY_CONTENT),
    ('[ -z "$(ls -A .venv 2>/dev/null)" ] && uv sync', BY_CONTENT),
    ("cd src && [ -x ../.venv/bin/python ] || uv --directory .. sync", BY_CONTENT),
    ("make_it() { uv sync; }; [ -x .venv/bin/python ] || make_it", BY_CONTENT),
    ("[ -d .venv ] || uv sync", BY_DIRECTORY),
    ("[ ! -d .venv/ ] && python -m venv .venv; .venv/bin/pip install -e .", BY_DIRECTORY),
    ('test -e "${containerWorkspaceFolder}/.venv" || uv sync', BY_DIRECTORY),
    ('VENV=.venv; if [ ! -d "$VENV" ]; then python -m venv $VENV; fi', BY_DIRECTORY),
    ("[ -f ~/.set-up ] || { uv sync; touch ~/.set-up; }", BY_OTHER),
    # A test that is none of it.
    ("[ -f pyproject.toml ] && uv sync", UNGUARDED),
    ("command -v uv || pip install uv; uv sync", UNGUARDED),
    ("[ -d .venv ] || mkdir .venv; uv sync", UNGUARDED),
    ("[ -d .venv ] || echo new && uv sync", UNGUARDED),
    ("[ -d .venv ] && uv sync", UNGUARDED),
    ('[ -n "$CI" ] || uv sync', UNGUARDED),
    ("f() { [ -x .venv/bin/python ] && return; }; f; uv sync", UNGUARDED),
]

FILES = [
    # What is run, the file that it names, and what comes of it.
    ("./setup.sh", "setup.sh", "#!/bin/sh\nset -e\npython3 -m venv .venv\n", ".venv", UNGUARDED),
    ("bash .devcontainer/post.sh", ".devcontainer/post.sh", "uv sync\n", ".venv", UNGUARDED),
    ("bash /workspaces/app/post.sh", "post.sh", "uv sync\n", ".venv", UNGUARDED),
    (". scripts/env", "scripts/env", "uv sync\n", ".venv", UNGUARDED),
    ("test -x .venv/bin/python || sh post.sh", "post.sh", "uv sync\n", ".venv", BY_CONTENT),
    ("sh post.sh", "post.sh", "[ -d venv ] || python -m venv venv\n", "venv", BY_DIRECTORY),
    ("sh post.sh", "post.sh", 'cd "$(dirname "$0")"\nuv sync\n', ".venv", UNGUARDED),
    ("sh ci/post.sh", "ci/post.sh", "cd $(dirname $0)/..\nuv sync\n", ".venv", UNGUARDED),
    (
        "sh ci/post.sh", "ci/post.sh",
        'HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\npython -m venv "$HERE/../.venv"\n',
        ".venv", UNGUARDED,
    ),
    ("sh post.sh", "post.sh", "vncserver :1 -geometry 1280x720\n", None, ""),
    ("sh post.sh", "post.sh", "", None, ""),
    ("python3 setup_dev.py", "setup_dev.py", "run([sys.executable, '-m', 'venv', '.venv'])\n", ".venv", UNGUARDED),
    ("python3 dev.py", "dev.py", "VENV = Path('.venv')\nvenv.create(VENV)\n", ".venv", UNGUARDED),
    (
        "./dev", "dev",
        "#!/usr/bin/env python3\nif not VENV.exists():\n    subprocess.run(['uv', 'sync'], check=True)\n",
        ".venv", BY_OTHER,
    ),
    ("make", "Makefile", "install: .PHONY\n\tuv sync\n", ".venv", UNGUARDED),
    ("make -j4 install", "Makefile", "all:\n\techo\ninstall: deps\ndeps:\n\t@uv sync\n", ".venv", UNGUARDED),
    (
        "make dev", "Makefile",
        "VENV ?= .venv\n.PHONY: dev\ndev: $(VENV)/bin/activate\n$(VENV)/bin/activate: requirements.txt\n"
        "\tpython3 -m venv $(VENV)\n",
        ".venv", BY_CONTENT,
    ),
    ("make .venv", "Makefile", ".venv: pyproject.toml\n\tpython -m venv $@\n", ".venv", BY_DIRECTORY),
    ("make venv", "Makefile", "venv:\n\tpython -m venv venv\n", "venv", BY_DIRECTORY),
    ("make venv", "Makefile", ".PHONY: venv\nvenv:\n\tpython -m venv venv\n", "venv", UNGUARDED),
    ("make -C api dev", "api/Makefile", "dev:\n\tuv sync\n", "api/.venv", UNGUARDED),
    ("make -f dev.mk dev", "dev.mk", "dev:\n\ttest -d .venv || \\\n\t  uv sync\n", ".venv", BY_DIRECTORY),
    ("make test", "Makefile", "install:\n\tuv sync\ntest:\n\tpytest\n", None, ""),
    (
        "just setup", "justfile", "venv := '.venv'\nsetup: venv\n\nvenv:\n    @python -m venv {{venv}}\n",
        ".venv", UNGUARDED,
    ),
    ("just", "justfile", "# all\ndefault arg='x':\n  uv sync\n", ".venv", UNGUARDED),
    (
        "just s", ".justfile",
        "alias s := setup\nsetup:\n    #!/bin/sh\n    if [ ! -d .venv ]; then\n    uv sync\n    fi\n",
        ".venv", BY_DIRECTORY,
    ),
    ("task setup", "Taskfile.yml", "version: '3'\ntasks:\n  setup:\n    cmds:\n      - uv sync\n", ".venv", UNGUARDED),
    (
        "task setup", "Taskfile.yml",
        "version: '3'\ntasks:\n  setup:\n    deps: [venv]\n  venv:\n    cmd: uv sync\n    status:\n"
        "      - test -x .venv/bin/python\n",
        ".venv", BY_CONTENT,
    ),
    ("task", "Taskfile.yaml", "tasks:\n  default:\n    - task: sync\n  sync: uv sync\n", ".venv", UNGUARDED),
    ("invoke setup", "tasks.py", "@task\ndef setup(c):\n    c.run('python -m venv .venv')\n", ".venv", UNGUARDED),
    (
        "inv dev-setup", "tasks.py",
        "VENV = '.venv'\n\n@task\ndef venv(c):\n    c.run(f\"uv venv {VENV}\")\n\n"
        "@task(venv)\ndef dev_setup(c):\n    pass\n",
        ".venv", UNGUARDED,
    ),
    ("npm run setup", "package.json", '{"scripts": {"setup": "uv sync"}}', ".venv", UNGUARDED),
    ("npm test", "package.json", '{"scripts": {"setup": "uv sync"}}', None, ""),
]  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


def read(folder: Path, config: dict[str, Any]) -> tuple[SetUp, ...]:
    """Return what makes an environment by such a devcontainer.json."""
    path = folder / ".devcontainer.json"
    path.write_text(json.dumps(config))
    return read_set_ups(str(path), str(folder))


@pytest.mark.parametrize(("command", "venv"), TOOLS)
def test_a_command_makes_the_environment_of_its_tool(app: Path, command: str, venv: str | None) -> None:
    made = {item.venv for item in read(app, {"postCreateCommand": command})}

    assert made == (set() if venv is None else {venv})


@pytest.mark.parametrize(("command", "guard"), GUARDS)
def test_a_guard_is_what_the_command_looks_for_before_it_makes_the_environment(
    app: Path, command: str, guard: str
) -> None:
    made = read(app, {"postStartCommand": command})

    assert made == (SetUp("postStartCommand", ".venv", guard),)
    assert made[0].is_at_each_start is (guard == UNGUARDED)


@pytest.mark.parametrize(("command", "name", "text", "venv", "guard"), FILES)
def test_the_files_that_a_command_names_are_read(
    app: Path, command: str, name: str, text: str, venv: str | None, guard: str
) -> None:
    (app / name).parent.mkdir(exist_ok=True)
    (app / name).write_text(text)

    expected = [] if venv is None else [SetUp("postStartCommand", venv, guard)]
    assert list(read(app, {"postStartCommand": command})) == expected


@pytest.mark.parametrize("key", ["onCreateCommand", "updateContentCommand", "postCreateCommand"])
@pytest.mark.parametrize(
    "command",
    ["uv sync", ["uv", "sync"], ["bash", "-c", "cd . && uv sync"], {"deps": "uv sync", "hooks": ["git", "status"]}],
)
def test_text_lists_and_objects_of_commands_are_one(app: Path, key: str, command: object) -> None:
    made = read(app, {key: command})

    assert made == (SetUp(key, ".venv", UNGUARDED),)
    assert made_once(made) == key


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"postCreateCommand": "uv sync"}, "postCreateCommand"),
        ({"onCreateCommand": "uv sync", "postCreateCommand": "uv sync"}, "onCreateCommand"),
        ({"postStartCommand": "uv sync"}, ""),
        ({"postAttachCommand": "uv run app"}, ""),
        ({"postCreateCommand": "uv sync", "postStartCommand": "uv sync"}, ""),
        ({"postCreateCommand": "uv sync", "postStartCommand": "echo hello"}, "postCreateCommand"),
        (
            {"postCreateCommand": "uv sync", "postStartCommand": "test -x .venv/bin/python || uv sync"},
            "postCreateCommand",
        ),
        ({"postStartCommand": "test -x .venv/bin/python || uv sync"}, "postStartCommand"),
        ({"postCreateCommand": "pip install -e ."}, ""),
        ({"initializeCommand": "uv sync"}, ""),
        ({}, ""),
    ],
)
def test_an_environment_is_made_once_unless_a_start_makes_it_whether_or_not_it_is_there(
    app: Path, config: dict[str, Any], key: str
) -> None:
    assert made_once(read(app, config)) == key


@pytest.mark.parametrize(
    ("command", "is_again"),
    [
        ("uv sync", True),
        ("test -x .venv/bin/python || uv sync", True),
        ("[ -d .venv ] || uv sync", False),
        ("[ -f ~/.set-up ] || uv sync", False),
        ("date", False),
    ],
)
def test_a_start_may_make_again_what_is_gone(app: Path, command: str, is_again: bool) -> None:
    assert is_made_again(read(app, {"postCreateCommand": "uv sync", "postStartCommand": command})) is is_again


def test_a_script_that_is_not_in_the_workspace_may_make_one_at_creation(app: Path) -> None:
    assert read(app, {"postCreateCommand": "/usr/local/share/setup.sh"}) == (SetUp("postCreateCommand", "", UNGUARDED),)
    assert read(app, {"postStartCommand": "/usr/local/share/desktop-init.sh"}) == ()
    assert read(app, {"postCreateCommand": ". ~/.nvm/nvm.sh && npm test"}) == ()


def test_the_environment_of_the_configuration_counts(app: Path) -> None:
    config = {"postCreateCommand": "uv sync", "remoteEnv": {"UV_PROJECT_ENVIRONMENT": "/home/vscode/venv"}}
    poetry = {"postCreateCommand": "poetry install", "containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}}

    assert read(app, config) == ()
    assert read(app, poetry) == (SetUp("postCreateCommand", ".venv", UNGUARDED),)


def test_poetry_toml_counts(app: Path) -> None:
    (app / "poetry.toml").write_text("[virtualenvs]\nin-project = true\n")

    assert read(app, {"postCreateCommand": "poetry install"}) == (SetUp("postCreateCommand", ".venv", UNGUARDED),)


def test_uv_keeps_the_environment_with_the_project(app: Path) -> None:
    fill(app, "pyproject.toml", "packages/a/src/x.py", "packages/b/pyproject.toml")
    config = {"postCreateCommand": "cd packages/a/src && uv sync"}
    own = {"postCreateCommand": "cd packages/b && uv sync"}

    assert {item.venv for item in read(app, config)} == {".venv"}
    assert {item.venv for item in read(app, own)} == {"packages/b/.venv"}
    assert {item.venv for item in read(app, {"postCreateCommand": "cd packages/a && uv venv"})} == {"packages/a/.venv"}

    fill(app, "pyproject.toml = [tool.uv.workspace]\nmembers = ['packages/*']\n")
    assert {item.venv for item in read(app, own)} == {".venv"}


@pytest.mark.parametrize(
    ("config", "venv"),
    [
        ({"workspaceFolder": "/workspaces/app/backend"}, "backend/.venv"),
        ({"workspaceFolder": "/workspaces/${localWorkspaceFolderBasename}/backend"}, "backend/.venv"),
        ({"workspaceFolder": "/code"}, ".venv"),
        (
            {
                "workspaceFolder": "/code/backend",
                "workspaceMount": "source=${localWorkspaceFolder},target=/code,type=bind",
            },
            "backend/.venv",
        ),
        ({"workspaceFolder": "/workspace", "dockerComposeFile": "compose.yaml"}, ".venv"),
    ],
)
def test_commands_run_in_the_workspace_folder_of_the_container(app: Path, config: dict[str, Any], venv: str) -> None:
    assert {item.venv for item in read(app, {**config, "postCreateCommand": "uv sync"})} == {venv}


def test_a_configuration_that_cannot_be_read_makes_none(app: Path) -> None:
    path = app / ".devcontainer.json"
    path.write_text('{"postCreateCommand": "uv sync"')
    assert read_set_ups(str(path), str(app)) != ()  # as the dev container tools read it
    path.write_text('{"postCreateCommand": ')
    assert read_set_ups(str(path), str(app)) == ()
    assert read_set_ups(str(app / "missing.json"), str(app)) == ()


@pytest.mark.parametrize("value", [None, 1, True, [], {}, [1, None], {"a": {"b": "uv sync"}}, {"a": 5}])
def test_a_command_of_another_type_makes_none(app: Path, value: object) -> None:
    assert read(app, {"postCreateCommand": value}) == ()


def test_a_script_that_leads_out_of_the_workspace_is_not_read(app: Path) -> None:
    (app.parent / "outside.sh").write_text("uv sync\n")

    assert read(app, {"postStartCommand": "sh ../outside.sh"}) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("post.sh", "sh post.sh\n" * 100),
        ("post.sh", "f() { f; f; }\nf\n"),
        ("post.sh", "a() { b; b; }; b() { c; c; }; c() { d; d; }; d() { a; a; }; a\n"),
        ("post.sh", "X=a;" + "X=$X$X;" * 10_000 + "eval $X\n"),
        ("post.sh", "${ " * 20_000),
        ("post.sh", "$( " * 20_000),
        ("post.sh", "<<X " * 15_000 + "\n"),
        ("post.sh", "(" * 60_000),
        ("post.sh", "if " * 20_000),
        ("post.sh", "'\"`" * 20_000),
        ("post.sh", "! " * 30_000),
        ("Makefile", "A = $(A)$(A)$(A)\n" * 2_000 + "all: all\n\t$(A)\n" * 2_000),
        ("Makefile", "".join(f"t{i}: t{i + 1}\n\tsh post.sh\n" for i in range(2_000))),
        ("justfile", "a: a a a\n  just a\n" * 3_000),
        ("tasks.py", "@task\ndef a(c):\n  a(c)\n" * 3_000),
        ("tasks.py", "[" * 60_000),
    ],
)
def test_what_a_stranger_writes_is_read_in_bounds(app: Path, name: str, text: str) -> None:
    (app / name).write_text(text)

    assert read(app, {"postStartCommand": "sh post.sh; make; just; invoke a"}) == ()


@given(text=st.text(alphabet=" \n;&|(){}<>\"'`$#\\=!-[]abfiothenvusync./", max_size=200))
def test_any_text_is_read(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-text"  # for all examples
    folder.mkdir(exist_ok=True)

    for item in read(folder, {"postCreateCommand": text}):
        assert not item.venv.startswith(("/", ".."))
