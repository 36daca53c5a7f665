"""Environments that Poetry, Pipenv and uv keep outside of the project, for its folder.

Each makes another use of a directory `.venv`: Poetry and older Pipenvs forget the environment in the cache for it, and
uv cannot put its link in its place.
"""

from __future__ import annotations

import binascii
import os
import re
import sys
from collections.abc import Iterable, Iterator

from paude_venv_hook.digest import sha256
from paude_venv_hook.files import read_start
from paude_venv_hook.folders import config_home, home_folder
from paude_venv_hook.workspace.venv import read_pyvenv_cfg

KEEP_UV_APART = "to keep both sides apart, set UV_PROJECT_ENVIRONMENT=.venv-container in the container's environment"

# Text, since few workspaces need them compiled.
_POETRY = rb"(?m)^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*poetry[ \t]*[\].]|\bpoetry[-.]core\b"
_IN_PROJECT = rb"(?m)^[^#\n]*\bin[-_]project\s*=\s*%s\b"
_TOML_PATH = r"""(?m)^[^#\n]*\b%s\s*=\s*["']([^"'\n]+)"""
_UV_TABLE = r"(?ms)^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*uv[ \t]*\](.*?)(?=^[ \t]*\[|\Z)"
_UV_FEATURE = "centralized-project-envs"
_UV_PREVIEW = rf"(?m)^[ \t]*preview(?:-features)?[ \t]*=[ \t]*(?:true\b|\[[^\]]*{_UV_FEATURE})"
_UV_VARIABLES = (
    ("UV_PREVIEW", r"(?:1|true|t|yes|y|on)\Z"),
    ("UV_PREVIEW_FEATURES", rf".*\b{_UV_FEATURE}\b"),
)
_UV_FOLDER = r"environments-v\d+"


def sets_in_project(folder: str, value: str) -> bool:
    """Tell whether the poetry.toml in a host folder sets `in-project` to "true" or "false"."""
    return re.search(_IN_PROJECT % value.encode(), read_start(os.path.join(folder, "poetry.toml"))) is not None


def is_poetry_project(folder: str) -> bool:
    """Tell whether the project in a host folder is one of Poetry."""
    if os.path.isfile(os.path.join(folder, "poetry.lock")) or os.path.isfile(os.path.join(folder, "poetry.toml")):
        return True
    return re.search(_POETRY, read_start(os.path.join(folder, "pyproject.toml"))) is not None


def is_pipenv_project(folder: str) -> bool:
    """Tell whether the project in a host folder is one of Pipenv."""
    return os.path.isfile(os.path.join(folder, "Pipfile"))


def find_cached_environment(folder: str) -> str:
    """Return the host path of the environment that Poetry or Pipenv keeps for a folder, a host path; "" if none is.

    Both name it after the project, and the hash of a path (Poetry's EnvManager.generate_env_name, Pipenv's
    Project.virtualenv_name).
    """
    real = os.path.realpath(folder)
    environment = ""
    if is_poetry_project(real):
        environment = _find_named_after(real, _poetry_folders(real))
    if not environment and is_pipenv_project(real):
        environment = _find_named_after(os.path.join(real, "Pipfile"), _pipenv_folders())
    return environment


def _find_named_after(path: str, folders: Iterable[str]) -> str:
    digest = binascii.b2a_base64(sha256(os.fsencode(path)).digest()).decode()[:8]
    ending = re.compile(rf".*-{re.escape(digest.translate(str.maketrans('+/', '-_')))}(?:-|\Z)")
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            if ending.match(name) and os.path.isdir(os.path.join(folder, name)):
                return os.path.join(folder, name)
    return ""


def _poetry_folders(folder: str) -> Iterator[str]:
    """Yield the folders in which the host's Poetry may keep environments: by variables, settings and default."""
    home = home_folder()
    library = os.path.join(home, "Library")
    is_mac = sys.platform == "darwin"
    settings = os.path.join(library, "Application Support") if is_mac else config_home(os.environ)
    configured = os.environ.get("POETRY_CONFIG_DIR") or os.path.join(settings, "pypoetry")
    caches = os.path.join(library, "Caches") if is_mac else os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    texts = [
        read_start(os.path.join(place, name)).decode("utf-8", "replace")
        for place, name in ((folder, "poetry.toml"), (configured, "config.toml"))
    ]
    cache = os.environ.get("POETRY_CACHE_DIR") or _toml_path(texts, "cache-dir") or os.path.join(caches, "pypoetry")
    path = os.environ.get("POETRY_VIRTUALENVS_PATH") or _toml_path(texts, "path")
    if path:
        yield os.path.join(folder, os.path.expanduser(path.replace("{cache-dir}", cache)))
    yield os.path.join(cache, "virtualenvs")


def _toml_path(texts: Iterable[str], key: str) -> str:
    matches = (re.search(_TOML_PATH % key, text) for text in texts)
    return next((match[1] for match in matches if match), "")


def _pipenv_folders() -> Iterator[str]:
    workon = os.environ.get("WORKON_HOME")
    yield os.path.expanduser(workon) if workon else os.path.join(home_folder(), ".local/share/virtualenvs")


def find_uv_switch(folder: str, texts: Iterable[str]) -> str:
    """Return what turns uv's central environments on for the project in a host folder, "" if nothing does.

    `texts` are those of its configurations, which may do so for the container. The switches are in preview since uv
    0.11.25: `preview` and `preview-features` in its settings, and two variables.
    """
    for path in (os.path.join(folder, "uv.toml"), os.path.join(config_home(os.environ), "uv", "uv.toml")):
        if re.search(_UV_PREVIEW, read_start(path).decode("utf-8", "replace")):
            return os.path.basename(path)
    project = read_start(os.path.join(folder, "pyproject.toml")).decode("utf-8", "replace")
    if any(re.search(_UV_PREVIEW, table) for table in re.findall(_UV_TABLE, project)):
        return "[tool.uv] in pyproject.toml"
    for name, value in _UV_VARIABLES:
        if re.match(value, os.environ.get(name, ""), re.IGNORECASE):
            return name
        assignment = rf"""\b{name}\b["']?\s*[:=]\s*["']?([^\s"']+)"""
        for text in texts:
            if any(re.match(value, assigned, re.IGNORECASE) for assigned in re.findall(assignment, text)):
                return name
    return ""


def is_uv_link(link: str) -> bool:
    """Tell whether a symlink (a host path) is the one that uv makes to an environment in its cache."""
    real = os.path.realpath(link)
    if not any(re.fullmatch(_UV_FOLDER, part) for part in real.split(os.sep)):
        return False
    return not os.path.isdir(real) or "uv" in read_pyvenv_cfg(real)
