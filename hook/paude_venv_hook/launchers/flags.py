"""Decide by flags, for a launch that others make: the workspace is known, devcontainer.json names its place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from paude_venv_hook.decision import Answer, Decision, decide_workspace, why_nothing
from paude_venv_hook.engines.choice import choose_engine
from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.launch import LOCAL_FOLDER, SWITCH, SWITCHED_OFF, Launch
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import (
    Devcontainer,
    find_devcontainer,
    is_containers_own,
    named_devcontainers,
    read_devcontainer,
)
from paude_venv_hook.workspace.location import Location, Workspace, check_workspace_folder, container_folder
from paude_venv_hook.workspace.settings import read_settings


def decide_by_flags(  # noqa: PLR0913 - keywords, each a flag
    workspace_folder: str,
    environ: Mapping[str, str],
    *,
    container_workspace_folder: str | None = None,
    config: str | None = None,
    engine: str = "auto",
    venv: str | None = None,
    storage: str | None = None,
    image: str | None = None,
    platform: str | None = None,
    is_by_tools: bool = False,
) -> Answer:
    """Return the decision for a workspace folder (a host path), from the values of the flags.

    `is_by_tools` tells that the dev container tools will start the container. Raises a HookError for whatever is wrong.
    """
    folder = check_workspace_folder(workspace_folder)
    config = config or find_devcontainer(folder)
    settings = read_settings(folder, venv, environ, storage)
    launch = Launch(choose_engine(engine, environ)[0], folder=folder, image=image or "", platform=platform or "")
    if is_by_tools:
        launch = launch._replace(labels={LOCAL_FOLDER: folder})
    workspace = Workspace(folder, Location((), ""), config)
    if settings.venv == "none":
        return decide_workspace(workspace, settings, launch, environ)

    workspace = workspace._replace(location=locate(folder, container_workspace_folder, config, environ))
    may_have_store = settings.storage == "disk" or (is_by_tools and settings.storage == "auto")
    if may_have_store and image is None and platform is None:
        image, platform = read_image(config, folder, environ)
        launch = launch._replace(image=image, platform=platform)
    answer = decide_workspace(workspace, settings, launch, environ)
    return answer if config else _with_note_on_others(answer)


def _with_note_on_others(answer: Answer) -> Answer:
    """Return an answer without a devcontainer.json, with a note on those that are there and have to be named."""
    folder = answer.workspace_folder
    paths = tuple(os.path.relpath(path, folder) for path in named_devcontainers(folder))
    if not paths:
        return answer
    return answer._replace(notes=(*answer.notes, Note(NoteKind.UNNAMED, paths)))


def notes_on_nothing(answers: Sequence[Answer]) -> list[Note]:
    """Return why nothing is shadowed in a workspace that somebody named, unless something is or there are other notes.

    In a folder without a venv, the workspace above is named: the wrong folder is the most common mistake.
    """
    if any(answer.plan.shadows or answer.notes for answer in answers):
        return []
    note = why_nothing(Decision(tuple(answers), ()), "")
    if not note.advice:
        return [note]
    from paude_venv_hook.workspace.carried import workspace_above  # noqa: PLC0415 - not if there is something to shadow

    folder = answers[0].workspace_folder
    above = workspace_above(folder)
    if above is not None:
        name = shown(os.path.relpath(above))
        why = f"no venv in {shown(folder)}; the workspace seems to be {name}"
        note = note._replace(why=why, advice=f"if so, write --workspace-folder {name}")
    return [note]


def locate(
    folder: str, container_workspace_folder: str | None, config: str | None, environ: Mapping[str, str]
) -> Location:
    """Return where a workspace folder (an absolute host path) is in the container.

    The flag `--container-workspace-folder` beats devcontainer.json (`config` names it). Without either the workspace is
    mounted under its host path, as paude does. Raises UsageError for the flag, DevcontainerError and JsonFileError for
    the file, WorkspaceError for a folder that is no path in a container.
    """
    devcontainer = read_devcontainer(os.path.abspath(config), folder, environ) if config else None
    others = devcontainer.mounts if devcontainer else ()
    mounted = {mount.target: mount.type for mount in others}
    parts = _parts(folder, others)

    if container_workspace_folder is not None:
        is_shared = bool(devcontainer and devcontainer.mount and devcontainer.mount.is_shared)
        mount = Mount("bind", folder, container_folder(container_workspace_folder), is_shared)
        return Location((mount, *parts), "--container-workspace-folder", mounted)

    if devcontainer and _is_switched_off(devcontainer):
        return Location((), SWITCHED_OFF, mounted, "")

    if devcontainer:
        mounts = (devcontainer.mount, *parts) if devcontainer.mount else ()
        return Location(mounts, devcontainer.why, mounted, devcontainer.advice, devcontainer.is_by_compose)

    if not folder.startswith("/"):
        raise WorkspaceError(
            f"{shown(folder)}: is no path in a container; say where it is with --container-workspace-folder"
        )
    return Location((Mount("bind", folder, folder),), "no devcontainer.json: the same path as here")


def _is_switched_off(devcontainer: Devcontainer) -> bool:
    """Tell whether the runArgs of a devcontainer.json have the label that switches us off."""
    if not devcontainer.options:
        return False
    from paude_venv_hook.engines.run_grammar import labels_in  # noqa: PLC0415 - few files have options

    return labels_in(devcontainer.options).get(SWITCH) == "none"


def _parts(folder: str, mounts: Iterable[Mount]) -> list[Mount]:
    """Return the binds of a devcontainer.json that carry the workspace once more, or a part of it."""
    binds = [mount for mount in mounts if mount.type == "bind" and not is_containers_own(mount.target)]
    if not binds:
        return []
    from paude_venv_hook.workspace.carried import find_carriers  # noqa: PLC0415 - few files bind anything

    return find_carriers(os.path.realpath(folder), binds)


def read_image(config: str | None, folder: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the image that a devcontainer.json (a host path) names, and the platform of its runArgs.

    Each is "" if it is not said; type errors are left to the dev container tools. Raises JsonFileError.
    """
    if config is None:
        return "", ""
    from paude_venv_hook.engines.run_grammar import platform_in, read_options  # noqa: PLC0415 - only for storage on disk
    from paude_venv_hook.workspace.jsonfile import read_object  # noqa: PLC0415 - as above
    from paude_venv_hook.workspace.variables import substitution  # noqa: PLC0415 - as above

    document = read_object(config, unique_keys=False)
    substitute = substitution(config, folder, "/", environ)
    image = document.get("image")
    run_args = [substitute(argument) for argument in document.get("runArgs") or ()]
    platform = platform_in(read_options(run_args, lenient=True))
    return (substitute(image) if isinstance(image, str) else ""), platform
