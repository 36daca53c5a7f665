"""`exec`: start a program, and shadow the venvs in the containers that it starts."""

from __future__ import annotations

import os

from paude_venv_hook.command_line.options import QUIET, argument
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.table import ENGINES, one_of
from paude_venv_hook.errors import UsageError
from paude_venv_hook.launchers.around import Line, start
from paude_venv_hook.proxy.place import lead_out
from paude_venv_hook.terminal import ERRORS, EVERYTHING, say
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = "start an engine, or any program that starts containers, with the shadows added"
POSITION = 5
ARGUMENTS = (
    argument("--engine", choices=tuple(ENGINES), help="the engine that the program is (default: by its name)"),
    QUIET,
    argument(
        "words",
        nargs="...",
        metavar="-- PROGRAM …",
        help=f"{one_of((*ENGINES, 'any other program'))}, and its command line",
    ),
)
EXAMPLES = """\
  paude-venv-hook exec -- podman run --rm -it -v "$PWD:$PWD" -w "$PWD" IMAGE bash
  paude-venv-hook exec -- docker create -v "$PWD:/app" IMAGE
  paude-venv-hook exec -- docker compose up
  paude-venv-hook exec -- make test
  paude-venv-hook exec -- bwrap --bind / / --dev /dev --proc /proc bash
  paude-venv-hook exec --engine docker -- ./my-docker run -v "$PWD:$PWD" IMAGE
"""


class Options:
    """The values of the arguments."""

    engine: str | None = None
    words: Sequence[str] = ()
    quiet = False


def execute(options: Options) -> int:
    """Become the program; the containers that it starts have shadows.

    Returns only if that fails: 125 for wrong settings, 126, 127, or the code of an error.
    """
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise UsageError("exec: no program is named; write exec -- docker run … or exec -- make test")
    lead_out(os.environ)
    name, *arguments = words
    program = find_program(name, os.environ)
    if program is None:
        return _refuse(name)
    verbosity = ERRORS if options.quiet else EVERYTHING
    return start(Line(program, arguments, name, verbosity, options.engine or ""))


def _refuse(name: str) -> int:
    """Say why there is no program of this name, and return the exit code that a shell would."""
    if os.path.isdir(name):
        say(f"{shown(name)}: is a folder; name a program")
        return 126
    if not os.path.dirname(name):
        say(f"{shown(name)}: is not on PATH; install it or write its whole path")
        return 127
    if not os.path.exists(name):
        say(f"{shown(name)}: does not exist; name another program")
        return 127
    say(f"{shown(name)}: is no program; make it one with chmod +x, or name another one")
    return 126
