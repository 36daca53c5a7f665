"""Add the shadows to a command line of compose, for every service that binds a workspace.

Docker Compose is asked for its project, and reads one more file with the shadows, named by `-f` after its own. Measured
with docker compose 2.40.3, this is what else changes by that:
- the label `com.docker.compose.project.config_files`, and CONFIG FILES in `docker compose ls`, name that file too;
- the `config_hash` of the services that have shadows: what was made without them is recreated, and so it is the other
  way round, when the project is brought up without us. That of other services stays, and so do the names, the project's
  name and folder, and what is replaced: `${COMPOSE_FILE}` would not, if the file were added to that variable.
`down`, `ps`, `logs` and the like go by labels and need no file of ours.

podman-compose prints no JSON, but it starts Podman for each container: `--podman-path` names the wrapper of Podman,
which shadows what the `podman create` mounts. There no label and no hash changes.
"""

from __future__ import annotations

import os
import sys
from functools import partial

from paude_venv_hook.decision import Answer, Decision, decide, why_nothing
from paude_venv_hook.digest import sha256
from paude_venv_hook.engines.choice import is_podman
from paude_venv_hook.engines.compose_grammar import default_files, env_files, volumes_of_run
from paude_venv_hook.engines.mounts import UnclearMountError, parse_volume
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.errors import OverlayError
from paude_venv_hook.files import read_start
from paude_venv_hook.json_values import get_object, get_text
from paude_venv_hook.launch import WORKING_DIR
from paude_venv_hook.launchers.compose import dump, in_service, merge
from paude_venv_hook.launchers.compose_project import ask_config, launch_of
from paude_venv_hook.launchers.rewritten import Rewritten, unchanged
from paude_venv_hook.launchers.settled import asking, settle_answer
from paude_venv_hook.overlay import default_path
from paude_venv_hook.storage import COMPOSE_FILES
from paude_venv_hook.terminal import SHADOWS, TELLS
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paude_venv_hook.engines.compose_grammar import ComposeLine
    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.notes import Note

_WRAPPER = "paude-venv-podman"


def rewrite_compose_line(
    program: str, arguments: Sequence[str], line: ComposeLine, environ: Mapping[str, str], folder: str, tells: int
) -> Rewritten:
    """Return a command line of compose with the shadows added for each service that binds a workspace.

    `arguments` are those after the program (a host path), `folder` is the host folder in which it starts, `tells` how
    much is said where the wrapper of Podman says it. Where compose does not tell of its project the line comes back as
    it is: compose says itself what is wrong. A project that comes through stdin is read, and put back. Raises HookError
    for a workspace whose settings are wrong.
    """
    command = [program, *arguments[: line.start]]
    engine, provider = _engine_below(command, environ)
    if provider == "podman-compose":
        return _with_wrapper(arguments, line, environ, folder, tells)
    options = list(arguments[line.start : line.end])
    stdin = _reread_stdin() if "-" in line.values("-f", "--file") else b""
    described, problem = ask_config(command, options, folder, environ, stdin)
    if problem:
        why = f"compose does not tell of its project ({shown(problem)})"
        return unchanged(arguments, why, "run its config command to see what is wrong")
    given = line.values("-f", "--file")
    files = given or _found_files(command, options, line, environ, folder)
    if not files:
        return unchanged(arguments, "it cannot be told which files compose reads", "name them with -f")
    project = _project_folder(line, files, folder)
    answers: list[Answer] = []
    notes: list[Note] = []
    made = []
    # Compose may start a container that is there again.
    settle = partial(settle_answer, ask=asking(engine, environ), is_ahead=True)
    run_service, volumes = volumes_of_run(line, arguments)
    for service in get_object(described, "services"):
        launch = launch_of(described, service, engine, folder)
        of_project = {WORKING_DIR: project, COMPOSE_FILES: ",".join(files)}
        launch = launch._replace(labels={**of_project, **launch.labels})
        if service == run_service:
            launch = launch._replace(mounts=(*launch.mounts, *_binds_in(volumes, folder)))
        decision = decide(launch, environ)
        notes += decision.notes
        for answer in decision.answers:
            kept, file = in_service(service, answer, settle)
            notes += kept.notes
            answers.append(kept)
            made.append(file)
    decision = Decision(tuple(answers), tuple(dict.fromkeys(notes)))
    if not decision.shadows:
        why_not = None if notes else why_nothing(decision, "no service has a bind mount that carries a workspace")
        return Rewritten(list(arguments), decision, why_not)
    try:
        path = _path(project, (engine, get_text(described, "name"), *files))
    except OverlayError as error:
        return unchanged(arguments, str(error))
    named = [word for file in ([] if given else files) + [path] for word in ("-f", file)]
    if set(given) == {"-"} and not line.values("--project-directory"):  # else it would be the folder of our file
        named += ["--project-directory", folder]
    words = [*arguments[: line.end], *named, *arguments[line.end :]]
    return Rewritten(words, decision, files={path: dump(merge(made))})


def _binds_in(volumes: Sequence[str], folder: str) -> list[Mount]:
    """Return the mounts of the values of `run -v`, whose sources start from the current folder."""
    try:
        mounts = [parse_volume(text) for text in volumes]
    except UnclearMountError:
        return []
    return [mount._replace(source=os.path.join(folder, mount.source)) for mount in mounts if mount.type == "bind"]


def _engine_below(command: Sequence[str], environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the engine that gets what compose makes, and the compose program that it is in the end.

    `podman compose` starts docker-compose or podman-compose, and a docker-compose may be a script or a link: those are
    asked for their version. What is not podman-compose speaks Docker's API, to Podman where DOCKER_HOST says so.
    """
    program, *words = command
    real = os.path.basename(os.path.realpath(program))
    if words and not is_podman(program, environ):
        return "docker", "docker-compose"
    if real.startswith("podman-compose"):
        return "podman", "podman-compose"
    engine = "podman" if words or "podman" in environ.get("DOCKER_HOST", "") else "docker"
    try:
        said = ask([*command, "version"], environ).stdout
    except OSError:
        said = b""
    return engine, "podman-compose" if said.lower().startswith(b"podman-compose") else "docker-compose"


def _with_wrapper(
    arguments: Sequence[str], line: ComposeLine, environ: Mapping[str, str], folder: str, tells: int
) -> Rewritten:
    """Return a command line of podman-compose by which it starts the wrapper instead of Podman.

    It is the wrapper that tells what is shadowed, for each container; of why nothing is, most of its calls would tell.
    """
    own = [os.path.join(os.path.dirname(path), _WRAPPER) for path in (os.path.abspath(sys.argv[0]), sys.executable)]
    wrapper = next(filter(None, (find_program(path, environ) for path in (*own, _WRAPPER))), None)
    if wrapper is None:
        return unchanged(arguments, f"{_WRAPPER} is not installed beside this program", "install all of it")
    words = [*arguments[: line.end], "--podman-path", wrapper, *arguments[line.end :]]
    variables = {TELLS: str(min(tells, SHADOWS))}
    for podman in line.values("--podman-path")[-1:]:
        variables["PAUDE_VENV_PODMAN"] = os.path.join(folder, podman) if os.path.dirname(podman) else podman
    return Rewritten(words, Decision((), ()), variables=variables)


def _reread_stdin() -> bytes:
    """Return what stdin brings, and put a file with the same in its place. A closed stdin brings nothing."""
    import tempfile  # noqa: PLC0415 - only for `-f -`

    try:
        with open(0, "rb", closefd=False) as stdin:
            data = stdin.read()
    except OSError:
        return b""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        os.dup2(file.fileno(), 0)
    return data


def _found_files(
    command: Sequence[str], options: Sequence[str], line: ComposeLine, environ: Mapping[str, str], folder: str
) -> list[str]:
    """Return the files that compose reads where no option names them, as COMPOSE_FILE names them, or host paths.

    The variable may stand in a file of variables, which compose is asked about: it reads those in its own way.
    """
    named = environ.get("COMPOSE_FILE", "")
    separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    if not named and any(b"COMPOSE_FILE" in read_start(path) for path in env_files(line, environ, folder)):
        try:
            done = ask([*command, *options, "config", "--environment"], environ, folder=folder)
        except OSError:
            return []
        said = dict(text.partition("=")[::2] for text in done.stdout.decode(errors="replace").splitlines())
        named, separator = said.get("COMPOSE_FILE", ""), said.get("COMPOSE_PATH_SEPARATOR") or separator
    if named:
        return named.split(separator)
    return default_files(os.path.normpath(os.path.join(folder, *line.values("--project-directory")[-1:])))


def _project_folder(line: ComposeLine, files: Sequence[str], folder: str) -> str:
    """Return the host folder of the project: the one that is named, else that of the first file, else the current."""
    of_files = [os.path.dirname(file) for file in files if file != "-"]
    return os.path.normpath(os.path.join(folder, *(line.values("--project-directory")[-1:] or of_files[:1])))


def _path(project_folder: str, identity: Sequence[str]) -> str:
    """Return the host path of the file with the shadows: one for each project, engine and set of files."""
    digest = sha256("\0".join(identity).encode(errors="backslashreplace")).hexdigest()[:8]
    return f"{default_path(project_folder).removesuffix('.json')}.{digest}.compose.json"
