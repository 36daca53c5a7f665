"""The run arguments that shadow directories, for each engine. Pure.

In memory: the plain `--mount type=tmpfs,destination=…` is wrong on both. Podman copies what lies below, the host's
venv, up into the tmpfs; Docker mounts it noexec and, on runc before 1.1.8, with the owner and mode of the mount point.
No single spelling serves both, and each refuses the other's before the container starts. On disk: the bind of a folder
that is there is right on both, while every kind of volume is wrong somewhere. Measured on Docker 20.10 to 28 and Podman
4.3 to 5.8.
"""

from __future__ import annotations

from paude_venv_hook.errors import EngineError
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ENGINES = ("docker", "podman")
_OPTIONS = "rw,exec,nosuid,nodev"


def docker_options(owner: tuple[int, int], size: str | None) -> str:
    """Return the options of a `--tmpfs` of Docker.

    `owner` is the uid and gid in the container. They stay even where mode 1777 makes them needless: Podman
    refuses them, so that a docker command that talks to Podman fails instead of showing the host's venv.
    """
    return f"{_OPTIONS},uid={owner[0]},gid={owner[1]},mode=1777" + (f",size={size}" if size else "")


def podman_options(size: str | None) -> str:
    """Return the options of a `--tmpfs` of Podman; Docker refuses `notmpcopyup`."""
    return f"{_OPTIONS},notmpcopyup,mode=1777" + (f",size={size}" if size else "")


def docker_run_args(destinations: Iterable[str], owner: tuple[int, int], size: str | None) -> list[str]:
    """Return the arguments of `docker run` that put an empty tmpfs on each destination (container paths).

    Raises EngineError for a destination with a colon, for which Docker has no spelling.
    """
    arguments = []
    for destination in destinations:
        if ":" in destination:
            raise EngineError(
                f"{shown(destination)}: Docker has no way to mount a tmpfs on a path with a colon; "
                "rename the folder, use Podman, or shadow nothing with --venv none"
            )
        arguments += ["--tmpfs", f"{destination}:{docker_options(owner, size)}"]
    return arguments


def podman_run_args(destinations: Iterable[str], size: str | None) -> list[str]:
    """Return the arguments of `podman run` that put an empty tmpfs on each destination (container paths)."""
    arguments = []
    for destination in destinations:
        if ":" in destination:
            # --tmpfs would take what stands before the colon; --mount is CSV.
            fields = ["type=tmpfs", f"destination={destination}", "notmpcopyup", "exec", "tmpfs-mode=1777"]
            fields += [f"tmpfs-size={size}"] if size else []
            arguments += ["--mount", ",".join(_csv_field(field) for field in fields)]
        else:
            arguments += ["--tmpfs", f"{destination}:{podman_options(size)}"]
    return arguments


def store_run_args(stores: Iterable[tuple[str, str]], *, relabel: bool) -> list[str]:
    """Return the arguments of `docker run` and `podman run` that put stores (host paths) on destinations.

    With `relabel`, which only Podman knows, SELinux lets containers in (podman-run(1)).
    """
    arguments = []
    for store, destination in stores:
        fields = ["type=bind", f"source={store}", f"target={destination}", *(["relabel=shared"] if relabel else [])]
        arguments += ["--mount", ",".join(_csv_field(field) for field in fields)]
    return arguments


def _csv_field(field: str) -> str:
    if any(c in field for c in ',"\n'):
        return '"' + field.replace('"', '""') + '"'
    return field
