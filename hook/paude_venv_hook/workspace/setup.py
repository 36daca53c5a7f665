"""Find the commands of a devcontainer.json that make a Python environment: where, when, and on which condition.

It is read from the commands, and from the scripts and the targets of make, just, task, invoke or npm that they name, as
far as these are in the workspace: at most some files, each only at its start. Nothing of it is run.
"""

from __future__ import annotations

import os
import posixpath
import re

from paude_venv_hook.engines.mounts import parse_mount
from paude_venv_hook.files import is_file, is_inside, read_start
from paude_venv_hook.json_values import get_object, get_text
from paude_venv_hook.workspace.environments import (
    AT_CREATION,
    BY_CONTENT,
    BY_DIRECTORY,
    BY_OTHER,
    UNGUARDED,
    SetUp,
)
from paude_venv_hook.workspace.makers import UNKNOWN, made_by
from paude_venv_hook.workspace.recipes import is_runner, python_commands, targets_of
from paude_venv_hook.workspace.shell import Budget, Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from paude_venv_hook.workspace.shell import Command

_MOST_FILES = 20
_DEEPEST = 5
_SOURCE = (".", "source")
_SHELLS = ("ash", "bash", "dash", "ksh", "sh", "zsh")
_CREATE, _IN_PROJECT = "POETRY_VIRTUALENVS_CREATE", "POETRY_VIRTUALENVS_IN_PROJECT"
_PYTHON_GUARD = r"\bnot\b[^\n]*\b(?:exists|is_dir|is_file|isdir|isfile)\("
_SCRIPT = r"\.(?:ba|z)?sh$"
_NAMED_AS_VENV = r"(?:^|/)\.?v?env$"
_IN_VENV = r"/(?:bin/|Scripts/|pyvenv\.cfg$|lib/|\*$)"


def read_commands(
    document: Mapping[str, Any], texts: Iterable[tuple[str, str]], workspace_folder: str
) -> tuple[SetUp, ...]:
    """Return what makes an environment of the workspace (a host path), by the commands of a document.

    `texts` are these as a shell reads them, each with the key under which it stands.
    """
    reader = _Reader(document, workspace_folder)
    set_ups = [item for key, text in texts for item in reader.read(key, text)]
    return tuple(dict.fromkeys(set_ups))


class _Reader:
    """Reads the commands of one devcontainer.json, and the files that they name. All paths are container paths."""

    def __init__(self, document: Mapping[str, Any], workspace_folder: str) -> None:
        self._host_folder = workspace_folder
        self._files_left = _MOST_FILES
        self._budget = Budget()
        name = os.path.basename(workspace_folder)
        folder = get_text(document, "workspaceFolder").replace("${localWorkspaceFolderBasename}", name)
        mount = get_text(document, "workspaceMount").replace("${localWorkspaceFolderBasename}", name)
        self._folder = posixpath.normpath(folder or f"/workspaces/{name}")
        self._root = _root_of(self._folder, (parse_mount(mount).target, f"/workspaces/{name}"))
        self._variables = _variables_of(document)
        self._variables["containerWorkspaceFolder"] = self._folder
        self._variables["localWorkspaceFolderBasename"] = name

    def read(self, key: str, text: str) -> Iterator[SetUp]:
        """Yield what a text for a shell makes, which stands under that key of devcontainer.json."""
        shell = Shell(self._root, self._folder, self._variables, budget=self._budget)
        yield from self._set_ups(key, shell, text, (), 0)

    def _set_ups(self, key: str, shell: Shell, text: str, missing: Sequence[str], depth: int) -> Iterator[SetUp]:
        for command in shell.read(text, missing):
            path = made_by(command.words, command.variables)
            if path is not None:
                yield from self._made(key, command, path, shell)
            elif command.words[:2] == ("poetry", "config"):
                self._configure_poetry(command, shell)
            elif depth < _DEEPEST:
                yield from self._named_by(key, command, shell, depth + 1)

    def _made(self, key: str, command: Command, path: str, shell: Shell) -> Iterator[SetUp]:
        """Yield what a command makes at a path, as it says it, if that is in the workspace."""
        program = posixpath.basename(command.words[0])
        if path == UNKNOWN and program == "poetry" and self._is_in_project(command.folder):
            path = ".venv"
        place = shell.path(path)
        if program == "uv" and "venv" not in command.words:
            place = self._of_uv_project(place)
        venv = self._relative(place)
        if venv or not place:
            yield SetUp(key, venv, self._guard(place, command.missing))

    def _named_by(self, key: str, command: Command, shell: Shell, depth: int) -> Iterator[SetUp]:
        """Yield what the script, or the targets, make that a command names."""
        if is_runner(command.words):
            for target, folder in targets_of(command.words, command.folder, self._root, self._read_or_nothing):
                file = (posixpath.normpath(posixpath.join(folder, target.file)),) if target.file else ()
                inner = Shell(self._root, folder, command.variables, budget=self._budget)
                yield from self._set_ups(key, inner, target.text, (*command.missing, *file), depth)
            return
        word = _script_of(command.words)
        script = shell.path(word)
        text = self._read(script)
        if text is None:
            # It may be in the image, for example. It may make a venv, and what nobody makes again has to stay.
            if re.search(_SCRIPT, word) and command.words[0] not in _SOURCE and key in AT_CREATION:
                yield SetUp(key, "", self._guard("", command.missing))
            return
        is_python = script.endswith(".py") or re.match(r"#!.*python", text) is not None
        missing = (*command.missing, script) if is_python and re.search(_PYTHON_GUARD, text) else command.missing
        inner = Shell(self._root, command.folder, command.variables, script=script, budget=self._budget)
        yield from self._set_ups(key, inner, python_commands(text) if is_python else text, missing, depth)
        if command.words[0] in _SOURCE:
            shell.variables.update(inner.variables)

    def _configure_poetry(self, command: Command, shell: Shell) -> None:
        _, _, name, value = (*command.words, "", "")[:4]
        variable = {"virtualenvs.create": _CREATE, "virtualenvs.in-project": _IN_PROJECT}.get(name)
        if variable:
            shell.variables[variable] = self._variables[variable] = value

    def _guard(self, place: str, missing: Sequence[str]) -> str:
        """Return what keeps a command from making the environment at a place ("" if unknown)."""
        kinds = [_kind_of(path, place) for path in missing]
        return next((kind for kind in (BY_DIRECTORY, BY_CONTENT, BY_OTHER) if kind in kinds), UNGUARDED)

    # ---- Files of the workspace

    def _relative(self, path: str) -> str:
        """Return a path relative to the workspace folder, "" for one that is not in it."""
        is_in = path.startswith(self._root.rstrip("/") + "/")
        return posixpath.relpath(path, self._root) if is_in else ""

    def _host_path(self, path: str) -> str:
        relative = self._relative(path)
        return os.path.join(self._host_folder, relative) if relative else ""

    def _read(self, path: str) -> str | None:
        """Return the start of a file, None for what is none of the workspace."""
        host_path = self._host_path(path)
        if not host_path or self._files_left <= 0 or not is_file(host_path):
            return None
        self._files_left -= 1
        return read_start(host_path).decode("utf-8", "replace")

    def _read_or_nothing(self, path: str) -> str:
        return self._read(path) or ""

    def _is_in_project(self, folder: str) -> bool:
        data = self._read_or_nothing(posixpath.join(folder, "poetry.toml"))
        return re.search(r"(?m)^[^#\n]*\bin[-_]project\s*=\s*true\b", data) is not None

    def _of_uv_project(self, place: str) -> str:
        """Return where uv keeps the environment of the folder in which it runs.

        It belongs to the nearest folder with a pyproject.toml; a member of a uv workspace shares that of the root.
        """
        folder, name = posixpath.split(place)
        projects = [above for above in self._upwards(folder) if self._host_file(above, "pyproject.toml")]
        for project in projects:
            start = read_start(self._host_file(project, "pyproject.toml"))
            if re.search(rb"(?m)^[ \t]*\[tool\.uv\.workspace\]", start):
                return posixpath.join(project, name)
        return posixpath.join(projects[0] if projects else folder, name)

    def _upwards(self, folder: str) -> Iterator[str]:
        """Yield a folder and those above it, up to the workspace's."""
        while is_inside(folder, self._root):
            yield folder
            if folder == self._root:
                break
            folder = posixpath.dirname(folder)

    def _host_file(self, folder: str, name: str) -> str:
        """Return the host path of a file in a folder of the workspace, "" if there is none."""
        path = os.path.join(self._host_path(folder) or self._host_folder, name)
        return path if is_file(path) else ""


def _variables_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment that a devcontainer.json gives to its commands."""
    variables = {**get_object(document, "containerEnv"), **get_object(document, "remoteEnv")}
    return {name: value for name, value in variables.items() if isinstance(value, str)}


def _root_of(folder: str, candidates: Sequence[str]) -> str:
    """Return the container path of the workspace folder: the tools may work in a folder below it."""
    return next((root for root in candidates if root.startswith("/") and is_inside(folder, root)), folder)


def _script_of(words: Sequence[str]) -> str:
    """Return the word that names a script, "" if a command names none."""
    program = posixpath.basename(words[0])
    if program in (*_SOURCE, *_SHELLS) or re.fullmatch(r"python[\d.]*", program):
        return next((word for word in words[1:] if not word.startswith("-")), "")
    return words[0] if "/" in words[0] or re.search(_SCRIPT, words[0]) else ""


def _kind_of(path: str, place: str) -> str:
    """Return what a guard looks at: the directory of an environment, what is in it, or something else."""
    if path == place or (not place and re.search(_NAMED_AS_VENV, path)):
        return BY_DIRECTORY
    is_in = path.startswith(f"{place}/") if place else re.search(_IN_VENV, path) is not None
    return BY_CONTENT if is_in else BY_OTHER
