"""The command line: the only place that prints, and that turns errors into exit codes."""

from __future__ import annotations

import os
import sys

from paude_venv_hook.errors import HookError, OverlayError, UsageError
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from paude_venv_hook.pipeline import Prepared
    from paude_venv_hook.plan import Shadow

PROGRAM = "paude-venv-hook"


class Options:
    """The values of the flags; what stands here is the default."""

    command = "run"
    workspace_folder = "."
    container_workspace_folder: str | None = None
    config: str | None = None
    engine = "auto"
    venv: str | None = None
    output: str | None = None
    quiet = False
    format = "args"
    json = False
    schema = ""
    words: Sequence[str] = ()
    container = ""
    service: str | None = None
    template = ""
    folder = "."
    uninstall = False
    dry_run = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 (an error), 2 (usage), 3 (a bug of ours), 130 (^C).

    `exec` returns the code of an engine that could not be started (126, 127), and otherwise does not return.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)

    def dispatch() -> int:
        options = Options()
        if given not in ([], ["run"]):  # the call of every launch does without argparse
            from paude_venv_hook.arguments import parse  # noqa: PLC0415

            try:
                parse(given, options)
            except SystemExit:  # after --help and --version
                _write("")
                return 0
        return COMMANDS[options.command](options) or 0

    return _guarded(dispatch)


def launch(program: str, arguments: Sequence[str], *, quiet: bool = True) -> int:
    """Replace this process by the engine at the host path, with the shadows added to its arguments.

    Returns an exit code, as `main` does, only where that cannot be.
    """

    def add_and_start() -> int:
        from paude_venv_hook.engine_choice import is_podman  # noqa: PLC0415
        from paude_venv_hook.files import mount_points  # noqa: PLC0415
        from paude_venv_hook.launch import prepare_command_line  # noqa: PLC0415
        from paude_venv_hook.wrapper import replace_process  # noqa: PLC0415

        engine = "podman" if is_podman(program, os.environ) else "docker"
        prepared, words, warnings = prepare_command_line(arguments, engine, os.environ, os.getcwd())
        shadows = [shadow for item in prepared for shadow in item.plan.shadows]
        with mount_points(shadow.host_path for shadow in shadows):
            for warning in warnings:
                _complain(f"warning: {warning}")
            _announce(shadows, quiet=quiet)
        return replace_process(program, words)

    return _guarded(add_and_start)


def _guarded(action: Callable[[], int]) -> int:
    """Return the exit code of the action, or the one of its error, after saying what it is."""
    try:
        return action()
    except HookError as error:
        _complain(f"error[{error.code}]: {error}")
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads any more: `… | head -1`
        return 141
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        _complain(_bug(error))
        return 3


def _bug(error: Exception) -> str:
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    where = f"{os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno}" if at else "unknown place"
    return f"bug: {type(error).__name__} at {where}: {shown(str(error))}; please report it"


def _complain(line: str) -> None:
    _say(f"{PROGRAM}: {line}")


def _say(line: str) -> None:
    if sys.stderr:  # None where it was closed; print() would turn to stdout then
        print(line, file=sys.stderr)


def _write(text: str) -> None:
    """Write data to stdout, as UTF-8 whatever the locale says: the paths of an overlay are UTF-8."""
    if not sys.stdout:
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OverlayError(f"stdout: cannot be written: {error.strerror}; mend it") from None


def _prepare(options: Options) -> Prepared:
    from paude_venv_hook.pipeline import prepare  # noqa: PLC0415 - not for --help, --version and schema

    return prepare(
        options.workspace_folder,
        os.environ,
        container_workspace_folder=options.container_workspace_folder,
        config=options.config,
        engine=options.engine,
        venv=options.venv,
    )


def _overlay_path(options: Options, workspace_folder: str) -> str:
    from paude_venv_hook.overlay import default_path  # noqa: PLC0415

    return default_path(workspace_folder) if options.output is None else os.path.abspath(options.output)


def _warn(options: Options, prepared: Prepared) -> None:
    if options.quiet:
        return
    for message in prepared.messages():
        _complain(f"warning: {message}")


def _announce(shadows: Iterable[Shadow], *, quiet: bool) -> None:
    names = ", ".join(shown(shadow.path) for shadow in shadows)
    if names and not quiet:
        _say(f"Shadowing venv: {names}")


def run(options: Options) -> None:
    """Make the mount points and write the overlay."""
    from paude_venv_hook.files import mount_points, write_if_changed  # noqa: PLC0415
    from paude_venv_hook.overlay import dump  # noqa: PLC0415

    prepared = _prepare(options)
    data = dump(prepared.document)
    with mount_points(shadow.host_path for shadow in prepared.plan.shadows):
        if options.output == "-":
            _write(data.decode())
        else:
            write_if_changed(_overlay_path(options, prepared.workspace_folder), data)
    _warn(options, prepared)
    _announce(prepared.plan.shadows, quiet=options.quiet)


def print_(options: Options) -> None:
    """Print the run arguments, the whole overlay or a compose file; write nothing."""
    from paude_venv_hook.overlay import dump  # noqa: PLC0415

    if options.format == "compose":
        _print_compose(options)
        return
    prepared = _prepare(options)
    arguments = prepared.document["runArgs"]
    if options.format == "json":
        _write(dump(prepared.document).decode())
    elif options.format == "args":
        import shlex  # noqa: PLC0415

        _write(shlex.join(arguments) + "\n")
    else:
        # No argument of ours holds a newline (control characters are refused), so that one a line is safe.
        _write("".join(argument + ("\n" if options.format == "lines" else "\0") for argument in arguments))
    _warn(options, prepared)


def _print_compose(options: Options) -> None:
    from paude_venv_hook import compose  # noqa: PLC0415

    prepared, project = compose.prepare_compose(
        options.workspace_folder,
        os.environ,
        service=options.service,
        target=options.container_workspace_folder,
        config=options.config,
        engine=options.engine,
        venv=options.venv,
    )
    _write(compose.dump(project).decode())
    _warn(options, prepared)


def status(options: Options) -> None:
    """Show a person what is shadowed, and why."""
    from paude_venv_hook.files import read_file  # noqa: PLC0415
    from paude_venv_hook.overlay import dump  # noqa: PLC0415
    from paude_venv_hook.status import make_report, render  # noqa: PLC0415

    prepared = _prepare(options)
    path = _overlay_path(options, prepared.workspace_folder)
    try:
        written = read_file(path)
    except (OSError, OverlayError):
        state = "cannot be read"
    else:
        fresh = written == dump(prepared.document)
        state = "not written yet" if written is None else "up to date" if fresh else "out of date"
    report = make_report(prepared, path, state)
    if options.json:
        import json  # noqa: PLC0415

        _write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    else:
        terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        _write(render(report, colour=terminal and not os.environ.get("NO_COLOR")))


def path(options: Options) -> None:
    """Print where the overlay of the workspace folder is."""
    from paude_venv_hook.pipeline import check_workspace_folder  # noqa: PLC0415

    _write(_overlay_path(options, check_workspace_folder(options.workspace_folder)) + "\n")


def schema(options: Options) -> None:
    """Print a JSON Schema."""
    folder = os.path.join(os.path.dirname(__file__), "schemas")
    with open(os.path.join(folder, f"{options.schema}.json"), encoding="utf-8") as file:
        _write(file.read())


def exec_(options: Options) -> int:
    """Become an engine, with the shadows of the workspaces that its command line mounts."""
    from paude_venv_hook.programs import find_program  # noqa: PLC0415

    name, *arguments = options.words
    program = find_program(name, os.environ)
    if program is None:
        _complain(f"{shown(name)}: is not on PATH; install it or write its whole path")
        return 127
    return launch(program, arguments, quiet=options.quiet)


def devcontainer_config(options: Options) -> None:
    """Print the devcontainer.json with the shadows added."""
    from paude_venv_hook.files import mount_points, write_if_changed  # noqa: PLC0415
    from paude_venv_hook.override import make_override  # noqa: PLC0415

    override = make_override(
        options.workspace_folder,
        os.environ,
        container_workspace_folder=options.container_workspace_folder,
        config=options.config,
        engine=options.engine,
        venv=options.venv,
    )
    with mount_points(shadow.host_path for shadow in override.prepared.plan.shadows):
        for path, data in override.files.items():
            write_if_changed(path, data)
        if options.output in (None, "-"):
            _write(override.data.decode())
        else:
            write_if_changed(os.path.abspath(options.output), override.data)
    _warn(options, override.prepared)


def verify(options: Options) -> int:
    """Tell for each shadow whether a running container has it."""
    from paude_venv_hook.engine_choice import choose_engine  # noqa: PLC0415
    from paude_venv_hook.pipeline import check_workspace_folder, prepare  # noqa: PLC0415
    from paude_venv_hook.verify import check, inspect, locate_in  # noqa: PLC0415

    engine, _ = choose_engine(options.engine, os.environ)
    container = inspect(engine, options.container)
    folder = check_workspace_folder(options.workspace_folder)
    location = locate_in(container, folder)
    prepared = prepare(folder, os.environ, location=location, engine=engine, venv=options.venv)
    _warn(options, prepared)
    checks = check(engine, container, prepared.plan.shadows)
    for item in checks:
        _write(f"{shown(item.path)}: {item.problem or 'shadowed'} ({shown(item.destination)})\n")
    return 1 if any(item.problem for item in checks) else 0


def oci_precreate(_: Options) -> None:
    """Be Podman's precreate hook: an OCI config from stdin to stdout."""
    from paude_venv_hook.oci import filter_config  # noqa: PLC0415

    data, warnings = filter_config(sys.stdin.buffer.read(), os.environ)
    _write(data.decode("utf-8", "surrogateescape"))
    for warning in warnings:
        _complain(f"warning: {warning}")


def install_podman_hook(options: Options) -> None:
    """Make Podman call us at each start of a container, or no longer."""
    from paude_venv_hook import podman_hook  # noqa: PLC0415

    folder = podman_hook.config_folder(os.environ)
    if options.uninstall:
        changes = podman_hook.uninstall(folder, os.environ, dry_run=options.dry_run)
    else:
        program = podman_hook.own_program(os.environ)
        changes = podman_hook.install(program, folder, os.environ, dry_run=options.dry_run)
    _write(podman_hook.render(changes))
    _complain(podman_hook.summary(changes, uninstall=options.uninstall, dry_run=options.dry_run))


def init(options: Options) -> None:
    """Copy a template project."""
    from paude_venv_hook import templates  # noqa: PLC0415

    copied = templates.init(options.template, options.folder)
    _write("".join(f"{shown(path)}\n" for path in copied.written))
    for message in copied.messages():
        _say(message)


COMMANDS: dict[str, Callable[[Options], int | None]] = {
    "run": run,
    "print": print_,
    "status": status,
    "path": path,
    "exec": exec_,
    "devcontainer-config": devcontainer_config,
    "verify": verify,
    "init": init,
    "install-podman-hook": install_podman_hook,
    "oci-precreate": oci_precreate,
    "schema": schema,
}
