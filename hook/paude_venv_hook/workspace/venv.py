"""What a venv says about itself."""

from __future__ import annotations

import os

from paude_venv_hook.files import read_start


def read_pyvenv_cfg(folder: str) -> dict[str, str]:
    """Return the Python version and the maker of the venv in the folder (a host path), as far as its file tells."""
    lines = read_start(os.path.join(folder, "pyvenv.cfg")).decode("utf-8", "replace").splitlines()
    if not lines:
        return {}
    said = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    maker = next((f"{name} {said[name]}" for name in ("uv", "virtualenv") if name in said), "venv")
    python = said.get("version") or said.get("version_info", "").removesuffix(".final.0")
    return ({"python": python} if python else {}) | {"maker": maker}
