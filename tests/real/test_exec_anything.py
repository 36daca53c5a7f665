"""`exec --` in front of anything: what the program starts is shadowed, and else it is as without us; real engines."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from conftest import MakeVenv
from lab import missing, need_devcontainer_cli
from layout import fill
from real.composes import OLDER, find_compose
from real.containers import ENVIRONMENT, PATIENCE_SECONDS, PROGRAM, Container, Engine, need_engine, patiently
from real.docker_proxy.harness import UPSTREAM, Dialogue, until

proves = pytest.mark.proves
on_docker = pytest.mark.parametrize("engine", ["docker"], indirect=True)
CLIENTS = Path(__file__).parent / "docker_proxy" / "programs"
SAYS = "Shadowing venv: .venv\n"


class Around:
    """A folder from which programs are started, plain or with `exec --` before them."""

    def __init__(self, engine: Engine, folder: Path, runtime: Path) -> None:
        """Take the engine, the folder, and the runtime folder of the user."""
        self.engine, self.folder, self.runtime = engine, folder, runtime
        self.environ = {**ENVIRONMENT, "XDG_RUNTIME_DIR": str(runtime)}
        self.run_line = f"{engine.name} run --rm --network=host -v {folder}:/app {engine.image} ls -A /app/.venv"

    def words(self, *words: str | Path) -> list[str]:
        """Return the words with `exec --` before them."""
        return [str(PROGRAM), "exec", "--", *map(str, words)]

    def __call__(
        self, *words: str | Path, plain: bool = False, check: bool = True, **more: Any
    ) -> subprocess.CompletedProcess[Any]:
        """Run a program in the folder, and return what it did."""
        line = [*map(str, words)] if plain else self.words(*words)
        own = {"cwd": self.folder, "env": self.environ, "stdin": subprocess.DEVNULL, "timeout": PATIENCE_SECONDS}
        if "input" in more:
            del own["stdin"]
        done = subprocess.run(line, **{**own, "capture_output": True, "text": True, **more}, check=False)
        if check and done.returncode:
            raise AssertionError(f"exit code {done.returncode}: {shlex.join(line)}\n{done.stdout}{done.stderr}")
        return done

    def leaves_nothing(self) -> None:
        """Wait until each helper has ended, and taken its folder away."""
        family = self.runtime / "paude-exec"
        until(lambda: not family.exists() or not os.listdir(family), f"nothing is left in {family}")


@pytest.fixture
def around(engine: Engine, workspace: Path, make_venv: MakeVenv) -> Iterator[Around]:
    """Return programs that are started in a workspace with a venv; no helper outlives them."""
    if engine.name == "docker" and not UPSTREAM.startswith("/"):
        missing(f"DOCKER_HOST is {UPSTREAM}, which is no local socket")
    make_venv(workspace / ".venv")
    with TemporaryDirectory(prefix="paude-run-") as runtime:
        around = Around(engine, workspace, Path(runtime))
        yield around
        around.leaves_nothing()


# ---- programs that start containers


@proves("`exec -- PROGRAM`: what a shell script starts is shadowed, also with the other engine; its exit code")
def test_a_script(around: Around, image: str) -> None:
    engine = around.engine.name
    other = need_engine({"docker": "podman", "podman": "docker"}[engine], image)
    script = f"{around.run_line}; echo between; {around.run_line.replace(engine, other.name, 1)}; exit 7"

    done = around("sh", "-c", script, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (7, "between\n", SAYS * 2)
    assert around("sh", "-c", around.run_line, plain=True).stdout == "pyvenv.cfg\n"


@on_docker
@proves("`exec -- make -j`: recipes that start containers, with the jobserver of make")
def test_make(around: Around) -> None:
    if not shutil.which("make"):
        missing("there is no make")
    inner = f"\t+@$(MAKE) -s inner\ninner: c d\nc d:\n\t@{around.run_line} | sed 's/^/seen /'\n"
    fill(around.folder, f"Makefile = all: a b\na:\n\t@{around.run_line} | sed 's/^/seen /'\nb:\n{inner}")

    done = around("make", "-s", "-j4", "all")

    assert (done.stdout, done.stderr) == ("", SAYS * 3)
    assert "seen pyvenv.cfg" in around("make", "-s", "-j4", "all", plain=True).stdout


@on_docker
@pytest.mark.parametrize("program", ["with_docker_py.py", "with_testcontainers.py"])
@proves("`exec -- python`: docker-py, testcontainers")
def test_a_client_of_the_api(around: Around, program: str) -> None:
    around.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # its reaper is an image of its own

    done = around(sys.executable, CLIENTS / program, around.engine.image, around.folder)

    assert json.loads(done.stdout)["/app"] == ""
    assert done.stderr.count(SAYS) == 1


@on_docker
@proves("`exec -- pytest`: a test that starts a container through Docker's API")
def test_pytest(around: Around) -> None:
    fill(around.folder, f"""test_it.py = import docker

def test_it():
    shown = docker.from_env().containers.run(
        {around.engine.image!r}, "ls -A /app/.venv", volumes=[{str(around.folder)!r} + ":/app"], remove=True,
        network_mode="host")
    assert shown == b""
""")  # fmt: skip
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")

    assert "1 passed" in around(*words).stdout
    assert "1 failed" in around(*words, plain=True, check=False).stdout


@on_docker
@proves("`exec -- PROGRAM`: the daemon's socket that a container gets by DOCKER_HOST is the daemon's own")
def test_a_reaper_that_mounts_the_socket(around: Around) -> None:
    program = """if True:
        import docker, os, sys
        socket = os.environ["DOCKER_HOST"].removeprefix("unix://")
        client = docker.from_env()
        made = client.containers.create(sys.argv[1], "true", volumes=[f"{socket}:/var/run/docker.sock"])
        print(made.attrs["Mounts"][0]["Source"])
        made.remove()
    """

    assert around(sys.executable, "-c", program, around.engine.image).stdout == f"{UPSTREAM}\n"


@proves("`exec -- PROGRAM`: what is in the background and outlives it")
def test_what_outlives_it(around: Around, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = around("sh", "-c", f"(sleep 1; {around.run_line} >{out}.new 2>&1; mv {out}.new {out}) & exit 3", check=False)

    assert done.returncode == 3
    until(out.exists, "the container in the background has ended")
    assert "pyvenv.cfg" not in out.read_text()


def own_docker_config(around: Around, folder: Path) -> Path:
    """Let Docker's configuration be a new folder, with the plugins alone, and return it."""
    config = folder / "docker-config"
    config.mkdir()
    plugins = Path(ENVIRONMENT.get("DOCKER_CONFIG") or f"{ENVIRONMENT['HOME']}/.docker", "cli-plugins")
    if plugins.is_dir():
        shutil.copytree(plugins, config / "cli-plugins", symlinks=True)
    around.environ.update(DOCKER_CONFIG=str(config))
    return config


@on_docker
@proves("`exec -- PROGRAM`: contexts that a script names, or changes, are the ones that it reaches")
def test_contexts(around: Around, tmp_path: Path) -> None:
    own_docker_config(around, tmp_path)
    del around.environ["DOCKER_HOST"]
    for name, host in (("near", UPSTREAM), ("prod", "/nowhere/prod.sock")):
        around("docker", "context", "create", name, "--docker", f"host=unix://{host}", plain=True)
    around("docker", "context", "use", "near", plain=True)
    script = f"""ask() {{ "$@" version --format '{{{{.Server.Version}}}}' 2>&1 | grep -o 'prod.sock' || echo near; }}
        ask docker; DOCKER_CONTEXT=prod ask docker; ask docker --context prod
        docker context use prod >/dev/null 2>&1; ask docker
        {around.run_line.replace("docker", "docker --context near", 1)}
        docker context use near >/dev/null 2>&1; {around.run_line}; ask docker"""

    plain = around("bash", "-c", script, plain=True)
    around("docker", "context", "use", "near", plain=True)
    done = around("bash", "-c", script)

    assert plain.stdout.split() == ["near", "prod.sock", "prod.sock", "prod.sock", "pyvenv.cfg", "pyvenv.cfg", "near"]
    assert done.stdout.split() == ["near", "prod.sock", "prod.sock", "prod.sock", "near"]
    assert done.stderr == SAYS * 2


@on_docker
@pytest.mark.parametrize("passes", [True, False])
@proves("`exec -- tox`: what uses Docker's API is shadowed with `pass_env`; without it all is as without us, and said")
def test_tox(around: Around, venv_tools: Path, tmp_path: Path, passes: bool) -> None:
    fill(around.folder, f"""list.py = import docker
shown = docker.from_env().containers.run(
    {around.engine.image!r}, "ls -A /app/.venv", volumes=["{around.folder}:/app"], remove=True, network_mode="host")
print("listed:", shown.decode())
""")  # fmt: skip
    fill(around.folder, f"""tox.ini = [tox]
no_package = true
[testenv]
allowlist_externals = {sys.executable}
commands = {sys.executable} list.py
{"pass_env = DOCKER_HOST" if passes else ""}
""")  # fmt: skip
    words = (venv_tools / "tox", "--quiet", "--workdir", tmp_path / "tox")

    plain, done = around(*words, plain=True, check=False), around(*words, check=False)

    line = "tox passes no DOCKER_HOST on; for what uses Docker's API, write pass_env = DOCKER_HOST in tox.ini"
    assert (line in done.stderr, done.returncode) == (not passes, plain.returncode)
    if passes:
        assert ("listed: pyvenv.cfg" in plain.stdout, "pyvenv.cfg" in done.stdout) == (True, False)
        assert "listed:" in done.stdout
        assert SAYS in done.stderr


# ---- the dev container CLI


@on_docker
@pytest.mark.parametrize("kind", ["one container", "compose"])
@proves("`exec -- devcontainer up`: one container, and a project of compose")
def test_devcontainer_up(around: Around, kind: str) -> None:
    need_devcontainer_cli()
    image = around.engine.image
    service = {"image": image, "network_mode": "host", "command": "sleep infinity", "volumes": ["..:/workspaces/app"]}
    fill(around.folder, f".devcontainer/compose.yaml = {json.dumps({'services': {'app': service}})}")
    configuration: dict[str, object] = {"image": image, "runArgs": ["--network=host"]}
    if kind == "compose":
        configuration = {"dockerComposeFile": "compose.yaml", "service": "app", "workspaceFolder": "/workspaces/app"}
    fill(around.folder, f".devcontainer/devcontainer.json = {json.dumps(configuration)}")
    words = around.words("devcontainer", "up", "--workspace-folder", around.folder)

    done = patiently(
        *words,
        "--update-remote-user-uid-default=never",
        env={**around.environ, "COMPOSE_PROJECT_NAME": uuid.uuid4().hex},
    )
    made = Container(around.engine, json.loads(done.stdout.splitlines()[-1])["containerId"])
    try:
        assert made.sh("ls -A /workspaces/app/.venv") == ""
    finally:
        around.engine("rm", "--force", "--volumes", made.name)


# ---- terminals, signals, streams


@on_docker
@proves("`exec -- docker compose run`, in a terminal: ^C reaches the container; the exit code")
def test_a_terminal(project: Compose) -> None:
    script = "trap 'echo got it; exit 5' INT; ls -A /app/.venv; [ -t 0 ] && echo ready; while :; do sleep 0.1; done"
    project.configure(web={"volumes": [".:/app"]})
    words = project.around.words(*project.words, "run", "--rm", "web", "sh", "-c", script)
    line = f"cd {shlex.quote(str(project.around.folder))} && exec {shlex.join(words)}"

    with Dialogue("env", *variables(project.around), "sh", "-c", line, terminal=True) as dialogue:
        dialogue.expect("ready")
        dialogue.send("\x03")
        dialogue.expect("got it")
        assert dialogue.wait() == 5


def variables(around: Around) -> list[str]:
    """Return the variables that differ from those of the tests."""
    return [f"{name}={value}" for name, value in around.environ.items() if ENVIRONMENT.get(name) != value]


@on_docker
@proves("`exec -- docker compose up`, in a terminal: ^C stops the containers; 130")
def test_a_terminal_with_compose_up(project: Compose) -> None:
    project.configure(
        web={"volumes": [".:/app"], "command": ["sh", "-c", "ls -A /app/.venv; echo ready; exec sleep 600"]}
    )
    words = project.around.words(*project.words, "up")
    line = f"cd {shlex.quote(str(project.around.folder))} && exec {shlex.join(words)}"

    with Dialogue("env", *variables(project.around), "sh", "-c", line, terminal=True) as dialogue:
        dialogue.expect("ready")
        assert "pyvenv.cfg" not in dialogue.seen
        dialogue.send("\x03")
        assert dialogue.wait() in (0, 130)
    until(lambda: not project.running(), "the container has stopped")  # dockerd lists it until it has noted the stop


@on_docker
@proves("`exec -- docker compose up`, in an interactive shell: ^Z stops it, `fg` goes on with it, ^C ends it")
def test_job_control(project: Compose) -> None:
    project.configure(
        web={"volumes": [".:/app"], "command": ["sh", "-c", "ls -A /app/.venv; echo ready; exec sleep 600"]}
    )
    line = shlex.join(project.around.words(*project.words, "up"))
    prompt = "what now? "  # only then bash reads: what is typed before may be lost
    own = (*variables(project.around), f"PS1={prompt}", "LC_ALL=C")

    with Dialogue("env", "-C", project.around.folder, *own, "bash", "--norc", "-i", terminal=True) as dialogue:
        dialogue.expect(prompt)
        dialogue.send(f"{line}\n")
        dialogue.expect("ready")
        assert "pyvenv.cfg" not in dialogue.seen
        dialogue.send("\x1a")
        dialogue.expect("Stopped")
        dialogue.expect(prompt)
        dialogue.send("echo in the $((1 + 1))nd\n")
        dialogue.expect("in the 2nd")
        dialogue.expect(prompt)
        dialogue.send("fg; echo it has ended: $?\n")
        dialogue.expect("compose up")
        until(lambda: not dialogue.is_in_front(), "bash has given its terminal away")
        dialogue.send("\x03")
        dialogue.expect("it has ended: ")
        dialogue.expect(prompt)
        dialogue.send("exit 3\n")
        assert dialogue.wait() == 3
    until(lambda: not project.running(), "the container has stopped")  # dockerd lists it until it has noted the stop


@on_docker
@proves("`exec -- PROGRAM`: `docker attach` in a terminal, through the private proxy: its size, the exit code")
def test_attach_in_a_terminal(around: Around) -> None:
    name = f"paude-test-{uuid.uuid4().hex[:12]}"
    options = f"-itd --name={name} --network=host -v {around.folder}:/app"
    no_wrapper = "PATH=${PATH#*:}"  # so that Docker's own client reaches the private proxy
    script = f"{no_wrapper}; docker run {options} {around.engine.image} sh && exec docker attach {name}"
    words = around.words("sh", "-c", script)

    try:
        with Dialogue("env", *variables(around), *words, terminal=True) as dialogue:
            dialogue.expect("Shadowing venv: .venv")
            dialogue.expect("# ", lambda: dialogue.send("\n"))
            dialogue.resize(30, 99)
            dialogue.send("until stty size | grep -x '30 99'; do :; done; ls -A /app/.venv; echo [$((1 + 1))]\n")
            dialogue.expect("[2]")
            dialogue.send("exit 6\n")
            assert dialogue.wait() == 6
    finally:
        around.engine("rm", "--force", "--volumes", name)


@on_docker
@proves("`exec -- docker compose run -T`: 20 MB through stdin and stdout")
def test_a_large_stdin(project: Compose) -> None:
    project.configure(web={"volumes": [".:/app"]})
    data = os.urandom(20 * 1024 * 1024)

    done = project("run", "-T", "--rm", "web", "cat", input=data, text=False)

    assert done.stdout == data


@on_docker
@proves("`exec -- docker compose up`: killed at any time, it leaves no helper and no folder")
def test_kills_at_random_times(project: Compose) -> None:
    project.configure(web={"volumes": [".:/app"]})
    rounds = random.Random(7)  # noqa: S311 - nothing is to be kept secret
    for number in range(12):
        with subprocess.Popen(
            project.around.words(*project.words, "up", "-d"), cwd=project.around.folder, env=project.around.environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            time.sleep(rounds.random() * 0.4)
            if number % 2:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.send_signal(rounds.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP]))
    project.around.leaves_nothing()
    project("up", "-d")

    assert project.listed("web") == []


# ---- compose, row by row: what it gives without us, and the shadow


class Compose:
    """A compose program, and a project of its own in the folder of a test."""

    def __init__(self, around: Around, words: list[str]) -> None:
        """Take where it is started, and the words that start it."""
        self.around, self.words, self.name = around, words, f"paude-test-{uuid.uuid4().hex[:12]}"
        around.environ["COMPOSE_PROJECT_NAME"] = self.name

    def configure(self, path: str = "compose.yaml", top: Mapping[str, object] | None = None, **services: Any) -> None:
        """Write a compose file with these services."""
        common = {"image": self.around.engine.image, "network_mode": "host", "stop_grace_period": "0s"}
        described = {name: {**common, "command": "sleep infinity", **own} for name, own in services.items()}
        fill(self.around.folder, f"{path} = {json.dumps({'services': described, **(top or {})})}")

    def __call__(self, *words: str, **more: Any) -> subprocess.CompletedProcess[Any]:
        """Run it with these words."""
        return self.around(*self.words, *words, **more)

    def ids(self, *flags: str) -> list[str]:
        """Return the containers of the project."""
        label = f"--filter=label=com.docker.compose.project={self.name}"
        return self.around.engine("ps", "--quiet", "--no-trunc", label, *flags).stdout.split()

    def running(self) -> list[str]:
        """Return the containers of the project that run."""
        return self.ids()

    def described(self) -> dict[str, Any]:
        """Return what the engine knows of the container of each service."""
        ids = self.ids("--all")
        found = json.loads(self.around.engine("inspect", *ids).stdout) if ids else []
        return {item["Config"]["Labels"]["com.docker.compose.service"]: item for item in found}

    def listed(self, service: str, folder: str = "/app/.venv") -> list[str]:
        """Return what is in a folder of a service's container."""
        name = self.described()[service]["Id"]
        return Container(self.around.engine, name).sh('ls -A -- "$1"', folder).split()

    def remove(self) -> None:
        """Remove all that is there of the project."""
        ids = self.ids("--all")
        now = ("--time=0",) if self.around.engine.name == "podman" else ()
        if ids:
            self.around.engine("rm", "--force", "--volumes", *now, *ids)
        label = f"--filter=label=com.docker.compose.project={self.name}"
        volumes = self.around.engine("volume", "ls", "--quiet", label).stdout.split()
        if volumes:
            self.around.engine("volume", "rm", *volumes)


@pytest.fixture
def project(around: Around, compose_words: list[str]) -> Iterator[Compose]:
    """Return a project of compose, which is removed after the test."""
    compose = Compose(around, compose_words)
    yield compose
    compose.remove()


@pytest.fixture
def compose_words(around: Around) -> list[str]:
    """Return the words that start docker compose."""
    if around.engine("compose", "version", check=False).returncode:
        missing("docker compose does not work")
    return ["docker", "compose"]


@pytest.fixture
def any_project(around: Around, request: pytest.FixtureRequest) -> Iterator[Compose]:
    """Return a project of docker compose, of older ones that are programs of their own, or of podman-compose."""
    if request.param == "docker compose":
        words: list[str] = request.getfixturevalue("compose_words")
    elif request.param == "podman-compose":
        words = [shutil.which("podman-compose") or missing("there is no podman-compose")]
    else:
        words = [str(find_compose(request.param))]
    compose = Compose(around, words)
    yield compose
    compose.remove()


def what_it_is(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what compose decides of each container: its name, labels, variables, volumes."""
    return {
        service: (
            item["Name"],
            {key: value for key, value in item["Config"]["Labels"].items() if is_compared(key, item)},
            sorted(item["Config"]["Env"] or ()),
            sorted((mount["Type"], mount.get("Name", ""), mount["Destination"]) for mount in item["Mounts"]),
        )
        for service, item in described.items()
    }


def is_compared(label: str, described: Mapping[str, Any]) -> bool:
    """Tell whether a label is the same of each container; a hash holds the id of the one whose volumes are taken."""
    if label.endswith("config-hash"):
        return not described["HostConfig"]["VolumesFrom"]
    return not label.endswith("compose.replace")


Rows = Callable[[Compose], tuple[list[str], Path]]


def env_names_another_file(compose: Compose) -> tuple[list[str], Path]:
    del compose.around.environ["COMPOSE_PROJECT_NAME"]
    web = {"volumes": [f"{compose.around.folder}:/app", "data:/data"], "environment": {"DB": "${DB}"}}
    compose.configure("deploy/c.yaml", {"volumes": {"data": None}}, web=web)
    variables = f"COMPOSE_FILE=deploy/c.yaml\nCOMPOSE_PROJECT_NAME={compose.name}\nDB=secret\n"
    fill(compose.around.folder, f".env = {variables}")
    return ["up", "-d"], compose.around.folder


def env_names_a_profile(compose: Compose) -> tuple[list[str], Path]:
    compose.configure("deploy/c.yaml", web={"volumes": [f"{compose.around.folder}:/app"], "profiles": ["x"]})
    fill(compose.around.folder, ".env = COMPOSE_FILE=deploy/c.yaml\nCOMPOSE_PROFILES=x\n")
    return ["up", "-d"], compose.around.folder


def a_subfolder_has_variables_of_its_own(compose: Compose) -> tuple[list[str], Path]:
    environment = {"DB": "${DB-}", "DOCKER_HOST": "${DOCKER_HOST-}", "DOCKER_CONTEXT": "${DOCKER_CONTEXT-}"}
    compose.configure(web={"volumes": [".:/app"], "environment": environment})
    fill(compose.around.folder, ".env = DB=above\n", "sub/.env = DB=below\n")
    return ["up", "-d"], compose.around.folder / "sub"


def env_names_one_of_two_files(compose: Compose) -> tuple[list[str], Path]:
    compose.configure(web={"volumes": [".:/app"], "environment": {"FILE": "default"}})
    compose.configure("dev.yaml", web={"volumes": [".:/app"], "environment": {"FILE": "dev"}})
    fill(compose.around.folder, ".env = COMPOSE_FILE=dev.yaml\n")
    return ["up", "-d"], compose.around.folder


def env_names_variables(compose: Compose) -> tuple[list[str], Path]:
    compose.configure(web={"volumes": [".:/app"], "environment": {"DB": "${DB}"}})
    fill(compose.around.folder, ".env = DB=secret\n")
    return ["up", "-d"], compose.around.folder


def one_service_takes_the_volumes_of_another(compose: Compose) -> tuple[list[str], Path]:
    compose.configure(web={"volumes": [".:/app"]}, worker={"volumes_from": ["web"]})
    return ["up", "-d"], compose.around.folder


def a_volume_is_a_bind(compose: Compose) -> tuple[list[str], Path]:
    device = {"type": "none", "o": "bind", "device": str(compose.around.folder)}
    compose.configure("compose.yaml", {"volumes": {"code": {"driver_opts": device}}}, web={"volumes": ["code:/app"]})
    return ["up", "-d"], compose.around.folder


ROWS: list[Rows] = [
    env_names_another_file,
    env_names_a_profile,
    a_subfolder_has_variables_of_its_own,
    env_names_one_of_two_files,
    one_service_takes_the_volumes_of_another,
    a_volume_is_a_bind,
]
OF_PODMAN: list[Rows] = [env_names_variables, a_volume_is_a_bind]  # it knows no COMPOSE_FILE in .env, no volumes_from


@pytest.mark.parametrize(
    ("engine", "any_project", "row"),
    [
        *(("docker", words, row) for words in ("docker compose", *OLDER) for row in ROWS),
        *(("podman", "podman-compose", row) for row in OF_PODMAN),
    ],
    indirect=["engine", "any_project"],
)
@proves("`exec -- … compose up`: the same project, files, variables, labels and names as without us, and the shadow")
def test_compose_gives_what_it_gives_without_us(any_project: Compose, row: Rows) -> None:
    words, folder = row(any_project)
    any_project(*words, plain=True, cwd=folder)
    before = what_it_is(any_project.described())
    assert any_project.listed(next(iter(before))) == ["pyvenv.cfg"]
    any_project.remove()

    done = any_project(*words, cwd=folder)

    assert what_it_is(any_project.described()) == before
    assert [any_project.listed(service) for service in before] == [[]] * len(before)
    launches = 1 if any_project.around.engine.name == "docker" else len(before)
    assert done.stderr.count("Shadowing venv: ") == launches


@on_docker
@pytest.mark.parametrize("any_project", ["2.26.1"], indirect=True)  # it needs no buildx on the machine
@pytest.mark.parametrize("by", ["DOCKER_HOST", "context"])
@proves("`exec -- docker-compose up --build`: the builder that was selected with `docker buildx use`")
def test_the_builder_of_compose(any_project: Compose, tmp_path: Path, by: str) -> None:
    config = own_docker_config(any_project.around, tmp_path)
    key = f"unix://{UPSTREAM}"
    if by == "context":
        key = "near"
        del any_project.around.environ["DOCKER_HOST"]
        any_project.around("docker", "context", "create", key, "--docker", f"host=unix://{UPSTREAM}", plain=True)
        any_project.around("docker", "context", "use", key, plain=True)
    builder = {"Name": "mine", "Driver": "that of mine", "Nodes": [{"Name": "mine0", "Endpoint": key}]}
    fill(config, f"buildx/instances/mine = {json.dumps(builder)}")
    fill(config, f"buildx/current = {json.dumps({'Key': key, 'Name': 'mine'})}")
    fill(any_project.around.folder, f"Dockerfile = FROM {any_project.around.engine.image}\n")
    any_project.configure(web={"build": "."})

    for is_plain in (True, False):
        assert 'driver "that of mine"' in any_project("up", "--build", plain=is_plain, check=False).stderr


@on_docker
@proves("`exec -- docker compose -f <(command)`: what the shell made is read")
def test_a_file_that_a_shell_makes(project: Compose) -> None:
    project.configure("deploy/c.yaml", web={"volumes": [f"{project.around.folder}:/app"]})
    line = shlex.join(project.around.words(*project.words))

    project.around("bash", "-c", f"{line} -f <(cat deploy/c.yaml) up -d", plain=True)

    assert project.listed("web") == []


@on_docker
@proves("`exec -- docker compose up` beside a compose.override.yaml that `print` made for memory, with storage on disk")
def test_beside_a_file_of_ours(project: Compose, data: Path) -> None:
    project.configure(web={"volumes": [".:/app"]})
    hook = (str(PROGRAM), "print", "--format", "compose", "--output", "compose.override.yaml")
    project.around(*hook, plain=True)
    project.around.environ.update(PAUDE_VENV_STORAGE="disk", XDG_DATA_HOME=str(data))

    project("up", "-d")

    assert project.listed("web") == []


@on_docker
@proves("`exec -- docker compose up`: a container that was made before is reused, and said; `--force-recreate`")
def test_a_container_that_is_reused(project: Compose) -> None:
    project.configure(web={"volumes": [".:/app"]}, db={})
    project("up", "-d", plain=True)
    before = project.described()

    done = project("up", "-d")

    assert {name: item["Id"] for name, item in project.described().items()} == {
        name: item["Id"] for name, item in before.items()
    }
    name = before["web"]["Name"].lstrip("/")
    line = f".venv not shadowed: the container {name} was made without that; make it anew: docker compose up"
    assert done.stderr.count(f"paude-venv-hook: warning: {line} --force-recreate web\n") == 1
    anew = project("up", "-d", "--force-recreate", "web")
    assert "was made without" not in anew.stderr
    assert project.listed("web") == []


@on_docker
@proves("`exec -- docker compose`: `up --watch`, `exec`, `restart`, `run -v`")
def test_other_subcommands(project: Compose) -> None:
    fill(project.around.folder, "assets/first")
    watch = [{"path": "./assets", "action": "sync", "target": "/assets"}]
    project.configure(web={"volumes": [".:/app"]}, db={"develop": {"watch": watch}})

    with subprocess.Popen(
        project.around.words(*project.words, "up", "--watch"), cwd=project.around.folder, env=project.around.environ,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        until(lambda: len(project.running()) == 2, "both services run")
        assert project.listed("web") == []
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE_SECONDS)
    project("start")
    assert project("exec", "-T", "web", "ls", "-A", "/app/.venv").stdout == ""
    project("restart")
    assert project.listed("web") == []
    shown = project("run", "--rm", "-v", ".:/given", "db", "ls", "-A", "/given/.venv")
    assert shown.stdout == ""
    assert SAYS in shown.stderr
