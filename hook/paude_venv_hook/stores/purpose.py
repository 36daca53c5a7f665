"""What a store is for, and with it its name. Pure."""

from __future__ import annotations

import json
import os
import re

from paude_venv_hook.digest import sha256
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

CONTAINER = "container"
_FIRST_FIELDS = 8  # those of the first stores


class Purpose(NamedTuple):
    """What one store is for: two launches share a store if all of this is the same, and only then.

    A venv of one launch that another one cannot use must never meet it, so each field is what would break it:

    - `source`, the real host path of the workspace mount, and `path`, the venv relative to it: another project;
    - `destination`, the container path: scripts of a venv begin with it, and pyvenv.cfg holds it;
    - `engine` and `rootless` (Podman or nerdctl of an ordinary user): whose the files are on the host;
    - `service` of a compose file: each has an image of its own, and all may mount one workspace;
    - `image`, the name as it is written: with Python at another path, a venv that is there already fails for good. Not
      the image's id, which changes with each rebuild;
    - `platform`, as it is written: setup tools leave modules that were compiled for another architecture in place;
    - `configuration`, the devcontainer.json if it is none of the two default places: each has a setup of its own;
    - `lifetime`, CONTAINER for a store that lives as long as its container: one that stays never gets its content;
    - `copy`, "2" and so on for a further store of that kind, for a container beside another one.

    What the launch does not say is "". The last three came later: a store without them keeps its name.
    """

    source: str
    path: str
    destination: str
    engine: str
    rootless: bool = False
    service: str = ""
    image: str = ""
    platform: str = ""
    configuration: str = ""
    lifetime: str = ""
    copy: str = ""

    @property
    def host_path(self) -> str:
        """The host path of the venv that the store covers in the container."""
        return os.path.join(self.source, self.path)


def read_purpose(data: Mapping[str, Any]) -> Purpose:
    """Return the purpose in a record's JSON object. Raises LookupError for one that lacks a field."""
    first = [data[name] for name in Purpose._fields[:_FIRST_FIELDS]]
    later = [data.get(name, "") for name in Purpose._fields[_FIRST_FIELDS:]]
    return Purpose(*first, *later)


def dump_purpose(purpose: Purpose) -> dict[str, Any]:
    """Return a purpose as the fields of a record's JSON object; the later ones only if they are not empty."""
    fields = list(purpose._asdict().items())
    later = [(name, value) for name, value in fields[_FIRST_FIELDS:] if value]
    return dict(fields[:_FIRST_FIELDS] + later)


def store_name(purpose: Purpose) -> str:
    """Return the name of a store's folder: for people the name of the mounted folder, and a digest of the purpose."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(purpose.source))[:40].lstrip("-.")  # no flag, not hidden
    later = purpose[_FIRST_FIELDS:]
    fields = purpose if any(later) else purpose[:_FIRST_FIELDS]
    digest = sha256(json.dumps(fields).encode()).hexdigest()[:16]
    if not name:
        name = "venv"
    return f"{name}-{digest}"
