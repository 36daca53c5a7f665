"""The folders of a store: who may do what in them, and that nothing else is touched."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from paude_venv_hook.errors import StoreError
from paude_venv_hook.stores.folder import Record, make_store, read_record, store_path, stores_folder
from paude_venv_hook.stores.purpose import Purpose, store_name

APP = Purpose("/home/me/app", ".venv", "/app/.venv", "docker", image="python:3.12")
linux = pytest.mark.skipif(sys.platform != "linux", reason="POSIX ACLs, as Linux has them")
ENTRY = "{:02x}000700ffffffff"
ACL = bytes.fromhex("02000000" + "".join(ENTRY.format(tag) for tag in (0x01, 0x04, 0x20)))


@pytest.fixture
def stores(home: Path) -> Path:
    """Return the folder of the stores, which does not exist yet, nor does the data folder."""
    assert not home.joinpath(".local").exists()
    return Path(stores_folder())


@pytest.fixture(autouse=True)
def today(mocker: MockerFixture) -> None:
    """Let it be one day."""
    set_today(mocker, "2026-02-03")


def set_today(mocker: MockerFixture, day: str) -> None:
    mocker.patch("paude_venv_hook.stores.folder.time.strftime", return_value=day)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have one umask after the other."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def snapshot(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return what every write to something in the folder changes."""
    found: dict[str, tuple[int, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        about = path.lstat()
        found[str(path)] = (about.st_ino, about.st_mtime_ns, about.st_ctime_ns)
    return found


def refusal(purpose: Purpose = APP) -> str:
    with pytest.raises(StoreError) as caught:
        make_store(purpose)
    return str(caught.value)


@pytest.mark.usefixtures("umask")
def test_the_venv_is_for_every_user_and_only_in_folders_that_are_for_this_one(stores: Path) -> None:
    venv = make_store(APP)

    assert venv == store_path(APP) == str(stores / store_name(APP) / "venv")
    assert (mode(venv), mode(stores / store_name(APP)), mode(stores)) == (0o777, 0o700, 0o700)
    assert sorted(os.listdir(stores)) == ["CACHEDIR.TAG", store_name(APP)]
    assert sorted(os.listdir(stores / store_name(APP))) == ["store.json", "venv"]
    assert os.listdir(venv) == []


@linux
@pytest.mark.usefixtures("umask")
def test_what_is_made_in_the_venv_is_for_every_user(stores: Path) -> None:
    venv = Path(make_store(APP))

    assert os.getxattr(venv, "system.posix_acl_default") == ACL
    (venv / "bin" / "deep").mkdir(parents=True)
    (venv / "bin" / "deep" / "file").touch()
    assert [mode(path) for path in (venv / "bin", venv / "bin/deep", venv / "bin/deep/file")] == [0o777, 0o777, 0o666]


def test_asking_for_the_path_makes_nothing(home: Path) -> None:
    store_path(APP)

    assert os.listdir(home) == []


def test_backups_know_what_to_leave_out(stores: Path) -> None:
    make_store(APP)

    assert (stores / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")


def test_the_record_says_what_it_is_for(stores: Path) -> None:
    make_store(APP)

    record = stores / store_name(APP) / "store.json"
    assert json.loads(record.read_text()) == {
        "version": 1,
        "source": "/home/me/app",
        "path": ".venv",
        "destination": "/app/.venv",
        "engine": "docker",
        "rootless": False,
        "service": "",
        "image": "python:3.12",
        "platform": "",
        "made": "2026-02-03",
        "lastUsed": "2026-02-03",
    }
    assert read_record(str(record.parent)) == Record(APP, "2026-02-03", "2026-02-03")


def test_the_record_says_for_which_daemons_it_was_made(stores: Path) -> None:
    for daemon in ("ONE /docker", "", "TWO /docker", "ONE /docker"):
        make_store(APP, daemon)

    record = read_record(str(stores / store_name(APP)))
    assert record == Record(APP, "2026-02-03", "2026-02-03", ("ONE /docker", "TWO /docker"))


def test_the_record_says_why_the_venv_is_on_disk(stores: Path) -> None:
    make_store(APP, reason="disk (paude.json)")
    make_store(APP)

    record = read_record(str(stores / store_name(APP)))
    assert record == Record(APP, "2026-02-03", "2026-02-03", (), "disk (paude.json)")


@pytest.mark.parametrize("daemon", ["", "ONE /docker"])
def test_a_second_time_on_the_same_day_touches_nothing(stores: Path, daemon: str) -> None:
    make_store(APP, "ONE /docker")
    before = snapshot(stores)

    make_store(APP, daemon)

    assert snapshot(stores) == before


def test_another_day_is_written_down_and_the_content_stays(stores: Path, mocker: MockerFixture) -> None:
    venv = Path(make_store(APP))
    (venv / "pyvenv.cfg").touch()
    before = snapshot(venv)
    set_today(mocker, "2026-03-04")

    make_store(APP)

    assert read_record(str(venv.parent)) == Record(APP, "2026-02-03", "2026-03-04")
    assert snapshot(venv) == before


def test_the_day_is_that_of_the_clock(mocker: MockerFixture, stores: Path) -> None:
    mocker.stopall()
    make_store(APP)

    record = read_record(str(stores / store_name(APP)))
    assert record is not None
    assert time.strptime(record.made, "%Y-%m-%d")


def test_what_was_changed_is_mended(stores: Path) -> None:
    venv = Path(make_store(APP))
    for path in (stores, venv.parent, venv):
        path.chmod(0o755)
    if sys.platform == "linux":
        os.removexattr(venv, "system.posix_acl_default")

    make_store(APP)

    assert (mode(venv), mode(venv.parent), mode(stores)) == (0o777, 0o700, 0o700)
    if sys.platform == "linux":
        assert os.getxattr(venv, "system.posix_acl_default") == ACL


@linux
def test_a_file_system_without_such_acls_has_the_mode_alone(stores: Path, mocker: MockerFixture) -> None:
    mocker.patch("os.getxattr", side_effect=OSError(errno.ENOTSUP, "Operation not supported"))

    assert mode(make_store(APP)) == 0o777


def test_a_system_without_acls_has_the_mode_alone(stores: Path, mocker: MockerFixture) -> None:
    for name in ("getxattr", "setxattr"):
        if hasattr(os, name):
            mocker.patch.object(os, name)
            delattr(os, name)

    assert mode(make_store(APP)) == 0o777


@linux
def test_an_acl_that_cannot_be_set_is_one_line(stores: Path, mocker: MockerFixture) -> None:
    mocker.patch("os.setxattr", side_effect=OSError(errno.ENOSPC, "No space left on device"))

    assert refusal() == (
        f"{store_path(APP)}: cannot be made or used: No space left on device; free some space, or keep venvs in memory"
    )


@pytest.mark.parametrize("refused", ["os.fchmod", "os.open"])
def test_a_folder_that_a_container_gave_away_stays_as_it_is(stores: Path, mocker: MockerFixture, refused: str) -> None:
    venv = make_store(APP)
    os.chmod(venv, 0o700)
    real = os.open

    def refuse(path: int | str, *arguments: int, dir_fd: int | None = None) -> int:
        if path == venv or isinstance(path, int):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return real(path, *arguments, dir_fd=dir_fd)

    mocker.patch(refused, refuse)

    assert make_store(APP) == venv
    assert mode(venv) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("which", ["", "store"])
def test_a_folder_of_another_user_is_refused(stores: Path, which: str) -> None:
    make_store(APP)
    folder = stores / (store_name(APP) if which else "")
    os.chown(folder, 1234, 1234)

    assert refusal() == f"{folder}: belongs to another user; remove it, or keep venvs in memory"


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["venvs", "store", "venv"])
@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_no_link_is_followed(stores: Path, tmp_path: Path, depth: int, kind: str) -> None:
    path = (stores, Path(store_path(APP)).parent, Path(store_path(APP)))[depth]
    path.parent.mkdir(parents=True)
    target = tmp_path / "elsewhere"
    if kind == "file":
        path.touch()
    else:
        path.symlink_to(target)
    if kind == "link":
        target.mkdir(mode=0o755)
    before = snapshot(tmp_path)

    assert refusal() == (
        f"{path}: cannot be made or used: Not a directory; remove what is in the way, or keep venvs in memory"
    )
    assert snapshot(tmp_path) == before


def test_a_data_folder_elsewhere_may_be_a_link(stores: Path, tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir()
    stores.parent.parent.mkdir(parents=True)
    stores.parent.symlink_to(tmp_path / "big disk")

    make_store(APP)

    assert (tmp_path / "big disk" / "venvs" / store_name(APP) / "venv").is_dir()


def test_a_data_folder_that_is_none_is_one_line(stores: Path, home: Path) -> None:
    (home / ".local").touch()

    assert refusal() == (
        f"{stores}: cannot be made or used: Not a directory; remove what is in the way, or keep venvs in memory"
    )


def test_a_record_that_cannot_be_written_is_one_line(stores: Path) -> None:
    record = stores / store_name(APP) / "store.json"
    record.mkdir(parents=True)

    assert (
        refusal()
        == f"{record}: cannot be written: not a regular file; remove what is in the way, or keep venvs in memory"
    )


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 5000, "null", '{"version": 1}', "CHANGED version 2", "CHANGED made 7", "CHANGED made soon",
     "CHANGED image other", "CHANGED path 7", "CHANGED daemons 7", "CHANGED daemons other"],
)  # fmt: skip
def test_a_record_that_is_none_is_made_anew(stores: Path, text: str) -> None:
    venv = make_store(APP)
    record = stores / store_name(APP) / "store.json"
    good = record.read_text()
    if text.startswith("CHANGED"):
        _, key, value = text.split()
        text = json.dumps({**json.loads(good), key: int(value) if value.isdigit() else value})
    record.write_text(text)

    assert read_record(str(record.parent)) is None
    assert make_store(APP) == venv
    assert record.read_text() == good


def test_many_at_once_make_one_store(stores: Path) -> None:
    code = (
        "from paude_venv_hook.stores.folder import make_store; from paude_venv_hook.stores.purpose import Purpose;"
        f"print(make_store({APP!r}))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]

    assert {process.communicate() for process in processes} == {(store_path(APP) + "\n", "")}
    assert sorted(os.listdir(stores / store_name(APP))) == ["store.json", "venv"]
    record = read_record(str(stores / store_name(APP)))
    assert record is not None
    assert record.purpose == APP
