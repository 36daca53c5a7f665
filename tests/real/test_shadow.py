"""A shadow is an empty place in which a venv works, and the host's tree is not touched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from real.containers import (
    OWNER,
    STRANGER,
    Engine,
    Launch,
    MakeVenv,
    as_owner,
    bind,
    overlay_args,
    run,
    shadow_args,
    tree_hash,
    use_venv,
)

proves = pytest.mark.proves
WHAT = "as {}: an empty tmpfs in which a venv works; the host's tree and venv as before"
USERS = [
    pytest.param(0, id="root", marks=proves(WHAT.format("root"))),
    pytest.param(OWNER, id="owner", marks=proves(WHAT.format("the owner of the workspace"))),
    pytest.param(STRANGER, id="stranger", marks=proves(WHAT.format("any other user"))),
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("read_only", [False, True], ids=["rw", "ro"])
def test_host_and_container_each_have_a_venv_that_works(
    engine: Engine,
    venv: Path,
    launch: Launch,
    wheelhouse: Path,
    user: int,
    read_only: bool,
    record_property: Callable[[str, object], None],
) -> None:
    workspace = venv.parent
    before = tree_hash(workspace)

    arguments = shadow_args(workspace, engine.name)
    wheels = bind(wheelhouse, "/wheels", read_only=True)
    container = launch(workspace, *arguments, wheels, user=user, read_only=read_only)

    assert container.sh("ls -A .venv") == ""
    kind, options = container.mounts()[str(venv)]
    assert (kind, options & {"rw", "ro", "noexec", "nosuid", "nodev"}) == ("tmpfs", {"rw", "nosuid", "nodev"})
    if engine.ignores_mode and user == STRANGER:
        assert "Permission denied" in container.exec("touch", ".venv/file").stderr
        record_property("result", "only with `venv-tmpfs`")
    else:
        use_venv(container)
    assert tree_hash(workspace) == before
    run(venv / "bin/python", "-B", "-c", "import markupsafe._speedups")

    (workspace / "new.py").write_text("print('written on the host')\n")
    assert container.sh("python3 new.py; ls -A").split("\n")[:-1] == [
        "written on the host",
        *sorted(os.listdir(workspace)),
    ]


@pytest.mark.parametrize("user", [0, STRANGER], ids=["root", "stranger"])
def test_a_user_that_venv_tmpfs_names_can_use_the_shadow(
    engine: Engine, workspace: Path, venv: Path, launch: Launch, user: int
) -> None:
    settings = {"venv-tmpfs": {"uid": user, "gid": user}}
    (workspace / "paude.json").write_text(json.dumps(settings))

    container = launch(workspace, *shadow_args(workspace, engine.name), user=user)

    assert container.sh("cp /bin/echo .venv/binary; .venv/binary it runs") == "it runs\n"


@proves("several venvs at once, those of a list also further down")
def test_each_directory_of_a_list_is_a_shadow_of_its_own(
    engine: Engine, workspace: Path, launch: Launch, make_host_venv: MakeVenv
) -> None:
    names = [".venv", "packages/api/.venv", "packages/web app/env", "new/.tox"]
    for name in names[:-1]:
        make_host_venv(workspace / name)
    as_owner("mkdir", workspace / "new")
    (workspace / "paude.json").write_text(json.dumps({"venv": names}))
    before = tree_hash(workspace / "packages")

    target = "/workspaces/app"
    arguments = overlay_args(workspace, engine.name, "--container-workspace-folder", target)
    container = launch(workspace, *arguments, target=target)

    for name in names:
        assert container.sh('ls -A "$1"; echo "$1" >"$1/mark"', name) == ""
    assert [container.sh('ls -A "$1"; cat "$1/mark"', name) for name in names] == [f"mark\n{name}\n" for name in names]
    assert tree_hash(workspace / "packages") == before
    assert os.listdir(workspace / names[-1]) == []
