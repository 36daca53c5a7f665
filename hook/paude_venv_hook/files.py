"""Files: whether a path is in a folder, reading what may be anything, writing atomically, making mount points."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress

from paude_venv_hook.errors import OverlayError, WorkspaceError
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

START_BYTES = 64 * 1024


def write_if_changed(path: str, data: bytes) -> bool:
    """Make the file at the host path hold `data`, and return whether it had to be written.

    A reader, and a crash at any moment, sees the old file or the new one, whole. A symlink is followed, an existing
    mode is kept, a new file and folder are private to the user. Raises OverlayError; the old file is then unchanged.
    """
    path = os.path.realpath(path)
    try:
        if read_file(path) == data:
            return False
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with _locked(folder):
            _replace(path, data)
    except OSError as error:
        raise OverlayError(f"{shown(path)}: cannot be written: {error.strerror}; mend it or use --output") from None
    return True


def read_file(path: str) -> bytes | None:
    """Return the bytes of a regular file, None where nothing is; OverlayError for anything that is no file."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OverlayError(f"{shown(path)}: exists and is not a regular file; name another one")
    with open(path, "rb") as file:
        return file.read()


def is_file(path: str) -> bool:
    """Tell whether the host path is a regular file, or a symlink to one."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def read_start(path: str) -> bytes:
    """Return the first 64 KB of a file, nothing for what cannot be read or is no file: a FIFO would block for ever."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return b""
        with open(path, "rb") as file:
            return file.read(START_BYTES)
    except OSError:
        return b""


def is_inside(path: str, folder: str) -> bool:
    """Tell whether the path is the folder or lies below it; both real and absolute."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Let one writer at a time into the folder; a writer that is killed leaves no lock behind."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: str, data: bytes) -> None:
    # The name is always the same, so that what killed writers leave behind is one file. The next one removes it: its
    # mode, and whoever else has it open, are not to be trusted.
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.tmp")
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
    """Make the directories that do not exist yet, as the user: the engine would make them as root.

    Yields those that were made. What was made is removed again where the block fails. Raises WorkspaceError.
    """
    made: list[str] = []
    try:
        for path in host_paths:
            if _make_mount_point(path):
                made.append(path)  # noqa: PERF401 - what was made before an error has to be known
        yield made
    except BaseException:
        for path in made:
            with suppress(OSError):
                os.rmdir(path)
        raise


def _make_mount_point(path: str) -> bool:
    """Return whether it had to be made."""
    if os.path.isdir(path):
        return False
    try:
        os.mkdir(path)
    except OSError as error:
        if os.path.isdir(path):  # another hook was quicker
            return False
        raise WorkspaceError(
            f"{shown(path)}: the mount point cannot be made: {error.strerror}; make it, or use --venv none"
        ) from None
    return True
