"""How stores are emptied, and removed.

What is in them was written by containers, perhaps as root, perhaps to do harm: no link is followed, and no tree is too
deep, or has names that are too long together.
"""

from __future__ import annotations

import errno
import os
import shlex
from contextlib import contextmanager, suppress

from paude_venv_hook.errors import StoreError
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.stores.folder import open_folder
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from paude_venv_hook.stores.listing import Store


class _Level(NamedTuple):
    """A folder on the way down: its name in the one above, who it is, and its folders that are still to be removed."""

    name: str
    device: int
    inode: int
    folders: list[str]


def empty_store(store: Store) -> None:
    """Remove all that is in the venv's folder, and not that folder: without it a stopped container would not start.

    Raises StoreError, which says what helps.
    """
    with _explained(store, "find {} -mindepth 1 -delete", store.venv):
        _empty(open_folder(store.venv))


def remove_store(store: Store) -> None:
    """Remove the store. Raises StoreError, which says what helps; what is left is listed still."""
    with _explained(store, "rm -rf {}", store.folder):
        try:
            venv = open_folder(store.venv)
        except (FileNotFoundError, NotADirectoryError):
            pass  # somebody was here already
        else:
            _empty(venv)  # before the record, by which it is listed still if this fails
        _empty(open_folder(store.folder))
        os.rmdir(store.folder)


def _empty(descriptor: int) -> None:
    """Remove all that is in the folder of a descriptor, which is closed then. Raises OSError.

    One folder is open at a time, and none is named by its path: neither has an end in a container.
    """
    try:
        levels = [_remove_files("", descriptor)]
        while True:
            if levels[-1].folders:
                name = levels[-1].folders.pop()
                below = _open_below(name, descriptor)
                if below is not None:
                    os.close(descriptor)
                    descriptor = below
                    levels.append(_remove_files(name, descriptor))
            elif len(levels) > 1:
                name = levels.pop().name
                above = _open_above(levels[-1], descriptor)
                os.close(descriptor)
                descriptor = above
                with suppress(FileNotFoundError):
                    os.rmdir(name, dir_fd=descriptor)
            else:
                return
    finally:
        os.close(descriptor)


def _remove_files(name: str, descriptor: int) -> _Level:
    """Remove all but folders from the open folder, and return what is left of it."""
    folders = []
    with os.scandir(descriptor) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(entry.name, dir_fd=descriptor)
    status = os.fstat(descriptor)
    return _Level(name, status.st_dev, status.st_ino, folders)


def _open_below(name: str, descriptor: int) -> int | None:
    """Return a descriptor of a folder in the one that is open, None if it has gone. OSError for a symlink."""
    try:
        return open_folder(name, descriptor)
    except FileNotFoundError:
        return None


def _open_above(level: _Level, descriptor: int) -> int:
    """Return a descriptor of the folder above the one that is open.

    Raises OSError if it is another one than on the way down: whoever moves folders about meanwhile cannot lead us out
    of the store.
    """
    above = open_folder("..", descriptor)
    status = os.fstat(above)
    if (status.st_dev, status.st_ino) != (level.device, level.inode):
        os.close(above)
        raise OSError(errno.EBUSY, "its folders are moved meanwhile")
    return above


@contextmanager
def _explained(store: Store, command: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        help_ = command.format(shlex.quote(path))
        if isinstance(error, PermissionError):
            purpose = store.record.purpose
            is_rootless = purpose.engine == "podman" and purpose.rootless
            help_ = f"podman unshare {help_}" if is_rootless else f"sudo {help_}"
        raise StoreError(f"{shown(store.name)}: cannot be removed: {error.strerror}; run {shown(help_)}") from None
