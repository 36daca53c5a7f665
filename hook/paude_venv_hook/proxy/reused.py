"""Containers of compose that run, and were made before without the shadows that they would get now.

Compose makes a container anew if its configuration has changed, and the shadows are no part of that. So it reuses such
a container, and names it in no call that creates or starts one.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from paude_venv_hook.errors import HookError
from paude_venv_hook.json_values import get_list, get_text
from paude_venv_hook.proxy.api import find_missing
from paude_venv_hook.proxy.planning import lines_for_person

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from paude_venv_hook.notes import Note
    from paude_venv_hook.proxy.setup import Setup

_PROJECT = "com.docker.compose.project"


def lines_on_reused(projects: Iterable[str], setup: Setup) -> list[str]:
    """Return a line for each running container of these projects that lacks a shadow.

    A daemon that does not answer has none.
    """
    notes: list[Note] = []
    try:
        for project in projects:
            for container in _running(project, setup):
                notes += _notes_on(container, setup)
    except OSError:
        pass  # what was found is said
    return lines_for_person(notes, setup)


def _running(project: str, setup: Setup) -> Iterator[Any]:
    """Yield what the daemon tells of each container of a project that runs and mounts something."""
    filters = quote(json.dumps({"label": [f"{_PROJECT}={project}"]}))
    for listed in setup.ask(f"/containers/json?filters={filters}") or ():
        if get_list(listed, "Mounts"):
            yield setup.ask(f"/containers/{quote(get_text(listed, 'Id'))}/json")


def _notes_on(container: Any, setup: Setup) -> list[Note]:
    try:
        return find_missing(container, setup)[1]
    except HookError:  # wrong settings are said by whoever creates a container
        return []
