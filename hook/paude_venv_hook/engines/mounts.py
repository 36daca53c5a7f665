"""Mounts as the engines' options and devcontainer.json spell them."""

from __future__ import annotations

import posixpath
import re
from collections import namedtuple

from paude_venv_hook.names import has_control_characters
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paude_venv_hook.engines.commandline import Option


_ALIASES = {"src": "source", "dst": "target", "destination": "target"}
_SHARED = frozenset(("shared", "rshared"))
_CSV_FIELD = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"(?=,|\Z)|([^,]*))')
_WINDOWS_SOURCE = r"([A-Za-z]:[\\/][^:]*):/"


class UnclearMountError(ValueError):
    """The value of an option that mounts is one that engines read in another way than it looks."""


class Mount(namedtuple("Mount", ("type", "source", "target", "is_shared"), defaults=(False,))):
    """A mount: its type (`bind`, `volume`, `tmpfs`, …), its source on the host or "", its container path.

    What is mounted below one that `is_shared` appears on the host too.
    """

    __slots__ = ()
    type: str
    source: str
    target: str
    is_shared: bool


def container_path(path: str) -> str:
    """Return the container path as engines compare it: no `//`, `.`, `..` or slash at the end."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else path


def is_shared(options: Iterable[str]) -> bool:
    """Tell whether one of the options of a bind mount is the propagation `shared` or `rshared`."""
    return not _SHARED.isdisjoint(options)


def parse_mount(text: str) -> Mount:
    """Return the mount that a value of `--mount` describes, in every spelling that either engine knows.

    The value is one line of CSV, keys are `type`, `source` or `src`, and `target`, `dst` or `destination`; of several
    equal ones the last counts. Without a type it is a volume (docker-run(1), podman-run(1)). What is missing is "".
    The propagation of a bind is the value of `bind-propagation` or, for Podman, a word of its own. Raises
    UnclearMountError.
    """
    _refuse_control_characters("--mount", text)
    fields = {"type": "volume", "source": "", "target": ""}
    propagation = []
    for match in _CSV_FIELD.finditer(text):
        field = match[2] if match[1] is None else match[1].replace('""', '"')
        key, _, value = field.partition("=")
        key = key.strip().lower()
        fields[_ALIASES.get(key, key)] = value
        propagation.append(value.lower() if key == "bind-propagation" else key)
    return Mount(fields["type"].lower(), fields["source"], container_path(fields["target"]), is_shared(propagation))


def parse_volume(text: str) -> Mount:
    """Return the mount that a value of `-v` describes: `[SOURCE:]TARGET[:OPTIONS]`.

    A source that starts with `/` or `.`, or is a Windows path, is a host path; another one names a volume. Raises
    UnclearMountError.
    """
    _refuse_control_characters("--volume", text)
    windows = re.match(_WINDOWS_SOURCE, text)
    source = windows[1] if windows else text.partition(":")[0]
    rest = text[len(source) + 1 :]
    if not rest:
        return Mount("volume", "", container_path(source))
    kind = "bind" if windows or source.startswith(("/", ".")) else "volume"
    target, _, options = rest.partition(":")
    return Mount(kind, source, container_path(target), is_shared(options.split(",")))


def mounts_in(found: Iterable[Option]) -> Iterator[Mount]:
    """Yield the mounts of the options of `docker run` or `podman run`: -v, --volume, --mount and --tmpfs.

    Raises UnclearMountError.
    """
    for name, value, _ in found:
        if value is None:
            continue
        if name == "--mount":
            yield parse_mount(value)
        elif name in ("-v", "--volume"):
            yield parse_volume(value)
        elif name == "--tmpfs":
            _refuse_control_characters(name, value)
            yield Mount("tmpfs", "", container_path(value.partition(":")[0]))


def _refuse_control_characters(option: str, value: str) -> None:
    # Go reads one line of CSV and drops the rest, which would look like the mount that counts.
    if has_control_characters(value):
        raise UnclearMountError(f'{option} "{shown(value)}" holds a control character; remove it')
