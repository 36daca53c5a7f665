"""Docker's API: the body of the call that creates a container, with a mount over each venv of a bound workspace.

What the daemon reads here is what it will read: Go takes a key of a structure in any case, and of several the last, or
what they make together. A body in which two keys meet so is refused, since a container could come out of it that was
not looked at. Docker 20.10 also takes the fields of HostConfig from the top, if there is no HostConfig (run).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cache
from urllib.parse import quote

from paude_venv_hook.decision import Decision, decide
from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.arguments import docker_options, podman_options
from paude_venv_hook.engines.mounts import (
    Mount,
    UnclearMountError,
    bound_device,
    container_path,
    is_shared,
    parse_volume,
)
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.engines.volumes import Questions, mounts_of_container, resolve
from paude_venv_hook.errors import EngineError
from paude_venv_hook.json_values import get_object, get_text
from paude_venv_hook.launch import LOCAL_FOLDER, SERVICE, Launch
from paude_venv_hook.launchers.settled import Asking, settle
from paude_venv_hook.notes import Note, NoteKind, note_on_nothing
from paude_venv_hook.stores.folder import name_in
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping
    from typing import Any, NoReturn

    from paude_venv_hook.proxy.setup import Setup
    from paude_venv_hook.stores.aged import Image
    from paude_venv_hook.stores.daemons import Daemon
    from paude_venv_hook.stores.listing import Containers

# How each tmpfs of ours begins: by that, one that a wrapper has added is known.
_OURS = (docker_options((0, 0), None).partition("uid=")[0] + "uid=", podman_options((0, 0), None))
_ADDED = "a shadow of ours"


def add_shadows(data: bytes, platform: str, setup: Setup) -> tuple[bytes, Decision]:
    """Return the body with the shadows added, and the decision behind it.

    `platform` is the one in the call's query. The daemon is asked for binds that the body does not name: those of
    another container (`--volumes-from`), and a volume that is one. A bind of the proxy's own socket becomes one of the
    daemon's. If there is nothing to change, or if the daemon will refuse the body for what it is, it comes back byte
    for byte. What the wrappers have added stays as it is. The stores that it mounts then are made, and else nothing is
    written. Raises HookError for a workspace whose settings are wrong, and for a body that could be read in two ways.
    """
    config = _Fields(_parse(data) if data.strip() else None)
    inner = config.get("HostConfig")
    host = config if inner is None else _Fields(inner)
    is_readable = (
        isinstance(host.value, dict) and _is_null_or(host.get("Tmpfs"), dict) and _is_null_or(host.get("Mounts"), list)
    )
    if not is_readable:
        return data, Decision((), ())

    has_other_socket = _name_daemons_socket(host, setup)
    mounts, notes = _all_mounts(config, host, setup)
    labels = _object(config.get("Labels"))
    launch = _launch(setup, mounts, labels, _text(config.get("Image")), platform)
    decision = settle(decide(launch._replace(notes=tuple(notes)), setup.environ), _asking(setup))
    has_shadows = _add(host, decision, mounts)
    return _dump(config.value) if has_other_socket or has_shadows else data, decision


def find_missing(container: Any, setup: Setup) -> tuple[Decision, list[Note]]:
    """Return the decision for a container that is there, and a note for each workspace that it binds without a shadow.

    `container` is what the daemon tells of it. Such a one was made before its workspace opted in, or without us. Raises
    HookError for a workspace whose settings are wrong.
    """
    config, host = get_object(container, "Config"), get_object(container, "HostConfig")
    labels = get_object(config, "Labels")
    mounts = {mount.target: mount for mount in _mounts(_Fields(host)) if isinstance(mount, Mount)}
    resolved = resolve(mounts_of_container(container), [], _questions(setup))
    for mount in resolved.mounts:
        mounts[mount.target] = _added_or(mount)
    decision = decide(_launch(setup, mounts, labels, get_text(config, "Image"), ""), setup.environ)
    name = get_text(container, "Name").lstrip("/")
    notes = []
    for answer in decision.answers:
        paths = [shadow.path for shadow in answer.plan.shadows if shadow.destination not in mounts]
        if paths:
            notes.append(Note(NoteKind.MADE_BEFORE, tuple(paths), name, _how_to_make_anew(labels)))
    return decision, notes


def _how_to_make_anew(labels: Mapping[str, Any]) -> str:
    service = get_text(labels, SERVICE)
    if get_text(labels, LOCAL_FOLDER):
        return "rebuild the dev container"
    if service:
        return f"make it anew: docker compose up --force-recreate {shown(service)}"
    return "remove it, and make it anew"


def _launch(setup: Setup, mounts: Mapping[str, Mount], labels: Mapping[str, Any], image: str, platform: str) -> Launch:
    return Launch(
        setup.engine or "docker",
        "the call",
        tuple(mount for mount in mounts.values() if mount.type != _ADDED),
        labels={key: get_text(labels, key) for key in labels},
        folder=setup.asked_in or "",
        image=image,
        platform=platform,
        service=get_text(labels, SERVICE),
        is_asked=setup.asked_in is not None,
    )


def _name_daemons_socket(host: _Fields, setup: Setup) -> bool:
    """Replace each bind of the proxy's socket by one of the daemon's own; return whether there is any.

    Whatever mounts the socket that DOCKER_HOST names may outlive the proxy, as the reaper of testcontainers does.
    """
    has_any = False
    binds = _list(host.get("Binds"))
    for index, bind in enumerate(binds):
        source, colon, rest = _text(bind).partition(":")
        if colon and _is_socket(source, setup.own):
            binds[index] = f"{setup.upstream}:{rest}"
            has_any = True
    for mount in map(_Fields, _list(host.get("Mounts"))):
        if _text(mount.get("Type")) == "bind" and _is_socket(_text(mount.get("Source")), setup.own):
            mount.set("Source", setup.upstream)
            has_any = True
    return has_any


def _is_socket(path: str, own: str) -> bool:
    """Tell whether a host path leads to the proxy's own socket, however it is spelled."""
    try:
        return os.path.isabs(path) and os.path.samefile(path, own)
    except (OSError, ValueError):  # nothing is there, or it holds a zero byte
        return False


def _all_mounts(config: _Fields, host: _Fields, setup: Setup) -> tuple[dict[str, Mount], list[Note]]:
    """Return what the container mounts, by container path, each shadow of ours as one of the type _ADDED."""
    mounts: dict[str, Mount] = {}
    notes: list[Note] = []
    for item in _mounts(host):
        if isinstance(item, Mount):
            mounts.setdefault(item.target, item)  # if two meet, Docker takes the first of these
        else:
            notes.append(item)
    volumes_from = [_text(item) for item in _list(host.get("VolumesFrom"))]
    resolved = resolve(mounts.values(), volumes_from, _questions(setup))
    for mount in resolved.mounts:
        mounts[mount.target] = _added_or(mount)
    for mount in _volumes(config):
        mounts.setdefault(mount.target, mount)
    return mounts, [*notes, *resolved.notes]


def _questions(setup: Setup) -> Questions:
    """Return the questions for the daemon; it answers with a message alone if it has no such thing."""

    def about(kind: str, name: str, suffix: str) -> Any:
        answer = setup.ask(f"/{kind}/{quote(name, safe='')}{suffix}")
        if get_text(answer, "message"):
            return None
        return answer

    return Questions(
        volume=lambda name: about("volumes", name, ""),
        container=lambda name: about("containers", name, "/json"),
    )


def _asking(setup: Setup) -> Asking:
    """Return the questions for the daemon that matter to stores."""

    def daemon() -> Daemon:
        from paude_venv_hook.stores.daemons import Daemon, identify_docker  # noqa: PLC0415 - for storage on disk alone

        return Daemon("", identify_docker(setup.ask))

    def containers() -> Containers:
        from paude_venv_hook.stores.listing import read_containers  # noqa: PLC0415 - for dev containers alone

        return read_containers(setup.ask, daemon().identity)

    def image(name: str) -> Image:
        from paude_venv_hook.stores.aged import Image, read_image  # noqa: PLC0415 - for storage on disk alone

        try:
            return read_image(setup.ask(f"/images/{quote(name, safe='')}/json"))
        except OSError:
            return Image()

    return Asking(cache(containers), cache(daemon), cache(image))


def _add(host: _Fields, decision: Decision, mounted: Container[str]) -> bool:
    """Add the shadows to a HostConfig, except those whose destination is taken; return whether it has any."""
    tmpfs: dict[str, str] = {}
    stores: list[dict[str, str]] = []
    labelled: list[str] = []
    for answer in decision.answers:
        options = ENGINES[answer.engine].options(answer.owner, answer.settings.tmpfs.size)
        for shadow in answer.plan.shadows:
            if shadow.destination in mounted:
                continue
            if shadow.store and ENGINES[answer.engine].selinux and selinux.is_on():
                labelled.append(f"{shadow.store}:{shadow.destination}:z")  # a mount has no such word
            elif shadow.store:
                stores.append({"Type": "bind", "Source": shadow.store, "Target": shadow.destination})
            else:
                tmpfs[shadow.destination] = options
    if tmpfs:
        host.set("Tmpfs", {**(host.get("Tmpfs") or {}), **tmpfs})
    if stores:
        host.set("Mounts", [*(host.get("Mounts") or []), *stores])
    if labelled:
        host.set("Binds", [*(host.get("Binds") or []), *labelled])
    return bool(tmpfs or stores or labelled)


def add_warnings(data: bytes, warnings: Iterable[str]) -> bytes:
    """Return the daemon's answer to the call with warnings added to its own; as it is if that is no such answer."""
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
            "the body of the call is no JSON value, or too deep a one; correct the program that sent it"
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
    raise EngineError(f"the body of the call has the key {shown(key)} twice; correct the program that sent it")


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
            yield note_on_nothing(str(error))
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
    EngineError if two keys are the field that is looked for.
    """

    def __init__(self, value: Any) -> None:
        """Take the value, which has no fields if it is no object."""
        self.value = value
        self._keys: dict[str, list[str]] = {}
        for key in _object(value):
            folded = key.lower() if key.isascii() else key.replace("\u017f", "s").replace("\u212a", "k").lower()
            self._keys.setdefault(folded, []).append(key)

    def get(self, name: str) -> Any:
        """Return the value of a field, None if there is none."""
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
