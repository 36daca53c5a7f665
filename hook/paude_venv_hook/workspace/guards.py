"""What makes a `.venv` only if no such directory is there: once one was made for a shadow, it would make none any more.

That goes for the container and for the host: a Makefile's `.venv:`, `[ -d .venv ] ||`, direnv's layouts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from paude_venv_hook.files import is_inside, read_start

# Text, since a workspace with a venv needs none of them compiled.
HERE = (
    r"(?:\./)*|\$(?:\{(?:containerWorkspaceFolder|localWorkspaceFolder|workspaceFolder|PWD|CURDIR)\}|PWD|\(CURDIR\))/"
    r"|\{\{ ?justfile_directory\(\) ?\}\}/|/workspaces?/[^/]+/"
)
_VARIABLE = r"(?:\$[({]?|\{\{ ?\.?)(?P<variable>\w{0,20}(?:venv|virtual_?env)\w{0,20})(?:[)}]| ?\}\})?"
_NAME = rf"(?:(?:{HERE})?\.venv|(?i:{_VARIABLE}))"
# `[ ! -d .venv ]`, `test -d .venv ||`: a directory that was made is what it takes for a venv. Not `.venv/bin/python`,
# and not `[ -d .venv ] &&`, which uses one.
_TEST = (
    rf"""(?:\[|\btest)\s+(?P<no>!\s*)?-[de]\s+["'\\]*{_NAME}/?(?![\w.*/$-])"""
    r"""(?(no)|(?!["'\\]*\s*\]*\s*&&))"""
)
_ASSIGNMENT = r"""\b%s\s*(?::=|\?=|=|:)\s*["']?([^\s"',}]+)"""
_FUNCTION = (
    r"""\b(?:path_exists|exists|isdir)\(\s*["']\.venv/?["']\s*\)|\bPath\(["']\.venv["']\)\.(?:exists|is_dir)\("""
)
# `.venv:` and `$(VENV):` of a Makefile.
_TARGET = rf"(?m)^(?:\./)?(?:\.venv|(?i:{_VARIABLE}))/?[ \t]*:(?!=)"
_LAYOUT = (
    r"(?m)^[^#\n]*\b(?:layout[ _](?:hatch|pdm|pipenv|poetry|pyenv|python\d?|rye|uv|venv|virtualenv)"
    r"|use[ _](?:uv|venv|virtualenv))\b"
)
_MISE = r"\bvenv\s*=\s*\{(?=[^}\n]{0,200}\.venv\b)[^}\n]{0,200}\bcreate\s*=\s*true"
_SCRIPT = r"[\w./-]{1,200}\.sh\b"
_MOST_SCRIPTS = 10
_MOST_VARIABLES = 10
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_JUSTFILES = ("justfile", "Justfile", ".justfile")
_TASKFILES = tuple(f"{name}{end}" for name in ("Taskfile", "taskfile") for end in (".yml", ".yaml", ".dist.yml"))
_RUNNERS = {"make": _MAKEFILES, "just": _JUSTFILES, "task": _TASKFILES, "mise": ("mise.toml", ".mise.toml")}
_OTHERS = (".envrc", "tasks.py", "package.json")


def find_guard(folder: str, texts: Iterable[str]) -> str:
    """Return what makes the `.venv` of the folder (a host path) only if no such directory is there, "" if nothing does.

    `texts` are those of its configurations. The files in which a project keeps its tasks are looked at besides, and the
    scripts at its top level.
    """
    if any(command_guards(text, folder) for text in texts):
        return "the configuration"
    names = [name for files in _RUNNERS.values() for name in files]
    return next((name for name in (*names, *_OTHERS, *_scripts(folder)) if _file_guards(folder, name)), "")


def command_guards(command: str, folder: str) -> bool:
    """Tell whether a command makes `.venv` only if no such directory is there.

    It does so itself, in a script of the folder (a host path) that it names, or by a file of tasks there.
    """
    if guards_reserved(command):
        return True
    names = list(dict.fromkeys(re.findall(_SCRIPT, command)[:_MOST_SCRIPTS]))
    for runner, files in _RUNNERS.items():
        if re.search(rf"\b{runner}\b", command):
            names += files
    return any(_file_guards(folder, name.lstrip("/")) for name in names)


def guards_reserved(text: str) -> bool:
    """Tell whether a command in the text looks for a directory `.venv`, as before making one."""
    return _names_reserved(_TEST, text) or re.search(_FUNCTION, text) is not None


def _file_guards(folder: str, name: str) -> bool:
    text = _text_in(folder, name)
    if not text:
        return False
    base = os.path.basename(name)
    is_target = base in _MAKEFILES and _names_reserved(_TARGET, text)
    is_layout = base == ".envrc" and re.search(_LAYOUT, text) is not None
    is_made_by_mise = base.endswith(".toml") and re.search(_MISE, text) is not None
    return is_target or is_layout or is_made_by_mise or guards_reserved(text)


def _names_reserved(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches `.venv` in a text, or a variable that may hold it."""
    variables: list[str] = []
    for match in re.finditer(pattern, text):
        variable = match["variable"]
        if variable is None:
            return True
        variables.append(variable)
    few = list(dict.fromkeys(variables))[:_MOST_VARIABLES]
    return any(_may_be_reserved(variable, text) for variable in few)


def _may_be_reserved(variable: str, text: str) -> bool:
    """Tell whether a text gives a variable the value `.venv`, or none: then the surroundings do."""
    match = re.search(_ASSIGNMENT % re.escape(variable), text)
    return match is None or "$" in match[1] or os.path.basename(match[1].rstrip("/")) == ".venv"


def _scripts(folder: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    yield from [name for name in names if name.endswith(".sh")][:_MOST_SCRIPTS]


def _text_in(folder: str, name: str) -> str:
    path = os.path.normpath(os.path.join(folder, name))
    return read_start(path).decode("utf-8", "replace") if is_inside(path, folder) else ""
