"""Output: data on stdout, lines for people on stderr; an error becomes one such line and an exit code."""

from __future__ import annotations

import os
import sys

from paude_venv_hook.errors import HookError, OverlayError, UsageError
from paude_venv_hook.text import print_line, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from paude_venv_hook.notes import Note
    from paude_venv_hook.plan import Shadow

PROGRAM = "paude-venv-hook"

# Verbosity levels; each includes the one before: nothing but errors (--quiet); notes (a wrapper); what is shadowed; why
# nothing is (exec).
ERRORS, WARNINGS, SHADOWS, EVERYTHING = range(4)
# One of these numbers, for the wrapper that a launch leads to, such as the one that podman-compose starts.
VERBOSITY_VARIABLE = "PAUDE_VENV_TELLS"


class Ended(BaseException):
    """Raised when a signal asks this process to end; its argument is the signal's number."""


def guarded(action: Callable[[], int], *, refused: int | None = None) -> int:
    """Return the exit code of the action; an error is printed in one line, and has an exit code too.

    1 is an error that the user can correct, 2 a wrong command line (or `refused` for both), 3 a bug of ours, 130 ^C,
    129 and 143 another signal, 141 a reader that has gone.
    """
    try:
        return _until_signalled(action)
    except HookError as error:
        say(f"error[{error.code}]: {error}")
        return refused or (2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        return 130
    except Ended as error:
        return 128 + int(error.args[0])
    except BrokenPipeError:  # nobody reads any more: `… | head -1`
        return 141
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        if isinstance(error, FileNotFoundError) and _folder_is_gone():
            say("error[workspace]: the current folder was removed; change to another one")
            return refused or 1
        say(bug(error))
        return 3


def _until_signalled(action: Callable[[], int]) -> int:
    """Return what the action returns; the signals that end this process raise Ended: what is half done is tidied up."""
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415 - `signal` itself makes enums first, at some cost

    changed = []
    try:
        for name in ("SIGHUP", "SIGTERM"):
            number = getattr(_signal, name, None)  # Windows has only one of them
            try:
                if _signal.getsignal(number) == _signal.SIG_DFL:  # `nohup` wants it ignored
                    _signal.signal(number, _end)
                    changed.append(number)
            except (ValueError, TypeError):  # only the main thread has signals
                continue
        return action()
    finally:
        for number in changed:
            _signal.signal(number, _signal.SIG_DFL)


def _end(number: int, _: FrameType | None) -> None:
    raise Ended(number)


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def bug(error: Exception) -> str:
    """Return the line for an error of this program itself."""
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    where = "unknown place"
    if at:
        where = f"{os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno}"
    return f"bug: {type(error).__name__} at {where}: {shown(str(error))}; please report it"


def say(line: str) -> None:
    """Print a line on stderr, after the name of this program."""
    print_line(f"{PROGRAM}: {line}")


def say_warnings(messages: Iterable[str]) -> None:
    """Print each message as a warning."""
    for message in messages:
        say(f"warning: {message}")


def say_notes(notes: Iterable[Note]) -> None:
    """Print what a person should know, each line once."""
    for line in lines_of_notes(notes):
        print_line(line)


def lines_of_notes(notes: Iterable[Note]) -> list[str]:
    """Return the lines for what a person should know, each once, under the name of this program."""
    from paude_venv_hook.notes import to_text  # noqa: PLC0415 - not for what is only passed on

    lines = []
    for note in notes:
        prefix = "warning: " if note.is_warning else ""
        lines.append(f"{PROGRAM}: {prefix}{to_text(note)}")
    return list(dict.fromkeys(lines))


def say_shadows(shadows: Iterable[Shadow]) -> None:
    """Print what the new container shadows, if anything."""
    for line in line_on_shadows(shadows):
        print_line(line)


def line_on_shadows(shadows: Iterable[Shadow]) -> list[str]:
    """Return the line that names the shadows of a new container; an empty list for none."""
    names = ", ".join(dict.fromkeys(shown(shadow.path) for shadow in shadows))
    return [f"Shadowing venv: {names}"] if names else []


def write(text: str) -> None:
    """Write data to stdout, as UTF-8 whatever the locale says: the paths of an overlay are UTF-8.

    Raises OverlayError if it cannot be written, BrokenPipeError if its reader has gone.
    """
    if not sys.stdout:
        if text:
            raise OverlayError("stdout: is closed; open it")
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python would print the error once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        from paude_venv_hook.files import remedy  # noqa: PLC0415 - only for an error

        raise OverlayError(f"stdout: cannot be written: {error.strerror}; {remedy(error, 'write')}") from None
