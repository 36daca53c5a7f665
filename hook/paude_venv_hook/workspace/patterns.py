"""Find the directories of a workspace that match a pattern such as `packages/*/.venv`, in bounded time.

A repository is a stranger: eight levels of `*` and eight links `-> .` would take minutes, and through the proxy
everybody else's launches would wait for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from paude_venv_hook.files import is_inside

MOST_DIRECTORIES = 5000


def is_pattern(name: str) -> bool:
    """Tell whether a listed name is a pattern, as for glob(7)."""
    return any(character in name for character in "*?[")


def matches(name: str, part: str) -> bool:
    """Tell whether the name of a directory matches one part of a pattern. As in a shell, `*` leaves out `.name`."""
    from fnmatch import fnmatchcase  # noqa: PLC0415 - for the few lists that hold a pattern

    if name.startswith(".") and not part.startswith("."):
        return False
    return fnmatchcase(name, part)


class Search:
    """Looks for what the patterns of a list match in a folder (a real host path).

    All of them together look at no more than MOST_DIRECTORIES directories; then `is_exhausted`.
    """

    def __init__(self, folder: str) -> None:
        """Search a folder."""
        self._folder = folder
        self._left = MOST_DIRECTORIES
        self.is_exhausted = False

    def find(self, pattern: str) -> Iterator[tuple[str, list[str]]]:
        """Yield each directory that can hold a match, and the names in it that match the last part, sorted.

        The directories are relative to the folder, "" for itself. From the first wildcard on no symlink is followed,
        but the last name may be one. What cannot be read holds no match.
        """
        *parts, last = pattern.split("/")
        first = next((index for index, part in enumerate(parts) if is_pattern(part)), len(parts))
        head = "/".join(parts[:first])
        if not is_inside(os.path.realpath(os.path.join(self._folder, head)), self._folder):
            return
        waiting = [(head, first)]
        while waiting:
            path, depth = waiting.pop()
            if not self._left:
                self.is_exhausted = True
                return
            self._left -= 1
            if depth == len(parts):
                yield path, self._names(path, last, folders_only=False)
                continue
            names = self._names(path, parts[depth], folders_only=True)
            waiting += [(_join(path, name), depth + 1) for name in reversed(names)]

    def _names(self, path: str, part: str, *, folders_only: bool) -> list[str]:
        """Return the names in a directory that match a part of a pattern, without symlinks if only folders count."""
        folder = os.path.join(self._folder, path)
        if not is_pattern(part):
            name = os.path.join(folder, part)
            is_there = os.path.isdir(name) and not os.path.islink(name) if folders_only else os.path.lexists(name)
            return [part] if is_there else []
        names: list[str] = []
        with suppress(OSError), os.scandir(folder) as entries:
            matching = (entry for entry in entries if matches(entry.name, part))
            names += [entry.name for entry in matching if not folders_only or entry.is_dir(follow_symlinks=False)]
        return sorted(names)


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
