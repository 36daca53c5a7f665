"""Recognise the commands that make a Python environment, or another folder of packages, and its path. Pure."""

from __future__ import annotations

import posixpath
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    _Maker = Callable[[Sequence[str], Mapping[str, str]], "str | None"]

UNKNOWN = ""  # the command makes one, and does not tell where
_PYTHON = r"(?:python|py|pypy)[\d.]*t?"
_TRUE = frozenset(("1", "on", "true", "yes"))
_FALSE = frozenset(("0", "false", "no", "off"))
# Options that take a value, which is no path of an environment.
_VENV_VALUES = frozenset(("--prompt",))
_VIRTUALENV_VALUES = frozenset(
    """
    -p --python --prompt --app-data --creator --seeder --activators --discovery --pip --setuptools --wheel
    --extra-search-dir --try-first-with
    """.split()  # noqa: SIM905 - a list of words reads better than a list of quotes
)
_UV_VALUES = frozenset(
    """
    -p --python --prompt --directory --project --config-file --cache-dir --color --index -i --index-url --default-index
    --extra-index-url -f --find-links --exclude-newer --link-mode --extra --group --no-group --only-group --package
    --with --with-editable --with-requirements --env-file -m --module
    """.split()  # noqa: SIM905
)
_UV_WITHOUT_PROJECT = frozenset(("--no-project", "--isolated", "--script", "-s"))
_POETRY_VALUES = frozenset(("-C", "--directory", "-P", "--project", "-E", "--extras", "--with", "--without", "--only"))
_PDM_VALUES = frozenset(("-p", "--project", "-G", "--group", "-c", "--config", "-L", "--lockfile"))
_PIPENV_VALUES = frozenset(("--python", "--requirements", "-r", "--pypi-mirror", "--categories", "-i", "--index"))
_CONDA_VALUES = frozenset(("-n", "--name", "-p", "--prefix", "-f", "--file", "-c", "--channel"))
_NPM_VALUES = frozenset(("--prefix", "-C", "--dir", "--cwd", "-w", "--workspace", "--filter"))
_NPM_INSTALLS = frozenset(("add", "ci", "clean-install", "i", "install", "install-ci-test"))


def made_by(words: Sequence[str], variables: Mapping[str, str]) -> str | None:
    """Return the path of the environment that a command makes, as the command says it; None for one that makes none.

    UNKNOWN is one that is made at a place which the command does not tell. `words` are without quotes, `variables` are
    those that the command sees.
    """
    if tuple(words[1:3]) == ("-m", "venv"):  # whatever the Python is called
        return _first(words[3:], _VENV_VALUES, None)
    words = _by_module(words)
    maker = MAKERS.get(posixpath.basename(words[0]))
    return maker(words[1:], variables) if maker else None


def _by_module(words: Sequence[str]) -> Sequence[str]:
    """Return `python -m uv sync` as `uv sync`."""
    is_module = len(words) > 2 and words[1] == "-m"  # noqa: PLR2004 - python -m NAME
    return words[2:] if is_module and re.fullmatch(_PYTHON, posixpath.basename(words[0])) else words


def _parse(words: Sequence[str], values: Collection[str], most: int = 100) -> tuple[list[str], dict[str, str]]:
    """Return up to `most` words that are no options, and the options before the last of them, with their values."""
    positionals: list[str] = []
    options: dict[str, str] = {}
    rest = list(words)
    while rest and len(positionals) < most:
        word = rest.pop(0)
        if word == "--":
            break
        if not word.startswith("-"):
            positionals.append(word)
            continue
        name, equals, value = word.partition("=")
        if not equals and name in values and rest:
            value = rest.pop(0)
        options[name] = value
    return positionals, options


def _first(words: Sequence[str], values: Collection[str], default: str | None) -> str | None:
    positionals, _ = _parse(words, values)
    return positionals[0] if positionals else default


def _virtualenv(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    return _first(words, _VIRTUALENV_VALUES, None)


def _uv(words: Sequence[str], variables: Mapping[str, str]) -> str | None:
    subcommand, options = _parse(words, _UV_VALUES, most=1)
    after = words[words.index(subcommand[0]) + 1 :] if subcommand else ()
    most = 1 if subcommand == ["run"] else 100  # what `uv run` starts has options of its own
    positionals, more = _parse(after, _UV_VALUES, most=most)
    options.update(more)
    folder = options.get("--directory", "")
    if subcommand == ["venv"]:
        return posixpath.join(folder, positionals[0] if positionals else ".venv")
    is_of_project = subcommand in (["sync"], ["run"], ["add"], ["remove"])
    if not is_of_project or not _UV_WITHOUT_PROJECT.isdisjoint(options):
        return None
    if "--active" in options:
        return UNKNOWN
    folder = posixpath.join(folder, options.get("--project", ""))
    return posixpath.join(folder, variables.get("UV_PROJECT_ENVIRONMENT") or ".venv")


def _poetry(words: Sequence[str], variables: Mapping[str, str]) -> str | None:
    positionals, options = _parse(words, _POETRY_VALUES)
    makes = positionals[:1] in (["install"], ["sync"], ["add"], ["update"], ["remove"])
    if not makes and positionals[:2] != ["env", "use"]:
        return None
    if variables.get("POETRY_VIRTUALENVS_CREATE", "").lower() in _FALSE:
        return None
    if variables.get("POETRY_VIRTUALENVS_IN_PROJECT", "").lower() not in _TRUE:
        return UNKNOWN
    folder = options.get("-C") or options.get("--directory") or options.get("-P") or options.get("--project") or ""
    return posixpath.join(folder, ".venv")


def _pdm(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    positionals, options = _parse(words, _PDM_VALUES)
    makes = positionals[:1] in (["install"], ["sync"], ["add"], ["update"], ["remove"], ["use"])
    if not makes and positionals[:2] != ["venv", "create"]:
        return None
    return posixpath.join(options.get("-p") or options.get("--project") or "", ".venv")


def _pipenv(words: Sequence[str], variables: Mapping[str, str]) -> str | None:
    positionals, options = _parse(words, _PIPENV_VALUES)
    makes = positionals[:1] in (["install"], ["sync"], ["update"]) or (not positionals and "--python" in options)
    if not makes or "--system" in options:
        return None
    is_here = variables.get("PIPENV_VENV_IN_PROJECT", "").lower() in _TRUE
    return ".venv" if is_here else UNKNOWN


def _hatch(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    positionals, _options = _parse(words, ("-e", "--env", "-p", "--project"), most=2)
    makes = positionals[:1] in (["run"], ["shell"], ["test"]) or positionals == ["env", "create"]
    return UNKNOWN if makes else None


def _tox(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    positionals, options = _parse(words, ("--devenv", "-e", "-c", "--workdir"))
    if positionals[:1] in (["devenv"], ["d"]):
        return positionals[1] if len(positionals) > 1 else "venv"
    makes = positionals[:1] in ([], ["run"], ["r"], ["run-parallel"], ["p"])
    return options.get("--devenv", ".tox") if makes else None


def _nox(_words: Sequence[str], _: Mapping[str, str]) -> str | None:
    return ".nox"


def _rye(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    return ".venv" if words and words[0] in ("sync", "add", "remove") else None


def _pixi(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    return ".pixi/envs" if words and words[0] in ("install", "run", "shell") else None


def _conda(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    positionals, options = _parse(words, _CONDA_VALUES)
    makes = "create" in positionals[:2] or positionals[:2] == ["env", "update"]
    return options.get("-p") or options.get("--prefix") if makes else None


def _npm(words: Sequence[str], _: Mapping[str, str]) -> str | None:
    positionals, options = _parse(words, _NPM_VALUES)
    if not positionals or positionals[0] not in _NPM_INSTALLS or not {"-g", "--global"}.isdisjoint(options):
        return None
    folders = (options[name] for name in ("--prefix", "-C", "--dir", "--cwd") if name in options)
    return posixpath.join(next(folders, ""), "node_modules")


def _yarn(words: Sequence[str], variables: Mapping[str, str]) -> str | None:
    positionals, _options = _parse(words, _NPM_VALUES)
    return _npm(words if positionals else [*words, "install"], variables)


MAKERS: dict[str, _Maker] = {
    "virtualenv": _virtualenv,
    "pyvenv": _virtualenv,
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "pipenv": _pipenv,
    "hatch": _hatch,
    "tox": _tox,
    "nox": _nox,
    "rye": _rye,
    "pixi": _pixi,
    "conda": _conda,
    "mamba": _conda,
    "micromamba": _conda,
    "npm": _npm,
    "pnpm": _npm,
    "bun": _npm,
    "yarn": _yarn,
}
