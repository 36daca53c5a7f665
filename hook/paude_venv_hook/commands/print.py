"""`print`: the run arguments, the whole overlay, a compose file or a patch for Kubernetes on stdout."""

from __future__ import annotations

import os
from functools import partial

from paude_venv_hook.command_line.options import (
    CONFIG,
    ENGINE,
    IMAGE,
    OUTPUT,
    PLATFORM,
    QUIET,
    STORAGE,
    VENV,
    WORKSPACE_FOLDER,
    WorkspaceOptions,
    argument,
    container_workspace_folder,
    write_output,
)
from paude_venv_hook.errors import OverlayError, UsageError
from paude_venv_hook.files import read_file, remedy
from paude_venv_hook.launchers.flags import notes_on_nothing
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.launchers.settled import settle_line, settle_overlay
from paude_venv_hook.overlay import dump, make_document
from paude_venv_hook.terminal import say, say_notes, write
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from paude_venv_hook.decision import Answer
    from paude_venv_hook.notes import Note

SUMMARY = "print the run arguments; with storage on disk, make the folders that they mount"
POSITION = 2
ARGUMENTS = (
    WORKSPACE_FOLDER,
    container_workspace_folder("--target"),  # a short word for its --format compose
    CONFIG,
    ENGINE,
    VENV,
    STORAGE,
    IMAGE,
    PLATFORM,
    argument(
        "--format",
        choices=("args", "lines", "nul", "json", "compose", "kubernetes", "bwrap"),
        help="one shell-quoted line (default), one argument a line, NUL-separated, the whole overlay, "
        "a compose file, a patch for a manifest of Kubernetes, or one line for bwrap, as with --engine bwrap",
    ),
    argument(
        "--service",
        metavar="NAME",
        action="append",
        help="with compose: a service that has the workspace (repeatable; default: all that bind it)",
    ),
    argument("--container", metavar="NAME", help="with kubernetes: the container that has the workspace"),
    argument(
        "--kind",
        choices=("Pod", "Deployment", "StatefulSet", "Job"),
        help="with kubernetes: what is patched (default: Pod); a Pod and a Job only before they exist",
    ),
    argument("--name", help="with kubernetes: the name of what is patched; kustomize needs it, kubectl does not"),
    argument(
        "--claim",
        metavar="NAME",
        help="with kubernetes and storage on disk: the PersistentVolumeClaim for the venvs (default: a volume that "
        "goes with the pod)",
    ),
    OUTPUT,
    QUIET,
)
EXAMPLES = """\
  eval "podman run --rm -it -v '$PWD:/app' -w /app $(paude-venv-hook print --target /app) IMAGE bash"
  mapfile -d '' args < <(paude-venv-hook print --target /app --format nul)
  paude-venv-hook print --format json | jq .engines
  paude-venv-hook print --storage disk --image python:3.13
  paude-venv-hook print --format compose --output compose.override.yaml && docker compose up
  paude-venv-hook print --format kubernetes --container dev --target /app --output venv.json &&
    kubectl patch --local -f pod.yaml --patch-file venv.json -o yaml
"""


_ARGUMENTS = ("args", "lines", "nul")  # the formats of a command line


class Options(WorkspaceOptions):
    """The values of the arguments."""

    format = "args"
    service: list[str] | None = None
    container: str | None = None
    kind: str | None = None
    name: str | None = None
    claim: str | None = None
    output: str | None = None
    quiet = False


def execute(options: Options) -> int:
    """Print what the format asks for, or write it to a file.

    No mount point is made, since this may be for another time or machine; but a compose file that is written is there
    for launches that do not make them. Stores are: a line that mounts one that is missing fails.
    """
    _refuse_arguments_of_other_formats(options)
    if options.format == "kubernetes":
        return _print_patch(options)
    if options.format == "bwrap":
        options.engine, options.format = "bwrap", "args"
    if options.format == "compose":
        answers, text = _compose(options)
    else:
        settle = settle_overlay if options.format == "json" else settle_line
        answers = [settle(options.decide(), os.environ)]
        text = _render(answers[0], options.format)
    notes_on_made: list[Note] = []
    if options.output in (None, "-"):
        write(text)
    elif options.format == "compose":
        path = os.path.abspath(options.output)
        _refuse_others(path, options.format)
        with made_ready(answers) as notes_on_made:
            write_output(path, text.encode())
    else:
        write_output(options.output, text.encode(errors="surrogateescape"))
    if not options.quiet:
        notes = [note for answer in answers for note in answer.notes]
        say_notes([*notes, *notes_on_made, *notes_on_nothing(answers)])
        _say_place(answers[0], options)
    return 0


def _say_place(answer: Answer, options: Options) -> None:
    """Say for which place the arguments are, if devcontainer.json decides it: the user's line may mount elsewhere."""
    mount = answer.location.mount
    is_said = options.container_workspace_folder is not None
    if options.format not in _ARGUMENTS or is_said or not answer.plan.shadows or not mount:
        return
    if mount.source != mount.target:
        say(f"for {shown(mount.source)} mounted on {shown(mount.target)}; if you mount it elsewhere, add --target")


def _refuse_arguments_of_other_formats(options: Options) -> None:
    """Raise UsageError for an argument that has no meaning in this format, or no such value."""
    if options.format == "bwrap" and options.engine not in ("auto", "bwrap"):
        raise UsageError(f"--format bwrap: is not for --engine {options.engine}; leave one of them out")
    if options.service is not None and options.format != "compose":
        raise UsageError("--service: is for --format compose; leave it out")
    is_kubernetes = options.format == "kubernetes"
    for name in ("container", "kind", "name", "claim"):
        if not is_kubernetes and getattr(options, name) is not None:
            raise UsageError(f"--{name}: is for --format kubernetes; leave it out")
    for name, default in (("config", None), ("engine", "auto")):
        if is_kubernetes and getattr(options, name) != default:
            raise UsageError(f"--{name}: is not for --format kubernetes; leave it out")


def _refuse_others(path: str, form: str) -> None:
    """Raise OverlayError if the host path is a file that was not made here, in that format."""
    if form == "compose":
        from paude_venv_hook.launchers.compose import is_ours  # noqa: PLC0415 - only for this format

        instead = "write to another file, and name that after this one, with -f or in COMPOSE_FILE"
    else:
        from paude_venv_hook.launchers.kubernetes import is_ours  # noqa: PLC0415 - only for this format

        instead = "write to another file, and patch this one with that"
    try:
        data = read_file(path)
    except OSError as error:
        raise OverlayError(f"{shown(path)}: cannot be read: {error.strerror}; {remedy(error)}") from None
    if data is not None and not is_ours(data):
        raise OverlayError(f"{shown(path)}: holds more than shadows, and is not overwritten; {instead}")


def _render(answer: Answer, form: str) -> str:
    if form == "json":
        return dump(make_document(answer, os.environ)).decode()
    arguments = [word for words in answer.arguments() for word in words]
    if form == "args":
        import shlex  # noqa: PLC0415 - not for a launcher, which asks for another format

        return shlex.join(arguments) + "\n"
    # One a line is safe: no argument of ours holds a newline, since control characters are refused.
    end = "\n" if form == "lines" else "\0"
    return "".join(f"{word}{end}" for word in arguments)


def _compose(options: Options) -> tuple[list[Answer], str]:
    from paude_venv_hook.launchers import compose  # noqa: PLC0415 - only for this format

    answers, project = compose.decide_compose(
        options.workspace_folder,
        os.environ,
        services=options.service or (),
        target=options.container_workspace_folder,
        settle=partial(settle_line, environ=os.environ),
        **options.choices,
    )
    return answers, compose.dump(project).decode()


def _print_patch(options: Options) -> int:
    from paude_venv_hook.launchers import compose, kubernetes  # noqa: PLC0415 - only for this format

    answer, patch, lines = kubernetes.decide_kubernetes(
        options.workspace_folder,
        os.environ,
        container=options.container,
        target=options.container_workspace_folder,
        kind=options.kind or "Pod",
        name=options.name,
        claim=options.claim,
        image=options.image or "",
        platform=options.platform or "",
        venv=options.venv,
        storage=options.storage,
    )
    text = compose.dump(patch).decode()
    if options.output in (None, "-"):
        write(text)
    else:
        path = os.path.abspath(options.output)
        _refuse_others(path, options.format)
        write_output(path, text.encode())
    if not options.quiet:
        say_notes(answer.notes)
        for line in lines:
            say(line)
    return 0
