"""How engines spell what covers a directory: an empty tmpfs, or a folder of the host. Pure.

In memory: the plain `--mount type=tmpfs,destination=…` is wrong on both Docker and Podman. Podman copies what lies
below, the host's venv, up into the tmpfs; Docker mounts it noexec and, on runc before 1.1.8, with the owner and mode of
the mount point. No single spelling serves both, and each refuses the other's before the container starts. On disk: the
bind of a folder that is there is right on both, while every kind of volume is wrong somewhere. Measured on Docker 20.10
to 28, Podman 4.3 to 5.8 and bwrap 0.8; nerdctl, Finch and Apple's container as their sources read them.
"""

from __future__ import annotations

_OPTIONS = "rw,exec,nosuid,nodev"
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
_MIB = 1 << 20


def docker_options(owner: tuple[int, int], size: str | None) -> str:
    """Return the options of a `--tmpfs` of Docker.

    `owner` is the uid and gid in the container. They stay even if mode 1777 makes them needless: Podman
    refuses them, and a docker command that talks to Podman fails instead of showing the host's venv.
    """
    uid, gid = owner
    return f"{_OPTIONS},uid={uid},gid={gid},mode=1777{_size_option(size)}"


def podman_options(_: tuple[int, int], size: str | None) -> str:
    """Return the options of a `--tmpfs` of Podman, which sets no owner; Docker refuses `notmpcopyup`."""
    return f"{_OPTIONS},notmpcopyup,mode=1777{_size_option(size)}"


def _size_option(size: str | None) -> str:
    return f",size={size}" if size else ""


# ---- An empty tmpfs on a container path; `owner` and `size` as above


def docker_tmpfs(destination: str, owner: tuple[int, int], size: str | None) -> list[str]:
    """Return the arguments of Docker, and of engines that speak its language."""
    return ["--tmpfs", f"{destination}:{docker_options(owner, size)}"]


def podman_tmpfs(destination: str, owner: tuple[int, int], size: str | None) -> list[str]:
    """Return the arguments of Podman."""
    if ":" not in destination:
        return ["--tmpfs", f"{destination}:{podman_options(owner, size)}"]
    # --tmpfs would take what stands before the colon; --mount is CSV.
    fields = ["type=tmpfs", f"destination={destination}", "notmpcopyup", "exec", "tmpfs-mode=1777"]
    if size:
        fields.append(f"tmpfs-size={size}")
    return ["--mount", _csv(fields)]


def container_tmpfs(destination: str, _: tuple[int, int], size: str | None) -> list[str]:
    """Return the arguments of Apple's container, whose `--tmpfs` takes a path and no options (its Parser.swift).

    A size counts in whole MiB there, and 0 would be no limit.
    """
    limit = ""
    if size:
        mib = -(-size_in_bytes(size) // _MIB)  # rounded up
        limit = f",size={mib}m"
    return ["--mount", f"type=tmpfs,destination={destination},mode=1777{limit}"]


def bwrap_tmpfs(destination: str, _: tuple[int, int], size: str | None) -> list[str]:
    """Return the arguments of bwrap, whose `--size` counts in bytes (bwrap(1))."""
    limit = ["--size", str(size_in_bytes(size))] if size else []
    return ["--perms", "1777", *limit, "--tmpfs", destination]


# ---- A folder of the host on a container path; `label` is a word for SELinux, or ""


def quoted_bind(store: str, destination: str, label: str) -> list[str]:
    """Return the arguments of Docker and Podman, which read one line of CSV."""
    return ["--mount", _csv(_bind_fields(store, destination, label))]


def plain_bind(store: str, destination: str, label: str) -> list[str]:
    """Return the arguments of engines that only split at the commas, and know no quotes."""
    return ["--mount", ",".join(_bind_fields(store, destination, label))]


def bwrap_bind(store: str, destination: str, _: str) -> list[str]:
    """Return the arguments of bwrap."""
    return ["--bind", store, destination]


def _bind_fields(store: str, destination: str, label: str) -> list[str]:
    fields = ["type=bind", f"source={store}", f"target={destination}"]
    return [*fields, label] if label else fields


def _csv(fields: list[str]) -> str:
    return ",".join(_csv_field(field) for field in fields)


def _csv_field(field: str) -> str:
    if any(c in field for c in ',"\n'):
        return '"' + field.replace('"', '""') + '"'
    return field


def size_in_bytes(size: str) -> int:
    """Return a size of the settings, but no percentage, as a number of bytes (memparse in the kernel)."""
    import re  # noqa: PLC0415 - few name a size

    number, unit = re.fullmatch(r"(\d+)(\D?)", size).groups()  # type: ignore[union-attr]  # the settings are checked
    return int(number) << _UNITS[unit.lower()]
