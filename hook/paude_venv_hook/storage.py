"""Choose the storage for the shadows of a launch, with the reason.

`auto` is disk if the dev container tools start the container and its venv is made once: such a container is kept, is
stopped and started again, and what nobody makes again has to stay. It is memory otherwise.
"""

from __future__ import annotations

import os

from paude_venv_hook.files import is_inside
from paude_venv_hook.folders import user_folder
from paude_venv_hook.launch import LOCAL_FOLDER, WORKING_DIR
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import find_devcontainer
from paude_venv_hook.workspace.environments import PACKAGES, SetUp, made_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paude_venv_hook.launch import Launch
    from paude_venv_hook.plan import Shadow
    from paude_venv_hook.workspace.settings import Settings

MEMORY = "memory"
DISK = "disk"
AUTO = "auto"

# A label of compose's: the files of the project, to which the dev container tools add some of their own.
COMPOSE_FILES = "com.docker.compose.project.config_files"
_FILES_OF_TOOLS = ("docker-compose.devcontainer.build-", "docker-compose.devcontainer.containerFeatures-")


class Storage(NamedTuple):
    """What the shadows of a workspace are made of: `kind` is MEMORY or DISK, and `why` says it to people.

    `is_own` tells that a store lives as long as its container.
    """

    kind: str = MEMORY
    why: str = ""
    is_own: bool = False


def has_stores() -> bool:
    """Tell whether this user has any store, as far as can be seen."""
    folder = user_folder("data")
    return bool(folder) and os.path.isdir(os.path.join(folder, "venvs"))


def is_by_tools(labels: Mapping[str, str]) -> bool:
    """Tell whether the dev container tools start a container with these labels.

    They label the dev container itself. The other services of its compose project have compose's labels alone, which
    name a file of theirs (dev container CLI 0.89, run).
    """
    files = labels.get(COMPOSE_FILES, "").split(",")
    return LOCAL_FOLDER in labels or any(os.path.basename(file).startswith(_FILES_OF_TOOLS) for file in files)


def find_config(config: str | None, launch: Launch, folder: str) -> str | None:
    """Return the devcontainer.json (a host path) by which a container of a workspace is started, None if there is none.

    `config` is the one that its own label names. The other services of a compose project have no such label: it is the
    one beside their compose file, if there is one, else the usual one.
    """
    if config is not None or not is_by_tools(launch.labels):
        return config
    beside = os.path.normpath(os.path.join(launch.labels.get(WORKING_DIR, ""), "devcontainer.json"))
    if is_inside(beside, folder) and os.path.isfile(beside):
        return beside
    return find_devcontainer(folder)


def choose_storage(settings: Settings, launch: Launch, set_ups: Sequence[SetUp], shadows: Iterable[Shadow]) -> Storage:
    """Return the storage of the shadows of a workspace; `set_ups` is what makes its environments."""
    if settings.storage != AUTO:
        return Storage(settings.storage, shown(settings.storage_source))
    if not is_by_tools(launch.labels):
        return Storage(MEMORY, "auto")
    key = once_made(set_ups, shadows)
    return Storage(DISK, f"auto: {key} makes it once", is_own=True) if key else Storage(MEMORY, "auto")


def once_made(set_ups: Sequence[SetUp], shadows: Iterable[Shadow]) -> str:
    """Return the key of the command that makes what one of the shadows covers, if no start makes it anew, else ""."""
    for shadow in shadows:
        key = made_once([set_up for set_up in set_ups if _is_for(set_up, shadow)])
        if key:
            return key
    return ""


def _is_for(set_up: SetUp, shadow: Shadow) -> bool:
    """Tell whether a command makes, or may make, what a shadow covers."""
    if not set_up.venv or is_inside(set_up.venv, shadow.path):
        return True
    # The one at the root brings those of the packages in it.
    return os.path.basename(set_up.venv) == os.path.basename(shadow.path) == PACKAGES
