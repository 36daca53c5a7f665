"""Storage on disk: which store covers each shadow of a plan, and the arguments that mount it."""

from __future__ import annotations

import os

from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.choice import elsewhere, is_rootless
from paude_venv_hook.engines.run_grammar import Said, options, platform_in
from paude_venv_hook.engines.table import ENGINES, store_args
from paude_venv_hook.errors import EngineError
from paude_venv_hook.stores.folder import store_path, stores_folder
from paude_venv_hook.stores.purpose import Purpose
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.location import refuse_unmountable
from paude_venv_hook.workspace.variables import substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paude_venv_hook.plan import Plan


def read_said(config: str | None, workspace_folder: str, environ: Mapping[str, str]) -> Said:
    """Return the image that a devcontainer.json (a host path) names, and the platform of its runArgs.

    Without the file nothing is said; a wrong type is for its own tools to say. Raises JsonFileError.
    """
    if config is None:
        return Said()
    document = read_object(config, unique_keys=False)
    substitute = substitution(config, workspace_folder, "/", environ)
    image, run_args = document.get("image"), document.get("runArgs") or ()
    platform = platform_in(options([*map(substitute, run_args)], lenient=True))
    return Said(substitute(image) if isinstance(image, str) else "", platform)


def make_purposes(plan: Plan, engine: str, said: Said, environ: Mapping[str, str]) -> list[Purpose]:
    """Return what the stores of a plan's shadows are for, in their order, on an engine."""
    platform = said.platform or environ.get(ENGINES[engine].platform, "")
    rootless = is_rootless(engine)
    return [
        Purpose(
            shadow.source,
            os.path.relpath(shadow.host_path, shadow.source),
            shadow.destination,
            engine,
            rootless,
            said.service,
            said.image,
            platform,
        )
        for shadow in plan.shadows
    ]


def with_stores(plan: Plan, purposes: Iterable[Purpose]) -> Plan:
    """Return the plan with the host path of a store in each shadow; nothing is made.

    Raises WorkspaceError where the folder of the stores is one that no engine can mount.
    """
    refuse_unmountable(stores_folder())
    pairs = zip(plan.shadows, purposes, strict=True)
    return plan._replace(shadows=tuple(shadow._replace(store=store_path(purpose)) for shadow, purpose in pairs))


def run_args(engine: str, purposes: Iterable[Purpose] | None, environ: Mapping[str, str]) -> list[str]:
    """Return the arguments of an engine that mount stores. Raises EngineError where it cannot use them.

    Without purposes it has none: stores are only made for the engine that is chosen, and those that may be.
    """
    if purposes is None:
        raise EngineError(f"storage on disk is not made ready for {engine}; use --engine {engine}")
    if variable := elsewhere(engine, environ):
        raise EngineError(
            f"{engine} is on another machine, says {variable}, and storage on disk is on this one; "
            'write "venv-storage": "memory" in paude.json'
        )
    stores = ((store_path(item), item.destination) for item in purposes)
    return store_args(engine, stores, label=selinux.is_on())
