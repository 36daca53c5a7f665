"""`venv-also`: directories besides those of `venv`, in what is planned, made and said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from conftest import Hook
from layout import fill, planned
from paude_venv_hook.workspace.contents import Directory, Kind
from paude_venv_hook.workspace.directories import find_directories
from paude_venv_hook.workspace.settings import read_settings, user_file


def rows(hook: Hook, *flags: str) -> list[dict[str, Any]]:
    """Return what `status --json` tells of each directory."""
    directories: list[dict[str, Any]] = json.loads(hook("status", "--json", "--engine", "docker", *flags).out)[
        "directories"
    ]
    return directories


@pytest.mark.parametrize(
    ("venv", "kinds"),
    [
        ("auto", {"env": Kind.VENV, ".venv": Kind.RESERVED, "node_modules": Kind.ALSO}),
        ([], {"node_modules": Kind.ALSO}),
        (["x"], {"x": Kind.LISTED, "node_modules": Kind.ALSO}),
    ],
)
def test_venv_also_is_besides_what_venv_says(workspace: Path, venv: object, kinds: dict[str, Kind]) -> None:
    settings = json.dumps({"venv": venv, "venv-also": ["node_modules"]})
    fill(workspace, "uv.lock", "env/pyvenv.cfg", "node_modules/x", f"paude.json = {settings}")

    detected = find_directories(str(workspace), read_settings(str(workspace), None, {}), (), (), same_path=False)

    assert {item.path: item.kind for item in detected.directories} == kinds
    assert detected.directories[-1] == Directory("node_modules", f"{workspace}/node_modules", Kind.ALSO)


def test_what_is_named_twice_is_shadowed_once(workspace: Path, hook: Hook) -> None:
    fill(workspace, "env/pyvenv.cfg", 'paude.json = {"venv-also": ["env", "*", "env/lib"]}')

    assert [(row["path"], row["state"], row["why"]) for row in rows(hook)] == [
        ("env", "shadowed", "venv"),
        ("env/lib", "skipped", "lies in env, which is shadowed as a whole"),
    ]


def test_none_is_none(workspace: Path, hook: Hook) -> None:
    fill(workspace, "env/pyvenv.cfg", 'paude.json = {"venv-also": ["node_modules"]}')

    assert rows(hook, "--venv", "none") == []


def test_a_wrong_entry_is_named_with_its_key(workspace: Path, hook: Hook) -> None:
    fill(workspace, "file", 'paude.json = {"venv-also": ["a", "file"]}')

    assert hook("run").err == (
        f'paude-venv-hook: error[settings]: {workspace}/paude.json: venv-also[1]: "file" is a file, and only a '
        "directory can be shadowed; remove the entry\n"
    )


def test_what_had_to_be_made_is_said(workspace: Path, hook: Hook) -> None:
    fill(workspace, "uv.lock", 'paude.json = {"venv-also": ["node_modules", ".cache"]}')

    done = hook("run", "--engine", "docker")

    assert (workspace / "node_modules").is_dir()
    assert done.err == (
        "paude-venv-hook: made an empty .venv, to keep the container's venv out of it (uv.lock); "
        '"venv": "none" in paude.json turns that off\n'
        f"paude-venv-hook: made an empty node_modules, .cache, which {workspace}/paude.json lists\n"
        + planned(".venv", "node_modules", ".cache")
    )


def test_the_line_on_what_stays_visible_names_venvs_alone(workspace: Path, hook: Hook) -> None:
    fill(workspace, ".tox/py/", "env/pyvenv.cfg", 'paude.json = {"venv-also": ["node_modules"]}', "node_modules/")
    shadowed = "stays visible in the container; to shadow what is there, write"

    assert hook("run", "--engine", "docker").err == (
        f'paude-venv-hook: warning: .tox {shadowed} "venv": ["env", ".tox"] in paude.json\n'
        + planned("env", "node_modules")
    )
    assert rows(hook)[-1]["why"] == 'holds environments one level down; to shadow it: "venv": ["env", ".tox"]'


def test_status_tells_of_it(workspace: Path, hook: Hook) -> None:
    Path(user_file()).parent.mkdir(parents=True)
    Path(user_file()).write_text('{"venv-also": ["node_modules", "packages/*/node_modules"]}')
    fill(workspace, "packages/a/node_modules/")

    told = json.loads(hook("status", "--json", "--engine", "docker").out)
    text = " ".join(hook("status", "--engine", "docker").out.split())

    assert told["venvAlso"] == ["node_modules", "packages/*/node_modules"]
    assert told["venvAlsoSource"] == user_file()
    assert [(row["path"], row["why"]) for row in told["directories"]] == [
        ("node_modules", "listed in venv-also"),
        ("packages/a/node_modules", "listed in venv-also"),
    ]
    assert f" venv-also node_modules, packages/*/node_modules ({user_file()}) storage " in text


def test_a_list_that_leaves_a_venv_visible_says_so_at_each_launch_as_status_does(workspace: Path, hook: Hook) -> None:
    fill(workspace, ".venv/pyvenv.cfg", "env/pyvenv.cfg", "uv.lock", 'paude.json = {"venv": ["env"]}')
    visible = (
        "paude-venv-hook: warning: .venv stays visible in the container; to shadow what is there, "
        'write "venv": ["env", ".venv"] in paude.json\n'
    )

    for _ in range(2):
        assert hook("run", "--engine", "docker").err == visible + planned("env")
    assert [(row["path"], row["state"]) for row in rows(hook)] == [("env", "shadowed"), (".venv", "not shadowed")]


@pytest.mark.parametrize(
    "entries",
    [
        ['paude.json = {"venv": []}', ".venv/pyvenv.cfg"],
        ['paude.json = {"venv": [".*", "env"]}', ".venv/pyvenv.cfg"],
        ['paude.json = {"venv": ["env"], "venv-also": [".venv"]}', ".venv/pyvenv.cfg"],
        [
            'paude.json = {"venv": ["env"]}',
            ".venv/",
            "uv.lock",
            ".tox/py/",
            "conda/conda-meta/",
            "back/.venv/pyvenv.cfg",
        ],
        ['paude.json = {"venv": ["env"]}', ".venv -> /usr"],
    ],
)
def test_a_list_that_leaves_none_visible_at_the_top_level_says_nothing(
    workspace: Path, hook: Hook, entries: list[str]
) -> None:
    fill(workspace, "env/pyvenv.cfg", *entries)

    assert "warning" not in hook("run", "--engine", "docker").err


def test_of_what_is_mounted_above_a_list_leaves_the_venv_visible_and_says_so(workspace: Path, hook: Hook) -> None:
    fill(workspace, "sub/.venv/pyvenv.cfg", 'sub/paude.json = {"venv": [".venv"]}', "env/pyvenv.cfg")
    config = {
        "workspaceMount": "source=${localWorkspaceFolder}/..,target=/src,type=bind",
        "workspaceFolder": "/src/sub",
    }
    fill(workspace, f"sub/.devcontainer.json = {json.dumps(config)}")

    visible = "../env stays visible in the container; only a paude.json in that folder can name it"
    done = hook("run", "--engine", "docker", "--workspace-folder", "sub")
    plan = planned(".venv", place=f"{workspace} mounted on /src")
    assert done.err == f"paude-venv-hook: warning: {visible}\n" + plan


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="permissions are those of POSIX")
@pytest.mark.parametrize(
    ("sealed", "line"),
    [
        (".", "nothing shadowed: {folder}: cannot be read: Permission denied; let yourself read it"),
        (
            "paude.json",
            "nothing shadowed: {folder}/paude.json: cannot be read: Permission denied; let yourself read it",
        ),
        (".devcontainer.json", ""),
        ("src", ""),
    ],
)
def test_what_this_user_cannot_read_stops_no_launch(sealed: str, line: str) -> None:
    code = """if True:
        import os, sys
        from paude_venv_hook.decision import decide
        from paude_venv_hook.engines.mounts import Mount
        from paude_venv_hook.launch import Launch
        from paude_venv_hook.notes import to_text
        launch = Launch("docker", mounts=(Mount("bind", sys.argv[1], "/app"),), folder=sys.argv[1])
        decide(launch, {})  # it loads what another user may have no access to
        os.setuid(os.getuid() or 65534)
        decision = decide(launch, {})
        print(len(decision.shadows), *map(to_text, decision.notes), sep="\\n")
    """
    with TemporaryDirectory() as place:  # pytest's own are closed to other users
        folder = fill(Path(place), ".venv/pyvenv.cfg", "paude.json = {}", ".devcontainer.json = {}", "src/x/")
        folder.chmod(0o777)
        (folder / sealed).chmod(0)
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
        (folder / sealed).chmod(0o700)

    assert done.stdout.splitlines() == (["0", line.format(folder=folder)] if line else ["1"])


def test_what_a_container_will_make_is_named_until_something_covers_it(workspace: Path, hook: Hook) -> None:
    command = "python3 -m venv env && uv --directory api sync && cd web && uv sync"
    fill(workspace, "paude.json = {}", "api/", "web/")

    def lines(**config: object) -> list[str]:
        text = json.dumps({"postCreateCommand": command, **config})
        (workspace / ".devcontainer.json").write_text(text)
        return [line for line in hook("run", "--engine", "docker").err.splitlines() if "lands on the host" in line]

    (line,) = lines()
    assert line.endswith(
        "postCreateCommand makes env, api/.venv, web/.venv, which lands on the host too; to shadow it, "
        'write "venv-also": ["env", "api/.venv", "web/.venv"] in paude.json'
    )
    (line,) = lines(mounts=["type=volume,source=x,target=/workspaces/app/env"])
    assert line.endswith('write "venv-also": ["api/.venv", "web/.venv"] in paude.json')

    (workspace / "paude.json").write_text('{"venv-also": ["env", "api/.venv", "web/.venv"]}')
    assert lines() == []
