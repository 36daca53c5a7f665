"""The user's own folders of paude: where platformdirs says they are."""

from __future__ import annotations

import os
import sys

_XDG = {
    "config": ("XDG_CONFIG_HOME", "~/.config"),
    "cache": ("XDG_CACHE_HOME", "~/.cache"),
    "data": ("XDG_DATA_HOME", "~/.local/share"),
}


def user_folder(kind: str) -> str:
    """Return the host path of paude's `config`, `cache` or `data` folder.

    On Linux this is the XDG Base Directory Specification itself, with what platformdirs makes of it: to import
    platformdirs takes as long as all the rest of a run. A test compares both.
    """
    variable, default = _XDG[kind]
    if sys.platform == "linux" and os.path.isabs(os.environ.get("HOME", "")):
        folder = os.environ.get(variable, "")
        return os.path.join(folder if os.path.isabs(folder) else os.path.expanduser(default), "paude")
    import platformdirs  # noqa: PLC0415

    if kind == "config":
        return platformdirs.user_config_dir("paude", appauthor=False)
    if kind == "cache":
        return platformdirs.user_cache_dir("paude", appauthor=False)
    return platformdirs.user_data_dir("paude", appauthor=False)
