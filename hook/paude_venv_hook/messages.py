"""What a person should know of a plan, in words: one line each, which ends in what to do. Pure."""

from __future__ import annotations

import json
import os

from paude_venv_hook.text import shown
from paude_venv_hook.workspace.found import Kind, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paude_venv_hook.plan import Plan, Shadow
    from paude_venv_hook.workspace.found import Unshadowed

_NAMED = 5  # a line names as many venvs
_MANY = 3  # more in folders beside each other are one pattern


def of_plan(plan: Plan) -> list[str]:
    """Return what was skipped and why, and what of the host's stays visible."""
    skipped = [_not_shadowed(item.path, item.reason) for item in plan.skipped if not item.is_expected]
    return [*skipped, *troubles(plan.shadows), *_visible(plan)]


def troubles(shadows: Iterable[Shadow]) -> list[str]:
    """Return which of the host's venvs do not run on this machine, and why."""
    broken = {shadow.path: shadow.trouble for shadow in shadows if shadow.trouble}
    return [f"{shown(path)} does not run on this machine: {trouble}" for path, trouble in broken.items()]


def _not_shadowed(path: str, reason: Reason) -> str:
    what = "nothing" if path == "." else f"{shown(path)} not"
    advice = f"; {reason.advice}" if reason.advice else ""
    return f"{what} shadowed: {shown(reason.text)}{advice}"


def _visible(plan: Plan) -> list[str]:
    paths = [item.path for item in plan.visible if item.kind is not Kind.NAMES_NO_VENV]
    if not paths:
        return []
    more = len(paths) - _NAMED
    named = ", ".join(paths[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    stay = "stay visible in the container" if len(paths) > 1 else "stays visible in the container"
    settable = [path for path in paths if not path.startswith("../")]  # a list names nothing above the workspace folder
    if not settable:
        return [f"{shown(named)} {stay}; only a paude.json in that folder can name it"]
    shadows = [shadow for shadow in plan.shadows if shadow.kind is not Kind.ALSO]
    listed = [shadow.path for shadow in shadows if not shadow.path.startswith("../")]
    setting = json.dumps(list(dict.fromkeys([*listed, *patterns(settable)])), ensure_ascii=False)
    return [f'{shown(named)} {stay}; to shadow what is there, write "venv": {shown(setting)} in paude.json']


def patterns(paths: Iterable[str]) -> list[str]:
    """Return paths as the entries of a list: many of one name in folders beside each other are one pattern."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        parts = path.split("/")
        pattern = "/".join([*parts[:-2], "*", parts[-1]]) if len(parts) > 2 else path  # noqa: PLR2004 - a/b/.venv
        groups.setdefault(pattern, []).append(path)
    return [item for pattern, group in groups.items() for item in ([pattern] if len(group) > _MANY else group)]


def made_for_reserve(shadow: Shadow) -> str:
    """Return what is to be said where `.venv` was made, so that it can be shadowed before it holds a venv."""
    evidence = shadow.evidence
    line = (
        f"made an empty {shown(shadow.path)}, so that the container's venv stays out of it ({evidence}); "
        '"venv": "none" in paude.json turns that off'
    )
    if evidence == "poetry.toml":
        line += "; the host's first `poetry install` makes it anew, so restart a running container after that"
    return line


def made_for_list(made: Iterable[Shadow], source: str, visible: Sequence[Unshadowed]) -> str:
    """Return what is to be said where directories of a list were made; `source` says where the list stands."""
    names = ", ".join(dict.fromkeys(shown(shadow.path) for shadow in made))
    left = ", ".join(shown(item.path) for item in visible)
    return f"made an empty {names}, which {shown(source)} lists" + (f"; not listed, so visible: {left}" if left else "")


def emptied(shadows: Iterable[Shadow], command: str) -> str:
    """Return what is to be said where only a command of devcontainer.json that runs once makes the environment."""
    names = ", ".join(dict.fromkeys(shown(shadow.path) for shadow in shadows))
    return f"a restart empties {names}, and {command} does not run again: repeat it in postStartCommand"


def guarded(command: str) -> str:
    """Return what is to be said where a command of devcontainer.json makes `.venv` only where no directory is."""
    return (
        f"{command} makes no venv where a directory .venv is, and its shadow is one: let it look for .venv/bin/python"
    )


def unnamed(configurations: Sequence[str], workspace_folder: str) -> list[str]:
    """Return what is to be said where there is no default devcontainer.json but others, of these host paths."""
    names = " or ".join(shown(os.path.relpath(path, workspace_folder)) for path in configurations)
    return [f"no default devcontainer.json; to plan for another one, give --config {names}"] if names else []
