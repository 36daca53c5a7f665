"""What is kept of the last launch through a way in that has no voice, and who tells of it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from conftest import Hook, MakeVenv
from layout import fill
from paude_venv_hook.launchers.last_launch import LastLaunch, read_last_launch
from paude_venv_hook.launchers.oci import filter_config


def launch(*folders: Path) -> bytes:
    """Start a container that binds these folders, as Podman's hook sees it."""
    mounts = [{"type": "bind", "source": str(folder), "destination": f"/{folder.name}"} for folder in folders]
    return filter_config(json.dumps({"mounts": mounts}).encode(), os.environ)[0]


def kept(home: Path) -> list[Path]:
    """Return the files that are kept."""
    return sorted((home / ".local" / "state" / "paude" / "last-launches").iterdir())


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace that has opted in, with a venv and one further down."""
    make_venv(workspace / ".venv")
    make_venv(workspace / "backend" / ".venv")
    return fill(workspace, "paude.json = {}")


def test_status_and_verify_tell_of_the_last_launch(app: Path, hook: Hook) -> None:
    launch(app)

    text = " ".join(hook("status").out.split())
    assert "launched less than a minute ago, through Podman's hook: shadowed .venv" in text
    assert "less than a minute ago, through Podman's hook: backend/.venv stays visible in the container" in text
    lines = json.loads(hook("status", "--json").out)["lastLaunch"]
    assert lines[0] == "less than a minute ago, through Podman's hook: shadowed .venv"


def test_wrong_settings_are_kept_too(app: Path, hook: Hook) -> None:
    fill(app, 'paude.json = {"venv": 1}')
    launch(app)
    fill(app, "paude.json = {}")

    wrong = f'{app}/paude.json: venv: must be "auto", "none" or a list of directories, not a number'
    assert json.loads(hook("status", "--json").out)["lastLaunch"] == [
        "less than a minute ago, through Podman's hook: shadowed nothing",
        f"less than a minute ago, through Podman's hook: {wrong}",
    ]


def test_so_are_wrong_settings_of_a_folder_above_what_is_bound(app: Path, hook: Hook) -> None:
    fill(app, 'paude.json = {"venv": 1}')
    launch(app / "backend")
    fill(app, "paude.json = {}")

    assert json.loads(hook("status", "--json").out)["lastLaunch"] == [
        "less than a minute ago, through Podman's hook: shadowed nothing",
        f'less than a minute ago, through Podman\'s hook: {app}/paude.json: venv: must be "auto", "none" or a list of '
        "directories, not a number",
    ]


@pytest.mark.parametrize(
    ("seconds", "ago"),
    [
        (0, "less than a minute ago"),
        (61, "1 minute ago"),
        (180, "3 minutes ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
    ],
)
def test_how_long_ago_is_said_as_people_do(seconds: int, ago: str) -> None:
    assert LastLaunch("x", seconds, ("env",), ()).lines() == [f"{ago}, through x: shadowed env"]


def test_a_file_is_private_and_only_its_time_changes_with_the_same_launch(app: Path, home: Path) -> None:
    launch(app)
    (path,) = kept(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    data, inode = path.read_bytes(), path.stat().st_ino
    os.utime(path, (1, 1))

    launch(app)

    assert (path.read_bytes(), path.stat().st_ino) == (data, inode)
    assert path.stat().st_mtime > 1


def test_no_more_than_some_files_are_kept_and_the_oldest_goes(app: Path, home: Path) -> None:
    launch(app)
    (first,) = kept(home)
    os.utime(first, (1, 1))
    for index in range(199):
        fill(first.parent, f"other-{index}.json = {{}}")
    other = fill(app.parent / "second", "paude.json = {}")

    launch(other)

    assert len(kept(home)) == 200
    assert not first.exists()
    assert read_last_launch(str(other)) is not None


@pytest.mark.parametrize("data", ["", "null", "[1]", '{"version": 2}', '{"version": 1, "notes": 7}', "[" * 100_000])
def test_a_file_that_is_not_ours_tells_nothing_and_breaks_nothing(app: Path, home: Path, data: str, hook: Hook) -> None:
    launch(app)
    kept(home)[0].write_text(data)

    assert hook("status").code == 0


def test_what_cannot_be_kept_stops_no_launch(app: Path, home: Path) -> None:
    fill(home, ".local/state = a file")

    assert b"tmpfs" in launch(app)
    assert read_last_launch(str(app)) is None
