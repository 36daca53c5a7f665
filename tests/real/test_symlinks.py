"""What a symlink leads to is shadowed if that is safe; what the hook refuses would have done harm."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from real.containers import HOOK, Engine, Launch, MakeVenv, bind, overlay_args, run, shadow_args, tree_hash


@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
@pytest.mark.proves("a symlinked `.venv` is shadowed where it leads to")
def test_the_directory_that_a_symlink_leads_to_is_shadowed(
    engine: Engine, workspace: Path, launch: Launch, make_host_venv: MakeVenv, absolute: bool
) -> None:
    target = make_host_venv(workspace / "envs/main")
    (workspace / ".venv").symlink_to(target if absolute else "envs/main")
    before = tree_hash(workspace)

    container = launch(workspace, *overlay_args(workspace, engine.name))

    assert container.sh("ls -A .venv/") == ""
    container.sh("python3 -m venv --without-pip envs/main; cp /bin/echo .venv/bin/binary; .venv/bin/binary")
    assert container.mounts()[str(target)][0] == "tmpfs"
    assert tree_hash(workspace) == before


def why_refused(engine: Engine, workspace: Path) -> list[str]:
    """Return why the hook does not shadow what it finds here."""
    printed = run(*HOOK, "print", "--format", "json", "--engine", engine.name, "--workspace-folder", workspace)
    document = json.loads(printed.stdout)
    assert (document["shadows"], document["runArgs"]) == ([], [])
    return [f"{skipped['path']}: {skipped['why']}" for skipped in document["skipped"]]


def shadow_all_the_same(engine: Engine, workspace: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run the script where `.venv` is shadowed with the arguments of an ordinary directory."""
    arguments = shadow_args(workspace, engine.name, "--venv", "ordinary")
    changed = [argument.replace("/ordinary:", "/.venv:") for argument in arguments]
    assert changed != arguments
    return engine.run(bind(workspace, workspace), *changed, script, check=False)


@pytest.mark.proves("control: a `.venv` that leads to a folder of the container's own would hide it")
def test_an_absolute_symlink_would_hide_a_folder_of_the_container(engine: Engine, workspace: Path) -> None:
    (workspace / ".venv").symlink_to("/usr/local")

    assert why_refused(engine, workspace) == [".venv: a symlink to /usr/local, outside of the workspace"]
    assert "bin\n" in engine.run("ls /usr/local").stdout
    assert shadow_all_the_same(engine, workspace, "ls -A /usr/local; echo started").stdout == "started\n"


@pytest.mark.proves("control: a `.venv` that leads out of the workspace would stop the start, or be elsewhere")
def test_a_symlink_out_of_the_workspace_would_stop_the_start_or_shadow_something_else(
    engine: Engine, workspace: Path
) -> None:
    outside = workspace.parent / "outside"
    outside.mkdir()
    (workspace / ".venv").symlink_to("../outside")

    assert why_refused(engine, workspace) == [".venv: a symlink to ../outside, outside of the workspace"]
    done = shadow_all_the_same(engine, workspace, f"grep -c ' {outside} .* tmpfs ' /proc/self/mountinfo")
    if engine.runtime == "crun":
        assert "No such file or directory" in done.stderr
        assert done.returncode == 127
    else:
        assert done.stdout == "1\n"


@pytest.mark.proves("control: a dangling `.venv` would stop the start, or make a folder on the host")
def test_a_dangling_symlink_would_stop_the_start_or_make_a_folder_on_the_host(engine: Engine, workspace: Path) -> None:
    (workspace / ".venv").symlink_to("envs/none")

    assert why_refused(engine, workspace) == [".venv: a symlink to envs/none, which does not exist or loops"]
    done = shadow_all_the_same(engine, workspace, "echo started")
    if engine.runtime == "crun":
        assert "No such file or directory" in done.stderr
        assert not (workspace / "envs").exists()
    else:
        assert (done.stdout, os.listdir(workspace / "envs")) == ("started\n", ["none"])


@pytest.mark.proves("control: a `.venv` that leads to itself, or is a file, would stop the start")
@pytest.mark.parametrize("what", ["loop", "file"])
def test_what_is_no_directory_would_stop_the_start(engine: Engine, workspace: Path, what: str) -> None:
    if what == "loop":
        (workspace / ".venv").symlink_to(".venv")
        reasons = [".venv: a symlink to .venv, which does not exist or loops"]
        message = "too many levels of symbolic links"
    else:
        (workspace / ".venv").write_text("no-such-folder\n")
        reasons, message = [], "not a directory"

    assert why_refused(engine, workspace) == reasons
    done = shadow_all_the_same(engine, workspace, "echo started")
    assert (done.stdout, message in done.stderr.lower()) == ("", True)
