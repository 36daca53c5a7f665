"""What a command declares; the arguments that several share, and their values: what a class holds is the default.

An argument is the pair of its names and its argparse keywords. argparse itself is not needed here: the call of every
launch does without.
"""

from __future__ import annotations

import os

from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.errors import OverlayError
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol, TypedDict

    from paude_venv_hook.decision import Answer

    Argument = tuple[tuple[str, ...], dict[str, Any]]

    class Command(Protocol):
        """What the module of a command declares."""

        SUMMARY: str
        EXAMPLES: str
        POSITION: int | None
        ARGUMENTS: Sequence[Argument]
        Options: type

        def execute(self, options: Any) -> int:
            """Do it, and return the exit code."""

    class Choices(TypedDict):
        """What every way of planning takes as keywords."""

        config: str | None
        engine: str
        venv: str | None
        storage: str | None


def argument(*names: str, **keywords: Any) -> Argument:
    """Return an argument of a command, from what argparse's `add_argument` takes."""
    return names, keywords


WORKSPACE_FOLDER = argument("--workspace-folder", metavar="DIR", help="the project's folder (default: the current one)")
ENGINE = argument(
    "--engine",
    choices=("auto", *ENGINES),
    help="the engine of the container (default: PAUDE_VENV_ENGINE, else the one on PATH; of both podman, but docker "
    "for devcontainer-config and compose)",
)
VENV = argument(
    "--venv",
    metavar="auto|none|NAME[,NAME…]",
    help="the directories to shadow; beats PAUDE_VENV, which beats paude.json (default: auto)",
)
STORAGE = argument(
    "--storage",
    metavar="auto|memory|disk",
    help="where the container's venvs are: in memory, emptied by each stop, or on the host's disk, where they stay; "
    "beats PAUDE_VENV_STORAGE, which beats paude.json (default: auto)",
)
# What `exec` takes in place of these options, which belong to the command line of the program that it starts.
VARIABLES = {"--venv": "PAUDE_VENV", "--storage": "PAUDE_VENV_STORAGE"}
# What a launch says of its container, if this program does not see it.
IMAGE = argument("--image", help="for storage on disk: the image of the container (default: as devcontainer.json says)")
PLATFORM = argument("--platform", help="for storage on disk: the platform of that image, if the launch names one")
OUTPUT = argument("--output", metavar="FILE", help="another file than the default; - is stdout")
QUIET = argument("--quiet", action="store_true", help="print nothing on stderr but errors")
DRY_RUN = argument("--dry-run", action="store_true", help="show what would change, and change nothing")
OR_OUTPUT = "use --output"  # what else to do about a file that cannot be written
CONFIG = argument("--config", metavar="FILE", help="another devcontainer.json")


def container_workspace_folder(*aliases: str) -> Argument:
    """Return the argument of that name, with further names."""
    return argument(
        "--container-workspace-folder",
        *aliases,
        metavar="PATH",
        help="where the workspace folder is in the container (default: as devcontainer.json says, else the same path)",
    )


CONTAINER_WORKSPACE_FOLDER = container_workspace_folder()
WORKSPACE = (WORKSPACE_FOLDER, CONTAINER_WORKSPACE_FOLDER, CONFIG, ENGINE, VENV, STORAGE)


class WorkspaceOptions:
    """What is asked about one workspace."""

    workspace_folder = "."
    container_workspace_folder: str | None = None
    config: str | None = None
    engine = "auto"
    venv: str | None = None
    storage: str | None = None
    image: str | None = None
    platform: str | None = None

    @property
    def choices(self) -> Choices:
        """The values that every way of planning takes, as its keywords."""
        return {"config": self.config, "engine": self.engine, "venv": self.venv, "storage": self.storage}

    def decide(self) -> Answer:
        """Return the decision for the workspace. Raises a HookError for whatever is wrong."""
        from paude_venv_hook.launchers.flags import decide_by_flags  # noqa: PLC0415 - not for --help

        return decide_by_flags(
            self.workspace_folder,
            os.environ,
            container_workspace_folder=self.container_workspace_folder,
            image=self.image,
            platform=self.platform,
            **self.choices,
        )


def plain_options(command: Command, words: Sequence[str]) -> Any:
    """Return a command's options if each word is the whole name of one, or the value of the one before; else None.

    So are the calls before each launch. argparse reads all others, and takes a tenth of a run to load.
    """
    if any(_is_required(argument) for argument in command.ARGUMENTS):
        return None
    known = {name: argument for argument in command.ARGUMENTS for name in argument[0]}
    options = command.Options()
    rest = iter(words)
    for word in rest:
        if word not in known:
            return None
        names, keywords = known[word]
        value: str | bool = True
        if keywords.get("action") != "store_true":
            value = next(rest, "")
            is_option = value.startswith("-") and value != "-"
            if not value or is_option or not _is_plain(value, keywords):
                return None
        setattr(options, attribute(names), value)
    return options


def _is_required(argument: Argument) -> bool:
    names, keywords = argument
    return not names[0].startswith("-") or "required" in keywords


def _is_plain(value: str, keywords: dict[str, Any]) -> bool:
    """Tell whether a value is all that an argument takes, and one that it takes."""
    choices = keywords.get("choices")
    return keywords.keys() <= {"choices", "help", "metavar"} and (choices is None or value in choices)


def attribute(names: Sequence[str]) -> str:
    """Return the attribute of the options that holds the value of an argument of these names."""
    return names[0].lstrip("-").replace("-", "_")


def write_output(output: str, data: bytes) -> None:
    """Write to the file that `--output` names. Raises OverlayError, also if its folder does not exist."""
    from paude_venv_hook.files import write_if_changed  # noqa: PLC0415 - not for --help

    path = os.path.abspath(output)
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise OverlayError(f"{shown(folder)}: does not exist; make it, or name another file with --output")
    write_if_changed(path, data, OR_OUTPUT)


def overlay_path(output: str | None, workspace_folder: str) -> str:
    """Return the host path of the overlay: the value of `--output`, else the workspace folder's own."""
    if output is not None:
        return os.path.abspath(output)
    from paude_venv_hook.overlay import default_path  # noqa: PLC0415 - not for --help

    try:
        return default_path(workspace_folder)
    except OverlayError as error:
        raise OverlayError(f"{error}, or use --output") from None
