"""Whether a project keeps its venv in `.venv`, so that it can be shadowed before it exists.

Where it does not, an empty `.venv` does harm: Poetry takes it for its environment and forgets the one in its cache,
older Pipenvs do too, and a Makefile's `.venv:` or direnv's `[ -d .venv ] ||` never makes one. So a Python project alone
is no evidence.
"""

from __future__ import annotations

import os
import re

from paude_venv_hook.files import is_inside, read_start
from paude_venv_hook.workspace.found import RESERVED
from paude_venv_hook.workspace.jsonfile import blank_comments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PLACEHOLDERS = frozenset((".gitignore", ".gitkeep", ".keep"))

# Text, since a workspace with a venv needs none of them compiled.
# `[tool.pdm.build]` and `.version` are for pdm-backend, `[tool.uv.build-backend]` for uv_build: any tool may install
# what those build.
_TABLE = rb"(?m)^[ \t]*\[{1,2}[ \t]*tool[ \t]*\.[ \t]*%s[ \t]*(?:\]|\.(?![ \t]*(?:build|version)\b))"
_IN_PROJECT = rb"(?m)^[^#\n]*\bin[-_]project\s*=\s*%s\b"
_NAMED = r'(?<![\w.*-])\.venv(?![\w.*-])(?!"\s*:)'  # as the whole name of a directory, and not as a key
_BEFORE = r"""[^\s"'=:;,()|&<>\\]*\Z"""  # the path before it, in a command or a setting
_HERE = (
    r"(?:\./)*|\$(?:\{(?:containerWorkspaceFolder|localWorkspaceFolder|workspaceFolder|PWD)\}|PWD)/"
    r"|/workspaces?/[^/]+/"
)
# `[ ! -d .venv ]`, `test -d .venv ||`: a directory that was made is what it takes for a venv. Not `.venv/bin/python`,
# and not `[ -d .venv ] &&`, which uses one.
_GUARD = (
    rf"""(?:\[|\btest)\s+(?P<no>!\s*)?-[de]\s+["'\\]*(?:{_HERE})?\.venv/?(?![\w.*/-])"""
    r"""(?(no)|(?!["'\\]*\s*\]*\s*&&))"""
)
# `.venv:` and `$(VENV):` of a Makefile.
_TARGET = r"(?mi)^(?:\./)?(?:\.venv|\$[({]\w{0,20}venv\w{0,20}[)}])/?[ \t]*:(?!=)"
_SCRIPT = r"[\w./-]{1,200}\.sh\b"
_SCRIPTS = 10  # as many are looked at
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_LONGEST = 300  # as far as it is looked back for that path
_SWITCH = (
    r'\b(?:POETRY_VIRTUALENVS_IN_PROJECT|PIPENV_VENV_IN_PROJECT)"?\s*[:=]\s*"?(?:true|1|yes|on)\b'
    r"|\bvirtualenvs\.in-project\s+true\b"
)


def find_evidence(folder: str, configurations: Sequence[str] = ()) -> str:
    """Return what tells that the project in the folder (a host path) keeps its venv in `.venv`, "" if nothing does.

    `configurations` are the host paths of its devcontainer.json and paude.json. A `.venv` that is there counts where it
    is an empty directory or holds nothing but placeholders; anything else in its place means no. So does what makes the
    venv only where no directory is.
    """
    path = os.path.join(folder, RESERVED)
    is_there = os.path.lexists(path)
    if is_there and not is_unused(path):
        return ""
    # What the project says goes first: the answer is the same once the directory was made.
    texts = {path: read_text(path) for path in configurations}
    if is_guarded(folder, texts.values()):
        return "an empty .venv" if is_there else ""
    return next(_evidence(folder, texts), "an empty .venv" if is_there else "")


def is_unused(directory: str) -> bool:
    """Tell whether the host path is a directory that is empty, or holds nothing but placeholders."""
    try:
        return PLACEHOLDERS.issuperset(os.listdir(directory))
    except OSError:
        return False


def read_text(path: str) -> str:
    """Return the text of a devcontainer.json or paude.json (a host path), without its comments."""
    return blank_comments(read_start(path).decode("utf-8", "replace"))


def _evidence(folder: str, texts: Mapping[str, str]) -> Iterator[str]:
    def start_of(name: str) -> bytes:
        return read_start(os.path.join(folder, name))

    def files(*names: str) -> list[str]:
        return [name for name in names if os.path.isfile(os.path.join(folder, name))]

    project = start_of("pyproject.toml")
    uv = files("uv.lock", "uv.toml") or _table(project, "uv")
    if uv and not any(map(_moves_uv, texts.values())):
        yield uv[0]
    pdm = files("pdm.lock", "pdm.toml") or _table(project, "pdm")
    if pdm and not re.search(_IN_PROJECT % b"false", start_of("pdm.toml")):
        yield pdm[0]
    if re.search(_IN_PROJECT % b"true", start_of("poetry.toml")):
        yield "poetry.toml"
    for path, text in texts.items():
        if names_reserved(text):
            yield os.path.basename(path)


def _table(project: bytes, tool: str) -> list[str]:
    return [f"[tool.{tool}] in pyproject.toml"] if re.search(_TABLE % tool.encode(), project) else []


def names_reserved(text: str) -> bool:
    """Tell whether the text of a devcontainer.json or paude.json names the `.venv` of its workspace.

    `.venv/bin/python`, `./.venv`, `${containerWorkspaceFolder}/.venv` do; `/opt/.venv`, `backend/.venv`, `~/.venv`,
    `**/.venv`, `.venv-docker` and the key of a setting do not. A variable that makes Poetry or Pipenv use it does.
    """
    folder = re.search(r'"workspaceFolder"\s*:\s*"([^"]+)"', text)
    for match in re.finditer(_NAMED, text):
        found = re.search(_BEFORE, text[max(0, match.start() - _LONGEST) : match.start()])
        before = found[0] if found else ""
        if re.fullmatch(_HERE, before) or (folder and before == folder[1].rstrip("/") + "/"):
            return True
    return bool(re.search(_SWITCH, text, re.IGNORECASE))


def is_guarded(folder: str, texts: Iterable[str]) -> bool:
    """Tell whether something makes the `.venv` of the folder (a host path) only where no such directory is there.

    Once one was made for a shadow it would make none any more, in the container and on the host. `texts` are those of
    the configurations; a Makefile and direnv's file are looked at besides.
    """
    if any(command_guards(text, folder) for text in texts):
        return True
    return guards_reserved(_text_in(folder, ".envrc")) or _makefile_guards(folder)


def command_guards(command: str, folder: str) -> bool:
    """Tell whether a command makes `.venv` only where no such directory is.

    It does so itself, in a script of the folder (a host path) that it names, or by the Makefile there.
    """
    scripts = dict.fromkeys(re.findall(_SCRIPT, command)[:_SCRIPTS])
    if any(map(guards_reserved, (command, *(_text_in(folder, name.lstrip("/")) for name in scripts)))):
        return True
    return re.search(r"\bmake\b", command) is not None and _makefile_guards(folder)


def _makefile_guards(folder: str) -> bool:
    texts = [_text_in(folder, name) for name in _MAKEFILES]
    return any(re.search(_TARGET, text) or guards_reserved(text) for text in texts)


def _text_in(folder: str, name: str) -> str:
    path = os.path.normpath(os.path.join(folder, name))
    return read_start(path).decode("utf-8", "replace") if is_inside(path, folder) else ""


def guards_reserved(text: str) -> bool:
    """Tell whether a command in the text looks for a directory `.venv`, as before making one."""
    return re.search(_GUARD, text) is not None


def _moves_uv(text: str) -> bool:
    """Tell whether the text makes uv keep the project's environment at another place than `.venv`."""
    match = re.search(r'\bUV_PROJECT_ENVIRONMENT"?\s*[:=]\s*"?([^"\s]*)', text)
    return match is not None and not names_reserved(match[1])
