"""What a store is for, and with it its name. Pure."""

from __future__ import annotations

import json
import os
import re

from paude_venv_hook.digest import sha256
from paude_venv_hook.records import NamedTuple


class Purpose(NamedTuple):
    """What one store is for: two launches share a store where all of this is the same, and only there.

    A venv of one launch that another one cannot use must never meet it, so each field is what would break it:

    - `source`, the real host path of the workspace mount, and `path`, the venv relative to it: another project;
    - `destination`, the container path: scripts of a venv begin with it, and pyvenv.cfg holds it;
    - `engine` and `rootless` (Podman or nerdctl of an ordinary user): whose the files are on the host;
    - `service` of a compose file: each has an image of its own, and all may mount one workspace;
    - `image`, the name as it is written: with Python at another path, a venv that is there already fails for good. Not
      the image's id, which changes with each rebuild;
    - `platform`, as it is written: setup tools leave modules that were compiled for another architecture in place.

    What the launch does not say is "".
    """

    source: str
    path: str
    destination: str
    engine: str
    rootless: bool = False
    service: str = ""
    image: str = ""
    platform: str = ""

    @property
    def host_path(self) -> str:
        """The host path of the venv that the store covers in the container."""
        return os.path.join(self.source, self.path)


def store_name(purpose: Purpose) -> str:
    """Return the name of a store's folder: for people the name of the mounted folder, and a digest of the purpose."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(purpose.source))[:40].lstrip("-.")  # no flag, not hidden
    return f"{name or 'venv'}-{sha256(json.dumps(purpose).encode()).hexdigest()[:16]}"
