"""Shapes of real projects, each rebuilt small: what the hook does with them, and what it says.

Of 61 public projects with a devcontainer.json they are those that keep an environment where this tool acts. Each is
launched as the devcontainer CLI does it, in the folder of a developer whose host has its environments, and in a fresh
clone. None is hurt: nothing in the tree changes, but for an empty `.venv` where the project keeps its venv there. None
is silent: what of the host's stays visible is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import Done, Hook
from layout import fill, planned, reserved
from paude_venv_hook.launchers import run_line

CONFIG = ".devcontainer/devcontainer.json"
POETRY = "pyproject.toml = [tool.poetry]\nname = 'app'\n"
INTERPRETER = "python.defaultInterpreterPath"


class Shape(NamedTuple):
    """A project: its devcontainer.json, its files and the host's venvs, and what is to come of it.

    `evidence` is why `.venv` is reserved in a fresh clone, "" where it is not. `says` is what is said of the host's
    venvs, and `both` tells that the fresh clone hears it as well. `lands` is what the
    fresh clone alone hears, of what the container makes on the host.
    """

    config: dict[str, Any]
    files: tuple[str, ...] = ()
    venvs: tuple[str, ...] = ()
    shadows: tuple[str, ...] = ()
    evidence: str = ""
    says: str = ""
    both: bool = False
    lands: str = ""


def settings(path: str) -> dict[str, Any]:
    """Return what names an interpreter to an editor."""
    return {"customizations": {"vscode": {"settings": {INTERPRETER: path}}}}


def visible(path: str) -> str:
    return f'{path} stays visible in the container; to shadow what is there, write "venv": ["{path}"] in paude.json'


def taken(path: str) -> str:
    return f".venv not shadowed: the configuration mounts something on {path} already"


def lands(venv: str) -> str:
    return (
        f"postCreateCommand makes {venv}, which lands on the host too; to shadow it, "
        f'write "venv-also": ["{venv}"] in paude.json'
    )


GUARDED = (
    "postCreateCommand makes no venv if there is a directory .venv, and its shadow is one: "
    "let it look for .venv/bin/python"
)
DOT = (".venv",)
SHAPES = {
    "synced at each start, uv": Shape({"postStartCommand": "uv sync"}, ("uv.lock",), DOT, DOT, "uv.lock"),
    "synced at each start, poetry": Shape(
        {"containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}, "postStartCommand": "poetry install"},
        (POETRY, "poetry.lock"), DOT, DOT, "devcontainer.json",
    ),
    "made once, pip": Shape(
        {"postCreateCommand": "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"},
        ("requirements.txt",), DOT, DOT, "devcontainer.json",
    ),
    "made once, uv": Shape(
        {"postCreateCommand": "uv sync --all-extras && uv run pre-commit install"},
        ("pyproject.toml", "uv.lock"), DOT, DOT, "uv.lock",
    ),
    "made once, poetry in the project": Shape(
        {"onCreateCommand": ["poetry", "install", "--no-interaction"]},
        (POETRY, "poetry.toml = [virtualenvs]\nin-project = true\n"), DOT, DOT, "poetry.toml",
    ),
    "made once, pdm": Shape(
        {"updateContentCommand": "pdm install -G dev"}, ("pdm.lock",), DOT, DOT, "pdm.lock",
    ),
    "made once, pipenv in the project": Shape(
        {"containerEnv": {"PIPENV_VENV_IN_PROJECT": "1"}, "postCreateCommand": "pipenv install --dev"},
        ("Pipfile",), DOT, DOT, "devcontainer.json",
    ),
    "made once, make": Shape(
        {"postCreateCommand": {"deps": "make install", "hooks": "git config core.hooksPath .githooks"},
         **settings("${workspaceFolder}/.venv/bin/python")},
        ("Makefile = install:\n\tpython3 -m venv .venv\n",), DOT, DOT, "devcontainer.json",
    ),
    "made once, a script": Shape(
        {"postCreateCommand": "bash .devcontainer/post-create.sh", **settings(".venv/bin/python")},
        (".devcontainer/post-create.sh = python3 -m venv .venv\n",), DOT, DOT, "devcontainer.json",
    ),
    "made where no directory is": Shape(
        {"postCreateCommand": "[ ! -d .venv ] && python3 -m venv .venv; .venv/bin/pip install -e ."},
        ("pyproject.toml",), DOT, DOT, "", GUARDED,
        lands="postCreateCommand makes .venv, which lands on the host too; let postCreateCommand, which makes none if "
        "there is such a directory, look for .venv/bin/python",
    ),
    "poetry with its defaults": Shape({"postCreateCommand": "poetry install"}, (POETRY, "poetry.lock")),
    "poetry that makes none": Shape(
        {"onCreateCommand": "poetry config virtualenvs.create false && poetry install"}, (POETRY,)
    ),
    "nested, backend/venv": Shape(
        {"postCreateCommand": "cd backend && python -m venv venv && venv/bin/pip install -r requirements.txt"},
        ("backend/requirements.txt",), ("backend/venv",), says=visible("backend/venv"),
        lands=lands("backend/venv"),
    ),
    "nested, dev/venv": Shape(
        {"postCreateCommand": "./dev/setup.sh"}, ("dev/setup.sh", "pyproject.toml"), ("dev/venv",),
        says=visible("dev/venv"),
    ),
    "nested, python/.venv": Shape(
        {"postCreateCommand": "cd python && uv sync", **settings("${workspaceFolder}/python/.venv/bin/python")},
        ("python/uv.lock",), ("python/.venv",), says=visible("python/.venv"),
        lands=lands("python/.venv"),
    ),
    "nested, .venv/default": Shape(
        {"postCreateCommand": "hatch env create", **settings(".venv/default/bin/python")},
        ("pyproject.toml",), (".venv/default",), DOT, "devcontainer.json",
    ),
    # Four more, which were right from the start: the project has taken care itself.
    "a volume": Shape(
        {"mounts": ["source=app-venv,target=${containerWorkspaceFolder}/.venv,type=volume"],
         "postCreateCommand": "uv sync"},
        ("uv.lock",), DOT, says=taken("/workspaces/app/.venv"), both=True,
    ),
    "a volume, as an object": Shape(
        {"mounts": [{"source": "venv", "target": "/workspaces/app/.venv", "type": "volume"}],
         "postCreateCommand": "sudo chown vscode .venv && uv sync"},
        ("uv.lock",), DOT, says=taken("/workspaces/app/.venv"), both=True,
    ),
    "a volume, among the run arguments": Shape(
        {"runArgs": ["-v", "venv:/workspaces/app/.venv"], "postCreateCommand": "poetry install"},
        (POETRY, "poetry.toml = [virtualenvs]\nin-project = true\n"), DOT, says=taken("/workspaces/app/.venv"),
        both=True,
    ),
    "a volume, at a place of the project's own": Shape(
        {"workspaceMount": "source=${localWorkspaceFolder},target=/srv/app,type=bind", "workspaceFolder": "/srv/app",
         "mounts": ["source=venv,target=/srv/app/.venv,type=volume"]},
        ("pdm.lock",), DOT, says=taken("/srv/app/.venv"), both=True,
    ),
}  # fmt: skip


def cli_line(app: Path, config: dict[str, Any]) -> list[str]:
    """Return the line by which the devcontainer CLI starts a container."""

    def substitute(text: str) -> str:
        folder = config.get("workspaceFolder", "/workspaces/app")
        return text.replace("${localWorkspaceFolder}", str(app)).replace("${containerWorkspaceFolder}", folder)

    mount = config.get("workspaceMount", f"type=bind,source={app},target=/workspaces/app,consistency=consistent")
    others = (
        entry if isinstance(entry, str) else "type={type},src={source},dst={target}".format(**entry)
        for entry in config.get("mounts", ())
    )
    return [
        *("run", "--sig-proxy=false", "-a", "STDOUT", "-a", "STDERR"),
        *(word for mount in (mount, *others) for word in ("--mount", substitute(mount))),
        *("-l", f"devcontainer.local_folder={app}", "-l", f"devcontainer.config_file={app / CONFIG}"),
        *(word for name, value in config.get("containerEnv", {}).items() for word in ("-e", f"{name}={value}")),
        *config.get("runArgs", ()),
        *("--entrypoint", "/bin/sh", "-l", "devcontainer.metadata=[]", "IMG", "-c", "echo Container started", "-"),
    ]


def tree(folder: Path) -> list[str]:
    """Return what is in the folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def made(shape: Shape) -> str:
    """Return the line that says that `.venv` was made."""
    more = "; the host's first `poetry install` makes it anew, so restart a running container after that"
    line = reserved(shape.evidence)
    is_of_poetry = any(file.startswith(("poetry", POETRY)) for file in shape.files)
    return line.replace("\n", f"{more}\n") if is_of_poetry else line


def targets(words: list[str]) -> list[str]:
    """Return the container paths of the shadows in a line."""
    found = []
    for option, value in pairwise(words):
        store = re.fullmatch(r"type=bind,source=[^,]*/paude/venvs/[^,]*/venv,target=([^,]*)", value)
        if option == "--tmpfs":
            found.append(value.partition(":")[0])
        elif option == "--mount" and store:
            found.append(store[1])
    return found


Start = Callable[[list[str]], tuple[list[str], str]]


@pytest.fixture
def start(
    programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Start:
    """Return a function that gives a line to the wrapper, and returns the words that the engine gets, and stderr."""
    docker = programs("docker", "echo Docker version 28.0.0, build x")
    lines: list[list[str]] = []

    def replace_process(_: str, words: Sequence[str]) -> int:
        lines.append([*words])
        return 0

    monkeypatch.setattr(run_line, "replace_process", replace_process)

    def start(line: list[str]) -> tuple[list[str], str]:
        assert run_line.launch(str(docker), line) == 0
        return lines.pop(), capsysbinary.readouterr().err.decode()

    return start


@pytest.mark.parametrize("name", SHAPES)
def test_a_launch_in_the_developers_folder(workspace: Path, start: Start, hook: Hook, name: str) -> None:
    shape = SHAPES[name]
    fill(workspace, f"{CONFIG} = {json.dumps(shape.config)}", *shape.files)
    fill(workspace, *(f"{venv}/pyvenv.cfg = version = 3.11.2" for venv in shape.venvs))
    before = tree(workspace)
    line = cli_line(workspace, shape.config)
    warning = f"paude-venv-hook: warning: {shape.says}\n" if shape.says else ""

    words, said = start(line)

    assert targets(words) == [f"/workspaces/app/{path}" for path in shape.shadows]
    assert [words[0], *words[1 + 2 * len(shape.shadows) :]] == line
    assert said == warning
    plan = planned(*shape.shadows, place=f"{workspace} mounted on /workspaces/app")
    nothing = (
        f"paude-venv-hook: nothing shadowed: no venv in {workspace}, and nothing says there will be one; "
        'if so, write "venv": [".venv"] in paude.json\n'
    )
    outcome = plan if shape.shadows else "" if warning else nothing
    assert hook("run", "--engine", "docker") == Done(0, "", warning + outcome)
    assert tree(workspace) == before


@pytest.mark.parametrize("name", SHAPES)
def test_a_launch_in_a_fresh_clone(workspace: Path, start: Start, name: str) -> None:
    shape = SHAPES[name]
    fill(workspace, f"{CONFIG} = {json.dumps(shape.config)}", *shape.files)
    before = tree(workspace)

    words, said = start(cli_line(workspace, shape.config))

    assert targets(words) == (["/workspaces/app/.venv"] if shape.evidence else [])
    warning = f"paude-venv-hook: warning: {shape.says}\n" if shape.both else ""
    warning += f"paude-venv-hook: warning: {shape.lands}\n" if shape.lands else ""
    assert said == warning + (made(shape) if shape.evidence else "")
    assert tree(workspace) == sorted([*before, *([".venv"] if shape.evidence else [])])


NO_BIND = json.dumps({"services": {"app": {"volumes": [{"type": "volume", "source": "src", "target": "/srv"}]}}})


@pytest.mark.parametrize(
    ("config", "answer", "why"),
    [
        pytest.param(
            {},
            f"echo '{NO_BIND}'",
            "the service app has no bind mount that holds the workspace folder; "
            'mount it, or write "venv": "none" in paude.json',
            id="a service without a bind of the workspace",
        ),
        pytest.param(
            {"initializeCommand": "./make-compose-file"},
            "echo 'open compose.yaml: no such file' >&2; exit 14",
            "docker compose config does not tell where it is mounted (it says: open compose.yaml: no such file); "
            "run docker compose config to see what is wrong",
            id="files that initializeCommand makes",
        ),
    ],
)
def test_a_compose_project_that_does_not_tell_where_the_workspace_is(
    workspace: Path,
    hook: Hook,
    programs: Callable[[str, str], Path],
    *,
    config: dict[str, Any],
    answer: str,
    why: str,
) -> None:
    config = {"dockerComposeFile": "compose.yaml", "service": "app", "workspaceFolder": "/srv", **config}
    fill(workspace, f"{CONFIG} = {json.dumps(config)}", "uv.lock")
    programs("docker", f'case "$*" in *version) ;; *config*) {answer};; *) echo Docker version 28.0.0, build x; esac')
    fill(workspace, ".venv/pyvenv.cfg")
    before = tree(workspace)
    use = "devcontainer-config, or print --format compose"

    said = f"the compose files decide what is mounted; use {use}"
    assert hook("run", "--engine", "docker") == Done(0, "", f"paude-venv-hook: warning: nothing shadowed: {said}\n")
    code, out, err = hook("devcontainer-config")
    assert (code, json.loads(out), err) == (0, config, f"paude-venv-hook: warning: nothing shadowed: {why}\n")
    assert tree(workspace) == before


def test_a_guard_is_noted_for_each_name_that_is_shadowed(workspace: Path, start: Start) -> None:
    config = {
        "onCreateCommand": "[ -d env ] || python3 -m venv env",
        "postCreateCommand": "test -d api/.venv || uv --directory api sync; [ -d gone ] || python3 -m venv gone",
    }
    fill(workspace, f"{CONFIG} = {json.dumps(config)}", "env/pyvenv.cfg", "api/.venv/pyvenv.cfg", "gone/file")
    fill(workspace, 'paude.json = {"venv-also": ["api/.venv"]}')

    _, said = start(cli_line(workspace, config))

    lines = [line for line in said.splitlines() if "makes no venv" in line]
    assert lines == [
        f"paude-venv-hook: warning: {key} makes no venv if there is a directory {name}, and its shadow is one: "
        f"let it look for {name}/bin/python"
        for key, name in (("onCreateCommand", "env"), ("postCreateCommand", "api/.venv"))
    ]
