"""The commands that run in the life of a container, by a devcontainer.json or paude.json, and what they make.

Most of them make no Python environment, and many files hold none. This module tells these apart before it loads what
reads commands (`setup`), which takes a tenth of a whole run.
"""

from __future__ import annotations

from paude_venv_hook.errors import JsonFileError
from paude_venv_hook.files import read_start
from paude_venv_hook.workspace.environments import AT_CREATION, AT_EACH_START

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from paude_venv_hook.workspace.environments import SetUp

_OF_PAUDE = "setup"  # of paude.json, at creation
_KEYS = (*AT_CREATION, *AT_EACH_START, _OF_PAUDE)
# A command that makes an environment, or runs a script that may, has one of these somewhere in its text: a name that
# `makers` or `recipes` knows, or what they look for in a script's name and in `python -m venv`.
_SIGNS = (
    *("venv", "virtualenv", "uv", "poetry", "pdm", "pipenv", "hatch", "tox", "nox", "rye", "pixi", "conda", "mamba"),
    *("npm", "pnpm", "yarn", "bun", "make", "just", "task", "invoke", "inv"),
    *("python", "source", "sh", ".", "/"),
)
# By these a shell makes words that do not stand in the text.
_QUOTING = ("'", '"', "\\", "$", "`", "\r", "\0")


def read_all_set_ups(configurations: Iterable[str], workspace_folder: str) -> list[SetUp]:
    """Return what makes an environment of the workspace, by any of the configurations; see `read_set_ups`."""
    return [set_up for config in configurations for set_up in read_set_ups(config, workspace_folder)]


def read_set_ups(config: str, workspace_folder: str) -> tuple[SetUp, ...]:
    """Return what makes an environment of the workspace, by a devcontainer.json or paude.json; both are host paths.

    A file that cannot be read makes none: its own tools report it.
    """
    start = read_start(config)
    if not any(key.encode() in start for key in _KEYS):
        return ()
    from paude_venv_hook.workspace.jsonfile import read_object  # noqa: PLC0415 - many workspaces have no command

    try:
        document = read_object(config, unique_keys=False)
    except JsonFileError:
        return ()
    texts = [(key, text) for key in _KEYS for text in _texts(document.get(key))]
    if not any(may_make_environment(text) for _, text in texts):
        return ()
    from paude_venv_hook.workspace.setup import read_commands  # noqa: PLC0415 - see above

    return read_commands(document, texts, workspace_folder)


def may_make_environment(text: str) -> bool:
    """Tell whether a text for a shell may make an environment. If not, `read_commands` finds none in it."""
    return any(sign in text for sign in (*_SIGNS, *_QUOTING))


def _texts(value: Any) -> list[str]:
    """Return the commands of one key as texts for a shell: a text, a list of words, or an object of these."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [" ".join(_quoted(word) for word in value if isinstance(word, str))]
    if isinstance(value, dict):
        return [text for command in value.values() if not isinstance(command, dict) for text in _texts(command)]
    return []


def _quoted(word: str) -> str:
    import re  # noqa: PLC0415 - for the few commands that are lists

    return word if re.fullmatch(r"[\w./=@%+:,-]+", word) else "'" + word.replace("'", "'\\''") + "'"
