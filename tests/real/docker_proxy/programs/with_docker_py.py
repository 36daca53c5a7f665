"""A program that uses docker-py: IMAGE and WORKSPACE in, what it saw out as JSON.

It finds the daemon by DOCKER_HOST, as any such program does.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile

import docker  # type: ignore[import-untyped]  # its stubs are unions of every transport

MAKE = "[ -e $1/pyvenv.cfg ] || python3 -m venv --without-pip $1 && ls -A $1"


def main(image: str, workspace: str) -> None:
    """Use a container whole: binds in two spellings, streams in both directions, archives, logs."""
    client = docker.from_env(timeout=60)
    again = docker.types.Mount("/again", workspace, type="bind")
    container = client.containers.create(
        image,
        ["cat"],
        volumes={workspace: {"bind": "/app", "mode": "rw"}},
        mounts=[again],
        stdin_open=True,
        network_mode="host",
        labels=["paude-venv-hook-test"],
    )
    try:
        attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        container.start()
        attached._sock.sendall(b"through\n")  # noqa: SLF001 - docker-py has no other way to write
        seen: dict[str, object] = {"attached": attached.read(16)[8:].decode()}
        attached.close()
        for folder in ("/app", "/again"):
            seen[folder] = container.exec_run(["ls", "-A", f"{folder}/.venv"]).output.decode()
            made = container.exec_run(["sh", "-ec", MAKE, "sh", f"{folder}/.venv"], stream=True)
            seen[f"made in {folder}"] = b"".join(made.output).decode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("empty"))
        container.put_archive("/", packed.getvalue())
        chunks, about = container.get_archive("/empty")
        seen["archive"] = [about["name"], b"".join(chunks)[:5].decode()]
        container.kill()
        seen["exit code"] = container.wait()["StatusCode"]
        seen["logs"] = container.logs().decode()
        seen["events"] = [*client.events(since=0, until=1, decode=True)]
    finally:
        container.remove(force=True, v=True)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
