"""A program that uses testcontainers: IMAGE and WORKSPACE in, what it saw out as JSON."""

from __future__ import annotations

import json
import sys

from testcontainers.core.container import DockerContainer

MAKE = "[ -e /app/.venv/pyvenv.cfg ] || python3 -m venv --without-pip /app/.venv && ls -A /app/.venv"


def main(image: str, workspace: str) -> None:
    """Use a container that binds the workspace."""
    container = DockerContainer(image).with_kwargs(network_mode="host", stop_signal="KILL")
    container.with_volume_mapping(workspace, "/app", "rw").with_command("sleep infinity")
    with container:
        seen = {"/app": container.exec(["ls", "-A", "/app/.venv"]).output.decode()}
        seen["made in /app"] = container.exec(["sh", "-ec", MAKE]).output.decode()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
