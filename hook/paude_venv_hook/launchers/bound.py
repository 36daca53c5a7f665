"""The workspaces among the folders that a container binds, for what sees each container that an engine starts.

Podman's hook and Docker's proxy are such. Nobody asked them about this container: a folder has to have opted in.
"""

from __future__ import annotations

import os

from paude_venv_hook.json_values import get_text
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.text import did_you_mean, shown
from paude_venv_hook.workspace.location import Location, opted_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.engines.run_grammar import Said
    from paude_venv_hook.pipeline import Prepared

# An annotation or a label of a container. `auto`: each directory that it binds is a workspace, whether or not it opted
# in. `none`: none of them is.
SWITCH = "paude.venv"
_SWITCH_VALUES = ("auto", "none")


def read_switch(words: Mapping[str, Any], kind: str) -> tuple[str | None, list[str]]:
    """Return what a container's annotations or labels say, None for nothing, and why it does not count, if so.

    `kind` is what they are called.
    """
    value = get_text(words, SWITCH)
    if SWITCH not in words:
        return None, []
    if value in _SWITCH_VALUES:
        return value, []
    hint = did_you_mean(value, _SWITCH_VALUES)
    return None, [f'{kind} {SWITCH}: "{shown(value)}" is not known{hint}; use auto or none']


def prepare_binds(
    mounts: Sequence[Mount],
    switch: str | None,
    environ: Mapping[str, str],
    *,
    engine: str,
    why: str,
    said: Said | None = None,
) -> dict[int, Prepared]:
    """Return the plan of each bind that carries a workspace, by its place among the mounts of a container.

    `why` says who tells of the mounts, `said` what the launch says of its container. Writes nothing. Raises HookError
    for a workspace whose settings are wrong.
    """
    prepared = {}
    for index, mount in enumerate(mounts):
        if switch == "none" or not _binds_directory(mount):
            continue
        source = os.path.realpath(mount.source)
        if opted_in(source):
            venv = None  # what its settings say
        elif switch == "auto":
            venv = switch  # the user's own list of directories is for workspaces, not for every folder
        else:
            continue
        mounted = {other.target: other.type for place, other in enumerate(mounts) if place != index}
        location = Location((mount._replace(source=source),), why, mounted)
        prepared[index] = prepare(source, environ, location=location, engine=engine, venv=venv, said=said)
    return prepared


def _binds_directory(mount: Mount) -> bool:
    is_whole = os.path.isabs(mount.source) and mount.target.startswith("/")
    return mount.type == "bind" and is_whole and os.path.isdir(mount.source)
