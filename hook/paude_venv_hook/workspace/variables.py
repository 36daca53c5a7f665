"""The `${…}` variables of devcontainer.json."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Mapping

from paude_venv_hook.digest import sha256
from paude_venv_hook.errors import DevcontainerError
from paude_venv_hook.text import shown

# JavaScript's /\$\{(.*?)\}/g, in which a dot is no line end. What is not closed is matched as well: after a match that
# failed the search would go on from the next `${`, to the same end. Text, since few workspaces need it compiled.
_VARIABLE = "\\$\\{([^}\n\r\u2028\u2029]*)(\\}?)"


def substitution(
    path: str, workspace_folder: str, container_folder: str, environ: Mapping[str, str]
) -> Callable[[str], str]:
    """Return the function that replaces the `${…}` variables in a text of `mounts` or `runArgs`.

    `container_folder` is the workspaceFolder as it was written. `${containerEnv:…}` is known only to a running
    container, and stays as it is, as unknown variables do.
    The function raises DevcontainerError for `${localEnv}` without a name.
    """
    at_reading = substitution_at_reading(path, workspace_folder, container_folder, environ)

    def replace(match: re.Match[str]) -> str:
        is_id = match[2] and match[1].split(":")[0] == "devcontainerId"
        return devcontainer_id(workspace_folder, path) if is_id else match[0]

    return lambda text: _replaced(replace, at_reading(text))


def substitution_at_reading(
    path: str, workspace_folder: str, container_folder: str, environ: Mapping[str, str]
) -> Callable[[str], str]:
    """Return the function that replaces all but `${devcontainerId}`: workspaceFolder and workspaceMount keep that."""

    def replace(match: re.Match[str]) -> str:
        if not match[2]:
            return match[0]
        name, *arguments = match[1].split(":")
        if name in ("env", "localEnv"):
            if not arguments:
                raise DevcontainerError(f"{shown(path)}: {shown(match[0])} names no variable; write ${{localEnv:NAME}}")
            return environ.get(arguments[0], arguments[1] if len(arguments) > 1 else "")
        return variables.get(name, match[0])

    def set_container_folder(folder: str) -> None:
        variables["containerWorkspaceFolder"] = folder
        variables["containerWorkspaceFolderBasename"] = posixpath.basename(folder.rstrip("/"))

    variables = {
        "localWorkspaceFolder": workspace_folder,
        "localWorkspaceFolderBasename": os.path.basename(workspace_folder),
    }
    set_container_folder(container_folder)
    set_container_folder(_replaced(replace, container_folder))  # it may name the others, and itself as written
    return lambda text: _replaced(replace, text)


def devcontainer_id(workspace_folder: str, config_file: str) -> str:
    """Return `${devcontainerId}`: the hash of the container's two labels, in base 32 (devcontainer-id-variable.md)."""
    import json  # noqa: PLC0415 - few files use this variable

    labels = {"devcontainer.config_file": config_file, "devcontainer.local_folder": workspace_folder}
    text = json.dumps(labels, separators=(",", ":"), ensure_ascii=False)
    number = int(sha256(text.encode("utf-8", "surrogateescape")).hexdigest(), 16)
    digits = ""
    while number:
        number, digit = divmod(number, 32)
        digits = "0123456789abcdefghijklmnopqrstuv"[digit] + digits
    return digits.rjust(52, "0")


def _replaced(replace: Callable[[re.Match[str]], str], text: str) -> str:
    return re.sub(_VARIABLE, replace, text) if "${" in text else text
