"""What is said to people, and how: stdout carries data, stderr speaks; an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys

from paude_venv_hook.errors import HookError, OverlayError, UsageError
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paude_venv_hook.plan import Shadow

PROGRAM = "paude-venv-hook"


def guarded(action: Callable[[], int]) -> int:
    """Return the exit code of the action, or the one of its error, after saying what it is.

    1 is an error that the user can mend, 2 a wrong command line, 3 a bug of ours, 130 ^C, 141 that nobody reads.
    """
    try:
        return action()
    except HookError as error:
        complain(f"error[{error.code}]: {error}")
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads any more: `… | head -1`
        return 141
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        complain(_bug(error))
        return 3


def _bug(error: Exception) -> str:
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    where = f"{os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno}" if at else "unknown place"
    return f"bug: {type(error).__name__} at {where}: {shown(str(error))}; please report it"


def complain(line: str) -> None:
    """Say a line under the name of this program."""
    say(f"{PROGRAM}: {line}")


def warn(messages: Iterable[str]) -> None:
    """Say each message as a warning."""
    for message in messages:
        complain(f"warning: {message}")


def announce(shadows: Iterable[Shadow]) -> None:
    """Say what the container that starts now has shadowed, where it is anything."""
    names = ", ".join(dict.fromkeys(shown(shadow.path) for shadow in shadows))
    if names:
        say(f"Shadowing venv: {names}")


def say(line: str) -> None:
    """Write a line to stderr."""
    if sys.stderr:  # None where it was closed; print() would turn to stdout then
        print(line, file=sys.stderr)


def write(text: str) -> None:
    """Write data to stdout, as UTF-8 whatever the locale says: the paths of an overlay are UTF-8.

    Raises OverlayError where it cannot be written, BrokenPipeError where nobody reads any more.
    """
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
