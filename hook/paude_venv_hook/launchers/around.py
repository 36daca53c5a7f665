"""Which way a command line takes: rewritten, passed on as it is, or with a private proxy around it.

| what it is | its way |
|---|---|
| an engine that runs or creates a container | rewritten (`run_line`), and this process becomes it |
| an engine, or a compose program, that starts none | as it is |
| Docker's compose that starts some | a private proxy of Docker's API around it |
| podman-compose that starts some | it starts the wrapper of Podman |
| anything else | a private proxy around it, and our wrappers first on PATH |

What is passed on as it is loads little: compose programs are called for every look at a project.
"""

from __future__ import annotations

import os
import sys

from paude_venv_hook.engines.programs import ask, find_program, replace_process
from paude_venv_hook.engines.run_grammar import UnknownOptionError, find_subcommand
from paude_venv_hook.errors import EngineError
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.terminal import EVERYTHING, SHADOWS, VERBOSITY_VARIABLE, WARNINGS, guarded, say, say_warnings
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from paude_venv_hook.docker_api.daemon import Place
    from paude_venv_hook.engines.compose_grammar import ComposeLine
    from paude_venv_hook.proxy.private import Upstream

# The programs whose place on PATH our wrappers take.
_COVERED = ("docker", "docker-compose", "podman")
# What starts a program in an environment of its own, and what does so with one of these options.
_TAKE_AWAY = frozenset(("doas", "pkexec", "run0", "su", "sudo"))
_EMPTIES = frozenset(("-", "-i", "--ignore-environment"))  # env(1)
# The engines without a wrapper, which have to be named to us themselves: `nice bwrap …`.
_UNCOVERED = frozenset(("bwrap", "finch", "nerdctl"))
_TOX_FILES = ("tox.ini", "tox.toml", "pyproject.toml", "setup.cfg")
_SNAP = "/snap/"


class Line(NamedTuple):
    """A command line: the host path of its program, the words after that, the program's name, how much is said.

    `engine` is the value of `--engine`, "" if none is given.
    """

    program: str
    arguments: Sequence[str]
    name: str
    verbosity: int
    engine: str = ""

    def start(self) -> int:
        """Become the program; return 126 if it cannot be started."""
        return replace_process(self.program, self.arguments)

    def start_without(self, why: str) -> int:
        """Become the program as if we were not there, after one line that says why nothing is shadowed."""
        if self.verbosity >= WARNINGS:
            say_warnings([f"nothing shadowed: {why}"])
        return self.start()


def start(line: Line) -> int:
    """Become the program of a line; the containers that it starts have shadows.

    Returns only if the program cannot be started: 126, or 125 as engines do before the start, if settings are wrong.
    """
    name = os.path.basename(line.name)
    compose = _read_compose(line, name)
    if compose:
        return guarded(lambda: _start_compose(line, compose), refused=125)
    from paude_venv_hook.engines.choice import engine_by_name  # noqa: PLC0415 - not for compose

    engine = line.engine or engine_by_name(os.path.realpath(line.program), line.program, line.name)
    if engine:
        return _start_engine(line, engine)
    return guarded(lambda: _start_around(line, name), refused=125)


def _read_compose(line: Line, name: str) -> ComposeLine | None:
    """Return what a line says to compose, None if it is none of compose."""
    if not any("compose" in word for word in (name, line.engine, *line.arguments)):
        return None
    from paude_venv_hook.engines.compose_grammar import parse_compose  # noqa: PLC0415 - not for a line without that word

    return parse_compose(name, line.arguments) or parse_compose(line.engine, line.arguments)


def _start_engine(line: Line, engine: str) -> int:
    why = _why_remote(line) if engine == "docker" else ""
    if why:
        return line.start_without(why)
    from paude_venv_hook.launchers.run_line import launch  # noqa: PLC0415 - it loads all that plans

    return launch(line.program, line.arguments, name=line.name, engine=line.engine, verbosity=line.verbosity)


def _why_remote(line: Line) -> str:
    """Return why a line of docker makes its container on another machine, "" if it does not."""
    try:
        subcommand, _ = find_subcommand(line.arguments)
    except UnknownOptionError:
        return ""
    if subcommand not in ("create", "run"):
        return ""
    from paude_venv_hook.docker_api.daemon import place_of_line  # noqa: PLC0415 - not if nothing is started
    from paude_venv_hook.engines.choice import is_podman  # noqa: PLC0415 - as above
    from paude_venv_hook.engines.daemons import global_options  # noqa: PLC0415 - as above

    place = place_of_line(global_options(line.arguments), line.program, os.environ)
    if not place or not place.why_remote or is_podman(line.program, os.environ):
        return ""
    return place.why_remote


# ---- compose


def _start_compose(line: Line, compose: ComposeLine) -> int:
    if not compose.starts:
        if line.verbosity >= EVERYTHING:
            words = [os.path.basename(line.name), *line.arguments[compose.start - 1 : compose.start], compose.action]
            called = " ".join(filter(None, words))
            say(f"nothing shadowed: {shown(called)} starts no new container")
        return line.start()
    from paude_venv_hook.docker_api.daemon import place_of_line  # noqa: PLC0415 - not if nothing is started

    provider = _provider(line, compose)
    if provider == "podman-compose":
        return _start_podman_compose(line, compose)
    if provider == "podman":
        return line.start_without(
            "podman compose leads docker-compose to a socket of its own choice; start that yourself: "
            "DOCKER_HOST=unix://SOCKET paude-venv-hook exec -- docker-compose …"
        )
    docker = line.program if compose.start else find_program("docker", os.environ)
    daemon = place_of_line((*compose.engine_options, *compose.options), docker, os.environ)
    if not daemon:
        return line.start_without("docker does not tell where the daemon of its context is")
    why = daemon.why_remote or _why_out_of_reach(line.program)
    if why:
        return line.start_without(why)
    if not _is_usable(daemon.socket):
        return line.start()  # compose itself says that nothing is there, or whom it is for
    return _start_on(line, compose, daemon)


def _why_out_of_reach(program: str) -> str:
    """Return why a program (a host path) cannot use a private socket, "" if it can: those of snap are shut in."""
    if _SNAP not in program and _SNAP not in os.path.realpath(program):
        return ""
    return (
        "a program of snap does not reach a private socket; what it reads by itself is written by "
        "paude-venv-hook print --format compose --output compose.override.yaml"
    )


def _start_on(line: Line, compose: ComposeLine, daemon: Place) -> int:
    """Become compose, with a private proxy in front of the daemon that it would reach.

    The line names it, and no variable does: those are for the files of compose to use, and what comes of them decides
    whether a container is made anew.
    """
    from paude_venv_hook.docker_api.builder import selected_builder  # noqa: PLC0415 - not if nothing is started
    from paude_venv_hook.docker_api.daemon import OPTIONS, with_config  # noqa: PLC0415 - as above
    from paude_venv_hook.proxy.place import address  # noqa: PLC0415 - as above
    from paude_venv_hook.proxy.private import surround  # noqa: PLC0415 - as above

    environ = dict(os.environ)
    builder = selected_builder(daemon.context or daemon.host, with_config(compose.engine_options, environ))
    if builder:
        environ.setdefault("BUILDX_BUILDER", builder)
    try:
        folder = surround({}, _upstream(daemon.socket, line))
    except EngineError as error:
        return line.start_without(str(error))
    arguments = line.arguments
    if any(option.name in OPTIONS for option in (*compose.engine_options, *compose.options)):
        from paude_venv_hook.engines.compose_grammar import without_options  # noqa: PLC0415 - few have such an option

        arguments = without_options(compose, arguments, OPTIONS)
    return replace_process(line.program, ["-H", address(folder), *arguments], environ=environ)


def _provider(line: Line, compose: ComposeLine) -> str:
    """Return the compose program that the line starts in the end: docker-compose, podman-compose, or podman.

    The last means that it is docker-compose, started by Podman. A program of its own may be a script that leads to
    another one: that is asked for its version.
    """
    from paude_venv_hook.engines.choice import is_podman  # noqa: PLC0415 - not if nothing is started
    from paude_venv_hook.files import read_start  # noqa: PLC0415 - as above

    if os.path.basename(os.path.realpath(line.program)).startswith("podman-compose"):
        return "podman-compose"
    if compose.start:
        if not is_podman(line.program, os.environ):
            return "docker-compose"
    elif not read_start(line.program).startswith(b"#!"):
        return "docker-compose"
    if _version(line, compose).lower().startswith(b"podman-compose"):
        return "podman-compose"
    return "podman" if compose.start else "docker-compose"


def _version(line: Line, compose: ComposeLine) -> bytes:
    try:
        return ask([line.program, *line.arguments[: compose.start], "version"], os.environ).stdout
    except OSError:
        return b""


def _start_podman_compose(line: Line, compose: ComposeLine) -> int:
    from paude_venv_hook.launchers.podman_compose import with_wrapper  # noqa: PLC0415 - few have it

    wrapper = _find_wrapper("podman")
    if not wrapper:
        return line.start_without("paude-venv-podman is not installed beside this program; install all of it")
    words, variables = with_wrapper(line.arguments, compose, wrapper, _current_folder(), line.verbosity)
    return replace_process(line.program, words, environ={**os.environ, **variables})


# ---- anything else


def _start_around(line: Line, name: str) -> int:
    takes_away = _takes_environment_away(name, line.arguments)
    behind = _index_behind(line.arguments, _COVERED if takes_away else _UNCOVERED)
    if takes_away:
        return line.start_without(f"{name} takes our environment away; {_advice(line, behind)}")
    if behind is not None:
        return line.start_without(f"it is not seen what starts behind {shown(name)}; {_advice(line, behind)}")
    from paude_venv_hook.docker_api.daemon import place_of_api  # noqa: PLC0415 - not for an engine

    daemon = place_of_api(find_program("docker", os.environ), os.environ)
    socket = daemon.socket if daemon and _is_usable(daemon.socket) else ""
    links = _links()
    if not socket and not links:
        return line.start_without("there is no docker, no podman and no socket of Docker here; install one of them")
    from paude_venv_hook.proxy.place import lead_to  # noqa: PLC0415 - as above
    from paude_venv_hook.proxy.private import surround  # noqa: PLC0415 - as above

    try:
        folder = surround(links, _upstream(socket, line))
    except EngineError as error:
        return line.start_without(str(error))
    environ = {**os.environ, VERBOSITY_VARIABLE: str(min(line.verbosity, SHADOWS))}
    lead_to(folder, environ, has_proxy=bool(socket), has_programs=bool(links))
    if name == "tox" and socket and line.verbosity >= WARNINGS and not _names_docker(_TOX_FILES):
        say_warnings(
            ["tox passes no DOCKER_HOST on; for what uses Docker's API, write pass_env = DOCKER_HOST in tox.ini"]
        )
    return replace_process(line.program, line.arguments, name=line.name, environ=environ)


def _takes_environment_away(name: str, arguments: Sequence[str]) -> bool:
    """Tell whether a program of that name starts another one without the variables that it has itself."""
    if name == "systemd-run":
        return "--scope" not in arguments
    if name != "env":
        return name in _TAKE_AWAY
    for word in arguments:
        if word in _EMPTIES:
            return True
        if not word.startswith("-") and "=" not in word:
            return False
    return False


def _index_behind(arguments: Sequence[str], names: Collection[str]) -> int | None:
    """Return which of the words is one of these programs, None if none is."""
    for index, word in enumerate(arguments):
        if os.path.basename(word) in names:
            return index
    return None


def _advice(line: Line, behind: int | None) -> str:
    """Return how to write the line with this program behind the one that is in the way."""
    import shlex  # noqa: PLC0415 - on the way to a message

    name = os.path.basename(line.name)
    if behind is None:
        return f"write {shown(name)} … paude-venv-hook exec -- PROGRAM …"
    before = shlex.join([name, *line.arguments[:behind]])
    return f"write {shown(before)} paude-venv-hook exec -- {shown(line.arguments[behind])} …"


def _links() -> dict[str, str]:
    """Return the programs that are on PATH and have a wrapper, and the host paths of those wrappers."""
    links = {}
    for name in _COVERED:
        wrapper = _find_wrapper(name)
        if wrapper and find_program(name, os.environ):
            links[name] = wrapper
    return links


def _find_wrapper(name: str) -> str | None:
    """Return the host path of the wrapper of an engine: beside this program, or on PATH."""
    called = f"paude-venv-{name}"
    for own in (os.path.abspath(sys.argv[0]), sys.executable):
        wrapper = find_program(os.path.join(os.path.dirname(own), called), os.environ)
        if wrapper:
            return wrapper
    return find_program(called, os.environ)


def _names_docker(files: Sequence[str]) -> bool:
    """Tell whether a file of the current folder names a variable of Docker's."""
    from paude_venv_hook.files import read_start  # noqa: PLC0415 - for tox alone

    return any(b"DOCKER" in read_start(file) for file in files)


def _upstream(socket: str, line: Line) -> Upstream:
    from paude_venv_hook.proxy.private import Upstream  # noqa: PLC0415 - not for an engine

    return Upstream(socket, dict(os.environ), _current_folder(), line.verbosity)


def _is_usable(path: str) -> bool:
    """Tell whether a host path leads to a socket that this user may use; of another one, its clients tell best."""
    from paude_venv_hook.files import is_socket  # noqa: PLC0415 - not if nothing is started

    return is_socket(path) and os.access(path, os.W_OK)


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
