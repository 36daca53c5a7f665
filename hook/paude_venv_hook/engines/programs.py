"""Find a program on PATH, ask it, and become it: with nothing but os if a wrapper only passes a call on."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from subprocess import CompletedProcess

ASK_SECONDS = 60.0


def find_program(name: str, environ: Mapping[str, str], besides: Collection[str] = ()) -> str | None:
    """Return the host path of the program that a shell would start, or None.

    `besides` holds the real paths of those that do not count. A name with a slash is a path already. Unlike in a
    shell, relative folders on PATH do not count: a repository could bring a `git` or a `docker` of its own.
    """
    suffix = ".exe" if os.name == "nt" and not name.endswith(".exe") else ""
    on_path = filter(os.path.isabs, environ.get("PATH", os.defpath).split(os.pathsep))
    for folder in [""] if os.path.dirname(name) else on_path:
        path = os.path.join(folder, name + suffix)
        if os.path.isfile(path) and os.access(path, os.X_OK) and os.path.realpath(path) not in besides:
            return path
    return None


def ask(
    words: Sequence[str],
    environ: Mapping[str, str],
    *,
    folder: str | None = None,
    seconds: float = ASK_SECONDS,
    stdin: bytes = b"",
) -> CompletedProcess[bytes]:
    """Run a program, in a host folder, and return what it wrote and its exit code; what it reads is not our stdin.

    Raises OSError if it cannot be started, or gives no answer in time: its `strerror` says which.
    """
    import subprocess  # noqa: PLC0415 - 6 ms, and most launches ask nothing

    try:
        return subprocess.run(
            words, cwd=folder, env=dict(environ), input=stdin, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(None, f"no answer within {seconds:g} seconds") from None


def replace_process(
    program: str, arguments: Sequence[str], *, name: str = "", environ: Mapping[str, str] | None = None
) -> int:
    """Become the program at a host path; return 126 if it cannot be started.

    `name` is what it is called, if not by its path, and `environ` its environment, if not ours. A script without `#!`
    is started by a shell, as shells do it (execvp(3)).
    """
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415 - `signal` itself takes a third of a wrapper's time

    # Python ignores these two, and a program inherits what is ignored.
    ignored = [getattr(_signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(_signal, name)]
    before = [_signal.signal(number, _signal.SIG_DFL) for number in ignored]
    variables = os.environ if environ is None else environ
    try:
        try:
            os.execve(program, [name or program, *arguments], variables)  # noqa: S606 - the point of it: no shell, and no child
        except OSError as error:
            import errno  # noqa: PLC0415 - only for an error

            if error.errno != errno.ENOEXEC:
                raise
            os.execve("/bin/sh", ["sh", program, *arguments], variables)  # noqa: S606 - as above
    except OSError as error:
        from paude_venv_hook.text import print_line, shown  # noqa: PLC0415 - only on the way to a message

        for number, handler in zip(ignored, before, strict=True):
            _signal.signal(number, handler)
        print_line(
            f"paude-venv-hook: {shown(program)}: cannot be started: {error.strerror}; name a program that starts"
        )
        return 126
