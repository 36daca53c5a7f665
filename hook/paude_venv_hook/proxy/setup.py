"""How a proxy is set up: what its clients, and what plans their containers, have in common."""

from __future__ import annotations

from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from paude_venv_hook.proxy.person import Person

# What names a daemon for others. It may name the proxy, or a daemon elsewhere: neither is the one here.
_NAMES_A_DAEMON = ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINER_CONNECTION")


class Setup(NamedTuple):
    """A proxy: the host paths of the daemon's socket and of its own, and the environment that holds for plans.

    `asked_in` is the host folder in which somebody asked for us, None if the proxy merely stands in the way, and
    `verbosity` how much that person is told (`terminal`). `engine` is the daemon's, "" while nobody has asked it.
    """

    upstream: str
    own: str
    environ: Mapping[str, str]
    asked_in: str | None = None
    verbosity: int = 0
    engine: str = ""

    def ask(self, target: str) -> Any:
        """Return what the daemon answers to a GET of Docker's API, as JSON. Raises OSError."""
        from paude_venv_hook.docker_api.sockets import ask_docker  # noqa: PLC0415 - for those that plan

        return ask_docker(self.upstream, target)


def set_up(upstream: str, own: str, environ: Mapping[str, str], person: Person | None = None) -> Setup:
    """Return the setup of a proxy that was started in an environment, by a person who asked for it or by nobody."""
    kept = {name: value for name, value in environ.items() if name not in _NAMES_A_DAEMON}
    if person is None:
        return Setup(upstream, own, kept)
    return Setup(upstream, own, kept, person.folder, person.verbosity)
