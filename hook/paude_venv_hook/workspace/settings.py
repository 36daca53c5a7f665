"""The settings, from flags, the environment, the project's paude.json and the user's own paude.json."""

from __future__ import annotations

import os

from paude_venv_hook.engines.mountable import has_control_characters, is_utf8
from paude_venv_hook.errors import SettingsError
from paude_venv_hook.folders import user_folder
from paude_venv_hook.json_values import kind_of
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import did_you_mean, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    _Value = TypeVar("_Value")

FILE_NAME = "paude.json"
KEYS = ("venv", "venv-also", "venv-storage", "venv-tmpfs")
MODES = ("auto", "none")
STORAGES = ("auto", "memory", "disk")
MAX_DIRECTORIES = 100  # each is a mount point to make, and a few hundred bytes of an engine's command line
_OTHER_WORDS = {
    **dict.fromkeys(("0", "disable", "disabled", "false", "never", "no", "off"), "none"),
    **dict.fromkeys(("1", "enable", "enabled", "on", "true", "yes"), "auto"),
}
_OTHER_STORAGES = {
    **dict.fromkeys(("automatic", "default", "detect"), "auto"),
    **dict.fromkeys(("ram", "shm", "tmp", "tmpfs"), "memory"),
    **dict.fromkeys(("bind", "folder", "persistent", "store", "volume"), "disk"),
}
_USE = 'use "auto", "none" or a list of directories'
_TMPFS_KEYS = ("size", "uid", "gid")

# The kernel's memparse() and the percent sign of tmpfs(5). 0 would mean "no limit", a leading 0 octal: 010g is 8g.
_SIZE = r"([1-9][0-9]*)([kmgtpeKMGTPE%]?)"
_SIZE_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
_MAX_SIZE = 2**63 - 1
_MAX_PERCENT = 100
_MAX_ID = 2**32 - 2  # (uid_t) -1 means "no change" to chown(2)


class Tmpfs(NamedTuple):
    """The values of `venv-tmpfs`; None for a key that is not given."""

    size: str | None = None
    uid: int | None = None
    gid: int | None = None


class Settings(NamedTuple):
    """The values that count for a workspace, each with its source: a file (its host path), a flag or a variable.

    `venv` is "auto", "none" or the listed directories as they were written; `storage` is "auto", "memory" or "disk".
    `also` are the directories that are shadowed besides those of `venv`, unless that is "none".
    """

    venv: str | tuple[str, ...]
    venv_source: str
    tmpfs: Tmpfs
    warnings: tuple[str, ...]
    storage: str = "auto"
    storage_source: str = "default"
    also: tuple[str, ...] = ()
    also_source: str = "default"


def read_settings(
    workspace_folder: str, flag: str | None, environ: Mapping[str, str], storage_flag: str | None = None
) -> Settings:
    """Return the settings of the workspace folder (a host path).

    The first of these decides: `flag`, which is the value of `--venv`; PAUDE_VENV in the environment; the project's
    paude.json; the user's own; the default. `storage_flag` is the value of `--storage`, for which the variable is
    PAUDE_VENV_STORAGE. Only the files have `venv-also` and `venv-tmpfs`, whose keys are looked up one by one.
    Raises JsonFileError and SettingsError, which name the file and the key.
    """
    own, users = os.path.join(workspace_folder, FILE_NAME), user_file()
    documents = _read_files([path for path in (own, users) if os.path.lexists(path)])

    venv_given = _first_outside_files("--venv", flag, "PAUDE_VENV", environ, parse_venv_text)
    venv_in_file = _first_in_files(documents, "venv", _check_venv)
    venv, venv_source = venv_given or venv_in_file or ("auto", "default")

    storage_given = _first_outside_files("--storage", storage_flag, "PAUDE_VENV_STORAGE", environ, _check_storage)
    storage_in_file = _first_in_files(documents, "venv-storage", _check_storage)
    storage, storage_source = storage_given or storage_in_file or ("auto", "default")

    also, also_source = _first_in_files(documents, "venv-also", _check_also) or ((), "default")
    tmpfs = _read_tmpfs(documents)
    warnings = [warning for path, document in documents.items() for warning in _misspelled(path, document)]
    if storage == "disk":
        # The user's own venv-tmpfs may be meant for the projects whose venvs stay in memory.
        warnings += _without_effect(documents, (own, storage_source), storage_source)
    return Settings(venv, venv_source, tmpfs, tuple(warnings), storage, storage_source, also, also_source)


def _first_outside_files(
    option: str,
    flag: str | None,
    variable: str,
    environ: Mapping[str, str],
    check: Callable[[str, str], Any],
) -> tuple[Any, str] | None:
    """Return the value of an option, or else of a variable, and its source; None if neither is given."""
    if flag is not None:
        return check(flag, option), option
    text = environ.get(variable)
    if text:
        return check(text, variable), variable
    return None


def _first_in_files(
    documents: Mapping[str, Mapping[str, Any]], key: str, check: Callable[[Any, str], Any]
) -> tuple[Any, str] | None:
    """Return the value of a key in the first document that has it, and its path; None if none has.

    The values of the others are checked too.
    """
    values = []
    for path, document in documents.items():
        if key in document:
            value = check(document[key], f"{shown(path)}: {key}")
            values.append((value, path))
    return values[0] if values else None


def _read_tmpfs(documents: Mapping[str, Mapping[str, Any]]) -> Tmpfs:
    """Return the `venv-tmpfs` of all documents: of each key the first value."""
    tmpfs = Tmpfs()
    for path, document in documents.items():
        values = _check_tmpfs(document.get("venv-tmpfs", {}), f"{shown(path)}: venv-tmpfs")
        tmpfs = Tmpfs(
            _first_given(tmpfs.size, values.size),
            _first_given(tmpfs.uid, values.uid),
            _first_given(tmpfs.gid, values.gid),
        )
    return tmpfs


def _without_effect(documents: Mapping[str, Mapping[str, Any]], paths: tuple[str, str], source: str) -> list[str]:
    """Return a warning on the first of these documents with a `venv-tmpfs`, which storage on disk does not use."""
    for path in documents:
        if path in paths and documents[path].get("venv-tmpfs"):
            why = f"has no effect, since storage is disk ({shown(source)})"
            return [f"{shown(path)}: venv-tmpfs: {why}; remove it"]
    return []


def _read_files(paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what the files of these host paths hold. Raises JsonFileError."""
    if not paths:
        return {}
    from paude_venv_hook.workspace.jsonfile import read_object  # noqa: PLC0415 - many workspaces have no settings

    return {path: read_object(path) for path in paths}


def user_file() -> str:
    """Return the host path of the user's own paude.json, in platformdirs' config folder of paude; "" for no home."""
    folder = user_folder("config")
    return folder and os.path.join(folder, FILE_NAME)


def parse_venv_text(text: str, where: str) -> str | tuple[str, ...]:
    """Return what `auto`, `none` or `NAME[,NAME…]` means; `where` names the flag or variable in errors."""
    names = [name.strip() for name in text.split(",")]
    if len(names) > 1:
        return _check_venv(names, where)
    name = names[0]
    if name.lower() in (*MODES, *_OTHER_WORDS):
        return _check_venv(name, where)
    hint = did_you_mean(name, MODES)
    if hint:
        raise SettingsError(
            f'{where}: "{shown(name)}" is not known{hint}; {_USE}, "./{shown(name)}" for one of that name'
        )
    return _check_venv(names, where)


def _check_venv(value: Any, where: str) -> str | tuple[str, ...]:
    if isinstance(value, (str, bool)):
        if value in MODES:
            return str(value)
        word = str(value).lower() if isinstance(value, bool) else f'"{shown(value)}"'
        meant = _OTHER_WORDS.get(str(value).lower())
        hint = f' (did you mean "{meant}"?)' if meant else did_you_mean(str(value), MODES)
        hint = hint or (f" (did you mean [{word}]?)" if value else "")
        raise SettingsError(f"{where}: {word} is not known{hint}; {_USE}")
    if not isinstance(value, list):
        raise SettingsError(f'{where}: must be "auto", "none" or a list of directories, not {kind_of(value)}')
    return _check_names(value, where)


def _check_also(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise SettingsError(f'{where}: must be a list of directories such as ["node_modules"], not {kind_of(value)}')
    for index, name in enumerate(value):
        if name in MODES:
            raise SettingsError(
                f'{where}[{index}]: "{name}" is for "venv" only; remove it, or write "./{name}" for a directory'
            )
    return _check_names(value, where)


def _check_names(names: list[Any], where: str) -> tuple[str, ...]:
    if len(names) > MAX_DIRECTORIES:
        raise SettingsError(f"{where}: lists {len(names)} directories; {MAX_DIRECTORIES} is the most, so list fewer")
    return tuple(check_name(name, f"{where}[{index}]") for index, name in enumerate(names))


def _first_given(first: _Value | None, second: _Value | None) -> _Value | None:
    return second if first is None else first


def _check_storage(value: Any, where: str) -> str:
    if isinstance(value, str):
        if value in STORAGES:
            return value
        meant = _OTHER_STORAGES.get(value.lower())
        hint = f' (did you mean "{meant}"?)' if meant else did_you_mean(value, STORAGES)
        raise SettingsError(f'{where}: "{shown(value)}" is not known{hint}; use "auto", "memory" or "disk"')
    raise SettingsError(f'{where}: must be "auto", "memory" or "disk", not {kind_of(value)}')


def check_name(name: Any, where: str) -> str:
    """Return the listed directory as a normalised path relative to the workspace folder, separated by `/`.

    Raises SettingsError for what cannot be a directory inside of the workspace folder, whatever is on the disk.
    """
    if not isinstance(name, str):
        raise SettingsError(f"{where}: must be text, not {kind_of(name)}; write a directory's name")
    text = f'{where}: "{shown(name)}"'
    if not name:
        raise SettingsError(f"{where}: is empty; write a directory's name, or remove the entry")
    portable = name.replace(os.sep, "/")
    if name in MODES:
        raise SettingsError(f'{text} is a mode; write it alone, or "./{name}" for a directory of that name')
    if any(part != part.strip() for part in portable.split("/")):
        raise SettingsError(f"{text} begins or ends a name with a blank; remove it")
    if has_control_characters(name):
        raise SettingsError(f"{text} holds a control character; rename the directory")
    if not is_utf8(name):
        raise SettingsError(f"{text} is not UTF-8, which no engine can mount; rename the directory")
    if os.path.isabs(name) or portable.startswith("/"):
        raise SettingsError(f"{text} is absolute; write it relative to the workspace folder")
    return "/".join(_check_parts([part for part in portable.split("/") if part not in ("", ".")], text))


def _check_parts(parts: list[str], text: str) -> list[str]:
    if "**" in parts:
        raise SettingsError(f"{text} is a pattern of any depth; write one * for each level, as in packages/*/.venv")
    if ".." in parts:
        raise SettingsError(f'{text} may leave the workspace folder; write it without ".."')
    if not parts:
        raise SettingsError(f"{text} is the workspace folder itself, which holds the source; name a directory in it")
    return parts


def _check_tmpfs(value: Any, where: str) -> Tmpfs:
    if not isinstance(value, dict):
        raise SettingsError(f'{where}: must be an object such as {{"size": "2g"}}, not {kind_of(value)}')
    for key in value:
        if key not in _TMPFS_KEYS:
            hint = did_you_mean(key, _TMPFS_KEYS)
            raise SettingsError(f'{where}: key "{shown(key)}" is not known{hint}; use size, uid, gid')
    size = value.get("size")
    if size is not None or "size" in value:
        check_size(size, f"{where}.size")
    for key in ("uid", "gid"):
        if key in value and not (type(value[key]) is int and 0 <= value[key] <= _MAX_ID):
            raise SettingsError(f"{where}.{key}: must be a whole number from 0 to {_MAX_ID}")
    return Tmpfs(size, value.get("uid"), value.get("gid"))


def check_size(size: Any, where: str) -> None:
    """Raise SettingsError unless the kernel would take `size` as a tmpfs size (tmpfs(5), memparse in the kernel)."""
    if not isinstance(size, str):
        raise SettingsError(f'{where}: must be text such as "2g" or "50%", not {kind_of(size)}')
    import re  # noqa: PLC0415 - few settings name a size

    match = re.fullmatch(_SIZE, size)
    if match:
        number, unit = int(match[1][:20]), match[2].lower()
        if number <= _MAX_PERCENT if unit == "%" else number << _SIZE_SHIFT[unit] <= _MAX_SIZE:
            return
    raise SettingsError(f'{where}: "{shown(size)}" is no size; write a number and k, m, g or %, such as "2g"')


def _misspelled(path: str, document: Mapping[str, Any]) -> list[str]:
    # Other keys are paude's. Ours begin with a v, perhaps after a dot: difflib is not loaded for the rest.
    unknown = (key for key in document if key not in KEYS and key.lstrip(".")[:1] in ("v", "V"))
    hints = ((key, did_you_mean(key.replace("_", "-"), KEYS)) for key in unknown)
    return [f'{shown(path)}: key "{shown(key)}" is not known here{hint}' for key, hint in hints if hint]
