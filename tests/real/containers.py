"""Docker and Podman, containers, and host trees, as the engine tests use them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab import missing
from paude_venv_hook import overlay

PATIENCE_SECONDS = 600  # no command of the tests takes that long: an engine that hangs is to fail one of them
ENVIRONMENT = dict(os.environ)  # before a test has a home folder of its own: engines find their storage by it
HOOK = (sys.executable, "-m", "paude_venv_hook")
SCRIPTS = Path(sysconfig.get_path("scripts"))  # where the programs of the package are
PROGRAM = SCRIPTS / "paude-venv-hook"

# Whose the workspaces are. Root becomes an ordinary user for what that user does on the host, one who still reaches
# the folders of the tests.
OWNER, OWNER_GROUP = (os.getuid(), os.getgid()) if os.getuid() else (1000, 1000)
AS_OWNER = (
    ()
    if os.getuid()
    else (
        "setpriv",
        f"--reuid={OWNER}",
        f"--regid={OWNER_GROUP}",
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    )
)
STRANGER = 1234
UP_TIMEOUT = 240  # some ten times what the longest takes

MakeVenv = Callable[[Path], Path]
RunHook = Callable[..., subprocess.CompletedProcess[str]]


class Launch(Protocol):
    """Starts a container with a workspace in it, at the same path as here and as root unless told otherwise."""

    def __call__(
        self,
        workspace: Path,
        *options: str,
        target: str | None = None,
        user: int | None = 0,
        read_only: bool = False,
    ) -> Container:
        """Return the container, which is removed when the test ends."""


def run(
    *command: str | Path, check: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command and return what it printed; with `check`, a failure shows it."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=env, stdin=subprocess.DEVNULL,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    if check and done.returncode:
        line = shlex.join(map(str, command))
        raise AssertionError(f"exit code {done.returncode}: {line}\n{done.stdout}{done.stderr}")
    return done


def devcontainer(
    *arguments: str | Path, before: tuple[str, ...] = (), check: bool = True, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the devcontainer CLI, with the words of `before` in front of it."""
    return patiently(*before, "devcontainer", *map(str, arguments), check=check, env=env)


def patiently(*command: str, check: bool = True, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that starts the devcontainer CLI.

    Where `up` misses the start of its container it waits for ever (devcontainers/cli#1269). It is ended then and run
    again, which finds the container.
    """
    for _ in range(3):
        with subprocess.Popen(
            command, text=True, env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate(timeout=UP_TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                continue
        if check and process.returncode:
            raise AssertionError(f"exit code {process.returncode}: {shlex.join(command)}\n{out}{err}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)
    raise AssertionError(f"it does not end: {shlex.join(command)}")


def as_owner(*command: str | Path) -> str:
    """Run the command on the host as the owner of the workspaces, and return its stdout."""
    return run(*AS_OWNER, *command).stdout


def shadow_args(workspace: Path, engine: str, *flags: str) -> list[str]:
    """Return the arguments that `paude-venv-hook print` gives for the workspace."""
    printed = run(
        *HOOK, "print", "--format", "nul", "--quiet", "--engine", engine, "--workspace-folder", workspace, *flags
    )
    return printed.stdout.split("\0")[:-1]


def overlay_args(workspace: Path, engine: str, *flags: str) -> list[str]:
    """Let the owner of the workspace run `paude-venv-hook`, and return the arguments from the overlay that it wrote."""
    as_owner(*HOOK, "--quiet", "--engine", engine, "--workspace-folder", workspace, *flags)
    return overlay.run_args(overlay.load(overlay.default_path(str(workspace))), engine)


def bind(source: Path, target: Path | str, *, read_only: bool = False) -> str:
    """Return the `--mount` option of a bind, whatever the names."""
    fields = ["type=bind", f"source={source}", f"target={target}", *(["readonly"] if read_only else [])]
    return "--mount=" + ",".join(
        '"' + field.replace('"', '""') + '"' if set(field) & set(',"') else field for field in fields
    )


class NoEngineError(Exception):
    """Why an engine cannot be used."""


def find_engine(name: str, image: str, command: tuple[str, ...] = ()) -> Engine:
    """Return the engine, `docker` or `podman`, that the words start (default: its name); NoEngineError if none does."""
    command = command or (name,)
    if not shutil.which(command[0]):
        raise NoEngineError(f"{command[0]} is not on PATH")
    arguments = ("version", "--format", "{{json .Server}}") if name == "docker" else ("info", "--format", "json")
    done = run(*command, *arguments, check=False, env=ENVIRONMENT)
    if done.returncode or not done.stdout.startswith("{"):
        raise NoEngineError(f"{shlex.join(command)} does not work: {(done.stderr or done.stdout).strip()}")
    about = json.loads(done.stdout)
    if name == "docker":
        versions = {part["Name"]: part["Version"] for part in about["Components"]}
        if "Engine" not in versions:
            raise NoEngineError(f"docker is not Docker here, but {', '.join(versions)}")
        runtime, runtime_version = "runc", versions["runc"]
        version, rootless = versions["Engine"], False
    else:
        runtime, runtime_version = about["host"]["ociRuntime"]["name"], about["host"]["ociRuntime"]["version"]
        version, rootless = about["version"]["Version"], about["host"]["security"]["rootless"]
    engine = Engine(name, command, image, _numbers(version), runtime, _numbers(runtime_version), rootless)
    tried = engine.run("python3 -m venv --help", check=False)
    if tried.returncode:
        raise NoEngineError(f"{engine} does not run {image}: {tried.stderr.strip()}")
    return engine


def need_engine(name: str, image: str) -> Engine:
    """Return the engine; where it does not work, the test is skipped, or fails if engines are required."""
    try:
        return find_engine(name, image)
    except NoEngineError as problem:
        missing(str(problem))


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)+", version)
    return tuple(map(int, found[0].split("."))) if found else ()


@dataclass(frozen=True)
class Engine:
    """A container engine that works, and the image to use with it."""

    name: str  # docker or podman: what the hook calls it
    command: tuple[str, ...]
    image: str
    version: tuple[int, ...]
    runtime: str
    runtime_version: tuple[int, ...]
    rootless: bool

    def __str__(self) -> str:
        """Return how a person calls it."""
        version, runtime_version = (".".join(map(str, parts)) for parts in (self.version, self.runtime_version))
        rootless = " rootless" if self.rootless else ""
        return f"{self.name.capitalize()} {version}{rootless}, {self.runtime} {runtime_version}"

    @property
    def ignores_mode(self) -> bool:
        """Whether a tmpfs has the mode of its mount point, whatever its options say."""
        return self.runtime == "runc" and self.runtime_version < (1, 1, 8)

    def __call__(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the engine, with the environment that it had before the tests."""
        return run(*self.command, *arguments, check=check, env=ENVIRONMENT)

    def run(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a container that ends by itself; the arguments are options, and then a command line for `sh -c`."""
        options, script = arguments[:-1], arguments[-1]
        return self("run", "--rm", "--network=host", *options, self.image, "sh", "-c", script, check=check)

    @contextmanager
    def running(self, *options: str | Path) -> Iterator[Container]:
        """Start a container that does nothing, and remove it at the end."""
        name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
        own = ("--name", name, "--label", "paude-venv-hook-test", "--network=host", "--stop-timeout=0")
        try:
            self("run", "--detach", *own, *options, self.image, "sleep", "infinity")
            yield Container(self, name)
        finally:
            self("rm", "--force", "--volumes", name, check=False)


@dataclass(frozen=True)
class Container:
    """A running container."""

    engine: Engine
    name: str

    def exec(self, *command: str | Path, user: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command in it, as another user if one is given, and return what came of it."""
        options = () if user is None else (f"--user={user}",)
        return self.engine("exec", *options, self.name, *command, check=False)

    def sh(self, script: str, *arguments: str | Path, user: int | None = None) -> str:
        """Run the shell script in it, with the arguments as `$1` …, and return its stdout; it has to succeed."""
        done = self.exec("sh", "-euc", script, "sh", *arguments, user=user)
        if done.returncode:
            raise AssertionError(f"exit code {done.returncode}: {script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def mounts(self) -> dict[str, tuple[str, set[str]]]:
        """Return the type and the options of each mount in it, by container path."""
        found = {}
        for line in self.sh("cat /proc/self/mountinfo").splitlines():
            mount, _, filesystem = line.partition(" - ")
            path, options = mount.split(" ")[4:6]
            path = re.sub(rb"\\(\d{3})", lambda code: bytes([int(code[1], 8)]), path.encode()).decode()
            kind, _, more = filesystem.split(" ", 2)
            found[path] = (kind, {*options.split(","), *more.split(",")})
        return found


def use_venv(container: Container) -> None:
    """Make the container's `.venv`, and use what a wrong tmpfs breaks; `/wheels` has a wheel of markupsafe."""
    container.sh("python3 -m venv .venv")
    assert f"{container.sh('pwd').strip()}/.venv/" in container.sh(".venv/bin/pip --version")
    container.sh(".venv/bin/pip install --quiet --no-index --find-links=/wheels markupsafe")
    assert "/.venv/" in container.sh(".venv/bin/python -c 'import markupsafe._speedups as m; print(m.__file__)'")
    assert container.sh("cp /bin/echo .venv/bin/binary; .venv/bin/binary it runs") == "it runs\n"


def work(container: Container, user: int) -> None:
    """Let a user make the container's venv anew, whoever made the one before, and change what is in it."""
    container.sh("python3 -m venv --clear --without-pip .venv", user=user)
    pip = "python3 -m pip --python .venv --quiet --disable-pip-version-check"
    container.sh(f"{pip} install --no-index --find-links=/wheels markupsafe", user=user)
    container.sh(".venv/bin/python -c 'import markupsafe._speedups'", user=user)
    container.sh(f"{pip} uninstall --yes markupsafe", user=user)
    assert container.exec(".venv/bin/python", "-c", "import markupsafe", user=user).returncode == 1


def tree_hash(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return what tells the folder from a changed one: mode, owner, time and content of everything in it."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = (oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, content)
    return found
