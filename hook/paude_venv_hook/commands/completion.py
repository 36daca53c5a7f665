"""`completion`: the completion script of a shell, made when the wheel is built."""

from __future__ import annotations

from paude_venv_hook.command_line.options import argument
from paude_venv_hook.errors import InstallationError
from paude_venv_hook.terminal import PROGRAM, write

# The places below the prefix of an installation; shells look there if the prefix is the system's.
SCRIPTS = {
    "bash": f"share/bash-completion/completions/{PROGRAM}",
    "zsh": f"share/zsh/site-functions/_{PROGRAM}",
    "fish": f"share/fish/vendor_completions.d/{PROGRAM}.fish",
}

SUMMARY = "print the script with which a shell completes this program"
POSITION = 13
ARGUMENTS = (argument("shell", choices=tuple(SCRIPTS), help="the shell that reads it"),)
EXAMPLES = """\
  eval "$(paude-venv-hook completion bash)"                          # in ~/.bashrc
  eval "$(paude-venv-hook completion zsh)"                           # in ~/.zshrc, after compinit
  paude-venv-hook completion fish > ~/.config/fish/completions/paude-venv-hook.fish
"""


class Options:
    """The values of the arguments."""

    shell = ""


def execute(options: Options) -> int:
    """Print the script. Raises InstallationError if there is none, as in a source tree that was not installed."""
    from importlib.metadata import PackageNotFoundError, files  # noqa: PLC0415 - not for --help

    place = SCRIPTS[options.shell]
    try:
        scripts = [file.read_text(encoding="utf-8") for file in files(PROGRAM) or () if file.as_posix().endswith(place)]
    except (PackageNotFoundError, OSError):
        scripts = []
    if not scripts:
        raise InstallationError(f"{place}: is not part of this installation; install {PROGRAM} with pip, pipx or uv")
    write(scripts[0])
    return 0
