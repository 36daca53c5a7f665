"""Add the arguments to a command line of an engine, from the workspaces that it mounts itself."""

from __future__ import annotations

import os

from paude_venv_hook.engines.choice import engine_by_name, is_podman
from paude_venv_hook.engines.compose_grammar import parse_compose
from paude_venv_hook.engines.mounts import UnclearMountError, mounts_in
from paude_venv_hook.engines.programs import replace_process
from paude_venv_hook.engines.run_grammar import (
    GRAMMARS,
    Said,
    UnknownOptionError,
    find_subcommand,
    parse_run,
    platform_in,
)
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.errors import OverlayError, WorkspaceError
from paude_venv_hook.files import mount_points, write_if_changed
from paude_venv_hook.launchers.added import Added, prepare_workspaces, why_nothing
from paude_venv_hook.terminal import (
    ERRORS,
    EVERYTHING,
    SHADOWS,
    TELLS,
    WARNINGS,
    announce,
    complain,
    guarded,
    tell_made,
    warn,
)
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.binds import find_workspaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_SERVICE = "com.docker.compose.service="  # podman-compose labels its containers so too
_BEHIND_OTHERS = ENGINES.keys() - {"container"}  # `sudo docker run`; the other one is a word that says nothing


def launch(program: str, arguments: Sequence[str], *, name: str = "", engine: str = "", tells: int = WARNINGS) -> int:
    """Replace this process by the engine, or the compose program, at the host path, with the shadows added.

    `name` says what the program is where its own name does not, `engine` whatever that is. What is no engine that is
    known gets nothing. `tells` is how much is said (`terminal`). Returns an exit code only where the program cannot be
    started: 125, as engines do before the start, where the settings are wrong. What is no fault of the settings, such
    as a mount point that cannot be made, stops no launch that works without us.
    """
    compose = parse_compose(name or os.path.basename(program), arguments) or parse_compose(engine, arguments)
    known = engine or engine_by_name(os.path.realpath(program), program, name)
    starts = compose.starts if compose else bool(known) and _starts_container(arguments, known)

    def prepare_line(folder: str) -> Added:
        if not starts:
            return Added([], list(arguments), [], why_no_container(name or program, arguments, known))
        if compose:
            from paude_venv_hook.launchers.compose_line import prepare_compose_line  # noqa: PLC0415 - it loads more

            return prepare_compose_line(program, arguments, compose, os.environ, folder, tells)
        if ENGINES[known].form == "bwrap":
            from paude_venv_hook.launchers.sandbox_line import prepare_sandbox_line  # noqa: PLC0415 - few have it

            return prepare_sandbox_line(program, arguments, os.environ, folder)
        is_other = not engine and known == "docker" and is_podman(program, os.environ)
        return prepare_command_line(arguments, "podman" if is_other else known, os.environ, folder)

    def start_without(why: str) -> int:
        if starts and tells >= WARNINGS:
            warn([f"nothing shadowed: {why}"])
        return replace_process(program, arguments)

    def add_and_start() -> int:
        try:
            folder = os.getcwd()
        except OSError as error:
            return start_without(f"the current folder cannot be found: {error.strerror}; change to another one")
        added = prepare_line(folder)
        try:
            _make_and_tell(added, tells)
        except (OverlayError, WorkspaceError) as error:
            return start_without(str(error))
        said = {TELLS: str(ERRORS)} if added.prepared else {}  # that is all, also where the program is our wrapper
        os.environ.update({**said, **added.variables})
        return replace_process(program, added.words)

    return guarded(add_and_start, refused=125)


def _make_and_tell(added: Added, tells: int) -> None:
    """Make mount points, stores and files, and say what a person should know. Raises OverlayError, WorkspaceError."""
    shadows = [shadow for item in added.prepared for shadow in item.plan.shadows]
    with mount_points(shadow.host_path for shadow in shadows) as made:
        for item in added.prepared:
            item.make_stores()
        for path, data in added.files.items():
            write_if_changed(path, data)
        if tells >= WARNINGS:
            warn(added.warnings)
        if tells >= SHADOWS:
            announce(shadows)
        if tells >= EVERYTHING and added.nothing:
            complain(f"nothing shadowed: {added.nothing}")
        if tells >= WARNINGS:
            tell_made(added.prepared, made)


def _starts_container(arguments: Sequence[str], engine: str) -> bool:
    """Tell whether the words make an engine run or create a container, as far as they are understood."""
    form = ENGINES[engine].form
    try:
        return form == "bwrap" or find_subcommand(arguments, GRAMMARS[form])[0] in ("run", "create")
    except UnknownOptionError:
        return True


def prepare_command_line(arguments: Sequence[str], engine: str, environ: Mapping[str, str], folder: str) -> Added:
    """Return an engine's command line with the arguments added for the workspaces that it mounts.

    `arguments` are those after the program's name, `engine` says whose they are, `folder` is the host folder in which
    the engine starts. A line that runs or creates no container, or that is not understood, comes back as it is.
    Raises HookError for a workspace whose settings are wrong.
    """
    grammar = GRAMMARS[ENGINES[engine].form]
    try:
        line = parse_run(arguments, grammar)
        mounts = list(mounts_in(line.options, grammar.mount_type)) if line else []
    except UnclearMountError as error:
        return Added([], list(arguments), [f"nothing shadowed: {error}"], "")
    except UnknownOptionError as error:
        warning = (
            f"nothing shadowed: {shown(str(error))} is no option of {engine} that is known here; add what print says"
        )
        return Added([], list(arguments), [warning], "")
    if line is None:
        return Added([], list(arguments), [], "")
    labels = [option.value or "" for option in line.options if option.name in ("-l", "--label")]
    workspaces = find_workspaces(mounts, labels, [folder], "the command line")
    words = [word for word in arguments[line.image_at :] if word != "--"]
    service = next((label.removeprefix(_SERVICE) for label in labels if label.startswith(_SERVICE)), "")
    said = Said(next(iter(words), ""), platform_in(line.options), service)
    prepared, warnings = prepare_workspaces(workspaces, environ, engine, said)
    added = [argument for item in prepared for argument in item.document["runArgs"]]
    warnings += [warning for item in prepared for warning in item.messages()]
    nothing = "" if added or warnings else why_nothing(prepared, "no bind mount of the line carries a workspace")
    return Added(prepared, [*arguments[: line.insert_at], *added, *arguments[line.insert_at :]], warnings, nothing)


def why_no_container(program: str, arguments: Sequence[str], engine: str) -> str:
    """Return why there is nothing to add to the command line of a program (a host path) that runs no container.

    `engine` is "" where the program is none that is known.
    """
    name = os.path.basename(program)
    compose = parse_compose(name, arguments)
    if compose:
        return f"{shown(f'{name} {compose.action}'.strip())} starts no new container"
    if not engine:
        return _why_unknown(name, arguments)
    form = ENGINES[engine].form
    subcommand, _ = find_subcommand(arguments, GRAMMARS[form])
    if subcommand == "compose" and form == "docker":
        # `nerdctl compose config` prints YAML alone.
        return (
            f"{shown(name)} compose does not tell of its project as JSON; it reads what paude-venv-hook print "
            f"--format compose --engine {engine} --service NAME --target PATH --output compose.override.yaml writes"
        )
    if subcommand in ("start", "restart"):
        return "a container keeps the shadows with which it was made"
    return f"{shown(f'{name} {subcommand}'.strip())} starts no container"


def _why_unknown(name: str, arguments: Sequence[str]) -> str:
    import shlex  # noqa: PLC0415 - on the way to a message

    for index, word in enumerate(arguments):
        if os.path.basename(word) in _BEHIND_OTHERS:
            before = shlex.join([name, *arguments[:index]])
            return f"{shown(name)} is no engine; write {shown(before)} paude-venv-hook exec -- {shown(word)} …"
    return f"{shown(name)} is no engine that is known here; if it is one, name it: exec --engine docker -- …, say"
