"""Docker's API: the body of the call that creates a container, with a mount over each venv of a bound workspace.

What the daemon reads here is what it will read: Go takes a key of a structure in any case, and of several the last, or
what they make together. A body in which two keys meet so is refused, since a container could come out of it that was
not looked at. Docker 20.10 also takes the fields of HostConfig from the top, where there is no HostConfig (run).
"""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import quote

from paude_venv_hook.decision import Decision, decide
from paude_venv_hook.engines.arguments import docker_options
from paude_venv_hook.engines.mounts import (
    Mount,
    UnclearMountError,
    bound_device,
    container_path,
    is_shared,
    parse_volume,
)
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.engines.volumes import Questions, resolve
from paude_venv_hook.errors import EngineError
from paude_venv_hook.json_values import get_text
from paude_venv_hook.launch import SERVICE, Launch
from paude_venv_hook.notes import Note, nothing
from paude_venv_hook.stores.folder import name_in
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping
    from typing import Any, NoReturn


# How each tmpfs of ours begins: by that, one that a wrapper has added is known.
_OURS = docker_options((0, 0), None).partition("uid=")[0] + "uid="
_ADDED = "a shadow of ours"


def add_shadows(
    data: bytes,
    platform: str,
    environ: Mapping[str, str],
    ask: Callable[[str], Any],
    *,
    asked_in: str | None = None,
) -> tuple[bytes, Decision]:
    """Return the body with the shadows added, and the decision behind it.

    `platform` is the one in the call's query. `ask` returns what the daemon answers to a GET, as JSON, or raises
    OSError: the body may name the binds of another container by that alone (`--volumes-from`), or a volume that is a
    bind. `asked_in` is the host folder in which somebody asked for us, None if we only stand in the way. If there is
    nothing to add, or if the daemon will refuse the body for what it is, it comes back byte for byte. What the wrappers
    have added stays as it is. Writes nothing. Raises HookError for a workspace whose settings are wrong, and for a body
    that could be read in two ways.
    """
    config = _Fields(_parse(data) if data.strip() else None)
    inner = config.get("HostConfig")
    host = config if inner is None else _Fields(inner)
    is_readable = (
        isinstance(host.value, dict) and _is_null_or(host.get("Tmpfs"), dict) and _is_null_or(host.get("Mounts"), list)
    )
    if not is_readable:
        return data, Decision((), ())

    mounts, notes = _all_mounts(config, host, ask)
    labels = _object(config.get("Labels"))
    launch = Launch(
        "docker",
        "the call",
        tuple(mount for mount in mounts.values() if mount.type != _ADDED),
        labels={key: get_text(labels, key) for key in labels},
        folder=asked_in or "",
        image=_text(config.get("Image")),
        platform=platform,
        service=get_text(labels, SERVICE),
        is_asked=asked_in is not None,
        notes=tuple(notes),
    )
    decision = decide(launch, environ)
    is_changed = _add(host, decision, mounts)
    return _dump(config.value) if is_changed else data, decision


def _all_mounts(config: _Fields, host: _Fields, ask: Callable[[str], Any]) -> tuple[dict[str, Mount], list[Note]]:
    """Return what the container mounts, by container path, each shadow of ours as one of the type _ADDED."""
    mounts: dict[str, Mount] = {}
    notes: list[Note] = []
    for item in _mounts(host):
        if isinstance(item, Mount):
            mounts.setdefault(item.target, item)  # where two meet, Docker takes the first of these
        else:
            notes.append(item)
    volumes_from = [_text(item) for item in _list(host.get("VolumesFrom"))]
    resolved = resolve(mounts.values(), volumes_from, _questions(ask))
    for mount in resolved.mounts:
        mounts[mount.target] = _added_or(mount)
    for mount in _volumes(config):
        mounts.setdefault(mount.target, mount)
    return mounts, [*notes, *resolved.notes]


def _questions(ask: Callable[[str], Any]) -> Questions:
    """Return how the daemon is asked; it answers with a message alone if it has no such thing."""

    def about(kind: str, name: str, suffix: str) -> Any:
        answer = ask(f"/{kind}/{quote(name, safe='')}{suffix}")
        if get_text(answer, "message"):
            return None
        return answer

    return Questions(
        volume=lambda name: about("volumes", name, ""),
        container=lambda name: about("containers", name, "/json"),
    )


def _add(host: _Fields, decision: Decision, mounted: Container[str]) -> bool:
    """Add the shadows to a HostConfig, but for those whose destination is taken; return whether it has any."""
    tmpfs: dict[str, str] = {}
    stores: list[dict[str, str]] = []
    for answer in decision.answers:
        options = ENGINES[answer.engine].options(answer.owner, answer.settings.tmpfs.size)
        for shadow in answer.plan.shadows:
            if shadow.destination in mounted:
                continue
            if shadow.store:
                stores.append({"Type": "bind", "Source": shadow.store, "Target": shadow.destination})
            else:
                tmpfs[shadow.destination] = options
    if tmpfs:
        host.set("Tmpfs", {**(host.get("Tmpfs") or {}), **tmpfs})
    if stores:
        host.set("Mounts", [*(host.get("Mounts") or []), *stores])
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


def _mounts(host: _Fields) -> Iterator[Mount | Note]:
    """Yield the mounts of a HostConfig, each shadow of ours as one of the type _ADDED, or a note."""
    for path, options in _object(host.get("Tmpfs")).items():
        is_ours = isinstance(options, str) and options.startswith(_OURS)
        yield Mount(_ADDED if is_ours else "tmpfs", "", container_path(path))
    for item in _list(host.get("Binds")):
        try:
            yield _added_or(parse_volume(_text(item)))
        except UnclearMountError as error:
            yield nothing(str(error))
    for item in map(_Fields, _list(host.get("Mounts"))):
        kind, source, target = (_text(item.get(name)) for name in ("Type", "Source", "Target"))
        propagation = _text(_Fields(item.get("BindOptions")).get("Propagation"))
        driver = _Fields(_Fields(item.get("VolumeOptions")).get("DriverConfig"))
        device = bound_device(_text(driver.get("Name")), _object(driver.get("Options")))
        yield _added_or(Mount(kind, source, container_path(target), is_shared([propagation]), device))


def _volumes(config: _Fields) -> Iterator[Mount]:
    """Yield the anonymous volumes, which clients name for their binds too (docker-py does)."""
    for path in _object(config.get("Volumes")):
        yield Mount("volume", "", container_path(path))


def _added_or(mount: Mount) -> Mount:
    return mount._replace(type=_ADDED) if mount.type == "bind" and name_in(mount.source) else mount


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
