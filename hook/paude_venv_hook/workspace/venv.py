"""What makes a directory a venv, and what a venv says about itself."""

from __future__ import annotations

import os

from paude_venv_hook.files import is_file, read_start

# Folders of which there are many, or large ones, and in which nobody keeps a venv.
WITHOUT_VENVS = frozenset((".git", ".hg", "__pycache__", "node_modules", "site-packages"))

_PYTHONS = ("python3", "python", "python.exe")


def is_venv(path: str) -> bool:
    """Tell whether the host path is a venv: it has a `pyvenv.cfg` (PEP 405), or virtualenv before 20 made it."""
    return is_file(os.path.join(path, "pyvenv.cfg")) or is_old_virtualenv(path)


def is_old_virtualenv(path: str) -> bool:
    """Tell whether virtualenv before 20 made the directory: it left `lib/python*/orig-prefix.txt`."""
    try:
        versions = os.listdir(os.path.join(path, "lib"))
    except OSError:
        return False
    return any(is_file(os.path.join(path, "lib", name, "orig-prefix.txt")) for name in versions)


def read_pyvenv_cfg(folder: str) -> dict[str, str]:
    """Return the keys and values of the `pyvenv.cfg` in the folder (a host path), as far as it can be read."""
    lines = read_start(os.path.join(folder, "pyvenv.cfg")).decode("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}


def describe(folder: str) -> dict[str, str]:
    """Return the Python version and the maker of the venv in the folder (a host path), as far as its file tells."""
    values = read_pyvenv_cfg(folder)
    if not values:
        return {}
    maker = next((f"{name} {values[name]}" for name in ("uv", "virtualenv") if name in values), "venv")
    python = values.get("version") or values.get("version_info", "").removesuffix(".final.0")
    return ({"python": python} if python else {}) | {"maker": maker}


def read_origin(folder: str) -> tuple[str, bool]:
    """Return where the venv in the folder (a host path) was made, and whether this machine has the Python that made it.

    Both as far as it says: the path is "" and the Python is there otherwise. For a venv that a container made, the path
    is that which it had there.
    """
    values = read_pyvenv_cfg(folder)
    return _made_at(folder, values.get("command", "")), _has_its_python(values)


def find_python(folder: str) -> str:
    """Return the host path of the Python that made the venv in a host folder, "" if it does not say or is not there."""
    values = read_pyvenv_cfg(folder)
    home = values.get("home", "")
    paths = (values.get("executable", ""), *(os.path.join(home, name) for name in _PYTHONS))
    return next((path for path in paths if os.path.isabs(path) and os.path.exists(path)), "")


def _made_at(folder: str, command: str) -> str:
    """Return what `bin/activate` says (venv, virtualenv, uv), or the command, which venv notes from Python 3.11 on."""
    for scripts in ("bin", "Scripts"):
        script = read_start(os.path.join(folder, scripts, "activate")).decode("utf-8", "replace")
        for line in script.splitlines():
            name, _, value = line.strip().removeprefix("export ").partition("=")
            if name == "VIRTUAL_ENV" and value and "$" not in value:  # `$(…)`: a relocatable one, or Windows
                return value.strip("\"'")
    words = command.partition(" -m venv ")[2]
    while words.startswith("-") and " " in words:  # the options of venv
        words = words.partition(" ")[2]
    return words


def _has_its_python(values: dict[str, str]) -> bool:
    """Tell whether it is in `home`: images have theirs in folders that machines have too, like /usr/local/bin."""
    home, executable = values.get("home"), values.get("executable")  # the second names the version, from Python 3.11 on
    is_at_home = not home or any(os.path.exists(os.path.join(home, name)) for name in _PYTHONS)
    return is_at_home and (executable is None or os.path.exists(executable))
