"""What is removed of a store, and above all what is not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pytest_mock import MockerFixture

from paude_venv_hook.errors import StoreError
from paude_venv_hook.stores.folder import Record, make_store, stores_folder
from paude_venv_hook.stores.listing import Store
from paude_venv_hook.stores.purpose import Purpose
from paude_venv_hook.stores.removal import empty_store, remove_store

Remove = Callable[[Store], None]
MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made there
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
    mocker.patch("os.rmdir", side_effect=PermissionError(errno.EACCES, "Permission denied"))

    start = f"{store.name}: cannot be removed: Permission denied; run {word} "
    assert refusal(empty_store, store) == f"{start}find {store.venv} -mindepth 1 -delete"
    assert refusal(remove_store, store) == f"{start}rm -rf {store.folder}"
    assert os.path.exists(os.path.join(store.folder, "store.json"))


def test_the_command_that_helps_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "my data"))
    store = make(APP)
    mocker.patch("os.rmdir", side_effect=OSError(errno.EBUSY, "Device or resource busy"))
    said = {remove: refusal(remove, store) for remove in (empty_store, remove_store)}
    mocker.stopall()
    (Path(store.venv) / "more").touch()

    for remove, left in ((empty_store, True), (remove_store, False)):
        start, _, line = said[remove].partition("; run ")
        assert start == f"{store.name}: cannot be removed: Device or resource busy"
        subprocess.run(["sh", "-c", line], check=True)
        assert (os.path.exists(store.venv), os.path.exists(store.folder)) == (left, left)


@pytest.fixture
def quick_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let stores be in memory, if the system has such a place: thousands of folders take seconds on a disk."""
    with TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as folder:
        monkeypatch.setenv("XDG_DATA_HOME", folder)
        yield


@pytest.mark.parametrize("length", [1, 255])
def test_folders_of_any_depth_are_removed(quick_data: None, remove: Remove, length: int) -> None:
    """As a container may make them: more of them than a process may call functions or have files open."""
    store = make(APP)
    descriptor = os.open(store.venv, os.O_RDONLY)
    for _ in range(5000):
        name = "x" * length
        os.mkdir(name, dir_fd=descriptor)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    before = descriptors()

    remove(store)

    assert not os.path.exists(store.venv) or os.listdir(store.venv) == []
    assert descriptors() == before


def descriptors() -> int:
    """Return how many files this process has open, if the system tells."""
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def test_what_goes_meanwhile_is_no_problem(store: Store, remove: Remove, mocker: MockerFixture) -> None:
    """Two may empty a store at once."""
    for name in ("a", "b"):
        Path(store.venv, "deep", name).mkdir(parents=True)
        Path(store.venv, "deep", name, "file").touch()
    for name in ("unlink", "rmdir", "open"):
        mocker.patch(f"os.{name}", _twice(getattr(os, name), when=("file", "a", "b")))

    remove(store)

    assert not os.path.exists(store.venv) or os.listdir(store.venv) == []


def _twice(function: Callable[..., int | None], when: tuple[str, ...]) -> Callable[..., int | None]:
    """Return the function, before which another process removes what it is about, if that has one of these names."""

    def call(path: str, *arguments: int, dir_fd: int | None = None) -> int | None:
        if path in when and dir_fd is not None:
            subprocess.run(["rm", "-rf", f"/proc/{os.getpid()}/fd/{dir_fd}/{path}"], check=True)
        return function(path, *arguments, dir_fd=dir_fd)

    return call


def test_a_folder_that_moves_meanwhile_leads_nowhere_else(
    store: Store, remove: Remove, tmp_path: Path, mocker: MockerFixture
) -> None:
    """A container that runs may do that too: the way up would then lead out of the store."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    moved = Path(store.venv, "deep", "moved")
    (moved / "below").mkdir(parents=True)
    real = os.open

    def move(path: str, flags: int, *arguments: int, dir_fd: int | None = None) -> int:
        if path == "below" and moved.exists():
            moved.rename(outside / "moved")
        return real(path, flags, *arguments, dir_fd=dir_fd)

    mocker.patch("os.open", move)

    assert refusal(remove, store).startswith(f"{store.name}: cannot be removed: its folders are moved meanwhile; run ")
    assert "file" in os.listdir(outside)
