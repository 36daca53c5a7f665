"""How stores are emptied, and removed.

What is in them was written by containers, perhaps as root, perhaps to do harm: no link is followed.
"""

from __future__ import annotations

import os
import shlex
import shutil
from contextlib import contextmanager, suppress

from paude_venv_hook.errors import StoreError
from paude_venv_hook.stores.folder import open_folder
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from paude_venv_hook.stores.listing import Store


def empty_store(store: Store) -> None:
    """Remove all that is in the venv's folder, and not that folder: without it a stopped container would not start.

    Raises StoreError, which says what helps.
    """
    with _explained(store, "find {} -mindepth 1 -delete", store.venv):
        _empty(store.venv)


def remove_store(store: Store) -> None:
    """Remove the store. Raises StoreError, which says what helps; what is left is listed still."""
    with _explained(store, "rm -rf {}", store.folder):
        with suppress(FileNotFoundError, NotADirectoryError):  # somebody was here already
            _empty(store.venv)
        shutil.rmtree(store.folder)


def _empty(folder: str) -> None:
    descriptor = open_folder(folder)
    try:
        with os.scandir(descriptor) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            if is_folder:
                # By its path: no container reaches the folders above, and rmtree itself goes by descriptors.
                shutil.rmtree(os.path.join(folder, name))
            else:
                os.unlink(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(store: Store, command: str, path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RecursionError) as error:
        help_ = command.format(shlex.quote(path))
        if isinstance(error, PermissionError):
            purpose = store.record.purpose
            help_ = f"{'podman unshare' if purpose.engine == 'podman' and purpose.rootless else 'sudo'} {help_}"
        reason = error.strerror or str(error) if isinstance(error, OSError) else "its folders lie too deep"
        raise StoreError(f"{shown(store.name)}: cannot be removed: {reason}; run {shown(help_)}") from None
