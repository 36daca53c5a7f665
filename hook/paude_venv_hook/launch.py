"""A launch: what is known of one container before it starts, whichever way in saw it."""

from __future__ import annotations

from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.notes import Note


# Labels: of the dev container tools,
LOCAL_FOLDER = "devcontainer.local_folder"
CONFIG_FILE = "devcontainer.config_file"
# of compose programs (the dev container tools let the second be WORKSPACE/.devcontainer),
SERVICE = "com.docker.compose.service"
WORKING_DIR = "com.docker.compose.project.working_dir"
# and ours, for which an annotation stands too. `auto`: each directory that is bound is a workspace, even if it has not
# opted in. `none`: none of them is.
SWITCH = "paude.venv"
SWITCH_VALUES = ("auto", "none")
SWITCHED_OFF = f"the label {SWITCH} is none"


class Launch(NamedTuple):
    """One container that is about to start.

    - `engine`: its name in the table of engines;
    - `told_by`: what tells of the mounts, for people ("the command line");
    - `mounts`: all of them; the source of a bind is a host path, absolute unless it starts from `folder`. A volume of
      the local driver that is a bind, and what comes from other containers, are here as binds. Shadows and stores of
      ours are not: a way in leaves them out;
    - `labels`: those of the container, and annotations that mean the same;
    - `folder`: the host folder in which it is started, "" if that is unknown or says nothing;
    - `image`, `platform` and `service` (of compose) as they are written, "" for what is not said;
    - `is_asked`: somebody asked for us, by `exec`, a wrapper or a flag. Otherwise we see every container of a user, and
      only folders that opted in count;
    - `has_labels`: the way in sees the labels; a label that is missing then means something;
    - `notes`: what could not be read of it;
    - `seen`: for a sandbox, its mounts as the line has them, those of much more than a workspace too, such as `/`.
    """

    engine: str
    told_by: str = "the command line"
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = {}
    folder: str = ""
    image: str = ""
    platform: str = ""
    service: str = ""
    is_asked: bool = True
    has_labels: bool = True
    notes: tuple[Note, ...] = ()
    seen: tuple[Mount, ...] = ()

    @property
    def is_switched_off(self) -> bool:
        """Whether a label says that no folder is a workspace."""
        return self.labels.get(SWITCH) == "none"
