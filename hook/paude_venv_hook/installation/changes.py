"""The steps of an installation: files, and commands for what is not ours to write. Each can be shown, and done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from paude_venv_hook.engines.programs import ask
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import read_file, remedy, write_if_changed
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.terminal import write
from paude_venv_hook.text import last_line, shown

_COMMAND_SECONDS = 30.0
_UNTIL = "once that command works, run this again"


class Change(NamedTuple):
    """A file to write at a host path or, if `data` is None, to remove."""

    path: str
    data: bytes | None

    def render(self) -> str:
        """Return it for people to read: the file with what it then holds."""
        if self.data is None:
            return f"{shown(self.path)}: removed\n"
        return f"{shown(self.path)}:\n" + "".join(f"    {line}\n" for line in self.data.decode().splitlines()) + "\n"

    def differs(self) -> bool:
        """Tell whether the file has to be written. Raises EngineError if it cannot be read."""
        try:
            return read_file(self.path) != self.data
        except OSError as error:
            raise EngineError(f"{shown(self.path)}: cannot be read: {error.strerror}; {remedy(error)}") from None

    def do(self) -> None:
        """Write it, for every user to read, or remove it. Raises HookError."""
        if self.data is None:
            _remove(self.path)
        else:
            _write(self.path, self.data)


class Command(NamedTuple):
    """A command line, of which the first word is the host path of a program, and the environment that it gets."""

    words: tuple[str, ...]
    environ: Mapping[str, str]

    def __str__(self) -> str:
        """Return it as a person would write it."""
        import shlex  # noqa: PLC0415 - not wanted by the hook of each start

        return shown(shlex.join([os.path.basename(self.words[0]), *self.words[1:]]))

    def render(self) -> str:
        """Return it for people to read."""
        return f"$ {self}\n"

    def do(self) -> str:
        """Run it, and return what it printed. Raises EngineError if it fails, or takes too long."""
        try:
            done = ask(self.words, self.environ, seconds=_COMMAND_SECONDS)
        except OSError as error:
            raise EngineError(f"`{self}` failed: {error.strerror}; {_UNTIL}") from None
        if done.returncode:
            raise EngineError(f"`{self}` failed: {last_line(os.fsdecode(done.stderr))}; {_UNTIL}")
        return os.fsdecode(done.stdout).strip()


def render(steps: Iterable[Change | Command]) -> str:
    """Return changes and commands for people to read."""
    return "".join(step.render() for step in steps)


def carry_out(steps: Iterable[Change | Command]) -> None:
    """Do the steps, and show each: a command before it runs, a file once it is written. Raises HookError."""
    for step in steps:
        if isinstance(step, Command):
            write(step.render())
            step.do()
        else:
            step.do()
            write(step.render())


def _write(path: str, data: bytes) -> None:
    # Podman starts no container when it cannot read a hook file, and root's is for every user of the machine.
    new_folders = []
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        new_folders.append(folder)
        folder = os.path.dirname(folder)
    write_if_changed(path, data, error_class=EngineError)
    os.chmod(path, 0o644)
    for folder in new_folders:
        os.chmod(folder, 0o755)  # noqa: S103 - for those users


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise EngineError(f"{shown(path)}: cannot be removed: {error.strerror}; remove it as its owner") from None
