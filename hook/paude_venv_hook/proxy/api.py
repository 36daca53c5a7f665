"""Docker's API: the body of the call that creates a container, with a mount over each venv of a bound workspace.

What the daemon reads here is what it will read: Go takes a key of a structure in any case, and of several the last, or
what they make together. A body in which two keys meet so is refused, since a container could come out of it that was
not looked at. Docker 20.10 also takes the fields of HostConfig from the top, where there is no HostConfig (run).
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain
from urllib.parse import quote

from paude_venv_hook.engines.arguments import docker_options
from paude_venv_hook.engines.mounts import Mount, UnclearMountError, container_path, is_shared, parse_volume
from paude_venv_hook.engines.run_grammar import Said
from paude_venv_hook.errors import EngineError
from paude_venv_hook.json_values import get_list, get_text
from paude_venv_hook.launchers.bound import prepare_binds, read_switch
from paude_venv_hook.stores.folder import name_in
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping
    from typing import Any, NoReturn

    from paude_venv_hook.pipeline import Prepared

_SERVICE = "com.docker.compose.service"
# How each tmpfs of ours begins: by that, one that a wrapper has added is known.
_OURS = docker_options((0, 0), None).partition("uid=")[0] + "uid="
_ADDED = "a shadow of ours"


def add_shadows(
    data: bytes, platform: str, environ: Mapping[str, str], ask: Callable[[str], Any]
) -> tuple[bytes, list[Prepared], list[str]]:
    """Return the body with the shadows added, the workspaces that it binds, and what a person should know.

    `platform` is the one in the call's query. `ask` returns what the daemon answers to a GET, as JSON, or raises
    OSError: the body may name the binds of another container by that alone (`--volumes-from`). Where there is nothing
    to add, or the daemon will refuse the body for what it is, it comes back byte for byte. What the wrappers have added
    stays as it is. Writes nothing. Raises HookError for a workspace whose settings are wrong, and for a body that could
    be read in two ways.
    """
    config = _Fields(_parse(data) if data.strip() else None)
    inner = config.get("HostConfig")
    host = config if inner is None else _Fields(inner)
    if not isinstance(host.value, dict) or not _is_null_or(host.get("Tmpfs"), dict):
        return data, [], []
    if not _is_null_or(host.get("Mounts"), list):
        return data, [], []
    labels = _object(config.get("Labels"))
    switch, warnings = read_switch(labels, "label")
    mounts: dict[str, Mount] = {}
    for item in chain(_mounts(host), _inherited(host, ask), _volumes(config)):
        if isinstance(item, Mount):
            mounts.setdefault(item.target, item)  # where two meet, Docker takes the first of these
        else:
            warnings.append(item)
    said = Said(_text(config.get("Image")), platform, get_text(labels, _SERVICE))
    others = [mount for mount in mounts.values() if mount.type != _ADDED]
    found = list(prepare_binds(others, switch, environ, engine="docker", why="the call", said=said).values())
    warnings += [message for prepared in found for message in prepared.messages()]
    is_changed = _add(host, found, mounts)
    return _dump(config.value) if is_changed else data, found, warnings


def _add(host: _Fields, found: Iterable[Prepared], there: Container[str]) -> bool:
    """Add the shadows to a HostConfig, but for those whose destination is there; return whether it has any."""
    tmpfs, stores = {}, {}
    for prepared in found:
        options = dict(_tmpfs_in(prepared.document["runArgs"]))
        for shadow in prepared.plan.shadows:
            at = shadow.destination
            if at not in there and shadow.store:
                stores[at] = {"Type": "bind", "Source": shadow.store, "Target": at}
            elif at not in there:
                tmpfs[at] = options[at]
    if tmpfs:
        host.set("Tmpfs", {**(host.get("Tmpfs") or {}), **tmpfs})
    if stores:
        host.set("Mounts", [*(host.get("Mounts") or []), *stores.values()])
    return bool(tmpfs or stores)


def add_warnings(data: bytes, warnings: Iterable[str]) -> bytes:
    """Return the daemon's answer to the call with warnings added to its own; as it is where it is no such answer."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(answer, dict) or not _is_null_or(answer.get("Warnings"), list):
        return data
    answer["Warnings"] = [*(answer.get("Warnings") or []), *warnings]
    return json.dumps(answer).encode() + b"\n"


def _parse(data: bytes) -> Any:
    try:
        # Go replaces what is no UTF-8 too.
        return _DECODER.decode(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise EngineError(
            "the body of the call is no JSON value, or too deep a one; mend the program that sent it"
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        _refuse_twice(counts.most_common(1)[0][0])
    return found


def _refuse(_: str) -> NoReturn:
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)
_ENCODER = json.JSONEncoder(allow_nan=False)


def _refuse_twice(key: str) -> NoReturn:
    raise EngineError(f"the body of the call has the key {shown(key)} twice; mend the program that sent it")


def _dump(config: Any) -> bytes:
    try:
        return _ENCODER.encode(config).encode()
    except ValueError:
        raise EngineError("the body of the call holds a number that JSON cannot write; remove it") from None


def _mounts(host: _Fields) -> Iterator[Mount | str]:
    """Yield the mounts of a HostConfig, each shadow of ours as one of the type _ADDED, or a warning."""
    for path, options in _object(host.get("Tmpfs")).items():
        is_ours = isinstance(options, str) and options.startswith(_OURS)
        yield Mount(_ADDED if is_ours else "tmpfs", "", container_path(path))
    for item in _list(host.get("Binds")):
        try:
            yield _added_or(parse_volume(_text(item)))
        except UnclearMountError as error:
            yield f"nothing shadowed: {error}"
    for item in map(_Fields, _list(host.get("Mounts"))):
        kind, source, target = (_text(item.get(name)) for name in ("Type", "Source", "Target"))
        propagation = _text(_Fields(item.get("BindOptions")).get("Propagation"))
        yield _added_or(Mount(kind, source, container_path(target), is_shared([propagation])))


def _inherited(host: _Fields, ask: Callable[[str], Any]) -> Iterator[Mount | str]:
    """Yield the binds that come from other containers, of which Docker takes each mount but a tmpfs, or a warning."""
    for item in _list(host.get("VolumesFrom")):
        name = _text(item).partition(":")[0]
        try:
            found = get_list(ask(f"/containers/{quote(name, safe='')}/json"), "Mounts")
        except OSError as error:
            yield f"nothing shadowed of what {shown(name)} binds: Docker does not tell it: {error.strerror or error}"
            continue
        for mount in found:
            kind, source, target = (get_text(mount, key) for key in ("Type", "Source", "Destination"))
            yield _added_or(Mount(kind, source, container_path(target), is_shared([get_text(mount, "Propagation")])))


def _volumes(config: _Fields) -> Iterator[Mount]:
    """Yield the anonymous volumes, which clients name for their binds too (docker-py does)."""
    for path in _object(config.get("Volumes")):
        yield Mount("volume", "", container_path(path))


def _added_or(mount: Mount) -> Mount:
    return mount._replace(type=_ADDED) if mount.type == "bind" and name_in(mount.source) else mount


def _tmpfs_in(run_args: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the destination and the options of each `--tmpfs` of the arguments."""
    for option, value in zip(run_args[::2], run_args[1::2], strict=True):
        if option == "--tmpfs":
            destination, _, options = value.partition(":")
            yield destination, options


class _Fields:
    """A JSON value as Go reads it into a structure: its fields are found in the spelling that they have there.

    Go's folding knows two letters besides ASCII's, the long s and the sign of Kelvin (encoding/json/fold.go). Raises
    EngineError where two keys are the field that is looked for.
    """

    def __init__(self, value: Any) -> None:
        """Take the value, which has no fields where it is no object."""
        self.value = value
        self._keys: dict[str, list[str]] = {}
        for key in _object(value):
            folded = key.lower() if key.isascii() else key.replace("\u017f", "s").replace("\u212a", "k").lower()
            self._keys.setdefault(folded, []).append(key)

    def get(self, name: str) -> Any:
        """Return the value of a field, None where there is none."""
        return self.value[self._key(name)] if name.lower() in self._keys else None

    def set(self, name: str, value: Any) -> None:
        """Change a field, or add it."""
        self.value[self._key(name)] = value

    def _key(self, name: str) -> str:
        key, *more = self._keys.get(name.lower(), [name])
        if more:
            _refuse_twice(name)
        return key


def _is_null_or(value: Any, kind: type) -> bool:
    return value is None or isinstance(value, kind)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
