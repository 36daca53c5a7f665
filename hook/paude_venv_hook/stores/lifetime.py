"""Stores that live as long as their container, as if the venv lay in the container itself.

A new container begins with an empty store. A store that no container mounts any more is removed.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from paude_venv_hook.errors import StoreError
from paude_venv_hook.stores.folder import VENV, is_empty, make_store, name_in, read_record, store_path
from paude_venv_hook.stores.listing import Store, mounted_names, records_of, why_unasked
from paude_venv_hook.stores.purpose import CONTAINER, Purpose, store_name
from paude_venv_hook.stores.removal import empty_store, remove_store
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from paude_venv_hook.stores.folder import Record
    from paude_venv_hook.stores.listing import Containers

_MOST_COPIES = 100
_RECENTLY = 600.0  # seconds in which a launch that was given a store makes its container


class Users:
    """Which containers mount which stores: the engine is asked once, and only if that matters."""

    def __init__(self, ask: Callable[[], Containers]) -> None:
        """Take a function that returns all containers of the engine, also stopped ones, or raises StoreError."""
        self._ask = ask
        self._names: set[str] | None = None
        self._daemon = ""
        self._is_silent = False

    def may_have(self, store: str, record: Record) -> bool:
        """Tell whether a container mounts the store of a name, or may mount it, since nobody can be asked."""
        if self._names is None:
            self._names = mounted_names()
            try:
                containers, self._daemon = self._ask()
            except StoreError:
                self._is_silent = True
            else:
                for container in containers:
                    self._names.update(map(name_in, container.sources))
        return self._is_silent or store in self._names or bool(why_unasked(record, self._daemon))


def make_own_store(purpose: Purpose, users: Users, daemon: str, reason: str, *, is_ahead: bool = False) -> Purpose:
    """Make the store that a new container gets, an empty one or one that is emptied now, and return what it is for.

    It is the first that no container mounts. If `is_ahead`, the old container is not removed yet, or may be started
    again: what it mounts is kept then, as it is. `daemon` and `reason` are those of `make_store`. Raises StoreError if
    there are too many, or if it cannot be made.
    """
    store = _choose(purpose, users, is_ahead=is_ahead)
    venv = make_store(store, daemon, reason)
    with suppress(OSError):
        os.utime(os.path.dirname(venv))  # says that a launch was promised it just now
    return store


def _choose(purpose: Purpose, users: Users, *, is_ahead: bool) -> Purpose:
    for number in range(1, _MOST_COPIES):
        copy = "" if number == 1 else str(number)
        candidate = purpose._replace(lifetime=CONTAINER, copy=copy)
        folder = os.path.dirname(store_path(candidate))
        record = read_record(folder)
        if record is None or is_empty(os.path.join(folder, VENV)):
            return candidate
        if users.may_have(store_name(candidate), record):
            if is_ahead:
                return candidate
            continue
        with suppress(StoreError):  # if it cannot be emptied, another one is as good
            empty_store(_store(folder, record))
            return candidate
    raise StoreError(f"{shown(purpose.host_path)}: has {_MOST_COPIES} stores already; see paude-venv-hook store list")


def remove_left_stores(
    host_paths: Iterable[str], engine: str, *, rootless: bool, kept: Collection[str], users: Users
) -> None:
    """Remove the stores of an engine for venvs (their real host paths) that lived as long as a container that is gone.

    Those of the names in `kept` stay, and so does what cannot be removed: `store list` tells of it.
    """
    for host_path in dict.fromkeys(host_paths):
        for folder, record in records_of(host_path).items():
            purpose, name = record.purpose, os.path.basename(folder)
            is_own = (purpose.engine, purpose.rootless, purpose.lifetime) == (engine, rootless, CONTAINER)
            if is_own and name not in kept and not _is_promised(folder) and not users.may_have(name, record):
                with suppress(StoreError):
                    remove_store(_store(folder, record))


def _store(folder: str, record: Record) -> Store:
    return Store(folder, record, (), is_mounted=False, unasked="", has_workspace=True)


def _is_promised(folder: str) -> bool:
    """Tell whether a launch was promised the store just now: its container may not be made yet."""
    try:
        return abs(time.time() - os.stat(folder).st_mtime) < _RECENTLY
    except OSError:
        return True
