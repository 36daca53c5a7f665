"""How compose programs read their command line, and which files of a project they find by themselves.

The programs are `docker compose`, `docker-compose`, `podman compose` (which starts one of the others) and
`podman-compose`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from paude_venv_hook.engines.run_grammar import UnknownOptionError, find_subcommand, options
from paude_venv_hook.records import NamedTuple

# What starts containers that are new.
STARTS = frozenset(("create", "run", "scale", "up", "watch"))
# The options before the subcommand, of docker compose 2.40 with those of docker that docker-compose takes too, and of
# podman-compose 1.6.
_FLAGS = frozenset(
    """
    --all-resources --compatibility --debug --dry-run --help --no-ansi --no-cleanup --skip-hostname-check --tls
    --tlsverify --verbose --version -D -h -v
    """.split()  # noqa: SIM905 - a list of words reads better than a list of quotes
)
_VALUES = frozenset(
    """
    --ansi --config --context --env-file --file --host --in-pod --log-level --parallel --pod-args --podman-args
    --podman-build-args --podman-inspect-args --podman-path --podman-pull-args --podman-push-args --podman-rm-args
    --podman-run-args --podman-start-args --podman-stop-args --podman-volume-args --profile --progress
    --project-directory --project-name --tlscacert --tlscert --tlskey --workdir -H -c -f -p
    """.split()  # noqa: SIM905
)
# The options of `run`, of docker compose 2.40.
_RUN_FLAGS = frozenset(
    """
    --build --detach --dry-run --help --interactive --no-TTY --no-deps --no-tty --quiet --quiet-build --quiet-pull
    --remove-orphans --rm --service-ports --tty --use-aliases -P -T -d -h -i -q -t
    """.split()  # noqa: SIM905
)
_RUN_VALUES = frozenset(
    """
    --cap-add --cap-drop --entrypoint --env --env-from-file --label --name --publish --pull --user --volume --workdir
    -e -l -p -u -v -w
    """.split()  # noqa: SIM905
)
# In the order in which compose-go looks for them; of the overrides the first one counts.
DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_DEFAULT_OVERRIDES = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip


class ComposeLine(NamedTuple):
    """A command line of compose: where its own options start and end, what they are, and the subcommand or ""."""

    start: int
    end: int
    options: tuple[tuple[str, str], ...]
    action: str

    @property
    def starts(self) -> bool:
        """Tell whether it starts containers that are new."""
        return self.action in STARTS

    def values(self, *names: str) -> list[str]:
        """Return the values of an option, by all of its names, in the order of the line."""
        return [value for name, value in self.options if name in names]


def parse_compose(name: str, arguments: Sequence[str]) -> ComposeLine | None:
    """Return what a command line of the program called `name` says to compose, None where that is not asked for.

    An option that is not known here takes the next word unless that is an option itself.
    """
    start = 0
    if not name.endswith("compose"):
        if not name.startswith(("docker", "podman")):
            return None
        try:
            subcommand, start = find_subcommand(arguments)
        except UnknownOptionError:
            return None
        if subcommand != "compose":
            return None
    end, found = start, []
    for option in options(arguments, start, _FLAGS, _VALUES, lenient=True):
        end = option.end
        found.append((option.name, option.value or ""))
    return ComposeLine(start, end, tuple(found), next(iter(arguments[end:]), ""))


def volumes_of_run(line: ComposeLine, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the service of `run`, and the volumes that the line gives its container besides those of the project.

    Another subcommand has neither.
    """
    if line.action != "run":
        return "", []
    end, volumes = line.end + 1, []
    for option in options(arguments, end, _RUN_FLAGS, _RUN_VALUES, lenient=True):
        end = option.end
        if option.name in ("-v", "--volume") and option.value:
            volumes.append(option.value)
    return next(iter(arguments[end:]), ""), volumes


def default_files(folder: str) -> list[str]:
    """Return the host paths of the files that compose reads where nothing names one, from a host folder upwards.

    (compose-go, cli.WithDefaultConfigPath.) Without any it is an empty list.
    """
    while True:
        there = _existing(folder, DEFAULT_FILES)
        if there:
            return there[:1] + _existing(folder, _DEFAULT_OVERRIDES)[:1]
        above = os.path.dirname(folder)
        if above == folder:
            return []
        folder = above


def has_default_file(folder: str) -> bool:
    """Tell whether a host folder holds a file that compose reads if nothing names one."""
    return bool(_existing(folder, DEFAULT_FILES))


def _existing(folder: str, names: Sequence[str]) -> list[str]:
    return [path for path in (os.path.join(folder, name) for name in names) if os.path.exists(path)]


def env_files(line: ComposeLine, environ: Mapping[str, str], folder: str) -> list[str]:
    """Return the host paths of the files in which a line of compose, started in a host folder, looks for variables."""
    named = line.values("--env-file") or [path for path in environ.get("COMPOSE_ENV_FILES", "").split(",") if path]
    project = os.path.join(folder, *line.values("--project-directory")[-1:])
    return [os.path.join(folder, path) for path in named] or [os.path.join(project, ".env")]
