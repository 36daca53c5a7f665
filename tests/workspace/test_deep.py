"""Venvs deeper than one level: a launch names those of worktrees, and `status` searches for the rest, within bounds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from layout import fill
from paude_venv_hook.workspace.contents import Kind, Unshadowed
from paude_venv_hook.workspace.deep import find_deep_venvs
from paude_venv_hook.workspace.detection import detect


def left(folder: Path, *mounted: Path) -> list[tuple[str, str]]:
    """Return the path and the reason of all that a launch leaves alone."""
    detected = detect(str(folder), [str(path) for path in mounted], (), same_path=False)
    return [(item.path, item.why) for item in detected.unshadowed]


@pytest.mark.parametrize("folder", [".claude", ".cursor", ".codex", "any"])
def test_the_venvs_in_a_folder_of_worktrees_are_named(workspace: Path, folder: str) -> None:
    fill(workspace, f"{folder}/worktrees/b/.venv/pyvenv.cfg", f"{folder}/worktrees/a/env/pyvenv.cfg")
    fill(workspace, f"{folder}/worktrees/c/src/.venv/pyvenv.cfg", f"{folder}/worktrees/file")

    assert left(workspace) == [
        (f"{folder}/worktrees/a/env", "a venv of a worktree"),
        (f"{folder}/worktrees/b/.venv", "a venv of a worktree"),
    ]


@pytest.mark.parametrize("relative", ["true", "false"])
def test_gits_own_list_names_worktrees_anywhere_in_the_workspace(workspace: Path, relative: str) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x", *words], cwd=workspace, check=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "x")
    for path in ("deep/down/here", ".trees/x", "../outside", ".claude/worktrees/agent"):
        git("-c", f"worktree.useRelativePaths={relative}", "worktree", "add", "-q", path, "-b", path.replace(".", "x"))
        fill(workspace, f"{path}/.venv/pyvenv.cfg")

    assert left(workspace) == [
        (".claude/worktrees/agent/.venv", "a venv of a worktree"),
        (".trees/x/.venv", "a venv one level down"),
        ("deep/down/here/.venv", "a venv of a worktree"),
    ]
    fill(workspace, "sub/")
    assert ("../deep/down/here/.venv", "a venv of a worktree") in left(workspace / "sub", workspace)


def test_a_list_of_worktrees_that_is_odd_leads_nowhere(workspace: Path) -> None:
    fill(workspace, ".git/worktrees/a/gitdir = /\n", ".git/worktrees/b/gitdir = \n", ".git/worktrees/c/")
    fill(workspace, f".git/worktrees/d/gitdir = {workspace}/.git\n", ".git/worktrees/e/gitdir = a\0b")
    fill(workspace, ".git/worktrees/f/gitdir = /no/such/.git", ".git/worktrees/file", "env/pyvenv.cfg")
    os.mkfifo(workspace / ".git/worktrees/c/gitdir")

    assert left(workspace) == []


def test_status_finds_venvs_at_any_depth_and_follows_no_symlink(workspace: Path) -> None:
    fill(workspace, "services/api/venv/pyvenv.cfg", "apps/x/y/.venv/pyvenv.cfg", ".venv/pyvenv.cfg", "up -> ..")
    fill(workspace, ".venv/lib/inner/pyvenv.cfg", "node_modules/a/.venv/pyvenv.cfg", ".git/x/pyvenv.cfg")
    fill(workspace, ".claude/worktrees/a/.venv/pyvenv.cfg", "loop -> .", "a/b/c/d/e/f/g/env/pyvenv.cfg")

    paths = [
        ".venv",
        "services/api/venv",
        "apps/x/y/.venv",
        ".claude/worktrees/a/.venv",
        "a/b/c/d/e/f/g/env",
    ]
    venvs, is_whole = find_deep_venvs(str(workspace))
    assert (sorted(venvs), is_whole) == (sorted(f"{workspace}/{path}" for path in paths), True)


def test_the_search_is_bounded_and_begins_with_what_is_nearest(workspace: Path, mocker: MockerFixture) -> None:
    for number in range(30):
        fill(workspace, f"a/{number:02}/x/y/", f"z/{number:02}/.venv/pyvenv.cfg")
    mocker.patch("paude_venv_hook.workspace.deep.MOST_DIRECTORIES", 63)
    scandir = mocker.spy(os, "scandir")

    venvs, is_whole = find_deep_venvs(str(workspace))

    assert (len(venvs), is_whole, scandir.call_count) == (30, False, 63)


def test_a_worktree_is_no_venv_of_this_folder(workspace: Path) -> None:
    fill(workspace, ".claude/worktrees/a/.venv/pyvenv.cfg")

    assert detect(str(workspace), (), (), same_path=False).unshadowed == [
        Unshadowed(".claude/worktrees/a/.venv", f"{workspace}/.claude/worktrees/a/.venv", Kind.OF_WORKTREE)
    ]
