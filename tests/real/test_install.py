"""`install`, with the engines themselves: from then on an unchanged launch is shadowed, until `uninstall`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import pytest

from conftest import MakeVenv
from layout import fill
from paude_venv_hook.docker_api.sockets import does_answer
from real.containers import ENVIRONMENT, PROGRAM, SCRIPTS, Engine, bind, need_engine, run

proves = pytest.mark.proves
pytestmark = pytest.mark.usefixtures("etc")
CGROUPS = Path("/sys/fs/cgroup")


@pytest.fixture(scope="session")
def engine(image: str) -> Engine:
    """Return Docker."""
    return need_engine("docker", image)


@pytest.fixture(scope="session")
def podman(image: str) -> Engine:
    """Return Podman."""
    return need_engine("podman", image)


@pytest.fixture
def etc(as_user: str) -> Iterator[None]:
    """Let /etc/containers, which has to be that of private engines, be afterwards as it was."""
    folder = Path("/etc/containers")
    before = sorted(folder.rglob("*"))
    try:
        yield
    finally:
        run(PROGRAM, "uninstall", "--engine", "podman", env=ENVIRONMENT)
        assert set(folder.rglob("*")) - set(before) <= {folder / "containers.conf.d"}


class User:
    """A user of the machine with a home and a runtime folder of their own, whose docker context in use is `before`."""

    def __init__(self, folder: Path) -> None:
        """Let systemd not look after this user's services."""
        self.home, self.runtime = folder / "home", folder / "run"
        for path in (self.home, self.runtime):
            path.mkdir(mode=0o700)
        self.environ = {**ENVIRONMENT, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime)}
        for name in ("DOCKER_CONFIG", "DOCKER_HOST", "DBUS_SESSION_BUS_ADDRESS", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            self.environ.pop(name, None)
        host = ENVIRONMENT.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self("docker", "context", "create", "before", "--docker", f"host={host}")
        self("docker", "context", "use", "before")

    def __call__(self, *words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command as this user; it has to end with the exit code."""
        done = run(*words, check=False, env=self.environ)
        assert done.returncode == code, f"exit code {done.returncode}: {shlex.join(map(str, words))}\n{done.stderr}"
        return done

    @property
    def socket(self) -> Path:
        """The socket of the proxy."""
        return self.runtime / "paude" / "docker.sock"

    def context(self) -> str:
        """Return the docker context in use."""
        return self("docker", "context", "inspect", "--format", "{{.Name}}").stdout.strip()

    def contexts(self) -> list[str]:
        """Return the names of all contexts."""
        return self("docker", "context", "ls", "--format", "{{.Name}}").stdout.split()

    def sees(self, engine: Engine, workspace: Path, *options: str) -> str:
        """Return what a container of an unchanged launch sees in the `.venv` of the workspace."""
        own = ("--rm", "--network=host", bind(workspace, "/app"))
        return self(engine.name, *options, "run", *own, engine.image, "ls", "-A", "/app/.venv").stdout

    def files(self) -> list[str]:
        """Return what is in the home folder, but for what engines keep there, and the notes of the last launches."""
        found = (str(path.relative_to(self.home)) for path in self.home.rglob("*") if not path.is_dir())
        others = (".docker/", ".local/share/containers/", ".local/state/paude/last-launches/")
        return sorted(name for name in found if not name.startswith(others))


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Return the user."""
    return User(tmp_path)


@contextmanager
def served(user: User, said: str) -> Iterator[None]:
    """Start what `install` says is to be kept running, and wait until it answers."""
    words = shlex.split(said.splitlines()[-1].partition("keep this running for it: ")[2])
    with subprocess.Popen(words, env=user.environ, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: does_answer(str(user.socket)))
            yield
        finally:
            process.terminate()
    assert process.returncode == 0


def until(happens: Callable[[], object]) -> None:
    """Wait until it happens, in ten seconds at most."""
    for _ in range(100):
        if happens():
            return
        sleep(0.1)
    raise AssertionError("it does not happen")


@proves("`install`, without systemd: an unchanged `docker run` and `podman run` is shadowed, until `uninstall`")
def test_installed_all_is_shadowed_until_uninstalled(
    user: User, engine: Engine, podman: Engine, workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "paude.json = {}")
    without_systemd(user)
    assert user.sees(engine, workspace) == user.sees(podman, workspace) == "pyvenv.cfg\n"

    said = user(PROGRAM, "install").stderr

    assert user.context() == "before"
    assert "nothing answers there yet" in user(PROGRAM, "install", "--use", code=1).stderr
    with served(user, said):
        assert user.sees(engine, workspace, "--context=paude-venv") == user.sees(podman, workspace) == ""
        assert user.sees(engine, workspace) == "pyvenv.cfg\n"
        assert "which is in use)" in user(PROGRAM, "install", "--use").stderr
        assert user.sees(engine, workspace) == ""
        again = user(PROGRAM, "install", "--use")
        assert (again.stdout, again.stderr.count("already installed")) == ("", 2)
        status = json.loads(user(PROGRAM, "status", "--json", "--workspace-folder", workspace).stdout)
        assert [item["coveredBy"] for item in status["launches"]] == ["context", "hook"]
        user(PROGRAM, "uninstall")

    assert (user.context(), user.contexts()) == ("before", ["before", "default"])
    assert user.sees(engine, workspace) == user.sees(podman, workspace) == "pyvenv.cfg\n"
    assert (user.files(), list(user.runtime.iterdir())) == ([], [])
    assert user(PROGRAM, "uninstall").stderr.count("not installed") == 2


def without_systemd(user: User) -> None:
    """Let no systemd look after this user's services, if there is one on the machine."""
    if shutil.which("systemctl"):
        fill(user.home.parent, "bin/systemctl = #!/bin/sh\nexit 1\n")
        (user.home.parent / "bin/systemctl").chmod(0o755)
        user.environ["PATH"] = f"{user.home.parent}/bin:{user.environ['PATH']}"


@proves("`uninstall`, with another DOCKER_CONFIG than at `install`: it puts back what was in use there")
def test_uninstall_finds_the_contexts_where_install_put_them(user: User, engine: Engine) -> None:
    without_systemd(user)
    said = user(PROGRAM, "install", "--engine", "docker").stderr
    with served(user, said):
        user(PROGRAM, "install", "--engine", "docker", "--use")
    assert user.context() == "paude-venv"
    user.environ["DOCKER_CONFIG"] = str(user.home / "config")

    done = user(PROGRAM, "uninstall", "--engine", "docker")

    folder = user.home / ".docker"
    assert f"$ docker --config {folder} context use before\n" in done.stdout
    del user.environ["DOCKER_CONFIG"]
    assert (user.context(), user.contexts(), user.files()) == ("before", ["before", "default"], [])


@proves("`uninstall`, after the context in use was removed by hand: Docker's client works again")
def test_uninstall_heals_a_client_whose_context_is_gone(user: User, engine: Engine) -> None:
    without_systemd(user)
    said = user(PROGRAM, "install", "--engine", "docker").stderr
    with served(user, said):
        user(PROGRAM, "install", "--engine", "docker", "--use")
    for path in (user.home / ".docker/contexts/meta").iterdir():
        if '"paude-venv"' in (path / "meta.json").read_text():
            shutil.rmtree(path)
    user("docker", "ps", code=1)

    user(PROGRAM, "uninstall", "--engine", "docker")

    assert user.context() == "before"
    user("docker", "ps")


@proves("`install`, without a daemon: the missing socket is named, and the rest is done")
def test_without_a_daemon_the_missing_socket_is_named(user: User, engine: Engine) -> None:
    without_systemd(user)
    missing = user.runtime / "none.sock"
    user("docker", "context", "update", "before", "--docker", f"host=unix://{missing}")

    said = user(PROGRAM, "install", "--engine", "docker").stderr

    assert f"installed; the docker context before leads to {missing}: no such file; start Docker; keep this" in said
    assert user.contexts() == ["before", "default", "paude-venv"]
    status = " ".join(user(PROGRAM, "status", "--workspace-folder", user.home).stdout.split())
    assert f"the proxy at {user.socket} is down; it has to be kept running: `paude-venv-hook docker-proxy" in status
    user(PROGRAM, "uninstall", "--engine", "docker")


@proves(
    "a link to the wrapper, first on PATH under the engine's name: an unchanged launch is shadowed, and `status` tells"
)
def test_a_link_first_on_path_covers_what_starts_the_command(
    user: User, engine: Engine, podman: Engine, workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    folder = user.home / "bin"
    fill(folder, *(f"{name} -> {SCRIPTS / f'paude-venv-{name}'}" for name in ("docker", "podman")))
    user.environ["PATH"] = f"{folder}:{user.environ['PATH']}"

    assert user.sees(engine, workspace) == user.sees(podman, workspace) == ""
    status = json.loads(user(PROGRAM, "status", "--json", "--workspace-folder", workspace).stdout)
    assert [item["coveredBy"] for item in status["launches"]] == ["wrapper", "wrapper"]


@pytest.fixture
def systemd(user: User) -> Iterator[None]:
    """Let a systemd of its own look after the user's services, in a group of processes of its own."""
    program = "/lib/systemd/systemd"
    if not os.access(program, os.X_OK) or os.getuid() or not (CGROUPS / "cgroup.procs").exists():
        pytest.skip("no systemd, or no way to start one for a user here")
    group = CGROUPS / f"paude-venv-hook-test-{os.getpid()}"
    script = (
        'echo $$ >"$1/cgroup.procs" && mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && '
        'mkdir /run/systemd/system && exec "$2" --user'
    )
    group.mkdir()
    words = ("unshare", "--mount", "sh", "-c", script, "sh", group, program)
    log = user.runtime / "log"
    with log.open("w") as file, subprocess.Popen(words, env=user.environ, stdout=file, stderr=file) as process:
        try:
            until(lambda: run("systemctl", "--user", "list-units", check=False, env=user.environ).returncode == 0)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
            until(lambda: not any(path.read_text() for path in group.rglob("cgroup.procs")))
            for path in (*sorted(group.rglob("*/"), reverse=True), group):
                path.rmdir()


@proves("`install`, with systemd: the first connection starts the proxy, and `uninstall` leaves nothing of it")
def test_systemd_starts_the_proxy_at_the_first_connection(
    user: User, systemd: None, engine: Engine, workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "paude.json = {}")

    def state(kind: str) -> str:
        done = run("systemctl", "--user", "is-active", f"paude-venv-docker-proxy.{kind}", check=False, env=user.environ)
        return done.stdout.strip()

    said = user(PROGRAM, "install", "--use")

    assert said.stderr.splitlines()[-1].endswith("answers through the context paude-venv, which is in use)")
    assert (user.socket.stat().st_mode & 0o777, user.socket.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert user.sees(engine, workspace) == ""
    user("systemctl", "--user", "kill", "--signal=KILL", "paude-venv-docker-proxy.service")
    until(lambda: state("service") == "failed")
    assert user.sees(engine, workspace) == ""
    user("systemctl", "--user", "stop", "paude-venv-docker-proxy.socket")
    assert (state("socket"), state("service")) == ("inactive", "inactive")
    status = user(PROGRAM, "status", "--workspace-folder", workspace).stdout
    assert "`systemctl --user restart paude-venv-docker-proxy.service`" in " ".join(status.split())
    user("systemctl", "--user", "restart", "paude-venv-docker-proxy.service")
    assert user.sees(engine, workspace) == ""
    assert user(PROGRAM, "install", "--use").stdout == ""

    user(PROGRAM, "uninstall")

    assert (state("socket"), state("service")) == ("inactive", "inactive")
    assert (user.context(), user.contexts(), user.files()) == ("before", ["before", "default"], [])
    assert not user.socket.parent.exists()
    assert user.sees(engine, workspace) == "pyvenv.cfg\n"
