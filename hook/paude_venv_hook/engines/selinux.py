"""SELinux, which lets a container into a folder of the host only if that folder is labelled for it."""

from __future__ import annotations

import os

_FOLDER = "/sys/fs/selinux"


def is_on() -> bool:
    """Tell whether SELinux is on, here on the host."""
    return os.path.isfile(os.path.join(_FOLDER, "enforce"))
