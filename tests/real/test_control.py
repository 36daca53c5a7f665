"""The control group: what goes wrong without the hook, or with the arguments of the other engine."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from real.containers import OWNER, Engine, Launch, bind, overlay_args, shadow_args, tree_hash

NAIVE = "--mount=type=tmpfs,destination={}"


@pytest.mark.parametrize("engine", ["podman"], indirect=True)
@pytest.mark.proves("control: the plain `--mount type=tmpfs` shows the host's venv")
def test_podmans_plain_tmpfs_shows_the_hosts_venv(engine: Engine, workspace: Path, launch: Launch, venv: Path) -> None:

    container = launch(workspace, NAIVE.format(venv))

    assert container.mounts()[str(venv)][0] == "tmpfs"
    assert container.sh("cat .venv/pyvenv.cfg") == (venv / "pyvenv.cfg").read_text()


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
@pytest.mark.proves("control: in the plain `--mount type=tmpfs` no venv works")
def test_no_venv_works_in_dockers_plain_tmpfs(
    engine: Engine, workspace: Path, launch: Launch, wheelhouse: Path
) -> None:
    (workspace / ".venv").mkdir()

    container = launch(workspace, NAIVE.format(workspace / ".venv"), bind(wheelhouse, "/wheels", read_only=True))
    container.sh("python3 -m venv .venv; .venv/bin/python -m pip install --no-index --find-links=/wheels markupsafe")

    assert container.exec("sh", "-c", ".venv/bin/pip --version").stderr.endswith(".venv/bin/pip: Permission denied\n")
    imported = container.exec("sh", "-c", ".venv/bin/python -c 'import markupsafe._speedups'")
    assert "failed to map segment from shared object" in imported.stderr


@pytest.mark.parametrize(
    ("engine", "other", "message"),
    [("docker", "podman", "invalid tmpfs option"), ("podman", "docker", "invalid mount option")],
    indirect=["engine"],
)
@pytest.mark.proves("the other engine's arguments are refused before the start")
def test_the_arguments_for_the_other_engine_are_refused(
    engine: Engine, workspace: Path, venv: Path, other: str, message: str
) -> None:
    (workspace / "paude.json").write_text('{"venv-tmpfs": {"size": "1g"}}')
    before = tree_hash(workspace)
    arguments = [bind(workspace, workspace), *shadow_args(workspace, other), f"touch '{workspace}/it-started'"]

    done = engine.run(*arguments, check=False)

    assert (done.returncode, message in done.stderr) == (125, True)
    assert tree_hash(workspace) == before


@pytest.mark.proves("`venv: none`: the host's venv is visible, as asked")
def test_none_leaves_the_hosts_venv_visible(engine: Engine, workspace: Path, launch: Launch, venv: Path) -> None:
    assert overlay_args(workspace, engine.name) != []
    (workspace / "paude.json").write_text(json.dumps({"venv": "none"}))

    arguments = overlay_args(workspace, engine.name)
    container = launch(workspace, *arguments, user=OWNER)

    assert arguments == []
    assert container.sh("cat .venv/pyvenv.cfg") == (venv / "pyvenv.cfg").read_text()
    container.sh("touch .venv/from-the-container")
    assert (venv / "from-the-container").exists()


@pytest.mark.parametrize("named", [True, False], ids=["named", "anonymous"])
@pytest.mark.proves(
    "control: a volume on `.venv` gets what the image holds there, and an anonymous one is another each time"
)
def test_a_volume_gets_what_the_image_holds_and_an_anonymous_one_does_not_stay(
    engine: Engine, workspace: Path, launch: Launch, named: bool
) -> None:
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    try:
        first, second = (
            launch(workspace, f"--volume={name}:/etc/apt" if named else "--volume=/etc/apt") for _ in range(2)
        )
        first.sh("touch /etc/apt/made")

        assert "sources.list.d\n" in first.sh("ls /etc/apt")
        assert ("made\n" in second.sh("ls /etc/apt")) == named
    finally:
        for container in (first, second):
            engine("rm", "--force", "--volumes", container.name)
        engine("volume", "rm", "--force", name)


@pytest.mark.parametrize("named", [True, False], ids=["named", "anonymous"])
@pytest.mark.proves("control: in a volume on `.venv` only root can make a venv")
def test_in_a_volume_only_root_can_make_a_venv(engine: Engine, workspace: Path, launch: Launch, named: bool) -> None:
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    (workspace / ".venv").mkdir()
    container = launch(workspace, f"--volume={name}:{workspace}/.venv" if named else f"--volume={workspace}/.venv")
    try:
        done = container.exec("mkdir", ".venv/bin", user=OWNER)

        assert (done.returncode, "Permission denied" in done.stderr) == (1, True)
        container.sh("mkdir .venv/bin", user=0)
    finally:
        engine("rm", "--force", "--volumes", container.name)
        engine("volume", "rm", "--force", name)
