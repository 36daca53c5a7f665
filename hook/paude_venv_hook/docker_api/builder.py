"""The builder that a user selected with `docker buildx use`.

buildx keeps the choice by the name of the docker context, for the default one by the address of its daemon (its
store/store.go): with another DOCKER_HOST another builder would be selected, and the choice forgotten.
"""

from __future__ import annotations

import os

from paude_venv_hook.files import read_start
from paude_venv_hook.folders import home_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_HASH_LETTERS = 20


def selected_builder(endpoint: str, environ: Mapping[str, str]) -> str:
    """Return the name of the builder that is selected for a context's name or a daemon's address, "" for none."""
    folder = environ.get("BUILDX_CONFIG") or os.path.join(_docker_config(environ), "buildx")
    if not os.path.isdir(folder):
        return ""
    from paude_venv_hook.digest import sha256  # noqa: PLC0415 - few have selected one
    from paude_venv_hook.json_values import get_text, parse_json  # noqa: PLC0415 - as above

    current = parse_json(read_start(os.path.join(folder, "current")))
    name = get_text(current, "Name")
    if name and (get_text(current, "Key") == endpoint or current.get("Global") is True):
        return name
    default = sha256(endpoint.encode(errors="surrogateescape")).hexdigest()[:_HASH_LETTERS]
    return read_start(os.path.join(folder, "defaults", default)).decode(errors="replace").strip()


def _docker_config(environ: Mapping[str, str]) -> str:
    return environ.get("DOCKER_CONFIG") or os.path.join(home_folder(), ".docker")
