"""Find out whether a project keeps its venv in `.venv`, which is then shadowed before it exists.

If it does not, an empty `.venv` does harm: Poetry takes it for its environment and forgets the one in its cache, older
Pipenvs do too, uv cannot put its link there, and a Makefile's `.venv:` never makes one. So a Python project alone is no
evidence.
"""

from __future__ import annotations

import json
import os
import re

from paude_venv_hook.errors import HookError
from paude_venv_hook.files import read_start
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.workspace.central import (
    KEEP_UV_APART,
    find_cached_environment,
    find_uv_switch,
    is_pipenv_project,
    is_poetry_project,
    sets_in_project,
)
from paude_venv_hook.workspace.contents import RESERVED
from paude_venv_hook.workspace.environments import BY_DIRECTORY, PACKAGES
from paude_venv_hook.workspace.guards import HERE, find_guard
from paude_venv_hook.workspace.jsonfile import blank_comments, read_object
from paude_venv_hook.workspace.lifecycle import read_all_set_ups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paude_venv_hook.workspace.environments import SetUp

PLACEHOLDERS = frozenset((".gitignore", ".gitkeep", ".keep"))
_EMPTY = f"an empty {RESERVED}"

# Text, since a workspace with a venv needs none of them compiled.
# `[tool.pdm.build]` and `.version` are for pdm-backend, `[tool.uv.build-backend]` for uv_build: any tool may install
# what those build.
_TABLE = rb"(?m)^[ \t]*\[{1,2}[ \t]*tool[ \t]*\.[ \t]*%s[ \t]*(?:\]|\.(?![ \t]*(?:build|version)\b))"
_PDM_ELSEWHERE = rb"(?m)^[^#\n]*\bin[-_]project\s*=\s*false\b"
_NAMED = r'(?<![\w.*-])\.venv(?![\w.*-])(?!"\s*:)'  # as the whole name of a directory, and not as a key
_BEFORE = r"""[^\s"'=:;,()|&<>\\]*\Z"""  # the path before it, in a command or a setting
_LONGEST = 300  # as far as it is looked back for that path
_SWITCH = (
    r'\b(?:POETRY_VIRTUALENVS_IN_PROJECT|PIPENV_VENV_IN_PROJECT)"?\s*[:=]\s*"?(?:true|1|yes|on)\b'
    r"|\bvirtualenvs\.in-project\s+true\b"
)
_OF_EDITORS = ("customizations", "extensions", "settings")


class Evidence(NamedTuple):
    """The file, key or table that shows that a project keeps its venv in `.venv`, or "", and notes for a person."""

    text: str = ""
    notes: tuple[Note, ...] = ()


def find_evidence(folder: str, configurations: Sequence[str] = ()) -> Evidence:
    """Return what tells that the project in the folder (a host path) keeps its venv in `.venv`.

    `configurations` are the host paths of its devcontainer.json and paude.json. A `.venv` that is there counts if it is
    an empty directory or holds nothing but placeholders; anything else in its place means no. So does what makes the
    venv only if no directory is there, and what a tool keeps elsewhere for the folder and would forget.
    """
    path = os.path.join(folder, RESERVED)
    is_there = os.path.lexists(path)
    set_ups = read_all_set_ups(configurations, folder)
    others = notes_on_others(folder, set_ups)
    if is_there and not is_unused(path):
        return Evidence("", others)
    # What the project says goes first: the answer is the same once the directory was made.
    texts = [read_text(path) for path in configurations]
    tool, text = next(_evidence(folder, configurations, texts, set_ups), ("", ""))
    switch = find_uv_switch(folder, texts) if tool == "uv" else ""
    if switch:
        return Evidence("", (*others, Note(NoteKind.CENTRAL, (RESERVED,), switch, KEEP_UV_APART)))
    fallback = _EMPTY if is_there else ""
    if not text:
        return Evidence(fallback, others)
    guard = find_guard(folder, texts)
    if guard or any(set_up.venv == RESERVED and set_up.guard == BY_DIRECTORY for set_up in set_ups):
        notes = others if is_there else (*others, *_notes_on_guarded(set_ups, guard))
        return Evidence(fallback, notes)
    environment = "" if tool == "poetry" or is_there else find_cached_environment(folder)
    if environment:
        return Evidence("", (*others, Note(NoteKind.KEPT, (RESERVED,), environment)))
    return Evidence(text, others)


def is_unused(directory: str) -> bool:
    """Tell whether the host path is a directory that is empty, or holds nothing but placeholders."""
    try:
        return PLACEHOLDERS.issuperset(os.listdir(directory))
    except OSError:
        return False


def read_text(path: str) -> str:
    """Return the text of a devcontainer.json or paude.json (a host path), without its comments."""
    return blank_comments(read_start(path).decode("utf-8", "replace"))


def names_reserved(text: str) -> bool:
    """Tell whether the text of a devcontainer.json or paude.json names the `.venv` of its workspace.

    `.venv/bin/python`, `./.venv`, `${containerWorkspaceFolder}/.venv` do; `/opt/.venv`, `backend/.venv`, `~/.venv`,
    `**/.venv`, `.venv-docker` and the key of a setting do not. A variable that makes Poetry or Pipenv use it does.
    """
    folder = re.search(r'"workspaceFolder"\s*:\s*"([^"]+)"', text)
    for match in re.finditer(_NAMED, text):
        path = re.search(_BEFORE, text[max(0, match.start() - _LONGEST) : match.start()])
        before = path[0] if path else ""
        if re.fullmatch(HERE, before) or (folder and before == folder[1].rstrip("/") + "/"):
            return True
    return bool(re.search(_SWITCH, text, re.IGNORECASE))


# ---- What tells it


def _evidence(
    folder: str, configurations: Sequence[str], texts: Sequence[str], set_ups: Sequence[SetUp]
) -> Iterator[tuple[str, str]]:
    """Yield each tool that keeps its venv in `.venv`, "" for any tool, and the file or key that shows it."""
    yield from _evidence_of_tools(folder, texts)
    is_kept_elsewhere = is_poetry_project(folder) or is_pipenv_project(folder)
    for path, text in zip(configurations, texts, strict=True):
        settings = _without_editors(path) if is_kept_elsewhere else text
        if names_reserved(settings):
            yield "", os.path.basename(path)
    for set_up in set_ups:
        if set_up.venv == RESERVED:
            yield "", set_up.key


def _evidence_of_tools(folder: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    project = read_start(os.path.join(folder, "pyproject.toml"))
    uv = _files(folder, "uv.lock", "uv.toml") or _table(project, "uv")
    if uv and not any(map(_moves_uv, texts)):
        yield "uv", uv[0]
    pdm = _files(folder, "pdm.lock", "pdm.toml") or _table(project, "pdm")
    if pdm and not re.search(_PDM_ELSEWHERE, read_start(os.path.join(folder, "pdm.toml"))):
        yield "pdm", pdm[0]
    if sets_in_project(folder, "true"):
        yield "poetry", "poetry.toml"


def _files(folder: str, *names: str) -> list[str]:
    return [name for name in names if os.path.isfile(os.path.join(folder, name))]


def _table(project: bytes, tool: str) -> list[str]:
    return [f"[tool.{tool}] in pyproject.toml"] if re.search(_TABLE % tool.encode(), project) else []


def _moves_uv(text: str) -> bool:
    """Tell whether the text makes uv keep the project's environment at another place than `.venv`."""
    match = re.search(r'\bUV_PROJECT_ENVIRONMENT"?\s*[:=]\s*"?([^"\s]*)', text)
    return match is not None and not names_reserved(match[1])


def _without_editors(path: str) -> str:
    """Return the text of a configuration (a host path) without the settings of editors."""
    try:
        document = read_object(path, unique_keys=False)
    except HookError:
        return ""
    return json.dumps({key: value for key, value in document.items() if key not in _OF_EDITORS}, ensure_ascii=False)


# ---- What a person should know


def notes_on_others(folder: str, set_ups: Sequence[SetUp]) -> tuple[Note, ...]:
    """Return a note on the venvs of other names than `.venv` that a container will make in a host folder."""
    keys: dict[str, str] = {}
    for set_up in set_ups:
        path = os.path.join(folder, set_up.venv)
        if os.path.basename(set_up.venv) == PACKAGES:
            continue  # what is no venv lands there as ever
        if set_up.venv not in ("", RESERVED) and (not os.path.lexists(path) or is_unused(path)):
            keys.setdefault(set_up.venv, set_up.key)
    if not keys:
        return ()
    why = ", ".join(dict.fromkeys(keys.values()))
    return (Note(NoteKind.LANDS, tuple(keys), why, setting=tuple(keys)),)


def _notes_on_guarded(set_ups: Sequence[SetUp], guard: str) -> tuple[Note, ...]:
    """Return a note on the `.venv` that a container will make, and that cannot be shadowed for a guard."""
    set_up = next((set_up for set_up in set_ups if set_up.venv == RESERVED), None)
    if set_up is None:
        return ()
    where = set_up.key if set_up.guard == BY_DIRECTORY else guard
    advice = f"let {where}, which makes none if there is such a directory, look for .venv/bin/python"
    return (Note(NoteKind.LANDS, (RESERVED,), set_up.key, advice),)
