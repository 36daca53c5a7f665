"""Where stores are, and the folders that make one up.

`venvs/` in paude's data folder (not the cache folder, which cleaners empty) is closed to other users. In it, each store
is a folder with `store.json`, which says what it is for, and `venv/`, which containers mount.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from paude_venv_hook.errors import StoreError
from paude_venv_hook.files import read_file, remedy, write_if_changed
from paude_venv_hook.folders import needed_folder, user_folder
from paude_venv_hook.json_values import parse_json
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.stores.purpose import Purpose, dump_purpose, read_purpose, store_name
from paude_venv_hook.text import shown

VERSION = 1
VENV = "venv"
_RECORD = "store.json"
_DATE = r"\d{4}-\d\d-\d\d"
_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# Venvs of containers, made by paude-venv-hook: backups may leave them out (https://bford.info/cachedir/).
"""
_MOUNTED = re.compile(rf"/([A-Za-z0-9._-]+-[0-9a-f]{{16}})/{VENV}$")
# The default ACL u::rwx,g::rwx,o::rwx as Linux keeps it (linux/posix_acl_xattr.h): a version, and for each entry its
# tag, its permissions and an id, which these have not.
_ACL_END = (7).to_bytes(2, "little") + b"\xff\xff\xff\xff"
_ACL = (2).to_bytes(4, "little") + b"".join(tag.to_bytes(2, "little") + _ACL_END for tag in (0x01, 0x04, 0x20))
_ACL_NAME = "system.posix_acl_default"


class Record(NamedTuple):
    """What `store.json` holds: what the store is for, and the days on which it was made and last asked for.

    `daemons` are the identities of the daemons that it was made for (`daemons.Daemon`), as far as they were known.
    `reason` is why the venv is on disk, in words, and `image_id` the ID of the image that got it while it was empty.
    """

    purpose: Purpose
    made: str
    last_used: str
    daemons: tuple[str, ...] = ()
    reason: str = ""
    image_id: str = ""


def stores_folder() -> str:
    """Return the host path of the folder that holds all stores. Raises StoreError for a user without a home folder."""
    return os.path.join(needed_folder(user_folder("data"), StoreError, "keep venvs in memory"), "venvs")


def store_path(purpose: Purpose) -> str:
    """Return the host path of the folder that a container has to mount; nothing is made."""
    return os.path.join(stores_folder(), store_name(purpose), VENV)


def make_store(purpose: Purpose, daemon: str = "", reason: str = "", image_id: str = "") -> str:
    """Make the store, if it is missing, and return the host path of the folder that a container has to mount.

    `daemon` is the identity of the one whose container that is, "" if it is not known, `reason` why its venv is on
    disk, in words, and `image_id` the ID of an image that gets it empty, "" to keep the one that is known. Safe to
    repeat, and for two at once; only the first call of a day, and of a daemon, writes. Every user of a container may
    write into that folder, and thanks to a default ACL each into what another one made there, root on Docker for
    example. If the file system or the system has no such ACL (macOS), the mode alone has to do: the venv of one user of
    the container is then not for another to change. Other users of the host are kept out by the folders above.

    A container's root may have given the folder to somebody else; what it decided about the mode stays then. Raises
    StoreError for what cannot be made, is a symlink or belongs to another user; no link is followed below paude's data
    folder.
    """
    folder = stores_folder()
    store = os.path.join(folder, store_name(purpose))
    venv = os.path.join(store, VENV)
    with _refused(folder):
        os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    _make_private(folder)
    _write(os.path.join(folder, "CACHEDIR.TAG"), _TAG)
    _make_private(store)
    today = time.strftime("%Y-%m-%d")
    before = read_record(store) or Record(purpose, today, today)
    daemons = dict.fromkeys(filter(None, (*before.daemons, daemon)))
    _write_record(
        store, Record(purpose, before.made, today, tuple(daemons), reason or before.reason, image_id or before.image_id)
    )
    with _refused(venv), suppress(PermissionError), _folder(venv, 0o777) as descriptor:
        _set_mode(descriptor, 0o777)
        _set_default_acl(descriptor)
    return venv


def name_in(path: str) -> str:
    """Return the name of the store that a path mounts, as any machine or namespace shows it; "" for another path."""
    match = _MOUNTED.search(path)
    return match[1] if match else ""


def read_record(store: str) -> Record | None:
    """Return what a store (its host path) is for; None if that cannot be known."""
    try:
        data = parse_json(read_file(os.path.join(store, _RECORD)) or b"")
        purpose = read_purpose(data)
        daemons = data.get("daemons", [])
        later = (data.get("reason", ""), data.get("imageId", ""))
        record = Record(purpose, data["made"], data["lastUsed"], tuple(daemons), *later)
        has_known_form = data["version"] == VERSION and isinstance(daemons, list)
        is_in_place = os.path.basename(store) == store_name(purpose)
        has_dates = all(re.fullmatch(_DATE, day) for day in (record.made, record.last_used))
        has_texts = all(isinstance(text, str) for text in (*daemons, *later))
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return record if has_known_form and is_in_place and has_dates and has_texts else None


def is_empty(folder: str) -> bool:
    """Tell whether nothing is in a store's venv (a host path), as far as can be seen, or it is not there."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:  # a container's root closed it
        return False


def _write_record(store: str, record: Record) -> None:
    data = {"version": VERSION, **dump_purpose(record.purpose), "made": record.made, "lastUsed": record.last_used}
    if record.daemons:
        data["daemons"] = list(record.daemons)
    if record.reason:
        data["reason"] = record.reason
    if record.image_id:
        data["imageId"] = record.image_id
    _write(os.path.join(store, _RECORD), (json.dumps(data, indent=2) + "\n").encode())


def _write(path: str, data: bytes) -> None:
    write_if_changed(path, data, "keep venvs in memory", StoreError)


def _make_private(path: str) -> None:
    with _refused(path), _folder(path, 0o700) as descriptor:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise StoreError(f"{shown(path)}: belongs to another user; remove it, or keep venvs in memory")
        _set_mode(descriptor, 0o700)


@contextmanager
def _folder(path: str, mode: int) -> Iterator[int]:
    """Give a descriptor of a folder, which is made if it is missing and is no symlink."""
    with suppress(FileExistsError):
        os.mkdir(path, mode)
    descriptor = open_folder(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(path: str, above: int | None = None) -> int:
    """Return a descriptor of a folder; OSError for a symlink, as for all else.

    `above` is a descriptor of the folder from which a relative path leads.
    """
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)


def _set_mode(descriptor: int, mode: int) -> None:
    """Set the mode, whatever the umask says."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
        os.fchmod(descriptor, mode)


def _set_default_acl(descriptor: int) -> None:
    if not hasattr(os, "setxattr"):
        return
    try:
        try:
            is_set = os.getxattr(descriptor, _ACL_NAME) == _ACL
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
            is_set = False
        if not is_set:
            os.setxattr(descriptor, _ACL_NAME, _ACL)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise


@contextmanager
def _refused(path: str) -> Iterator[None]:
    """Turn what the system refuses to do with a folder of the store into an error that names it."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{shown(path)}: cannot be made or used: {error.strerror}; "
            f"{remedy(error, 'write')}, or keep venvs in memory"
        ) from None
