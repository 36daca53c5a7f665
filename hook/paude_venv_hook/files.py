"""Files: reading what a stranger may have put there, atomic writes, locks, and mount points."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager, suppress

from paude_venv_hook.errors import OverlayError, WorkspaceError
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from paude_venv_hook.errors import HookError

START_BYTES = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024
NOT_REGULAR = "not a regular file"
LOCK_SECONDS = 5.0
_TEMPORARY = ".paude-venv-hook.tmp"  # not named after the file, whose name may be as long as a name can be


def write_if_changed(
    path: str, data: bytes, alternative: str = "", error_class: type[HookError] = OverlayError
) -> bool:
    """Make the file at the host path hold `data`, and return whether it had to be written.

    The write is atomic: a reader, also after a crash, sees the old file or the new one, whole. A symlink is followed,
    an existing mode is kept, a new file and folder are private to the user. stdout by another name (`/dev/stdout`) is
    written to directly. Raises an error of that class, and leaves the old file unchanged; `alternative` is what else
    the user can do.
    """
    try:
        if _is_stdout(path):
            while data:
                data = data[os.write(1, data) :]
            return True
        path = os.path.realpath(path)
        if read_file(path) == data:
            return False
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with locked(folder):
            _replace(path, data)
    except OSError as error:
        advice = f"{remedy(error, 'write')}, or {alternative}" if alternative else remedy(error, "write")
        raise error_class(f"{shown(path)}: cannot be written: {error.strerror}; {advice}") from None
    return True


def remedy(error: OSError, verb: str = "read") -> str:
    """Return what the user can do about a file or folder that this program could not read, or write."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"let yourself {verb} it"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space"
    if error.errno in (errno.EEXIST, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENOTDIR):
        return "remove what is in the way"
    if error.errno == errno.ENOENT and verb == "read":
        return "restore it, or remove the link to it"
    others = {
        errno.EBADF: f"open it to {verb}",
        errno.EFBIG: "raise ulimit -f",
        errno.ENOENT: "choose another folder",
        errno.ETIMEDOUT: "end that process",
    }
    return others.get(error.errno or 0, "see whether its disk works")


def read_file(path: str) -> bytes | None:
    """Return the bytes of the file at a host path, None if there is none. Raises OSError if it is no regular file."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
    except OSError:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError(errno.EINVAL, NOT_REGULAR) from None
        raise


def is_file(path: str) -> bool:
    """Tell whether the host path is a regular file, or a symlink to one."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def is_socket(path: str) -> bool:
    """Tell whether the host path leads to a socket."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def read_start(path: str) -> bytes:
    """Return the first 64 KB of the file at a host path, nothing if it cannot be read or is no regular file."""
    try:
        return read_bytes(path, START_BYTES)
    except OSError:
        return b""


def read_bytes(path: str, most: int = MOST_BYTES) -> bytes:
    """Return the first bytes of a regular file at a host path, which a stranger may have put there.

    Raises OSError, also if it is no regular file: a FIFO would block for ever, a device never end.
    """
    with open(path, "rb", buffering=0, opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, NOT_REGULAR)
        data = b""
        while block := file.read(most - len(data)):
            data += block
        return data


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def _is_stdout(path: str) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(1))
    except OSError:
        return False


def is_inside(path: str, folder: str) -> bool:
    """Tell whether the path is the folder or lies below it; both real and absolute."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Let one writer at a time into the folder; a writer that is killed leaves no lock behind.

    Raises OSError for a lock that another process keeps.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    reason = f"another process keeps its folder locked for more than {LOCK_SECONDS:.0f} seconds"
                    raise OSError(errno.ETIMEDOUT, reason) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _replace(path: str, data: bytes) -> None:
    # The name is always the same, so that killed writers leave one file at most. The next writer removes it: its mode,
    # and whoever has it open, cannot be trusted.
    temporary = os.path.join(os.path.dirname(path), _TEMPORARY)
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        with open(temporary, "xb", opener=_open_private) as file:
            if os.path.exists(path):
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def mount_points(host_paths: Iterable[str]) -> Iterator[list[str]]:
    """Make the directories that do not exist yet (real host paths): the engine would make them as root.

    Yields the new ones, which are removed again if the block fails. Raises WorkspaceError.
    """
    new_paths: list[str] = []
    try:
        for path in host_paths:
            if _make_mount_point(path):
                new_paths.append(path)  # noqa: PERF401 - those made before an error have to be known
        yield new_paths
    except BaseException:
        for path in new_paths:
            with suppress(OSError):
                _in_place(os.rmdir, path)
        raise


def can_make(folder: str) -> bool:
    """Tell whether this user can make a directory in the host folder, by its file system and its mode."""
    return os.access(folder, os.W_OK | os.X_OK)


def _make_mount_point(path: str) -> bool:
    """Make the directory, and return whether it is new."""
    if os.path.isdir(path):
        return False
    try:
        _in_place(os.mkdir, path)
    except OSError as error:
        if os.path.isdir(path):  # another process made it meanwhile
            return False
        raise WorkspaceError(
            f"{shown(path)}: the mount point cannot be made: {error.strerror}; "
            'make it, or write "venv": "none" in paude.json'
        ) from None
    return True


def _in_place(change: Callable[..., None], path: str) -> None:
    """Make or remove the directory at a real host path, without following a symlink that appeared in it meanwhile.

    Root acts as the owner of the folder above: otherwise that user could lead root elsewhere, and would not own it.
    """
    if change not in os.supports_dir_fd:
        change(path)
        return
    *folders, name = path.split(os.sep)[1:]
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
    descriptor = os.open(os.sep, flags)
    try:
        for folder in folders:
            below = os.open(folder, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        with _as_owner(os.fstat(descriptor)):
            change(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _as_owner(folder: os.stat_result) -> Iterator[None]:
    """Act as the owner of a folder, if this is root and the owner is not; a root without that right stays itself."""
    if os.geteuid() != 0 or folder.st_uid == 0:
        yield
        return
    group = os.getegid()
    try:
        with suppress(OSError):  # a container's root without that capability, an owner whom its user namespace lacks
            os.setegid(folder.st_gid)
            os.seteuid(folder.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
