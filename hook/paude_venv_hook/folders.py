"""The user's own folders of paude, as platformdirs has them."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from paude_venv_hook.errors import HookError

_XDG = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
    "data": ("XDG_DATA_HOME", ".local/share"),
    "state": ("XDG_STATE_HOME", ".local/state"),
}


def user_folder(kind: str) -> str:
    """Return the host path of paude's `config`, `cache`, `data` or `state` folder, "" for a user without a home folder.

    On Linux this is the XDG Base Directory Specification itself, with what platformdirs makes of it: to import
    platformdirs takes as long as all the rest of a run. A test compares both.
    """
    if sys.platform == "linux":
        variable, default = _XDG[kind]
        folder = os.environ.get(variable, "")
        if os.path.isabs(folder):
            return os.path.join(folder, "paude")
        home = home_folder()
        return home and os.path.join(home, default, "paude")
    import platformdirs  # noqa: PLC0415

    find = {
        "config": platformdirs.user_config_dir,
        "cache": platformdirs.user_cache_dir,
        "data": platformdirs.user_data_dir,
        "state": platformdirs.user_state_dir,
    }[kind]
    try:
        folder = find("paude", appauthor=False)
    except RuntimeError:  # for a user without a home
        return ""
    return folder if os.path.isabs(folder) else ""  # as older ones say it: ~ as it is, which the repository may have


def needed_folder(folder: str, error_class: type[HookError], alternative: str = "") -> str:
    """Return a folder of the user's, as the functions here find it. Raises an error of that class if it is "".

    `alternative` is what else the user can do.
    """
    if not folder:
        advice = f"set it, or {alternative}" if alternative else "set it"
        raise error_class(f"HOME: is not set, and this user has no home folder; {advice}")
    return folder


def config_home(environ: Mapping[str, str]) -> str:
    """Return the host path of the folder in which programs have their configuration, "" without a home folder.

    It is that of the XDG Base Directory Specification, on every system.
    """
    folder = environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(folder):
        return folder
    home = home_folder()
    return home and os.path.join(home, ".config")


def home_folder() -> str:
    """Return the host path of the user's home folder, "" if there is none.

    Without HOME (Podman clears the environment of its hooks) it is the one in the list of users, of the user outside of
    a user namespace: in the one of a rootless Podman, everybody is root.
    """
    home = os.environ.get("HOME", "")
    if os.path.isabs(home):
        return home.rstrip("/") or "/"
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        home = pwd.getpwuid(_outside(os.getuid())).pw_dir
    except (ImportError, KeyError):
        return ""
    return home if os.path.isabs(home) else ""


def _outside(user: int) -> int:
    """Return the number that a user of this user namespace has outside of it (user_namespaces(7))."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except OSError:
        return user
    for start, first, count in ranges:
        if start <= user < start + count:
            return first + user - start
    return user
