"""Fill a folder with files, directories and symlinks that a test writes down as a list."""

from __future__ import annotations

from pathlib import Path


def fill(folder: Path, *entries: str) -> Path:
    """Make each of `file`, `file = its text`, `directory/` and `symlink -> target`, with its parents, in the folder."""
    for entry in entries:
        name, is_link, target = entry.partition(" -> ")
        path = folder / name.partition(" = ")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_link:
            path.symlink_to(target)
        elif name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(name.partition(" = ")[2])
    return folder
