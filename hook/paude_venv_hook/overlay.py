"""The overlay: the small JSON file that tells a launcher which run arguments to add.

For launchers:

    from paude_venv_hook import overlay
    document = overlay.load(overlay.default_path("/path/to/the/workspace"))
    command = ["podman", "run", *overlay.run_args(document, "podman"), "IMAGE"]
"""

from __future__ import annotations

import json
import os

from paude_venv_hook import __version__
from paude_venv_hook.decision import arguments_for
from paude_venv_hook.digest import name_and_digest
from paude_venv_hook.engines.table import COMMON, ENGINES, one_of
from paude_venv_hook.errors import EngineError, OverlayError
from paude_venv_hook.files import read_file, remedy
from paude_venv_hook.folders import user_folder
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from paude_venv_hook.decision import Answer
    from paude_venv_hook.plan import Shadow

__all__ = ("default_path", "load", "run_args")  # what is public, as hook/docs/writing-a-launcher.md says

VERSION = 1


def default_path(workspace_folder: str) -> str:
    """Return the host path of the workspace folder's overlay, in platformdirs' cache folder of paude.

    Raises OverlayError for a user without a home folder.
    """
    folder = user_folder("cache")
    if not folder:
        raise OverlayError("HOME: is not set, and this user has no home folder; set it")
    real = os.path.realpath(workspace_folder)
    return os.path.join(folder, "venv-overlays", f"{name_and_digest(real)}.json")


def make_document(answer: Answer, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the overlay of a decision as a JSON value (schemas/overlay.json); the same input gives the same overlay.

    Raises EngineError if the chosen engine has no arguments; if only another one has none, its `runArgs` are null and
    its `error` says why.
    """
    engines: dict[str, dict[str, Any]] = {}
    for name in ENGINES:
        try:
            engines[name] = {"runArgs": arguments_for(answer, name, environ)}
        except EngineError as error:
            if answer.engine == name:
                raise
            engines[name] = {"runArgs": None, "error": str(error)}
    mount, venv = answer.location.mount, answer.settings.venv
    shadows = [_as_json(shadow) for shadow in answer.plan.shadows]
    skipped = [{"path": skip.path, "why": skip.reason.text} for skip in answer.plan.skipped]
    return {
        "version": VERSION,
        "generator": f"paude-venv-hook {__version__}",
        "workspaceFolder": answer.workspace_folder,
        "workspaceMount": mount and {"source": mount.source, "target": mount.target},
        "engine": answer.engine,
        "venv": venv if isinstance(venv, str) else list(venv),
        "storage": answer.storage.kind,
        "shadows": shadows,
        "skipped": skipped,
        "runArgs": engines[answer.engine]["runArgs"],
        "engines": engines,
    }


def _as_json(shadow: Shadow) -> dict[str, str]:
    value = {
        "path": shadow.path,
        "hostPath": shadow.host_path,
        "destination": shadow.destination,
        "why": shadow.why,
    }
    if shadow.store:
        value["store"] = shadow.store
    return value


def dump(document: dict[str, Any]) -> bytes:
    """Return the bytes of the overlay's file."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def load(path: str) -> dict[str, Any]:
    """Return the overlay in the file at the host path.

    Keys that this version does not know are kept. Raises OverlayError if there is no file, if it is no overlay,
    or one of another major version.
    """
    try:
        data = read_file(path)
    except OSError as error:
        raise OverlayError(f"{shown(path)}: cannot be read: {error.strerror}; {remedy(error)}") from None
    if data is None:
        raise OverlayError(f"{shown(path)}: there is no overlay; run paude-venv-hook first")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise OverlayError(f"{shown(path)}: is not JSON; run paude-venv-hook again") from None
    version = document.get("version") if isinstance(document, dict) else None
    if type(version) is not int:
        raise OverlayError(f"{shown(path)}: has no version number, so it is no overlay; run paude-venv-hook again")
    if version != VERSION:
        raise OverlayError(
            f"{shown(path)}: version: {version} is not known here, only {VERSION}; "
            "use the same release of paude-venv-hook on both sides"
        )
    for key, holder in _holders_of_arguments(document).items():
        if not _is_list_of_text(holder.get("runArgs")):
            raise OverlayError(f"{shown(path)}: {key}runArgs: must be a list of text; run paude-venv-hook again")
    overlay: dict[str, Any] = document
    return overlay


def _holders_of_arguments(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the objects of an overlay that have to have `runArgs`, each by the beginning of its key."""
    engines = _object(document, "engines")
    holders = {"": document}
    for name in ENGINES:
        if name not in COMMON and name not in engines:  # an older overlay knows fewer
            continue
        engine = _object(engines, name)
        if engine.get("runArgs") is not None or not isinstance(engine.get("error"), str):
            holders[f"engines.{name}."] = engine
    return holders


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def run_args(document: dict[str, Any], engine: str | None = None) -> list[str]:
    """Return the arguments to add to the command line of an engine: of `docker` or `podman`, right after `run`.

    `engine` is a name of the table; without it, the engine for which the overlay was written. Those of `container` go
    right before the image, those of `bwrap` after the bind that carries the workspace. Raises EngineError for an
    unknown engine, or one that has no arguments for what is to be shadowed.
    """
    if engine is None:
        return list(document["runArgs"])
    if engine not in ENGINES:
        raise EngineError(f"{shown(engine)}: no such engine; use {one_of(ENGINES)}")
    if engine not in document["engines"]:
        raise EngineError(f"the overlay has no arguments of {engine}, being an older one; run paude-venv-hook again")
    arguments = document["engines"][engine]["runArgs"]
    if arguments is None:
        raise EngineError(document["engines"][engine]["error"])
    return list(arguments)
