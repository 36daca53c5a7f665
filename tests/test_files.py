"""Writing: whole or not at all, only when it changed, and nothing but a file."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_mock import MockerFixture

from paude_venv_hook import files
from paude_venv_hook.errors import OverlayError, WorkspaceError
from paude_venv_hook.files import can_make, mount_points, read_bytes, read_file, read_start, write_if_changed

linux = pytest.mark.skipif(sys.platform != "linux", reason="a file of Linux's /proc")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist, in a folder of its own that does."""
    folder = tmp_path / "overlays"
    folder.mkdir()
    return folder / "overlay.json"


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let new files and folders be as open as the program asks for."""
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _refusal(path: Path | str) -> str:
    with pytest.raises(OverlayError) as caught:
        write_if_changed(str(path), b"new")
    return str(caught.value)


# ---- What is written


def test_a_new_file_and_its_folder_are_private(tmp_path: Path, open_umask: None) -> None:
    path = tmp_path / "cache" / "overlays" / "overlay.json"

    assert write_if_changed(str(path), b"new")

    assert path.read_bytes() == b"new"
    assert (_mode(path), _mode(path.parent)) == (0o600, 0o700)


def test_a_folder_that_exists_keeps_its_mode(target: Path) -> None:
    target.parent.chmod(0o755)

    assert write_if_changed(str(target), b"new")

    assert _mode(target.parent) == 0o755


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o400])
def test_a_file_keeps_its_mode_when_it_changes(target: Path, mode: int) -> None:
    target.write_bytes(b"old")
    target.chmod(mode)

    assert write_if_changed(str(target), b"new")

    assert (target.read_bytes(), _mode(target)) == (b"new", mode)


@pytest.mark.parametrize("data", [b"", b"same", bytes(range(256)) * 1000])
def test_a_file_that_holds_the_same_is_not_touched(target: Path, data: bytes) -> None:
    assert write_if_changed(str(target), data)
    os.utime(target, ns=(1, 1))
    os.utime(target.parent, ns=(1, 1))
    before = target.stat()

    assert not write_if_changed(str(target), data)

    after = target.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_ino) == (1, before.st_ctime_ns, before.st_ino)
    assert target.parent.stat().st_mtime_ns == 1


@pytest.mark.parametrize("old", [b"ne", b"new\n", b"", b"New"])
def test_a_file_that_differs_by_one_byte_is_written(target: Path, old: bytes) -> None:
    target.write_bytes(old)

    assert write_if_changed(str(target), b"new")

    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("exists", [True, False])
def test_a_symlink_is_followed_and_stays(target: Path, tmp_path: Path, exists: bool) -> None:
    real = tmp_path / "elsewhere" / "real.json"
    real.parent.mkdir()
    if exists:
        real.write_bytes(b"old")
    middle = tmp_path / "middle"
    middle.symlink_to("elsewhere/real.json")
    target.symlink_to("../middle")

    assert write_if_changed(str(target), b"new")

    assert (os.readlink(target), os.readlink(middle)) == ("../middle", "elsewhere/real.json")
    assert real.read_bytes() == b"new"
    assert os.listdir(real.parent) == ["real.json"]
    assert not write_if_changed(str(target), b"new")


# ---- What is refused, with nothing changed


def test_a_directory_is_refused_and_stays(target: Path) -> None:
    target.mkdir()
    (target / "kept").touch()

    assert _refusal(target) == f"{target}: cannot be written: not a regular file; remove what is in the way"
    assert os.listdir(target) == ["kept"]


def test_a_fifo_is_refused_at_once_and_stays(target: Path) -> None:
    os.mkfifo(target)

    assert _refusal(target) == f"{target}: cannot be written: not a regular file; remove what is in the way"
    assert stat.S_ISFIFO(target.stat().st_mode)


def test_a_device_is_refused_and_stays(target: Path) -> None:
    """The device is a twin of /dev/null: were it the real one, a mistake in the code would cost root the machine's."""
    real = os.stat(os.devnull)
    try:
        os.mknod(target, real.st_mode, real.st_rdev)
    except PermissionError:
        pytest.skip("only root may make a device")

    assert _refusal(target) == f"{target}: cannot be written: not a regular file; remove what is in the way"
    assert stat.S_ISCHR(target.stat().st_mode)
    assert target.stat().st_rdev == real.st_rdev


def test_a_socket_is_refused_and_stays(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(target.parent)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(target.name)

        assert _refusal(target) == f"{target}: cannot be written: not a regular file; remove what is in the way"
        assert stat.S_ISSOCK(target.stat().st_mode)


@pytest.mark.parametrize("below", ["overlay.json", "folder/overlay.json"])
def test_a_file_in_place_of_the_folder_is_refused_and_stays(target: Path, below: str) -> None:
    target.write_bytes(b"old")

    assert (
        _refusal(target / below) == f"{target / below}: cannot be written: Not a directory; remove what is in the way"
    )
    assert target.read_bytes() == b"old"


def test_a_symlink_to_itself_is_refused(target: Path) -> None:
    target.symlink_to(target.name)

    assert _refusal(target) == (
        f"{target}: cannot be written: Too many levels of symbolic links; remove what is in the way"
    )


@linux
def test_a_folder_in_which_not_even_root_may_write_is_refused() -> None:
    assert _refusal("/proc/sys/overlay.json").startswith("/proc/sys/overlay.json: cannot be written: ")


@pytest.mark.usefixtures("powerless")
def test_a_folder_in_which_one_may_not_write_is_refused(target: Path) -> None:
    target.write_bytes(b"old")
    target.parent.chmod(0o500)

    assert _refusal(target) == f"{target}: cannot be written: Permission denied; let yourself write it"
    assert target.read_bytes() == b"old"


def test_the_name_in_an_error_is_printable(target: Path) -> None:
    path = target.parent / "a\nb"
    path.mkdir()

    assert _refusal(path) == f"{target.parent}/a\\nb: cannot be written: not a regular file; remove what is in the way"


def test_what_is_interrupted_leaves_the_old_file_alone(target: Path, mocker: MockerFixture) -> None:
    target.write_bytes(b"old")
    fsync = mocker.patch("os.fsync", side_effect=KeyboardInterrupt)  # ^C while the disk is busy

    with pytest.raises(KeyboardInterrupt):
        write_if_changed(str(target), b"new")
    fsync.assert_called_once()
    assert target.read_bytes() == b"old"
    assert os.listdir(target.parent) == [target.name]


# ---- Atomicity: other processes, some of which die

LARGE = 512 * 1024
WRITER = f"""
LARGE = {LARGE}
import json, os, resource, signal, sys
from paude_venv_hook.errors import OverlayError
from paude_venv_hook.files import write_if_changed

def write(number):
    return write_if_changed(sys.argv[1], json.dumps({{"number": number, "text": "x" * {LARGE}}}).encode())

def limit_file_size():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, ({LARGE} // 2, {LARGE} // 2))
"""
TOO_LARGE = """
limit_file_size()
try:
    write(2)
except OverlayError as error:
    sys.exit(str(error))
"""
KILLED_IN_THE_WRITE = """
limit_file_size()
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills it half way through
write(2)
"""
KILLED_BEFORE_THE_REPLACE = """
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write(2)
"""
RESTLESS = """
number, parent = int(sys.argv[2]), os.getppid()
while os.getppid() == parent:  # a test that is stopped leaves none behind
    write(number)
    number += 10
"""
BUSY = """
for number in range(20):
    write(number * 10 + int(sys.argv[2]))
"""


KILLED_AT_RANDOM = """
import random, time
kill, numbers, rounds = 0, set(), int(sys.argv[2])
while kill < rounds or len(numbers) < rounds // 10:  # it was often written in between, however busy the machine is
    kill += 1
    child = os.fork()
    if not child:
        number = kill * 1000
        while True:
            write(number := number + 1)
    time.sleep(random.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(sys.argv[1]) as file:
        document = json.load(file)
    if document["text"] != "x" * LARGE or len(os.listdir(os.path.dirname(sys.argv[1]))) > 2:
        sys.exit(f"kill {kill}")
    numbers.add(document["number"])
"""


def _start(code: str, target: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER + code, str(target), *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _run(code: str, target: Path, *arguments: str) -> tuple[int, str]:
    with _start(code, target, *arguments) as process:
        errors = process.communicate()[1]
    return process.returncode, errors


def _number(target: Path) -> int:
    """Return what stands in the file, after a check that it is whole."""
    document = json.loads(target.read_bytes())
    assert document["text"] == "x" * LARGE
    return int(document["number"])


def _assert_that_the_next_writer_cleans_up(target: Path) -> None:
    assert len(os.listdir(target.parent)) <= 2  # the file, and at most one that a killed writer left behind
    assert write_if_changed(str(target), b"{}")
    assert os.listdir(target.parent) == [target.name]


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(target: Path) -> None:
    assert _run("write(1)", target) == (0, "")

    code, errors = _run(TOO_LARGE, target)

    assert (code, errors) == (
        1,
        f"{target}: cannot be written: File too large; raise ulimit -f\n",
    )
    assert _number(target) == 1
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.parametrize(
    ("code", "death"),
    [(KILLED_IN_THE_WRITE, signal.SIGXFSZ), (KILLED_BEFORE_THE_REPLACE, signal.SIGKILL)],
    ids=["in the write", "before the replace"],
)
def test_a_writer_that_is_killed_leaves_the_old_file_whole(target: Path, code: str, death: signal.Signals) -> None:
    assert _run("write(1)", target) == (0, "")

    for _ in range(2):
        assert _run(code, target) == (-death, "")
        assert _number(target) == 1
    _assert_that_the_next_writer_cleans_up(target)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="writers are forked, since a new process takes too long")
def test_a_writer_that_is_killed_at_any_of_its_moments_leaves_a_whole_file(target: Path) -> None:
    assert _run("write(0)", target) == (0, "")

    assert _run(KILLED_AT_RANDOM, target, str(settings().max_examples)) == (0, "")

    _assert_that_the_next_writer_cleans_up(target)


def test_a_reader_sees_only_whole_files_while_writers_run_and_die(target: Path) -> None:
    assert _run("write(0)", target) == (0, "")
    writers = [_start(RESTLESS, target, str(writer)) for writer in (1, 2, 3)]

    seen: list[int] = []
    try:
        while len(seen) < 100 or len(set(seen)) < 10:
            seen.append(_number(target))
            assert [writer.poll() for writer in writers] == [None] * 3
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()

    assert _number(target) % 10 in (1, 2, 3)
    _assert_that_the_next_writer_cleans_up(target)


def test_writers_at_the_same_time_all_succeed(target: Path) -> None:
    writers = [_start(BUSY, target, str(writer)) for writer in (1, 2, 3, 4)]

    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [("", 0)] * 4
    assert _number(target) in (191, 192, 193, 194)
    assert os.listdir(target.parent) == [target.name]


def test_a_writer_writes_where_there_are_no_locks(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows, its import fails

    assert write_if_changed(str(target), b"new")

    assert target.read_bytes() == b"new"


# ---- What a killed writer, or somebody else, left in the place of the temporary file


def _leftover(target: Path) -> Path:
    """Return the path of the temporary file that a killed writer leaves behind."""
    _run(KILLED_BEFORE_THE_REPLACE, target)
    (leftover,) = target.parent.iterdir()
    return leftover


def test_the_mode_of_what_was_left_behind_is_not_taken_over(target: Path) -> None:
    _leftover(target).chmod(0o666)

    assert write_if_changed(str(target), b"new")

    assert _mode(target) == 0o600
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.parametrize("make_link", [os.symlink, os.link])
def test_a_link_in_the_place_of_the_temporary_file_does_not_lead_the_writer_astray(
    target: Path, tmp_path: Path, make_link: Callable[[Path, Path], None]
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    leftover = _leftover(target)
    leftover.unlink()
    make_link(victim, leftover)

    assert write_if_changed(str(target), b"new")

    assert (victim.read_bytes(), target.read_bytes()) == (b"precious", b"new")
    assert not os.path.samefile(victim, target)


def test_a_fifo_in_the_place_of_the_temporary_file_does_not_block(target: Path) -> None:
    leftover = _leftover(target)
    leftover.unlink()
    os.mkfifo(leftover)

    assert write_if_changed(str(target), b"new")

    assert os.listdir(target.parent) == [target.name]


def test_a_directory_in_the_place_of_the_temporary_file_is_refused(target: Path) -> None:
    leftover = _leftover(target)
    leftover.unlink()
    leftover.mkdir()
    target.write_bytes(b"old")

    assert _refusal(target).startswith(f"{target}: cannot be written: ")  # Linux and macOS differ on why
    assert target.read_bytes() == b"old"
    assert leftover.is_dir()


# ---- Reading


def test_a_file_is_read(target: Path) -> None:
    target.write_bytes(b"\xff\n")

    assert read_file(str(target)) == b"\xff\n"


def test_where_nothing_is_nothing_is_read(target: Path) -> None:
    assert read_file(str(target)) is None
    target.symlink_to("missing")
    assert read_file(str(target)) is None


def test_what_is_no_file_is_not_read(target: Path) -> None:
    os.mkfifo(target)

    with pytest.raises(OSError, match="not a regular file"):
        read_file(str(target))


# ---- Mount points


def test_only_missing_mount_points_are_made(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "kept").touch()
    (tmp_path / "link").symlink_to("venv")
    os.utime(tmp_path / "venv", ns=(1, 1))

    with mount_points(str(tmp_path / name) for name in ("venv", "link", "new", "new")):
        pass

    assert sorted(os.listdir(tmp_path)) == ["link", "new", "venv"]
    assert (os.listdir(tmp_path / "venv"), (tmp_path / "venv").stat().st_mtime_ns) == (["kept"], 1)
    assert os.listdir(tmp_path / "new") == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing/.venv", "No such file or directory"),
        ("file", "File exists"),
        ("file/.venv", "Not a directory"),
        ("dangling", "File exists"),
    ],
)
def test_a_mount_point_that_cannot_be_made_is_an_error(tmp_path: Path, path: str, why: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")

    with pytest.raises(WorkspaceError) as caught, mount_points([str(tmp_path / path)]):
        pass
    assert str(caught.value) == (
        f'{tmp_path / path}: the mount point cannot be made: {why}; make it, or write "venv": "none" in paude.json'
    )
    assert sorted(os.listdir(tmp_path)) == ["dangling", "file"]


def test_what_fails_removes_the_mount_points_that_it_made(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()

    def fail() -> None:
        with mount_points(str(tmp_path / name) for name in ("venv", "new", "filled")):
            (tmp_path / "filled" / "kept").touch()  # by somebody else, meanwhile
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert sorted(os.listdir(tmp_path)) == ["filled", "venv"]
    assert os.listdir(tmp_path / "filled") == ["kept"]


def test_a_mount_point_that_another_hook_makes_meanwhile_stays_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def be_second(path: str) -> None:
        make(path)
        make(path)

    def fail() -> None:
        with mount_points([str(tmp_path / ".venv")]):
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", be_second)

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == [".venv"]


def test_a_mount_point_that_cannot_be_made_takes_back_those_before_it(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError), mount_points([str(tmp_path / "new"), str(tmp_path / "missing" / ".venv")]):
        pass

    assert os.listdir(tmp_path) == []


# ---- What a stranger may have prepared


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no O_PATH")
@pytest.mark.parametrize("swapped", ["app", "app/sub"])
def test_a_mount_point_is_not_made_through_a_folder_that_became_a_symlink(
    tmp_path: Path, mocker: MockerFixture, swapped: str
) -> None:
    """As between the check and the mkdir: the check sees no directory there, and then the parent is a symlink."""
    (tmp_path / "app" / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere" / "sub").mkdir(parents=True)
    point = tmp_path / "app" / "sub" / ".venv"
    (tmp_path / swapped).rename(tmp_path / "before")
    (tmp_path / swapped).symlink_to(tmp_path / "elsewhere" / ("sub" if "sub" in swapped else ""))

    with pytest.raises(WorkspaceError) as caught, mount_points([str(point)]):
        pass

    assert str(caught.value) == (
        f'{point}: the mount point cannot be made: Not a directory; make it, or write "venv": "none" in paude.json'
    )
    assert os.listdir(tmp_path / "elsewhere" / "sub") == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no O_PATH")
def test_a_mount_point_is_not_removed_through_a_folder_that_became_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "elsewhere" / ".venv").mkdir(parents=True)

    def swap_and_fail() -> None:
        (tmp_path / "app").rename(tmp_path / "before")
        (tmp_path / "app").symlink_to("elsewhere")
        raise KeyError

    with pytest.raises(KeyError), mount_points([str(tmp_path / "app" / ".venv")]):
        swap_and_fail()

    assert os.listdir(tmp_path / "elsewhere") == [".venv"]


needs_root = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can be somebody else")


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o700, 0o2775])
def test_what_root_makes_in_the_workspace_of_another_user_is_that_users(tmp_path: Path, mode: int) -> None:
    workspace = tmp_path / "app"
    workspace.mkdir()
    os.chown(workspace, 12345, 23456)
    workspace.chmod(mode)

    with mount_points([str(workspace / ".venv")]):
        pass

    made = (workspace / ".venv").stat()
    assert (made.st_uid, made.st_gid, os.geteuid(), os.getegid()) == (12345, 23456, 0, 0)


@needs_root
@pytest.mark.parametrize("name", ["setegid", "seteuid"])
def test_a_root_that_cannot_be_the_owner_makes_it_all_the_same(
    tmp_path: Path, mocker: MockerFixture, name: str
) -> None:
    workspace = tmp_path / "app"
    workspace.mkdir()
    os.chown(workspace, 12345, 23456)
    real = getattr(os, name)
    mocker.patch(f"os.{name}", side_effect=lambda number: real(number) if number == 0 else os.chdir("/no/such/folder"))

    with mount_points([str(workspace / ".venv")]):
        pass

    assert ((workspace / ".venv").is_dir(), os.geteuid(), os.getegid()) == (True, 0, 0)


@needs_root
def test_root_cannot_be_led_by_the_owner_to_where_the_owner_may_not_write(tmp_path: Path) -> None:
    workspace = tmp_path / "app"
    workspace.mkdir(mode=0o555)
    os.chown(workspace, 12345, 23456)

    with pytest.raises(WorkspaceError), mount_points([str(workspace / ".venv")]):
        pass

    assert (os.listdir(workspace), os.geteuid(), os.getegid()) == ([], 0, 0)


@pytest.mark.parametrize("kind", ["fifo", "directory", "link to /dev/zero", "socket"])
def test_what_is_no_file_is_read_neither_whole_nor_in_part(target: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "directory":
        target.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(target.parent)
            server.bind(target.name)
    else:
        target.symlink_to("/dev/zero")

    assert read_start(str(target)) == b""
    with pytest.raises(OSError, match=r"regular file|directory|device"):
        read_bytes(str(target))


def test_of_a_file_no_more_is_read_than_was_asked_for(target: Path) -> None:
    target.write_bytes(b"x" * 100)

    assert (read_bytes(str(target), 10), read_bytes(str(target))) == (b"x" * 10, b"x" * 100)


def test_a_directory_can_be_made_where_the_mode_and_the_file_system_let_it(tmp_path: Path) -> None:
    assert can_make(str(tmp_path))
    assert not can_make(str(tmp_path / "missing"))
    assert not can_make("/proc/self")


# ---- A name of full length, a lock that is never given, stdout by another name


@pytest.mark.parametrize("name", ["x" * 255, "\N{SNOWMAN}" * 85, "x" * 252])
def test_a_name_may_be_as_long_as_names_can_be(target: Path, name: str) -> None:
    path = target.parent / name

    assert write_if_changed(str(path), b"new")
    assert not write_if_changed(str(path), b"new")
    assert os.listdir(path.parent) == [name]


@pytest.mark.parametrize("exists", [True, False])
def test_a_lock_that_is_never_given_is_said(target: Path, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    fcntl = pytest.importorskip("fcntl")
    if exists:
        target.write_bytes(b"old")
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.0)
    holder = os.open(target.parent, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)

    refusal = _refusal(target)
    os.close(holder)

    assert refusal == (
        f"{target}: cannot be written: another process keeps its folder locked "
        "for more than 0 seconds; end that process"
    )
    assert target.exists() == exists
    assert write_if_changed(str(target), b"new")


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there is no such name here")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "log"])
def test_stdout_by_another_name_is_written_to_and_not_replaced(target: Path, name: str) -> None:
    log = target.parent / "log"
    log.write_bytes(b"before\n")
    code = "import sys; from paude_venv_hook.files import write_if_changed; write_if_changed(sys.argv[1], b'new')"
    before = log.stat().st_ino

    with log.open("ab") as out:
        subprocess.run([sys.executable, "-c", code, name], stdout=out, cwd=log.parent, check=True)
    piped = subprocess.run([sys.executable, "-c", code, "/dev/stdout"], capture_output=True, check=True)

    assert (log.read_bytes(), log.stat().st_ino, os.listdir(log.parent)) == (b"before\nnew", before, ["log"])
    assert piped.stdout == b"new"
