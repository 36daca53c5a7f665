"""Names of files: which ones an engine can mount."""

from __future__ import annotations

import os


def can_be_mounted(path: str) -> bool:
    """Tell whether engines mount on the path, or from it, as it is written: UTF-8 without control characters."""
    return is_utf8(path) and not has_control_characters(path)


def has_control_characters(name: str) -> bool:
    """Tell whether `name` holds a control character (C0, DEL, C1), which no mount point may."""
    return not name.isprintable() and any(c < " " or "\x7f" <= c <= "\x9f" for c in name)


def is_utf8(name: str) -> bool:
    """Tell whether the name can be written in UTF-8: engines mount all else at U+FFFD, another directory."""
    try:
        return os.fsencode(name).decode() == name  # as it is on the disk, whatever encoding the locale says
    except UnicodeError:
        return False
