"""What `status` says of a workspace, as text for a person and as JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from conftest import Hook, MakeVenv
from installed import StandIns
from layout import fill
from paude_venv_hook.commands.status import make_report, render
from paude_venv_hook.installation.coverage import Launches
from paude_venv_hook.launchers.flags import decide_by_flags
from paude_venv_hook.workspace.venv import describe

LAUNCHES = [
    Launches("docker", "", "`paude-venv-hook install` changes that"),
    Launches("podman", "hook", "Podman's hook /etc/containers/paude-venv-hook.d/paude-venv-hook.json"),
]


def report(folder: Path, **flags: Any) -> dict[str, Any]:
    """Return the report of a workspace, with `/home/me` in place of the folder above it."""
    answer = decide_by_flags(str(folder), os.environ, **{"engine": "docker", **flags})
    made = make_report(
        {"": answer},
        engine_why="--engine",
        overlay_path="/home/me/.cache/app.json",
        overlay_state="not written yet",
        launches=LAUNCHES,
    )
    short: dict[str, Any] = json.loads(json.dumps(made).replace(str(folder.parent), "/home/me"))
    return short


@pytest.fixture
def rich(workspace: Path) -> Path:
    """Return a workspace with something of everything."""
    return fill(
        workspace,
        ".venv/pyvenv.cfg = uv = 0.9.6\nversion_info = 3.11.2\n",
        "a directory with quite a long name/pyvenv.cfg = virtualenv = 20.24.0\nversion_info = 3.13.0.final.0\n",
        "data/pyvenv.cfg",
        "env/pyvenv.cfg = version = 3.12.1\n",
        "old/bin/activate",
        "old/lib/python2.7/orig-prefix.txt",
        ".tox/py/",
        "conda/conda-meta/",
        'paude.json = {"vnev": []}',
        '.devcontainer.json = {"mounts": ["type=volume,source=x,target=/workspaces/app/data"]}',
    )


NOTHING_MAKES_IT = "auto: memory (nothing in devcontainer.json makes the venv)"
HEAD = """\
workspace  /home/me/app
mount      {mount}
venv       {venv}
storage    {storage}
engine     docker (--engine)
overlay    not written yet: /home/me/.cache/app.json
docker     not covered: `paude-venv-hook install` changes that
podman     covered: Podman's hook
           /etc/containers/paude-venv-hook.d/paude-venv-hook.json
"""
RICH = (
    HEAD.format(
        mount="/home/me/app → /workspaces/app (default of devcontainer.json)",
        venv="auto (default)",
        storage=NOTHING_MAKES_IT,
    )
    + """
.venv  shadowed      venv, Python 3.11.2, made by uv 0.9.6
a directory with quite a long name
       shadowed      venv, Python 3.13.0, made by virtualenv 20.24.0
env    shadowed      venv, Python 3.12.1, made by venv
old    shadowed      virtualenv without pyvenv.cfg
data   skipped       the configuration mounts something on /workspaces/app/data
                     already
.tox   not shadowed  holds environments one level down; to shadow it: "venv":
                     [".venv", "a directory with quite a long name", "env",
                     "old", ".tox"]
conda  not shadowed  a conda environment; to shadow it: "venv": [".venv", "a
                     directory with quite a long name", "env", "old", "conda"]

warning: /home/me/app/paude.json: key "vnev" is not known here (did you mean
         "venv"?)
"""
)


def test_the_text_of_a_workspace_with_everything(rich: Path) -> None:
    text = render(report(rich), colour=False)

    assert text == RICH
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_json_of_a_workspace_with_everything(rich: Path) -> None:
    made = report(rich)
    rows = made.pop("directories")

    assert made == {
        "workspaceFolder": "/home/me/app",
        "workspaceMount": {"source": "/home/me/app", "target": "/workspaces/app"},
        "workspaceMountWhy": "default of devcontainer.json",
        "venv": "auto",
        "venvSource": "default",
        "venvAlso": [],
        "venvAlsoSource": "default",
        "storage": "auto",
        "storageSource": "default",
        "storageWhy": "memory (nothing in devcontainer.json makes the venv)",
        "stores": {"all": 0, "workspaceGone": 0},
        "engine": "docker",
        "engineWhy": "--engine",
        "overlay": "/home/me/.cache/app.json",
        "overlayState": "not written yet",
        "launches": [
            {"engine": "docker", "coveredBy": None, "why": "`paude-venv-hook install` changes that"},
            {
                "engine": "podman",
                "coveredBy": "hook",
                "why": "Podman's hook /etc/containers/paude-venv-hook.d/paude-venv-hook.json",
            },
        ],
        "lastLaunch": None,
        "warnings": ['/home/me/app/paude.json: key "vnev" is not known here (did you mean "venv"?)'],
        "whyNothing": None,
    }
    assert rows[0] == {
        "path": ".venv",
        "state": "shadowed",
        "why": "venv",
        "destination": "/workspaces/app/.venv",
        "python": "3.11.2",
        "maker": "uv 0.9.6",
    }
    assert [(row["path"], row["state"], row.get("python"), row.get("maker")) for row in rows[1:]] == [
        ("a directory with quite a long name", "shadowed", "3.13.0", "virtualenv 20.24.0"),
        ("env", "shadowed", "3.12.1", "venv"),
        ("old", "shadowed", None, None),
        ("data", "skipped", None, None),
        (".tox", "not shadowed", None, None),
        ("conda", "not shadowed", None, None),
    ]


def test_colour_is_only_on_the_states_and_changes_nothing_else(rich: Path) -> None:
    text = render(report(rich), colour=True)

    assert re.sub(r"\x1b\[[0-9]*m", "", text) == RICH
    assert re.findall(r"\x1b\[([0-9]+)m([a-z ]+)\x1b\[0m", text) == [
        *[("32", "shadowed")] * 4,
        ("33", "skipped"),
        *[("2", "not shadowed")] * 2,
    ]


def test_a_directory_called_like_a_state_keeps_its_colour(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / "x  shadowed")

    lines = render(report(workspace), colour=True).splitlines()

    assert lines[-1] == "x  shadowed  \x1b[32mshadowed\x1b[0m  venv, Python 3.11.2, made by venv"


AT_SRC = "/home/me/app → /src (--container-workspace-folder)"
COMPOSE = "the compose files decide what is mounted; use\n{}devcontainer-config, or print --format compose"
# What is there, the flags, what the head says of the mount and of `venv`, and the directories below it.
WORKSPACES = {
    "nothing to shadow": (
        [], {}, f"/home/me/app → /home/me/app (no devcontainer.json: the same path as\n{11 * ' '}here)",
        "auto (default)",
        """
        nothing shadowed: no venv in /home/me/app, and nothing says there will be one;
        if so, write "venv": [".venv"] in paude.json
        """,
    ),
    "reserved": (
        ["uv.lock", ".tox/py/"], {"container_workspace_folder": "/src"}, AT_SRC, "auto (default)",
        """
        .venv  reserved      for the first venv made here (uv.lock)
        .tox   not shadowed  holds environments one level down; to shadow it: "venv":
                             [".venv", ".tox"]
        """,
    ),
    "none": (
        [".venv/pyvenv.cfg", ".tox/"], {"venv": "none"},
        "none (not looked up, since venv is none)", "none (--venv)",
        """
        nothing shadowed: venv is none (--venv)
        """,
    ),
    "an empty list": (
        [".venv/pyvenv.cfg", 'paude.json = {"venv": []}'], {"container_workspace_folder": "/src"}, AT_SRC,
        "nothing (empty list) (/home/me/app/paude.json)",
        """
        .venv  not shadowed  venv; to shadow it: "venv": [".venv"]
        """,
    ),
    "a list": (
        ["api/"], {"venv": "api/.venv,.tox,no/env", "container_workspace_folder": "/src"}, AT_SRC,
        "api/.venv, .tox, no/env (--venv)",
        """
        api/.venv  shadowed  listed
        .tox       shadowed  listed
        no/env     skipped   no does not exist, so there is no place for a mount point;
                             make it
        """,
    ),
    "compose": (
        [".venv/pyvenv.cfg", '.devcontainer.json = {"dockerComposeFile": "c.yaml"}'], {},
        f"none ({COMPOSE.format(11 * ' ')})", "auto (default)",
        f"""
        .      skipped  {COMPOSE.format(24 * " ")}
        .venv  skipped  venv; {COMPOSE.format(24 * " ")}
        """,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "flags", "mount", "venv", "directories"), WORKSPACES.values(), ids=WORKSPACES)
def test_the_text_of_a_simple_workspace(
    workspace: Path, entries: list[str], flags: dict[str, str], mount: str, venv: str, directories: str
) -> None:
    text = render(report(fill(workspace, *entries), **flags), colour=False)

    storage = NOTHING_MAKES_IT if ".devcontainer.json" in str(entries) else "auto: memory (no devcontainer.json)"
    assert text == HEAD.format(mount=mount, venv=venv, storage=storage) + textwrap.dedent(directories)


def test_a_name_is_shown_on_one_line_without_what_a_terminal_would_obey(workspace: Path) -> None:
    fill(workspace, "x\n\x1b[2J/pyvenv.cfg = version = 3\x1b[0m\n", "y\x1b[2J/conda-meta/")

    made = report(workspace)

    assert [row["path"] for row in made["directories"]] == [r"x\n\x1b[2J", r"y\x1b[2J"]
    assert "\x1b" not in render(made, colour=False)


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system of macOS takes only UTF-8")
def test_names_that_are_not_utf8_can_be_written(workspace: Path) -> None:
    for name in (b"c\xff/conda-meta", b"v\xff"):
        os.makedirs(os.path.join(os.fsencode(workspace), name))
    (Path(os.fsdecode(os.fsencode(workspace) + b"/v\xff")) / "pyvenv.cfg").touch()

    made = report(workspace)

    assert [row["path"] for row in made["directories"]] == [r"v\udcff", r"c\udcff"]
    json.dumps(made, ensure_ascii=False).encode()
    render(made, colour=False).encode()


def test_the_list_that_would_shadow_more_names_only_what_a_list_may(workspace: Path, make_venv: MakeVenv) -> None:
    subprocess.run(["git", "init", "-q", str(workspace)], check=True)
    make_venv(workspace / ".venv")
    make_venv(workspace / "api" / "env")
    fill(workspace / "api", ".devcontainer.json = {}", ".tox/py/")

    rows = report(workspace / "api")["directories"]

    assert [row["path"] for row in rows] == ["env", "../.venv", ".tox"]
    assert rows[2]["why"] == 'holds environments one level down; to shadow it: "venv": ["env", ".tox"]'


def test_a_venv_file_that_names_no_venv_gets_no_advice(workspace: Path) -> None:
    assert report(fill(workspace, ".venv = app-Xy12"))["directories"] == [
        {"path": ".venv", "state": "not shadowed", "why": "a file that names no venv of the workspace"}
    ]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", {}),
        ("home = /usr/bin\n", {"maker": "venv"}),
        ("home = /usr/bin\nversion = 3.11.2\n", {"python": "3.11.2", "maker": "venv"}),
        ("VERSION=3.11.2\r\nhome=/usr\r\n", {"python": "3.11.2", "maker": "venv"}),
        ("uv = 0.9.6\nversion_info = 3.11.2\n", {"python": "3.11.2", "maker": "uv 0.9.6"}),
        ("virtualenv = 20.0\nversion_info = 3.9.1.final.0", {"python": "3.9.1", "maker": "virtualenv 20.0"}),
        (
            "virtualenv = 21.0\nversion_info = 3.9.1.final.0\nversion = 3.9.1",
            {"python": "3.9.1", "maker": "virtualenv 21.0"},
        ),
        ("version_info = 3.15.0.alpha.1\n", {"python": "3.15.0.alpha.1", "maker": "venv"}),
        ("prompt = version = 1\n", {"maker": "venv"}),
        ("version = \udcff\n", {"python": "\ufffd", "maker": "venv"}),
    ],
)
def test_python_and_maker_are_read_from_pyvenv_cfg(tmp_path: Path, text: str, facts: dict[str, str]) -> None:
    (tmp_path / "pyvenv.cfg").write_bytes(text.encode(errors="surrogateescape"))

    assert describe(str(tmp_path)) == facts


def test_python_and_maker_of_a_real_venv(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)

    assert describe(f"{tmp_path}/v") == {"python": ".".join(map(str, sys.version_info[:3])), "maker": "venv"}


def test_a_listed_directory_with_a_fifo_for_a_pyvenv_cfg_does_not_block(workspace: Path) -> None:
    fill(workspace, ".tox/")
    os.mkfifo(workspace / ".tox" / "pyvenv.cfg")

    assert report(workspace, venv=".tox")["directories"] == [
        {"path": ".tox", "state": "shadowed", "why": "listed", "destination": "/home/me/app/.tox"}
    ]


def test_what_covers_launches_of_the_workspace_is_looked_up(
    workspace: Path, hook: Hook, stand_ins: StandIns, own_socket: Path, proxy: None
) -> None:
    fill(workspace, "paude.json = {}")
    stand_ins.add("docker")
    stand_ins.add_context("paude-venv", f"unix://{own_socket}")
    stand_ins.use_context("paude-venv")

    assert "\ndocker     covered: the docker context paude-venv\n" in hook("status").out
    assert json.loads(hook("status", "--json", "--workspace-folder", ".").out)["launches"] == [
        {"engine": "docker", "coveredBy": "context", "why": "the docker context paude-venv"}
    ]


def test_status_names_venvs_at_any_depth(workspace: Path, hook: Hook) -> None:
    fill(workspace, "services/api/venv/pyvenv.cfg", "apps/x/y/.venv/pyvenv.cfg", ".claude/worktrees/a/.venv/pyvenv.cfg")
    fill(workspace, ".venv/pyvenv.cfg", ".venv/lib/x/pyvenv.cfg", ".tox/py/pyvenv.cfg", "back/.venv/pyvenv.cfg")

    named = [(row["path"], row["state"], row["why"].partition(";")[0]) for row in report(workspace)["directories"]]

    assert named == [
        (".venv", "shadowed", "venv"),
        (".claude/worktrees/a/.venv", "not shadowed", "a venv of a worktree"),
        (".tox", "not shadowed", "holds environments one level down"),
        ("back/.venv", "not shadowed", "a venv one level down"),
        ("services/api/venv", "not shadowed", "a venv further down"),
        ("apps/x/y/.venv", "not shadowed", "a venv further down"),
    ]
    launch = hook("run", "--engine", "docker").err
    assert ".claude/worktrees/a/.venv, .tox, back/.venv stay visible in the container" in launch
    fill(workspace, 'paude.json = {"venv": [".venv", "services/*/venv", "apps"]}')
    hidden = [row["path"] for row in report(workspace)["directories"] if row["state"] == "not shadowed"]
    assert hidden == [".claude/worktrees/a/.venv", ".tox", "back/.venv"]


def test_a_search_that_comes_to_no_end_is_said(workspace: Path, mocker: MockerFixture) -> None:
    for number in range(10):
        fill(workspace, f"a/{number}/")
    mocker.patch("paude_venv_hook.workspace.deep.MOST_DIRECTORIES", 5)

    assert report(workspace)["warnings"] == [
        "only 5000 directories were searched for venvs; list what lies deeper, if it matters"
    ]


@pytest.mark.parametrize(
    ("entries", "flags", "code"),
    [
        ([], [], 0),
        ([".venv/pyvenv.cfg"], [], 0),
        (["uv.lock"], [], 0),
        (["api/.venv/pyvenv.cfg"], [], 1),
        (["api/.venv/pyvenv.cfg"], ["--venv", "api/.venv"], 0),
        ([".venv/pyvenv.cfg"], ["--venv", "env"], 1),
        ([".venv/pyvenv.cfg"], ["--venv", "none"], 1),
        (["uv.lock"], ["--venv", "none"], 0),
        ([".venv -> ../lib"], [], 1),
        (["pyvenv.cfg"], [], 0),
        ([".tox/py311/pyvenv.cfg"], [], 1),
        (['paude.json = {"venv": ["api/.venv"]}'], [], 0),
        # The project has taken care itself, or nothing of the host is mounted.
        (
            [".venv/pyvenv.cfg", '.devcontainer.json = {"mounts": ["type=volume,src=v,dst=/workspaces/app/.venv"]}'],
            [],
            0,
        ),
        ([".venv/pyvenv.cfg", '.devcontainer.json = {"workspaceMount": "", "workspaceFolder": "/app"}'], [], 0),
    ],
)
def test_a_check_ends_with_1_if_a_venv_of_the_host_would_be_visible(
    workspace: Path, hook: Hook, entries: list[str], flags: list[str], code: int
) -> None:
    (workspace.parent / "lib").mkdir()
    fill(workspace.parent / "lib", "pyvenv.cfg")
    fill(workspace, *entries)

    assert hook("status", "--check", *flags).code == code
    assert hook("status", "--check", "--json", *flags).code == code
    assert hook("status", *flags).code == 0


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_in_a_subfolder_the_workspace_above_is_named(
    workspace: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fill(workspace, f"{name}/pyvenv.cfg", "src/")
    monkeypatch.chdir(workspace / "src")

    why = json.loads(hook("status", "--json").out)["whyNothing"]

    assert why == (
        f"nothing shadowed: no venv in {workspace}/src; the workspace seems to be ..; "
        "if so, write --workspace-folder .."
    )


def test_a_venv_that_does_not_run_here_is_told_so_once(workspace: Path) -> None:
    fill(workspace, ".venv/pyvenv.cfg = home = /no/such", ".venv/bin/activate = VIRTUAL_ENV=/code/.venv\n")

    told = report(workspace)

    (row,) = told["directories"]
    trouble = "does not run on this machine: made in a container at /code/.venv: make it anew"
    assert (row["why"], told["warnings"]) == (f"venv; {trouble}", [])
