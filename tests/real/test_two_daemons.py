"""Two Docker daemons on one machine: each knows its own containers only, and stores are for both."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from time import sleep

import pytest

from lab import missing
from real.containers import ENVIRONMENT, HOOK, Engine, bind, need_engine, run

SECONDS = 60
MAKE = """
import os, sys
from paude_venv_hook.stores.daemons import find_daemon
from paude_venv_hook.stores.folder import make_store
from paude_venv_hook.stores.purpose import Purpose
daemon = find_daemon("docker", sys.argv[1], (), os.environ)
print(make_store(Purpose(sys.argv[2], ".venv", "/x", "docker"), daemon.identity))
"""

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="session")
def engine(image: str) -> Engine:
    """Return Docker."""
    return need_engine("docker", image)


@pytest.fixture
def other(engine: Engine) -> Iterator[str]:
    """Start another daemon beside the private one, with its image, and return its address."""
    first = Path(ENVIRONMENT.get("DOCKER_HOST", "").removeprefix("unix://")).parent
    if not first.name.startswith("paude."):
        missing("another daemon runs only beside a private one; tests/real/start-engines starts that")
    folder = first / "other"
    folder.mkdir()
    host = f"unix://{folder}/docker.sock"
    words = ["dockerd", f"--host={host}", f"--data-root={folder}/docker", f"--exec-root={folder}/run"]
    words += [f"--pidfile={folder}/pid", f"--cgroup-parent=/{first.name}", "--exec-opt=native.cgroupdriver=cgroupfs"]
    words += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
    with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            for _ in range(SECONDS * 10):
                if not run("docker", "-H", host, "version", check=False, env=ENVIRONMENT).returncode:
                    break
                assert process.poll() is None, (folder / "log").read_text()
                sleep(0.1)
            with subprocess.Popen(["docker", "save", engine.image], stdout=subprocess.PIPE, env=ENVIRONMENT) as save:
                words = ["docker", "-H", host, "load", "--quiet"]
                subprocess.run(words, stdin=save.stdout, capture_output=True, check=True, env=ENVIRONMENT)
            yield host
        finally:
            process.terminate()
            process.wait(SECONDS)
    run("umount", "--recursive", "--lazy", folder / "docker", check=False)
    rmtree(folder, ignore_errors=True)


@pytest.mark.proves("a store: `prune` spares that of a stopped container of another daemon, which then starts")
def test_prune_spares_the_store_of_a_stopped_container_of_another_daemon(
    engine: Engine, other: str, tmp_path: Path, home: Path
) -> None:
    own = {**ENVIRONMENT, "HOME": str(home), "DOCKER_CONFIG": str(home / "docker")}
    theirs = {**own, "DOCKER_HOST": other}
    gone, also_gone = tmp_path / "gone", tmp_path / "also-gone"
    store = Path(run(sys.executable, "-c", MAKE, "docker", gone, env=theirs).stdout.strip())
    needless = Path(run(sys.executable, "-c", MAKE, "docker", also_gone, env=own).stdout.strip())
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    run("docker", "create", "--name", name, "--network=none", bind(store, "/x"), engine.image, "ls", "/x", env=theirs)

    pruned = run(*HOOK, "store", "prune", env=own)

    assert pruned.stdout == f"{needless.parent.name}\n"
    assert f"warning: {store.parent.name}: which containers use it is unknown: docker does not reach " in pruned.stderr
    run("docker", "start", "--attach", name, env=theirs)
    assert f"{store.parent.name}  in use  " in run(*HOOK, "store", "list", env=theirs).stdout
    run("docker", "rm", name, env=theirs)
    assert run(*HOOK, "store", "prune", env=theirs).stdout == f"{store.parent.name}\n"
