"""What is mounted in a container, as its kernel says it."""

from __future__ import annotations

import re

from paude_venv_hook.records import NamedTuple


class Mounted(NamedTuple):
    """A mount in a container: its file system's type, its options, and which folder of that file system it shows."""

    type: str
    options: frozenset[str]
    root: str


def parse_mountinfo(text: str) -> dict[str, Mounted]:
    """Return the topmost mount on each path, from /proc/self/mountinfo (proc(5))."""
    mounts = {}
    for line in text.splitlines():
        fields = line.split(" ")
        if "-" not in fields[6:-1]:  # no line of a mount
            continue
        root, path = map(_unescaped, fields[3:5])
        mounts[path] = Mounted(fields[fields.index("-") + 1], frozenset(fields[5].split(",")), root)
    return mounts


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
