"""What is added to a command line that starts containers, from the workspaces that those mount."""

from __future__ import annotations

from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.settings import read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paude_venv_hook.engines.run_grammar import Said
    from paude_venv_hook.pipeline import Prepared
    from paude_venv_hook.workspace.binds import Workspace


class Added(NamedTuple):
    """What came of a command line: the workspaces that it mounts, its arguments, and what a person should know.

    `nothing` is why nothing was added where that is no warning yet. `files` are those that the arguments name: their
    host paths and contents. `variables` are for the program's environment.
    """

    prepared: list[Prepared]
    words: list[str]
    warnings: list[str]
    nothing: str
    files: Mapping[str, bytes] = {}
    variables: Mapping[str, str] = {}


def prepare_workspaces(
    workspaces: Iterable[Workspace], environ: Mapping[str, str], engine: str, said: Said
) -> tuple[list[Prepared], list[str]]:
    """Return the plans of the workspaces that a container mounts, and why one of them has none, one line each.

    `said` is what the launch says of the container.
    Raises HookError for a workspace whose settings are wrong.
    """
    prepared, warnings = [], []
    for workspace in workspaces:
        try:
            prepared.append(_prepare(workspace, environ, engine, said))
        except WorkspaceError as error:
            if workspace.is_chosen:
                raise
            warnings.append(f"nothing shadowed: {error}")
    return prepared, warnings


def _prepare(workspace: Workspace, environ: Mapping[str, str], engine: str, said: Said) -> Prepared:
    folder, location, config, is_chosen = workspace
    listed = isinstance(read_settings(folder, None, environ).venv, tuple)
    venv = "auto" if listed and not is_chosen else None
    return prepare(folder, environ, location=location, config=config, engine=engine, venv=venv, said=said)


def why_nothing(prepared: Sequence[Prepared], without_workspace: str) -> str:
    """Return why what starts a container needs no shadow; `without_workspace` is why where no workspace is mounted."""
    for item in prepared:
        if item.settings.venv in ("none", ()):
            return f"venv is none ({shown(item.settings.venv_source)})"
        for skipped in item.plan.skipped:
            return f"{shown(skipped.path)} is {shown(skipped.reason.text)}"
    if not prepared:
        return without_workspace
    folders = ", ".join(dict.fromkeys(shown(item.workspace_folder) for item in prepared))
    return f'no venv in {folders}, and nothing says there will be one; if so, write "venv": [".venv"] in paude.json'
