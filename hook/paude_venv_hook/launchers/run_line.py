"""A command line of an engine, with the arguments added for the workspaces that it mounts itself."""

from __future__ import annotations

import os

from paude_venv_hook.decision import decide, why_nothing
from paude_venv_hook.engines.choice import engine_by_name, is_podman
from paude_venv_hook.engines.mounts import UnclearMountError, mounts_in
from paude_venv_hook.engines.programs import replace_process
from paude_venv_hook.engines.run_grammar import (
    GRAMMARS,
    UnknownOptionError,
    find_subcommand,
    find_unread,
    labels_in,
    parse_run,
    platform_in,
    pods_in,
    volumes_from_in,
)
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.errors import OverlayError, WorkspaceError
from paude_venv_hook.launch import SERVICE, SWITCH, SWITCHED_OFF, Launch
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.launchers.rewritten import NO_WORKSPACE, Rewritten, unchanged
from paude_venv_hook.notes import Note, NoteKind, note_on_nothing
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.terminal import (
    ERRORS,
    EVERYTHING,
    SHADOWS,
    VERBOSITY_VARIABLE,
    WARNINGS,
    guarded,
    say_notes,
    say_shadows,
)
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paude_venv_hook.engines.run_grammar import RunLine


# What covers a container that no line tells of.
_COVERED_BY = {"podman": "Podman's hook covers it: paude-venv-hook install --engine podman"}


def launch(
    program: str, arguments: Sequence[str], *, name: str = "", engine: str = "", verbosity: int = WARNINGS
) -> int:
    """Replace this process by the engine at the host path, with the shadows added.

    `name` says what the program is if its own name does not, `engine` whatever that is. `verbosity` is how much is said
    (`terminal`). Returns an exit code only if the program cannot be started: 125, as engines do before the start, if
    the settings are wrong. What is no fault of the settings, such as a mount point that cannot be made, stops no launch
    that works without us.
    """
    known = engine or engine_by_name(os.path.realpath(program), program, name)
    starts = _starts_container(arguments, known)
    is_other = starts and not engine and known == "docker" and is_podman(program, os.environ)
    call = _Call(program, arguments, name, "podman" if is_other else known, starts, verbosity)
    return guarded(lambda: _add_and_start(call), refused=125)


class _Call(NamedTuple):
    """A program (a host path) and its arguments, and what is known of it; see `launch`."""

    program: str
    arguments: Sequence[str]
    name: str
    engine: str
    starts: bool
    verbosity: int


def _add_and_start(call: _Call) -> int:
    """Become the program, with what is added to its arguments; return an exit code only if that cannot be."""
    try:
        folder = os.getcwd()
    except OSError as error:
        why = f"the current folder cannot be found: {error.strerror}"
        return _start_without(call, note_on_nothing(why, "change to another one"))
    rewritten = _rewrite(call, folder)
    try:
        _make_ready_and_say(rewritten, call.verbosity)
    except (OverlayError, WorkspaceError) as error:
        return _start_without(call, note_on_nothing(str(error)))
    if rewritten.decision.answers:
        os.environ[VERBOSITY_VARIABLE] = str(ERRORS)  # all is said, also if the program is our wrapper
    return replace_process(call.program, rewritten.words)


def _start_without(call: _Call, note: Note) -> int:
    if call.starts and call.verbosity >= WARNINGS:
        say_notes([note])
    return replace_process(call.program, call.arguments)


def _rewrite(call: _Call, folder: str) -> Rewritten:
    """Return the command line, started in a host folder, with what is added to it. Raises HookError."""
    if not call.starts:
        unread = find_unread(call.arguments, GRAMMARS[ENGINES[call.engine].form])
        if unread:
            name = os.path.basename(call.name or call.program)
            return unchanged(call.arguments, f"{name} {unread} is not read", _COVERED_BY.get(call.engine, ""))
        why = why_no_container(call.name or call.program, call.arguments, call.engine)
        return unchanged(call.arguments)._replace(why_nothing=Note(NoteKind.NOTHING, why=why))
    if ENGINES[call.engine].form == "bwrap":
        from paude_venv_hook.launchers.sandbox_line import rewrite_sandbox_line  # noqa: PLC0415 - few have it

        return rewrite_sandbox_line(call.program, call.arguments, os.environ, folder)
    return rewrite_run_line(call.program, call.arguments, call.engine, os.environ, folder)


def _make_ready_and_say(rewritten: Rewritten, verbosity: int) -> None:
    """Make the mount points, and say the notes. Raises OverlayError, WorkspaceError."""
    decision = rewritten.decision
    with made_ready(decision.answers) as notes_on_made:
        if verbosity >= WARNINGS:
            say_notes(decision.notes)
        if verbosity >= SHADOWS:
            say_shadows(decision.shadows)
        if verbosity >= EVERYTHING and rewritten.why_nothing:
            say_notes([rewritten.why_nothing])
        if verbosity >= WARNINGS:
            say_notes(notes_on_made)


def _starts_container(arguments: Sequence[str], engine: str) -> bool:
    """Tell whether the words make an engine run or create a container, as far as they are understood."""
    form = ENGINES[engine].form
    try:
        return form == "bwrap" or find_subcommand(arguments, GRAMMARS[form])[0] in ("run", "create")
    except UnknownOptionError:
        return True


def rewrite_run_line(
    program: str, arguments: Sequence[str], engine: str, environ: Mapping[str, str], folder: str
) -> Rewritten:
    """Return an engine's command line with the arguments added for the workspaces that it mounts.

    `arguments` are those after the program (a host path), `engine` says whose they are, `folder` is the host folder in
    which the engine starts. A line that runs or creates no container, or that is not understood, comes back as it is.
    The stores that it mounts are made. Raises HookError for a workspace whose settings are wrong.
    """
    grammar = GRAMMARS[ENGINES[engine].form]
    try:
        line = parse_run(arguments, grammar)
        if line is None:
            return unchanged(arguments)
        launch = _read_launch(program, arguments, line, engine, environ, folder)
    except UnclearMountError as error:
        return unchanged(arguments, str(error))
    except UnknownOptionError as error:
        why = f"{shown(str(error))} is no option of {engine} that is known here"
        return unchanged(arguments, why, "add what print says")

    decision = decide(launch, environ)
    if any(answer.concerns_stores for answer in decision.answers):
        from paude_venv_hook.launchers.settled import asking, settle  # noqa: PLC0415 - not for most lines

        command = [program, *_options_before_subcommand(arguments, line)]
        decision = settle(decision, asking(engine, environ, command))
    added = [word for words in decision.arguments() for word in words]
    words = [*arguments[: line.insert_at], *added, *arguments[line.insert_at :]]
    is_silent = not added and not decision.notes
    no_workspace = SWITCHED_OFF if launch.is_switched_off else NO_WORKSPACE
    return Rewritten(words, decision, why_nothing(decision, no_workspace) if is_silent else None)


def _read_launch(
    program: str, arguments: Sequence[str], line: RunLine, engine: str, environ: Mapping[str, str], folder: str
) -> Launch:
    """Return the launch that a line describes. The engine is asked only about mounts that it alone knows.

    Raises UnclearMountError.
    """
    grammar = GRAMMARS[ENGINES[engine].form]
    mounts = list(mounts_in(line.options, grammar.mount_type))
    volumes_from, pods = volumes_from_in(line.options), pods_in(line.options)
    notes: list[Note] = []
    if volumes_from or pods or any(mount.type == "volume" and (mount.source or mount.device) for mount in mounts):
        from paude_venv_hook.engines.volumes import resolve  # noqa: PLC0415 - few lines have such a mount
        from paude_venv_hook.launchers.asked import questions  # noqa: PLC0415 - as above

        options = _options_before_subcommand(arguments, line)
        mounts, notes = resolve(mounts, volumes_from, questions(program, options, environ), pods)

    labels = labels_in(line.options, annotations=(SWITCH,))
    words = [word for word in arguments[line.image_at :] if word != "--"]
    return Launch(
        engine,
        mounts=tuple(mounts),
        labels=labels,
        folder=folder,
        image=next(iter(words), ""),
        platform=platform_in(line.options),
        service=labels.get(SERVICE, ""),
        notes=tuple(notes),
    )


def _options_before_subcommand(arguments: Sequence[str], line: RunLine) -> list[str]:
    """Return the words before `run` or `container run`: the options that name the daemon."""
    words = list(arguments[: line.subcommand_at])
    return words[:-1] if words[-1:] == ["container"] else words


def why_no_container(program: str, arguments: Sequence[str], engine: str) -> str:
    """Return why there is nothing to add to the command line of an engine (a host path) that runs no container."""
    name = os.path.basename(program)
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
