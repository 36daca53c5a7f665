"""`exec`: an engine, or a compose program, with the shadows added to its own command line."""

from __future__ import annotations

import os

from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.errors import UsageError
from paude_venv_hook.launchers.run_line import launch
from paude_venv_hook.options import QUIET, argument
from paude_venv_hook.terminal import ERRORS, EVERYTHING, complain
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = "start an engine with the shadows added to its own command line"
POSITION = 5
ARGUMENTS = (
    QUIET,
    argument(
        "words", nargs="...", metavar="-- ENGINE …", help="docker, podman or a compose program, and its command line"
    ),
)
EXAMPLES = """\
  paude-venv-hook exec -- podman run --rm -it -v "$PWD:$PWD" -w "$PWD" IMAGE bash
  paude-venv-hook exec -- docker create -v "$PWD:/app" IMAGE
  paude-venv-hook exec -- docker compose up
"""


class Options:
    """The values of the arguments."""

    words: Sequence[str] = ()
    quiet = False


def execute(options: Options) -> int:
    """Become the engine, with the shadows of the workspaces that its command line mounts.

    Returns only where that cannot be: 125 for wrong settings, 126, 127, or the code of an error.
    """
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise UsageError("exec: no engine is named; write exec -- podman run … or exec -- docker run …")
    name, *arguments = words
    program = find_program(name, os.environ)
    if program is None:
        complain(f"{shown(name)}: is not on PATH; install it or write its whole path")
        return 127
    return launch(program, arguments, tells=ERRORS if options.quiet else EVERYTHING)
