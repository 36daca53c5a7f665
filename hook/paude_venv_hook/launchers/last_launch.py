"""The outcome of a workspace's last launch, kept for ways in that cannot print anything.

Podman drops what a hook says, and the dev container CLI shows nothing that a compose program prints. `status` and
`verify` tell of it. There is one small file a workspace, in paude's state folder.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress

from paude_venv_hook.digest import name_and_digest
from paude_venv_hook.errors import HookError, OverlayError
from paude_venv_hook.files import read_start, write_if_changed
from paude_venv_hook.folders import user_folder
from paude_venv_hook.json_values import get_list, get_text, parse_json
from paude_venv_hook.notes import unique_words
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from paude_venv_hook.decision import Decision

_VERSION = 1
_MOST_NOTES = 20
_MOST_CHARACTERS = 500
_MOST_FILES = 200
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


class LastLaunch(NamedTuple):
    """Through what the last launch came, how many seconds ago, what it shadowed, and what a person should know."""

    through: str
    seconds_ago: float
    shadowed: tuple[str, ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return it for people, one line each."""
        head = f"{_ago(self.seconds_ago)}, through {self.through}"
        names = ", ".join(self.shadowed)
        outcome = f"shadowed {names}" if names else "shadowed nothing"
        return [f"{head}: {line}" for line in (outcome, *self.notes)]


def _ago(seconds: float) -> str:
    for size, unit in _UNITS:
        count = int(seconds // size)
        if count:
            plural = "s" if count > 1 else ""
            return f"{count} {unit}{plural} ago"
    return "less than a minute ago"


def record(decision: Decision, through: str) -> None:
    """Keep the outcome of a launch, for each workspace that it mounts. A failure to write stops no launch."""
    for answer in decision.answers:
        shadowed = [shadow.path for shadow in answer.plan.shadows]
        _write(answer.workspace_folder, through, shadowed, unique_words(decision.notes))
    for folder, why in decision.refused:
        _write(folder, through, (), [why])


def record_error(error: HookError, through: str) -> None:
    """Keep that nothing was shadowed, since the settings of a workspace are wrong."""
    if error.workspace_folder:
        _write(error.workspace_folder, through, (), [str(error)])


def read_last_launch(workspace_folder: str) -> LastLaunch | None:
    """Return the outcome of the last launch of a workspace (a host path), None if there is none."""
    path = _path(workspace_folder)
    document = parse_json(read_start(path)) if path else None
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        return None
    try:
        seconds_ago = max(0.0, time.time() - os.stat(path).st_mtime)
    except OSError:
        return None
    shadowed, notes = (tuple(map(str, get_list(document, key))) for key in ("shadowed", "notes"))
    return LastLaunch(get_text(document, "through"), seconds_ago, shadowed, notes)


def _write(workspace_folder: str, through: str, shadowed: Iterable[str], notes: Iterable[str]) -> None:
    path = _path(workspace_folder)
    if not path:
        return
    document = {
        "version": _VERSION,
        "workspaceFolder": workspace_folder,
        "through": through,
        "shadowed": list(dict.fromkeys(shadowed)),
        "notes": [line[:_MOST_CHARACTERS] for line in notes][:_MOST_NOTES],
    }
    data = json.dumps(document, indent=2).encode() + b"\n"
    with suppress(OverlayError, OSError):
        if not os.path.exists(path):
            _make_room(os.path.dirname(path))
        if not write_if_changed(path, data):
            os.utime(path)  # its time is that of the launch


def _make_room(folder: str) -> None:
    """Remove the oldest files to make room for one more."""
    with suppress(FileNotFoundError):
        with os.scandir(folder) as entries:
            paths = sorted((entry.path for entry in entries), key=os.path.getmtime)
        too_many = len(paths) - _MOST_FILES + 1
        for path in paths[: max(too_many, 0)]:
            os.unlink(path)


def _path(workspace_folder: str) -> str:
    """Return the host path of a workspace's file, "" for a user without a home folder."""
    folder = user_folder("state")
    real = os.path.realpath(workspace_folder)
    return os.path.join(folder, "last-launches", f"{name_and_digest(real)}.json") if folder else ""
