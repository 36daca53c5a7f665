"""The person who asked for a private proxy: the folder, the lines that were printed, the compose projects."""

from __future__ import annotations

import re

from paude_venv_hook.text import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# A name has no character that a query would have in another form.
_PROJECT = re.compile(r"com\.docker\.compose\.project(?:=|%3[Dd])([a-z0-9][a-z0-9_-]*)")
_ATTACH = re.compile(r"/containers/[^/]+/attach$")


class Person:
    """A person who reads stderr. An installed proxy has none: what it has to say is in the daemon's answers.

    `projects` are those that compose has asked the daemon about.
    """

    def __init__(self, folder: str, verbosity: int) -> None:
        """Take the host folder in which it was asked for, "" if that is gone, and how much is said (`terminal`)."""
        self.folder = folder
        self.verbosity = verbosity
        self.projects: set[str] = set()
        self.is_up: Callable[[], None] = lambda: None
        self._said: set[str] = set()

    def tell(self, lines: Iterable[str]) -> None:
        """Print the lines that were not printed before."""
        for line in lines:
            if line not in self._said:
                self._said.add(line)
                print_line(line)

    def notice(self, target: bytes) -> None:
        """Note which project a call is about, and call `is_up` if compose attaches to what it has brought up."""
        path, _, query = target.decode("latin-1").partition("?")
        if "com.docker.compose" in query:
            self.projects.update(_PROJECT.findall(query))
        elif self.projects and _ATTACH.search(path):
            self.is_up()
