"""`init`: copy a template project, without changing a file that is there; each tool for venvs has a template."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch

from paude_venv_hook.command_line.options import argument
from paude_venv_hook.engines.table import one_of
from paude_venv_hook.errors import UsageError, WorkspaceError
from paude_venv_hook.files import is_inside, read_bytes, remedy
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.terminal import write
from paude_venv_hook.text import did_you_mean, print_line, shown
from paude_venv_hook.workspace.devcontainer import find_devcontainer
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.settings import FILE_NAME, STORAGES

SUMMARY = "copy a template project, and change no file that is there"
POSITION = 8
ARGUMENTS = (
    argument(
        "--template", metavar="hatch|monorepo|pdm|pip|pipenv|poetry|uv", help="needed; without it they are listed"
    ),
    argument("--storage", choices=STORAGES, help="the storage to write into paude.json"),
    argument("folder", nargs="?", metavar="DIR", help="a new or existing folder (default: the current one)"),
)
EXAMPLES = """\
  paude-venv-hook init                               # lists the templates
  paude-venv-hook init ~/src/new --template uv
  cd ~/src/app && paude-venv-hook init --template pip --storage disk
"""

METADATA = "devcontainer-template.json"
_DEVCONTAINER = os.path.join(".devcontainer", "devcontainer.json")
_GUARD = os.path.join(".devcontainer", "own-venv.sh")
# The files about venvs and containers. The others are an example, for a folder that holds no project yet.
_SETTINGS = (_DEVCONTAINER, _GUARD, ".gitignore", "hatch.toml", FILE_NAME, "poetry.toml")
_PROJECT_FILES = frozenset(("Pipfile", "pyproject.toml", "requirements.txt", "setup.cfg", "setup.py"))
_OWN_CHOICES = ("base", "image", "name")


class Options:
    """The values of the arguments."""

    template: str | None = None
    storage: str | None = None
    folder = "."


def execute(options: Options) -> int:
    """Copy a template, and print what was left alone and what comes next. Without one, list them: a usage error."""
    if options.template is None:
        write(_listing())
        raise UsageError(f"--template: needed; use {one_of(template_ids())}")
    copied = init(options.template, options.folder, options.storage)
    write("".join(f"{shown(path)}\n" for path in copied.written))
    for message in copied.messages():
        print_line(message)
    merge = "merge what is shown above, then " if copied.additions else ""
    folder = shown(shlex.quote(options.folder))
    print_line(f"next: {merge}devcontainer up --workspace-folder {folder} --docker-path paude-venv-docker")
    return 0


def _listing() -> str:
    """Return the names of the templates and what each is for, one a line."""
    ids = template_ids()
    width = max(map(len, ids))
    lines = []
    for name in ids:
        metadata = read_object(os.path.join(_templates_folder(), name, METADATA))
        lines.append(f"{name:<{width}}  {metadata['name']}\n")
    return "".join(lines)


class Copied(NamedTuple):
    """What `init` did, as paths relative to the folder, sorted.

    `written` is new; `kept` was there and is unchanged; `left_out` is the example, which is not for a folder that holds
    a project. `additions` maps files of `kept` to the text that they lack, for a person to merge.
    """

    written: list[str]
    kept: list[str]
    left_out: list[str]
    additions: dict[str, str]

    def messages(self) -> list[str]:
        """Return lines for a person: what was left alone, and what to add to it."""
        lines = [f"{shown(path)} is there already and was left alone" for path in self.kept]
        if self.left_out:
            lines.append("the folder holds a Python project already, so the example is left out")
        for path, text in self.additions.items():
            lines += [f"merge into {shown(path)}:", *(f"  {line}" for line in text.splitlines())]
        return lines


def template_ids() -> list[str]:
    """Return the names of the templates."""
    folder = _templates_folder()
    return sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name, METADATA)))


def init(template: str, folder: str, storage: str | None = None) -> Copied:
    """Copy a template into a host folder, which is made if it is missing; a storage is written into paude.json.

    A file that is there is never changed, so `init` can be repeated. If a devcontainer.json is there, paude.json names
    its image, or none. Raises UsageError for an unknown template, WorkspaceError for a folder that cannot take it,
    JsonFileError for a file to merge that cannot be read; nothing has been written then, unless the system refused to
    write a file.
    """
    ids = template_ids()
    if template not in ids:
        raise UsageError(f'"{shown(template)}" is no template{did_you_mean(template, ids)}; use {one_of(ids)}')
    source, folder = os.path.join(_templates_folder(), template), os.path.abspath(folder)
    values = {"venv-storage": storage} if storage else {}
    copied = _compare(source, folder, values)
    config = find_devcontainer(folder)  # before the template's is copied
    for path in copied.written:
        with open(os.path.join(source, path), encoding="utf-8") as file:
            text = file.read()
        if path == FILE_NAME and config is not None:
            text = _with_image_of(config, text)
        if path == FILE_NAME:
            text = _with_values(text, values)
        _write(os.path.join(folder, path), text.encode())
    return copied


def _compare(source: str, folder: str, values: Mapping[str, str]) -> Copied:
    """Return what copying a template (host path `source`) into a host folder does, with values for paude.json."""
    has_project = bool(_PROJECT_FILES & _list_folder(folder))
    copied = Copied([], [], [], {})
    for path in sorted(_files(source)):
        existing = _find_existing(folder, path)
        if existing:
            copied.kept.append(existing)
        elif has_project and path not in _SETTINGS:
            copied.left_out.append(path)
        else:
            copied.written.append(path)
        if existing and path in _SETTINGS:
            further = values if path == FILE_NAME else {}
            addition = _addition(os.path.join(source, path), os.path.join(folder, existing), further)
            if addition:
                copied.additions[existing] = addition
    return copied


def _templates_folder() -> str:
    """Return the host path of the templates: in the installed package, or beside the source root of a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = os.path.join(package, "templates")
    return installed if os.path.isdir(installed) else os.path.join(package, "..", "..", "templates")


def _files(source: str) -> Iterator[str]:
    """Yield the files of a template, relative to it, without those that its .gitignore names: a trial leaves them."""
    with open(os.path.join(source, ".gitignore"), encoding="utf-8") as file:
        ignored = [line.strip().strip("/") for line in file]
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not _matches(name, ignored)]
        for name in files:
            if name != METADATA and not _matches(name, [*ignored, "*.lock"]):
                yield os.path.relpath(os.path.join(folder, name), source)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _list_folder(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
    except NotADirectoryError:
        raise WorkspaceError(f"{shown(folder)}: is not a directory; name another folder") from None
    except OSError as error:
        raise WorkspaceError(f"{shown(folder)}: cannot be read: {error.strerror}; name another folder") from None


def _find_existing(folder: str, path: str) -> str:
    """Return the existing file in the place of a template's file, relative to the folder, "" if there is none."""
    config = find_devcontainer(folder) if path == _DEVCONTAINER else None
    if config is not None:
        return os.path.relpath(config, folder)  # for example .devcontainer.json, which a second one would disable
    if os.path.lexists(os.path.join(folder, path)):
        return path
    above = os.path.join(folder, path)
    while (above := os.path.dirname(above)) != folder:
        if os.path.lexists(above) and not os.path.isdir(above):
            raise WorkspaceError(f"{shown(above)}: is in the way of a folder; rename it, or name another folder")
        if os.path.islink(above) and not is_inside(os.path.realpath(above), os.path.realpath(folder)):
            raise WorkspaceError(f"{shown(above)}: leads out of {shown(folder)}; remove it, or name another folder")
    return ""


def _addition(template: str, existing: str, values: Mapping[str, str]) -> str:
    """Return the text that the existing file lacks of the template's file, and of further values."""
    if template.endswith(".json"):
        return _members(_lacking_values(template, existing, values))
    try:
        present = read_bytes(existing).decode("utf-8", "replace")
    except OSError as error:
        raise WorkspaceError(f"{shown(existing)}: cannot be read: {error.strerror}; {remedy(error)}") from None
    with open(template, encoding="utf-8") as file:
        wanted = [line for line in file.read().splitlines() if line and line[0] != "#"]
    present_lines = set(map(str.strip, present.splitlines()))
    missing = [line for line in wanted if line.strip() not in present_lines]
    if missing and not template.endswith(".gitignore"):
        missing = wanted  # a line of TOML needs its table, and a script has to be whole
    return "\n".join(missing)


def _lacking_values(template: str, existing: str, values: Mapping[str, str]) -> dict[str, object]:
    """Return the values of a template's JSON file, and further ones, that the existing file has not."""
    present = read_object(existing, unique_keys=False)
    wanted = {**read_object(template), **values}
    lacking = {}
    for key, value in wanted.items():
        is_comment = key.startswith("//")
        if not is_comment and key not in _OWN_CHOICES and present.get(key) != value:
            lacking[key] = value
    return lacking


def _members(values: dict[str, object]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False)[2:-2] if values else ""


def _with_image_of(config: str, text: str) -> str:
    """Return the text of a template's paude.json with the image of a devcontainer.json (a host path), if it names one.

    Two that differ would be two containers for one project; an image by a variable or a Dockerfile is none to name.
    """
    image = read_object(config, unique_keys=False).get("image")
    if not isinstance(image, str) or "${" in image:
        return re.sub(r'^  "(// )?base": .*\n\n?', "", text, flags=re.MULTILINE)
    line = f'  "base": {json.dumps(image, ensure_ascii=False)},'
    return re.sub(r'^  "base": .*$', lambda _: line, text, flags=re.MULTILINE)


def _with_values(text: str, values: Mapping[str, str]) -> str:
    """Return the text of a JSON object with further values at its end."""
    if not values:
        return text
    return f"{text.rstrip()[:-1].rstrip()},\n{_members({**values})}\n}}\n"


def _write(target: str, data: bytes) -> None:
    """Write a new file and the folders above it. Raises WorkspaceError."""
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as file:
            try:
                file.write(data)
                file.flush()
            except BaseException:
                os.unlink(target)  # the next one would take it for the user's
                raise
    except OSError as error:
        raise WorkspaceError(
            f"{shown(target)}: cannot be written: {error.strerror}; {remedy(error, 'write')}"
        ) from None
