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


def planned(*names: str, place: str = "") -> str:
    """Return the line in which `run` says what it planned to shadow; `place` is `SOURCE mounted on TARGET`, if said."""
    where = f", for {place}" if place else ""
    return f"Planned shadow: {', '.join(names)}{where}; the launcher that reads the overlay adds it\n"


def reserved(evidence: str) -> str:
    """Return the line that says that an empty `.venv` was made, and what told that the project keeps its venv there."""
    return (
        f"paude-venv-hook: made an empty .venv, to keep the container's venv out of it ({evidence}); "
        '"venv": "none" in paude.json turns that off\n'
    )
