"""What is removed of a store, and above all what is not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from paude_venv_hook.errors import StoreError
from paude_venv_hook.stores.folder import Record, make_store, stores_folder
from paude_venv_hook.stores.listing import Store
from paude_venv_hook.stores.purpose import Purpose
from paude_venv_hook.stores.removal import empty_store, remove_store

Remove = Callable[[Store], None]
APP = Purpose("/home/me/app", ".venv", "/app/.venv", "docker")


@pytest.fixture
def store() -> Store:
    """Return a store with something of everything in it."""
    return make(APP)


def make(purpose: Purpose) -> Store:
    venv = Path(make_store(purpose))
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to("/usr/bin/python3")
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\n")
    os.mkfifo(venv / "fifo")
    return Store(str(venv.parent), Record(purpose, "", ""), (), is_mounted=False, unasked="", has_workspace=True)


@pytest.fixture(params=[empty_store, remove_store])
def remove(request: pytest.FixtureRequest) -> Remove:
    """Return what empties a store, or removes it."""
    function: Remove = request.param
    return function


def refusal(remove: Remove, store: Store) -> str:
    with pytest.raises(StoreError) as caught:
        remove(store)
    return str(caught.value)


def test_the_folder_that_containers_mount_stays_when_it_is_emptied(store: Store) -> None:
    before = os.stat(store.venv)

    empty_store(store)

    assert os.listdir(store.venv) == []
    assert (os.stat(store.venv).st_ino, os.stat(store.venv).st_mode) == (before.st_ino, before.st_mode)
    if sys.platform == "linux":
        assert "system.posix_acl_default" in os.listxattr(store.venv)
    empty_store(store)


def test_nothing_is_left_of_a_store_that_is_removed(store: Store) -> None:
    other = make(APP._replace(path="env"))

    remove_store(store)

    assert sorted(os.listdir(stores_folder())) == ["CACHEDIR.TAG", other.name]
    assert sorted(os.listdir(other.venv)) == ["bin", "fifo", "pyvenv.cfg"]


def test_no_link_is_followed(store: Store, remove: Remove, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    for folder in (Path(store.venv), Path(store.venv, "bin")):
        (folder / "folder").symlink_to(outside)
        (folder / "file").symlink_to(outside / "file")

    remove(store)

    assert os.listdir(outside) == ["file"]


@pytest.mark.parametrize("where", ["", "bin"])
def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(
    store: Store, remove: Remove, tmp_path: Path, mocker: MockerFixture, where: str
) -> None:
    """A container that runs may do that, at the worst moment: after the folder was looked at."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    folder = Path(store.venv, where)
    (folder / "turned").mkdir()
    real = os.open

    def turn(path: str, flags: int, *arguments: int, dir_fd: int | None = None) -> int:
        if os.path.basename(path) == "turned" and not (folder / "turned").is_symlink():
            (folder / "turned").rename(tmp_path / "away")
            (folder / "turned").symlink_to(outside)
        return real(path, flags, *arguments, dir_fd=dir_fd)

    mocker.patch("os.open", turn)

    assert refusal(remove, store).startswith(f"{store.name}: cannot be removed: ")
    assert os.listdir(outside) == ["file"]


def test_a_venv_that_is_a_link_itself_is_not_followed(store: Store, tmp_path: Path) -> None:
    venv = Path(store.venv)
    venv.rename(tmp_path / "moved")
    venv.symlink_to(tmp_path / "moved")

    command = f"find {store.venv} -mindepth 1 -delete"
    assert refusal(empty_store, store) == f"{store.name}: cannot be removed: Not a directory; run {command}"
    remove_store(store)

    assert not os.path.exists(store.folder)
    assert sorted(os.listdir(tmp_path / "moved")) == ["bin", "fifo", "pyvenv.cfg"]


def test_a_store_without_its_venv_can_be_removed(store: Store) -> None:
    empty_store(store)
    os.rmdir(store.venv)

    remove_store(store)

    assert not os.path.exists(store.folder)


@pytest.mark.parametrize(
    ("engine", "rootless", "word"),
    [("docker", False, "sudo"), ("podman", False, "sudo"), ("podman", True, "podman unshare")],
)
def test_what_is_not_this_users_says_which_command_helps(
    mocker: MockerFixture, engine: str, rootless: bool, word: str
) -> None:
    store = make(APP._replace(engine=engine, rootless=rootless))
    mocker.patch("shutil.rmtree", side_effect=PermissionError(errno.EACCES, "Permission denied"))

    start = f"{store.name}: cannot be removed: Permission denied; run {word} "
    assert refusal(empty_store, store) == f"{start}find {store.venv} -mindepth 1 -delete"
    assert refusal(remove_store, store) == f"{start}rm -rf {store.folder}"
    assert os.path.exists(os.path.join(store.folder, "store.json"))


def test_the_command_that_helps_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "my data"))
    store = make(APP)
    mocker.patch("shutil.rmtree", side_effect=OSError(errno.EBUSY, "Device or resource busy"))
    said = {remove: refusal(remove, store) for remove in (empty_store, remove_store)}
    mocker.stopall()
    (Path(store.venv) / "more").touch()

    for remove, left in ((empty_store, True), (remove_store, False)):
        start, _, line = said[remove].partition("; run ")
        assert start == f"{store.name}: cannot be removed: Device or resource busy"
        subprocess.run(["sh", "-c", line], check=True)
        assert (os.path.exists(store.venv), os.path.exists(store.folder)) == (left, left)


def test_folders_that_lie_too_deep_are_one_line(store: Store, remove: Remove, mocker: MockerFixture) -> None:
    mocker.patch("shutil.rmtree", side_effect=RecursionError)

    assert refusal(remove, store).startswith(f"{store.name}: cannot be removed: its folders lie too deep; run ")
