"""devcontainer.json: where the workspace is mounted, and which container paths have a mount already.

The rules are those of the reference implementation, @devcontainers/cli 0.89.0 (`read-configuration`); a test compares
both. The file is only ever read.
"""

from __future__ import annotations

import os
import posixpath

from paude_venv_hook.engines.mountable import has_control_characters, is_utf8
from paude_venv_hook.engines.mounts import Mount, UnclearMountError, container_path, mounts_in, parse_mount
from paude_venv_hook.errors import DevcontainerError
from paude_venv_hook.json_values import kind_of
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from paude_venv_hook.engines.run_grammar import Option

# A launcher that mounts the workspace elsewhere would get a shadow on /etc/ssl of the container, for example.
# Some are its own with all that is in them; in others people have a place of their own, such as /opt/app.
_SYSTEM = frozenset(
    "bin boot dev etc include lib lib32 lib64 libexec libx32 proc run sbin sys".split()  # noqa: SIM905 - reads better
)
_WITH_PLACES = frozenset(
    """
    / /home /media /mnt /opt /root /srv /tmp /usr /usr/local /usr/share /usr/src /var /var/lib /var/tmp
    """.split()  # noqa: SIM905 - as above
)

COMPOSE_DECIDES = "the compose files decide what is mounted; use devcontainer-config, or print --format compose"


class Devcontainer(NamedTuple):
    """What a devcontainer.json says about mounts.

    `mount` is the workspace mount, None if the tool mounts nothing; `why` says how that was decided.
    `workspace_folder` is the container path in which the tools work, `mounts` is what the file's `mounts` and `runArgs`
    mount besides, and `options` are those of its `runArgs`. `is_by_compose` tells that only compose files say where
    the workspace is. `advice` says what to do if nothing is mounted, None if that is to mount it.
    """

    mount: Mount | None
    why: str
    workspace_folder: str
    mounts: tuple[Mount, ...]
    is_by_compose: bool
    advice: str | None = None
    options: tuple[Option, ...] = ()


def find_devcontainer(workspace_folder: str) -> str | None:
    """Return the host path of the workspace's devcontainer.json, or None: just the two places, no parents."""
    for name in (os.path.join(".devcontainer", "devcontainer.json"), ".devcontainer.json"):
        path = os.path.join(workspace_folder, name)
        if os.path.isfile(path):
            return path
    return None


def named_devcontainers(workspace_folder: str) -> list[str]:
    """Return the host paths of `.devcontainer/NAME/devcontainer.json`, which the tools read when told which one."""
    folder = os.path.join(workspace_folder, ".devcontainer")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    paths = (os.path.join(folder, name, "devcontainer.json") for name in names)
    return [path for path in paths if os.path.isfile(path)]


def read_devcontainer(path: str, workspace_folder: str, environ: Mapping[str, str]) -> Devcontainer:
    """Return what the file says for the workspace folder (an absolute host path, symlinks not resolved).

    Raises JsonFileError, or DevcontainerError for a value of the wrong type.
    """
    from paude_venv_hook.workspace.jsonfile import read_object  # noqa: PLC0415 - not for a launch that says its mounts
    from paude_venv_hook.workspace.variables import substitution, substitution_at_reading  # noqa: PLC0415 - as above

    config = read_object(path, unique_keys=False)
    _check_types(path, config)
    folder = config.get("workspaceFolder")
    default = None
    if not ("dockerComposeFile" in config or (folder and "workspaceMount" in config)):
        default = default_mount(workspace_folder, environ)
    container_folder = folder or (_folder_in(default, workspace_folder) if default else "/")
    at_reading = substitution_at_reading(path, workspace_folder, container_folder, environ)
    mount, why = _workspace_mount(path, config, default, workspace_folder, at_reading)
    advice = "" if "dockerComposeFile" in config else None
    substitute = substitution(path, workspace_folder, container_folder, environ)
    options = _options_of_run_args(config, substitute)
    try:
        mounts = _mounts(config, options, substitute)
    except UnclearMountError as error:
        mount, why, mounts, advice = None, f"in devcontainer.json, {error}", (), ""
    folder_to_work_in = container_folder if folder is None else at_reading(folder)
    return Devcontainer(mount, why, folder_to_work_in, mounts, "dockerComposeFile" in config, advice, options)


def _folder_in(mount: Mount, folder: str) -> str:
    """Return the container path of a host folder that the mount carries."""
    relative = os.path.relpath(folder, mount.source).replace(os.sep, "/")
    return posixpath.normpath(posixpath.join(mount.target, relative))


def _workspace_mount(
    path: str,
    config: Mapping[str, Any],
    default: Mount | None,
    workspace_folder: str,
    substitute: Callable[[str], str],
) -> tuple[Mount | None, str]:
    if "dockerComposeFile" in config:
        return None, COMPOSE_DECIDES
    if "workspaceMount" not in config:
        return default, "default of devcontainer.json"
    text = substitute(config["workspaceMount"] or "")
    if not text:
        return None, "workspaceMount is empty in devcontainer.json, so the workspace is not mounted"
    if has_control_characters(text) or not is_utf8(text):
        problem = "holds a control character, or is not UTF-8; remove that"
        raise DevcontainerError(f'{shown(path)}: workspaceMount: "{shown(text)}" {problem}')
    mount = parse_mount(text)
    if mount.type != "bind":
        return None, f"workspaceMount in devcontainer.json is no bind mount but a {shown(mount.type)}"
    if not mount.source or not mount.target.startswith("/"):
        advice = 'write "type=bind,source=FOLDER,target=/FOLDER"'
        raise DevcontainerError(f'{shown(path)}: workspaceMount: "{shown(text)}" is no mount; {advice}')
    if is_containers_own(mount.target):
        return None, f"workspaceMount in devcontainer.json is on {shown(mount.target)}, a folder of the container's own"
    source = os.path.normpath(os.path.join(workspace_folder, mount.source))
    return mount._replace(source=source), "workspaceMount in devcontainer.json"


def is_containers_own(target: str) -> bool:
    """Tell whether a container path is a folder of the container's own, on which no workspace should be mounted."""
    if target in _WITH_PLACES or posixpath.dirname(target) == "/home":
        return True
    tops = [top for top in ("/", "/usr/", "/usr/local/") if target.startswith(top)]
    return any(target.removeprefix(top).partition("/")[0] in _SYSTEM for top in tops)


def _options_of_run_args(config: Mapping[str, Any], substitute: Callable[[str], str]) -> tuple[Option, ...]:
    if not config.get("runArgs"):
        return ()
    from paude_venv_hook.engines.run_grammar import read_options  # noqa: PLC0415 - few files have any

    return tuple(read_options([substitute(argument) for argument in config["runArgs"]], lenient=True))


def _mounts(
    config: Mapping[str, Any], options: Sequence[Option], substitute: Callable[[str], str]
) -> tuple[Mount, ...]:
    """Return what the file's `mounts` and the options of its `runArgs` mount, as far as they name an absolute target.

    Raises UnclearMountError.
    """
    mounts = [parse_mount(substitute(_as_text(entry))) for entry in config.get("mounts") or ()]
    mounts += mounts_in(options)
    return tuple(mount for mount in mounts if mount.target.startswith("/"))


def _as_text(entry: str | Mapping[str, Any]) -> str:
    """Return an entry of `mounts` as a text; the tools make one of an object in this way."""
    if isinstance(entry, str):
        return entry
    return ",".join(f"{key}={entry[key]}" for key in ("type", "source", "target") if entry.get(key) is not None)


def _check_types(path: str, config: Mapping[str, Any]) -> None:
    check_text(path, config, "workspaceFolder", "/workspaces/app")
    check_text(path, config, "workspaceMount", "type=bind,source=/home/me/app,target=/app")
    check_list(path, "runArgs", config.get("runArgs"), "--init")
    check_list(path, "mounts", config.get("mounts"), "source=cache,target=/cache", (str, dict))


def check_text(path: str, config: Mapping[str, Any], key: str, example: str) -> None:
    """Raise DevcontainerError if the value of a key is given, and is no text."""
    value = config.get(key)
    if value is not None and not isinstance(value, str):
        raise DevcontainerError(f'{shown(path)}: {key}: must be text such as "{example}", not {kind_of(value)}')


def check_list(path: str, key: str, values: Any, example: str, types: tuple[type, ...] = (str,)) -> None:
    """Raise DevcontainerError if the value of a key is given, and is no list, or has an entry of another type."""
    if values is None:
        return
    if not isinstance(values, list):
        raise DevcontainerError(f'{shown(path)}: {key}: must be a list such as ["{example}"], not {kind_of(values)}')
    kinds = "text or an object" if dict in types else "text"
    for index, value in enumerate(values):
        if not isinstance(value, types):
            what = f'must be {kinds} such as "{example}", not {kind_of(value)}'
            raise DevcontainerError(f"{shown(path)}: {key}[{index}]: {what}")


def default_mount(workspace_folder: str, environ: Mapping[str, str]) -> Mount:
    """Return the workspace mount that the tools make by themselves: the git root at /workspaces/<its name>."""
    from paude_venv_hook.workspace.git_root import git_root  # noqa: PLC0415 - not for a launch that says its mounts

    source = git_root(workspace_folder, environ) or workspace_folder
    return Mount("bind", source, container_path(f"/workspaces/{os.path.basename(source)}"))
