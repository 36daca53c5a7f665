"""The record of an installation for Docker: what was in use before, and the paths of what was made.

`uninstall` follows it, and so undoes an installation whatever the environment says then.
"""

from __future__ import annotations

import json
import os

from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import read_start
from paude_venv_hook.folders import needed_folder, user_folder
from paude_venv_hook.installation.changes import Change
from paude_venv_hook.json_values import get_list, get_object, get_text, parse_json
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_NAME = "docker-before.json"


class Record(NamedTuple):
    """What an installation left behind. All paths are host paths.

    `upstream` is Docker's own socket. `contexts` has, for each folder of Docker's client (DOCKER_CONFIG) with a context
    of ours, the name of the context that was in use there; `context` is that name in a record of version 0.2.0, which
    knows no folders. `units` are folders of systemd's units, `sockets` those of the proxy.
    """

    upstream: str = ""
    contexts: Mapping[str, str] = {}
    units: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    context: str = ""

    def context_before(self, folder: str) -> str:
        """Return the context that was in use in a folder of Docker's client, "" if nothing tells."""
        return self.contexts.get(folder, self.context)

    def with_places(self, upstream: str, folder: str, context: str, units: str, socket: str) -> Record:
        """Return the record of a further installation, with these places; `units` is "" for none."""
        folders = [*self.units, units] if units else self.units
        return Record(
            upstream,
            {**self.contexts, folder: context},
            tuple(dict.fromkeys(folders)),
            tuple(dict.fromkeys([*self.sockets, socket])),
            self.context,
        )

    def to_change(self) -> Change:
        """Return the file that holds the record. Raises EngineError for a user without a home folder."""
        document: dict[str, Any] = {
            "upstream": self.upstream,
            "contexts": self.contexts,
            "units": self.units,
            "sockets": self.sockets,
        }
        if self.context:
            document["context"] = self.context
        return Change(record_path(), json.dumps(document, indent=2).encode() + b"\n")


def record_path() -> str:
    """Return the host path of the record. Raises EngineError for a user without a home folder."""
    return os.path.join(needed_folder(user_folder("data"), EngineError), _NAME)


def read_record() -> Record:
    """Return the record, an empty one if there is none. Raises EngineError for a user without a home folder."""
    document = parse_json(read_start(record_path()))
    contexts = get_object(document, "contexts")
    return Record(
        get_text(document, "upstream"),
        {folder: get_text(contexts, folder) for folder in contexts if os.path.isabs(folder)},
        _paths(document, "units"),
        _paths(document, "sockets"),
        get_text(document, "context"),
    )


def _paths(document: Any, key: str) -> tuple[str, ...]:
    return tuple(path for path in get_list(document, key) if isinstance(path, str) and os.path.isabs(path))
