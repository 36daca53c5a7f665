"""How compose programs read their command line.

The programs are `docker compose`, `docker-compose`, `podman compose` (which starts one of the others) and
`podman-compose`.
"""

from __future__ import annotations

import os

from paude_venv_hook.engines.run_grammar import (
    GLOBAL_FLAGS,
    GLOBAL_VALUES,
    UnknownOptionError,
    find_subcommand,
    read_options,
)
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from paude_venv_hook.engines.run_grammar import Option

_NAMES = ("docker-compose", "podman-compose")  # `docker-compose-v2` too
# What starts no container: the subcommands of docker compose 2.40 and podman-compose 1.6. Any other one might.
_START_NONE = frozenset(
    """
    attach bridge build commit config convert cp down events exec export help images inspect kill logs ls pause port ps
    publish pull push rm stats stop systemd top unpause version viz volumes wait
    """.split()  # noqa: SIM905 - a list of words reads better than a list of quotes
)
# The options before the subcommand, of docker compose 2.40 with those of docker that docker-compose takes too, and of
# podman-compose 1.6.
_FLAGS = frozenset(
    """
    --all-resources --compatibility --debug --dry-run --help --no-ansi --no-cleanup --skip-hostname-check --tls
    --tlsverify --verbose --version -D -h -v
    """.split()  # noqa: SIM905
)
_VALUES = frozenset(
    """
    --ansi --config --context --env-file --file --host --in-pod --log-level --parallel --pod-args --podman-args
    --podman-build-args --podman-inspect-args --podman-path --podman-pull-args --podman-push-args --podman-rm-args
    --podman-run-args --podman-start-args --podman-stop-args --podman-volume-args --profile --progress
    --project-directory --project-name --tlscacert --tlscert --tlskey --workdir -H -c -f -p
    """.split()  # noqa: SIM905
)
# In the order in which compose-go looks for them; of the overrides the first one counts.
DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_DEFAULT_OVERRIDES = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip


class ComposeLine(NamedTuple):
    """A command line of compose.

    `engine_options` stand before the word `compose`; a compose program of its own has none. `options` are those of
    compose, from the index `start` up to `end`. `action` is the subcommand, or "".
    """

    engine_options: tuple[Option, ...]
    start: int
    options: tuple[Option, ...]
    end: int
    action: str

    @property
    def starts(self) -> bool:
        """Whether it may start containers."""
        return bool(self.action) and self.action not in _START_NONE

    def values(self, *names: str) -> list[str]:
        """Return the values of an option of compose, by all of its names, in the order of the line."""
        return [option.value or "" for option in self.options if option.name in names]


def parse_compose(name: str, arguments: Sequence[str]) -> ComposeLine | None:
    """Return what a command line of the program called `name` says to compose, None if it is none of compose.

    An option that is not known here takes the next word unless that is an option itself.
    """
    start = 0
    engine_options: tuple[Option, ...] = ()
    if not name.endswith("compose") and not name.startswith(_NAMES):
        if not name.startswith(("docker", "podman")):
            return None
        try:
            subcommand, start = find_subcommand(arguments)
        except UnknownOptionError:
            return None
        if subcommand != "compose":
            return None
        engine_options = tuple(read_options(arguments, 0, GLOBAL_FLAGS, GLOBAL_VALUES))
    compose_options = tuple(read_options(arguments, start, _FLAGS, _VALUES, lenient=True))
    end = compose_options[-1].end if compose_options else start
    action = arguments[end] if end < len(arguments) else ""
    return ComposeLine(engine_options, start, compose_options, end, action)


def without_options(line: ComposeLine, arguments: Sequence[str], names: Collection[str]) -> list[str]:
    """Return the words of a command line of compose without the options of these names."""
    word = arguments[line.start - 1 : line.start]
    return [*_spell(line.engine_options, names), *word, *_spell(line.options, names), *arguments[line.end :]]


def _spell(options_given: Iterable[Option], besides: Collection[str]) -> list[str]:
    words: list[str] = []
    for name, value, _ in options_given:
        if name in besides:
            continue
        if value is None:
            words.append(name)
        elif name.startswith("--"):
            words.append(f"{name}={value}")
        else:
            words += [name, value]
    return words


def find_default_files(folder: str) -> list[str]:
    """Return the host paths of the files that compose reads if nothing names one, from a host folder upwards.

    An empty list if there are none (compose-go, cli.WithDefaultConfigPath).
    """
    while True:
        existing = _existing(folder, DEFAULT_FILES)
        if existing:
            return existing[:1] + _existing(folder, _DEFAULT_OVERRIDES)[:1]
        above = os.path.dirname(folder)
        if above == folder:
            return []
        folder = above


def has_default_file(folder: str) -> bool:
    """Tell whether a host folder holds a file that compose reads if nothing names one."""
    return bool(_existing(folder, DEFAULT_FILES))


def _existing(folder: str, names: Sequence[str]) -> list[str]:
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if os.path.exists(path)]
