"""Mounts as the engines' options and devcontainer.json spell them."""

from __future__ import annotations

import posixpath

from paude_venv_hook.engines.mountable import has_control_characters
from paude_venv_hook.json_values import get_text
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from paude_venv_hook.engines.run_grammar import Option


_ALIASES = {"src": "source", "dst": "target", "destination": "target"}
_SHARED = frozenset(("shared", "rshared"))
_CSV_FIELD = r'(?:^|,)(?:"((?:[^"]|"")*)"(?=,|\Z)|([^,]*))'


class UnclearMountError(ValueError):
    """The value of an option that mounts is one that engines read in another way than it looks."""


class Mount(NamedTuple):
    """A mount: its type (`bind`, `volume`, `tmpfs`, …), its source on the host or "", its container path.

    What is mounted below one that `is_shared` appears on the host too. `device` is the host folder that a volume binds,
    "" for any other one: if it is made by this mount, since a volume that is there keeps its options.
    """

    type: str
    source: str
    target: str
    is_shared: bool = False
    device: str = ""


def container_path(path: str) -> str:
    """Return the container path as engines compare it: no `//`, `.`, `..` or slash at the end."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else path


def is_shared(options: Iterable[str]) -> bool:
    """Tell whether one of the options of a bind mount is the propagation `shared` or `rshared`."""
    return not _SHARED.isdisjoint(options)


def parse_mount(text: str, default: str = "volume") -> Mount:
    """Return the mount that a value of `--mount` describes, in every spelling that an engine knows.

    The value is one line of CSV, keys are `type`, `source` or `src`, and `target`, `dst` or `destination`; of several
    equal ones the last counts. Without a type it is the `default`: a volume (docker-run(1), podman-run(1)) or, for
    Apple's container, a bind, which may be called virtiofs there. What is missing is "". The propagation of a bind is
    the value of `bind-propagation` or, for Podman, a word of its own. Raises UnclearMountError.
    """
    import re  # noqa: PLC0415 - not for a `-v`, and 4 ms

    _refuse_control_characters("--mount", text)
    fields = {"type": default, "source": "", "target": ""}
    propagation = []
    volume_options: dict[str, str] = {}
    for match in re.finditer(_CSV_FIELD, text):
        field = match[2] if match[1] is None else match[1].replace('""', '"')
        key, _, value = field.partition("=")
        key = key.strip().lower()
        if key == "volume-opt":
            name, _, value = value.partition("=")
            volume_options[name] = value
            continue
        fields[_ALIASES.get(key, key)] = value
        propagation.append(value.lower() if key == "bind-propagation" else key)
    kind, source = fields["type"].lower(), fields["source"]
    if kind == "virtiofs" or (kind == "volume" and not _is_volume_name(source)):
        kind = "bind"
    device = bound_device(fields.get("volume-driver", ""), volume_options) if kind == "volume" else ""
    return Mount(kind, source, container_path(fields["target"]), is_shared(propagation), device)


def bound_device(driver: str, options: Mapping[str, Any]) -> str:
    """Return the host folder that a volume with this driver and these options binds, "" if it is no such volume.

    With `o=bind` a volume of the local driver is a bind (docker-volume-create(1), podman-volume-create(1)).
    """
    is_bind = not {"bind", "rbind"}.isdisjoint(get_text(options, "o").split(","))
    device = get_text(options, "device")
    is_local = driver in ("", "local")
    return device if is_local and is_bind and device.startswith("/") else ""


def parse_volume(text: str) -> Mount:
    """Return the mount that a value of `-v` describes: `[SOURCE:]TARGET[:OPTIONS]`.

    A source that can be the name of a volume is one, and a host path otherwise. Raises UnclearMountError.
    """
    _refuse_control_characters("--volume", text)
    windows = _windows_source(text)
    source = windows or text.partition(":")[0]
    rest = text[len(source) + 1 :]
    if not rest:
        return Mount("volume", "", container_path(source))
    kind = "bind" if windows or not _is_volume_name(source) else "volume"
    target, _, options = rest.partition(":")
    return Mount(kind, source, container_path(target), is_shared(options.split(",")))


def _is_volume_name(source: str) -> bool:
    """Tell whether a source is the name of a volume, or missing.

    All else is a path, for Docker and Podman only in a `-v` that starts like one: in others they refuse it.
    """
    letters = source.replace("_", "").replace(".", "").replace("-", "")
    return not source or (source.isascii() and source[0].isalnum() and letters.isalnum())


def _windows_source(text: str) -> str:
    """Return the source of a `-v` if it is a path of Windows, with its drive, else ""."""
    end = text.find(":", 2)
    has_drive = text[:1].isascii() and text[:1].isalpha() and text[1:3] in (":\\", ":/")
    return text[:end] if has_drive and text[end : end + 2] == ":/" else ""


def mounts_in(options: Iterable[Option], default: str = "volume") -> Iterator[Mount]:
    """Yield the mounts of the options of `docker run` and the like: -v, --volume, --mount and --tmpfs.

    `default` is the type of a `--mount` that names none. Raises UnclearMountError.
    """
    for name, value, _ in options:
        if value is None:
            continue
        if name == "--mount":
            yield parse_mount(value, default)
        elif name in ("-v", "--volume"):
            yield parse_volume(value)
        elif name == "--tmpfs":
            _refuse_control_characters(name, value)
            yield Mount("tmpfs", "", container_path(value.partition(":")[0]))


def _refuse_control_characters(option: str, value: str) -> None:
    # Go reads one line of CSV and drops the rest, which would look like the mount that counts.
    if has_control_characters(value):
        raise UnclearMountError(f'{option} "{shown(value)}" holds a control character; remove it')
