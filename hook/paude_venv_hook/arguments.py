"""The parser of the command line."""

from __future__ import annotations

import argparse

from paude_venv_hook import __version__
from paude_venv_hook.engines import ENGINES
from paude_venv_hook.errors import UsageError
from paude_venv_hook.text import did_you_mean, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from paude_venv_hook.cli import Options

_ARGUMENTS: dict[str, dict[str, Any]] = {
    "--workspace-folder": {"metavar": "DIR", "help": "the project's folder (default: the current one)"},
    "--container-workspace-folder": {
        "metavar": "PATH",
        "help": "where the workspace folder is in the container "
        "(default: as devcontainer.json says, else the same path)",
    },
    "--config": {"metavar": "FILE", "help": "another devcontainer.json"},
    "--engine": {
        "choices": ("auto", *ENGINES),
        "help": "default: PAUDE_VENV_ENGINE, else what is on PATH; podman first, but docker for devcontainer-config "
        "and compose",
    },
    "--venv": {
        "metavar": "auto|none|NAME[,NAME…]",
        "help": "beats PAUDE_VENV, which beats paude.json (default: auto)",
    },
    "--output": {"metavar": "FILE", "help": "another file than the default; run takes - for stdout"},
    "--quiet": {"action": "store_true", "help": "print nothing on stderr but errors"},
    "--json": {"action": "store_true", "help": "for programs"},
    "--format": {
        "choices": ("args", "lines", "nul", "json", "compose"),
        "help": "one shell-quoted line (default), one argument a line, NUL-separated, the whole overlay, "
        "or a compose file",
    },
    "--service": {"metavar": "NAME", "help": "with compose: the service that has the workspace"},
    "--template": {"metavar": "ID", "required": True, "help": "hatch, monorepo, pdm, pip, pipenv, poetry or uv"},
    "--uninstall": {"action": "store_true", "help": "take it away again"},
    "--dry-run": {"action": "store_true", "help": "show what would change, and change nothing"},
    "words": {"nargs": argparse.REMAINDER, "metavar": "-- ENGINE …", "help": "docker or podman, and its command line"},
    "container": {"metavar": "CONTAINER", "help": "its name or id"},
    "folder": {"nargs": "?", "metavar": "DIR", "help": "a new or existing folder (default: the current one)"},
    "schema": {"choices": ("overlay", "paude"), "help": "whose schema"},
}
_ALIASES = {("print", "--container-workspace-folder"): ("--target",)}  # a short word for its --format compose


# Each command: what it does, its arguments, examples.
_COMMANDS = {
    "run": (
        "write the overlay for the workspace (the default)",
        "--workspace-folder --container-workspace-folder --config --engine --venv --output --quiet",
        """
  paude-venv-hook                                   # in the workspace folder
  paude-venv-hook run --workspace-folder ~/src/app --engine docker
  paude-venv-hook run --output - | jq .shadows""",
    ),
    "print": (
        "print the run arguments and write nothing",
        "--workspace-folder --container-workspace-folder --config --engine --venv --format --service --quiet",
        """
  eval "podman run --rm -it -v '$PWD:$PWD' -w '$PWD' $(paude-venv-hook print) IMAGE bash"
  mapfile -d '' args < <(paude-venv-hook print --format nul)
  paude-venv-hook print --format json | jq .engines
  paude-venv-hook print --format compose --service app --target /app > venv.json &&
    docker compose -f compose.yaml -f venv.json up""",
    ),
    "status": (
        "show what is shadowed, and why",
        "--workspace-folder --container-workspace-folder --config --engine --venv --output --json",
        """
  paude-venv-hook status
  paude-venv-hook status --json | jq '.directories[]'""",
    ),
    "path": (
        "print where the overlay is",
        "--workspace-folder --output",
        """
  jq -r '.engines.docker.runArgs[]' "$(paude-venv-hook path)\"""",
    ),
    "exec": (
        "start an engine with the shadows added to its own command line",
        "--quiet words",
        """
  paude-venv-hook exec -- podman run --rm -it -v "$PWD:$PWD" -w "$PWD" IMAGE bash
  paude-venv-hook exec -- docker create -v "$PWD:/app" IMAGE""",
    ),
    "devcontainer-config": (
        "print the devcontainer.json with the run arguments added",
        "--workspace-folder --container-workspace-folder --config --engine --venv --output --quiet",
        """
  paude-venv-hook devcontainer-config --output /tmp/app.json &&
    devcontainer up --workspace-folder . --override-config /tmp/app.json""",
    ),
    "verify": (
        "ask a running container whether the shadows are there",
        "--workspace-folder --engine --venv --quiet container",
        """
  paude-venv-hook verify my-container
  paude-venv-hook verify --engine docker "$(docker ps --latest --quiet)\"""",
    ),
    "init": (
        "copy a template project, and change no file that is there",
        "--template folder",
        """
  paude-venv-hook init ~/src/new --template uv
  cd ~/src/app && paude-venv-hook init --template pip""",
    ),
    "install-podman-hook": (
        "make an unchanged `podman run` shadow the venvs of workspaces",
        "--uninstall --dry-run",
        """
  paude-venv-hook install-podman-hook --dry-run
  paude-venv-hook install-podman-hook
  sudo paude-venv-hook install-podman-hook          # for root's containers
  paude-venv-hook install-podman-hook --uninstall""",
    ),
    "oci-precreate": (
        "be Podman's precreate hook: an OCI config from stdin to stdout",
        "",
        """
  paude-venv-hook oci-precreate < config.json | jq .mounts""",
    ),
    "schema": (
        "print the JSON Schema of the overlay, or of our keys of paude.json",
        "schema",
        """
  paude-venv-hook schema paude > paude.schema.json
  paude-venv-hook schema overlay | jq .properties""",
    ),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{shown(message)}; see {self.prog} --help")


def parse(arguments: Sequence[str], options: Options) -> None:
    """Set on `options` what the arguments say. Raises UsageError; `--help` and `--version` raise SystemExit."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments = ["run", *arguments]
    elif not arguments[0].startswith("-") and arguments[0] not in _COMMANDS:
        hint = did_you_mean(arguments[0], _COMMANDS) or f"; use {', '.join(_COMMANDS)}"
        raise UsageError(f'"{shown(arguments[0])}" is no command{hint}')
    make_parser().parse_args(arguments, namespace=options)
    if options.command == "exec":
        options.words = options.words[1:] if options.words[:1] == ["--"] else options.words
        if not options.words:
            raise UsageError("exec: no engine is named; write exec -- podman run … or exec -- docker run …")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; flags that are not given set nothing, so that the defaults of Options stand."""
    parser = _Parser(
        prog="paude-venv-hook",
        description="Put an empty tmpfs over each Python venv of a workspace in its container, so that host and "
        "container each keep a working venv over one source tree.",
        epilog="examples:\n  cd ~/src/app && paude-venv-hook\n  paude-venv-hook status\n\n"
        "Each command has its own --help. Without a command, `run` is meant.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (summary, arguments, examples) in _COMMANDS.items():
        command = subparsers.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog="examples:" + examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        for argument in arguments.split():
            command.add_argument(argument, *_ALIASES.get((name, argument), ()), **_ARGUMENTS[argument])
    return parser
