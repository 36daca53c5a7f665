"""The commands that make the environments of a workspace, and when: one record each."""

from __future__ import annotations

from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

AT_CREATION = ("onCreateCommand", "updateContentCommand", "postCreateCommand")
AT_EACH_START = ("postStartCommand", "postAttachCommand")
# The check that keeps a command from making an environment anew.
UNGUARDED = ""
BY_DIRECTORY = "directory"  # the directory itself, which a shadow is: it makes none, then
BY_CONTENT = "content"  # something in it, such as its bin/python: it makes it again if it is gone
BY_OTHER = "other"  # something else
PACKAGES = "node_modules"  # no venv, but another folder of installed packages


class SetUp(NamedTuple):
    """One command that makes an environment.

    `key` is that of devcontainer.json or paude.json. `venv` is the path of the environment relative to the workspace
    folder, "" if nothing tells it: the tool decides (Poetry, Hatch), or the script is none of the workspace. `guard` is
    what keeps the command from making it: UNGUARDED, BY_DIRECTORY, BY_CONTENT or BY_OTHER.
    """

    key: str
    venv: str
    guard: str

    @property
    def is_at_each_start(self) -> bool:
        """Whether it makes the environment at each start of a container, be it there or not."""
        return self.key in AT_EACH_START and self.guard == UNGUARDED


def made_once(set_ups: Sequence[SetUp]) -> str:
    """Return the key of the command that makes the environment at creation, and not again at each start.

    "" if there is none, or if one makes it at each start. What is made at a start only if it is gone is made once.
    """
    if any(set_up.is_at_each_start for set_up in set_ups):
        return ""
    return next((set_up.key for set_up in set_ups), "")


def is_made_again(set_ups: Sequence[SetUp]) -> bool:
    """Tell whether a start makes an environment that is gone, its directory being there and empty."""
    return any(set_up.key in AT_EACH_START and set_up.guard in (UNGUARDED, BY_CONTENT) for set_up in set_ups)
