"""Docker's own command line, unmodified."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from layout import fill
from real.containers import OWNER, Container, Engine, Launch, MakeVenv, bind, run, tree_hash, use_venv
from real.docker_proxy.harness import UPSTREAM, Dialogue, Proxy, Way, until

proves = pytest.mark.proves


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """Return a name for a container, which is removed at the end."""
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    yield name
    engine("rm", "--force", "--volumes", name, check=False)


@proves("Docker's proxy: an unchanged `docker run` shadows; the host's tree and venv as before")
def test_an_unchanged_run_is_shadowed(way: Way, workspace: Path, venv: Path, launch: Launch, wheels: str) -> None:
    before = tree_hash(workspace)

    container = launch(workspace, wheels, user=OWNER)

    if way.shadows:
        assert container.sh("ls -A .venv") == ""
        kind, options = container.mounts()[str(venv)]
        assert (kind, options & {"rw", "ro", "noexec", "nosuid", "nodev"}) == ("tmpfs", {"rw", "nosuid", "nodev"})
        use_venv(container)
    else:
        assert "pyvenv.cfg" in container.sh("ls -A .venv")
        assert str(venv) not in container.mounts()
    assert tree_hash(workspace) == before
    run(venv / "bin/python", "-B", "-c", "import markupsafe._speedups")


@proves("Docker's proxy: binds with `-v` and `--mount`, read-only too, of workspaces that opted in and no others")
@pytest.mark.parametrize(
    "spelling", ["-v {}:/app", "-v {}:/app:ro,z", "-v {}:/app/", "--mount=type=bind,src={},dst=/app,ro"]
)
def test_each_bind_that_opted_in_has_shadows_of_its_own(
    way: Way, engine: Engine, workspace: Path, make_venv: MakeVenv, tmp_path: Path, spelling: str
) -> None:
    for folder in ("app/.venv", "app/env", "lib/venv", "other/.venv"):
        make_venv(tmp_path / folder)
    fill(tmp_path, "lib/.devcontainer/devcontainer.json = {}")
    before = tree_hash(tmp_path)
    options = [
        *spelling.format(workspace).split(),
        bind(tmp_path / "lib", "/lib of/it,"),
        "-v",
        f"{tmp_path}/other:/other",
    ]

    seen = engine.run(*options, "ls -A /app/.venv /app/env '/lib of/it,/venv' /other/.venv | grep -c pyvenv; true")

    assert seen.stdout == ("1\n" if way.shadows else "4\n")
    assert tree_hash(tmp_path) == before


@proves("Docker's proxy: what `--volumes-from` brings is shadowed too, wherever the other container was made")
def test_the_binds_of_another_container_are_shadowed_too(
    way: Way, docker: Engine, engine: Engine, workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    for made_by in (docker, engine):
        with made_by.running(bind(workspace, "/app")) as first:
            done = engine.run("--volumes-from", first.name, "ls -A /app/.venv; ls /app/pyproject.toml")

            assert done.stdout == ("" if way.shadows else "pyvenv.cfg\n") + "/app/pyproject.toml\n"


@proves("Docker's proxy: storage on disk, the venv outlives the container; host's tree and venv as before")
def test_on_disk_the_venv_outlives_the_container(
    way: Way, engine: Engine, proxy: Proxy, workspace: Path, venv: Path
) -> None:
    fill(workspace, 'paude.json = {"venv-storage": "disk"}')
    before = tree_hash(workspace)
    options = (bind(workspace, "/app"), "--workdir=/app", f"--user={OWNER}")
    if not way.shadows:
        assert "pyvenv.cfg" in engine.run(*options, "ls -A .venv").stdout
        return

    assert engine.run(*options, "ls -A .venv; python3 -m venv --without-pip .venv").stdout == ""
    with engine.running(*options) as container:
        assert container.sh(".venv/bin/python -c 'import sys; print(sys.prefix)'") == "/app/.venv\n"
        engine("restart", container.name)
        assert container.sh(".venv/bin/python -c 'import sys; print(sys.prefix)'") == "/app/.venv\n"

    assert tree_hash(workspace) == before
    assert [*proxy.home.glob(".local/share/paude/venvs/*/venv/pyvenv.cfg")]


@proves("Docker's proxy: `stop` and `start` empty a shadow in memory, and nothing else")
def test_each_start_has_an_empty_shadow(
    way: Way, engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    container = launch(workspace)
    container.sh("echo container >/tmp/kept; echo workspace >kept; touch .venv/lost")

    engine("stop", container.name)
    engine("start", container.name)

    assert container.sh("ls -A .venv; cat /tmp/kept kept") == (
        ("" if way.shadows else "lost\npyvenv.cfg\n") + "container\nworkspace\n"
    )


@pytest.mark.parametrize(
    ("label", "opted_in", "hidden"),
    [
        pytest.param("auto", False, True, marks=proves("Docker's proxy: the label `paude.venv=auto`")),
        pytest.param("none", True, False, marks=proves("Docker's proxy: the label `paude.venv=none`")),
    ],
)
def test_a_label_of_the_container_decides(
    way: Way, engine: Engine, workspace: Path, make_venv: MakeVenv, label: str, opted_in: bool, hidden: bool
) -> None:
    make_venv(workspace / ".venv")
    if not opted_in:
        (workspace / "paude.json").unlink()
        (workspace / "pyproject.toml").unlink()

    labelled = engine.run(bind(workspace, "/app"), "--label", f"paude.venv={label}", "ls -A /app/.venv")
    plain = engine.run(bind(workspace, "/app"), "ls -A /app/.venv")

    assert labelled.stdout == ("" if way.shadows and hidden else "pyvenv.cfg\n")
    assert plain.stdout == ("" if way.shadows and opted_in else "pyvenv.cfg\n")


@proves("Docker's proxy: wrong settings stop the launch, and the client prints our sentence")
def test_wrong_settings_are_said_by_the_client(way: Way, engine: Engine, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, 'paude.json = {"venv": "Auto"}')

    done = engine.run(bind(workspace, "/app"), "ls -A /app/.venv", check=False)

    if way.shadows:
        assert done.returncode == 125
        assert f'{workspace}/paude.json: venv: "Auto" is not known' in done.stderr
        assert done.stdout == ""
    else:
        assert (done.returncode, done.stdout) == (0, "pyvenv.cfg\n")


@proves("Docker's proxy: `docker run` and `create` print what stays visible as the daemon's warnings")
def test_warnings_reach_the_client(way: Way, engine: Engine, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / "backend" / ".venv")

    done = engine.run(bind(workspace, "/app"), "echo started")

    assert done.stdout == "started\n"
    assert ("backend/.venv" in done.stderr) == way.shadows
    if way.shadows:
        assert done.stderr.startswith("WARNING: ")


@proves("Docker's proxy: stdout, stderr and exit codes; stdin that ends while the answer still comes")
def test_streams_and_exit_codes(engine: Engine) -> None:
    done = engine.run("echo out; echo err >&2; exit 42", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (42, "out\n", "err\n")
    missing = engine("run", "--rm", "--network=host", engine.image, "no-such-program", check=False)
    assert (missing.returncode, "no-such-program" in missing.stderr) == (127, True)

    data = os.urandom(3_000_000)
    words = [*engine.command, "run", "--rm", "--interactive", "--network=host", engine.image]
    script = "cat; sleep 0.2; echo after"
    piped = subprocess.run([*words, "sh", "-c", script], input=data, capture_output=True, check=True)
    assert piped.stdout == data + b"after\n"


@proves("Docker's proxy: `run -it` under a terminal: its size, detach keys, `attach`, exit code")
def test_a_terminal(engine: Engine, name: str) -> None:
    options = ("--interactive", "--tty", "--name", name, "--network=host", engine.image, "sh")
    with Dialogue(*engine.command, "run", *options, terminal=True) as terminal:
        terminal.expect("# ")
        terminal.send("echo $((6 * 7))\r")
        terminal.expect("\n42")
        terminal.send("until [ \"$(stty size)\" = '40 100' ]; do sleep 0.1; done; echo resiz''ed\r")
        terminal.expect("resized", again=lambda: terminal.resize(40, 100))  # the client begins late to look
        terminal.send("\x10\x11")
        assert terminal.wait() == 0
    assert engine("inspect", "--format={{.State.Running}}", name).stdout == "true\n"

    with Dialogue(*engine.command, "attach", "--detach-keys=ctrl-x,x", name, terminal=True) as terminal:
        terminal.send("echo at''tached\r")
        terminal.expect("attached")
        terminal.send("\x18x")
        assert terminal.wait() != 0
    with Dialogue(*engine.command, "attach", name, terminal=True) as terminal:
        terminal.send("\recho ag''ain; exit 7\r")
        terminal.expect("again")
        assert terminal.wait() == 7


@proves("Docker's proxy: `exec` with streams, a terminal, an exit code, and detached")
def test_exec(engine: Engine, tmp_path: Path) -> None:
    with engine.running() as container:
        done = container.exec("sh", "-c", "echo out; echo err >&2; exit 3")
        assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")

        with Dialogue(*engine.command, "exec", "-i", container.name, "sh", "-c", "cat; echo after") as dialogue:
            dialogue.send("one\n")
            dialogue.expect("one\n")
            dialogue.end()
            dialogue.expect("after\n")
            assert dialogue.wait() == 0
        with Dialogue(*engine.command, "exec", "-it", container.name, "sh", terminal=True) as terminal:
            terminal.send("test -t 0 && echo ter''minal; exit 5\r")
            terminal.expect("terminal")
            assert terminal.wait() == 5
        engine("exec", "--detach", container.name, "touch", "/made")
        until(lambda: container.exec("test", "-e", "/made").returncode == 0, "the detached command ran")


@proves("Docker's proxy: `cp` in and out, files and streams")
def test_cp(engine: Engine, workspace: Path, venv: Path, tmp_path: Path) -> None:
    with engine.running(bind(workspace, "/app")) as container:
        engine("cp", f"{venv}/.", f"{container.name}:/copied")
        engine("cp", f"{container.name}:/copied", tmp_path / "back")
        tree = sorted(path.relative_to(venv) for path in venv.rglob("*"))
        assert sorted(path.relative_to(tmp_path / "back") for path in (tmp_path / "back").rglob("*")) == tree

        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            content = os.urandom(2_000_000)
            entry = tarfile.TarInfo("random")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        words = [*engine.command, "cp"]
        subprocess.run([*words, "-", f"{container.name}:/"], input=packed.getvalue(), check=True)
        out = subprocess.run([*words, f"{container.name}:/random", "-"], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(out)) as archive:
            member = archive.extractfile("random")
            assert member, "a file"
            assert member.read() == content


@pytest.mark.parametrize(
    "buildkit",
    [
        pytest.param("0", marks=proves("Docker's proxy: `build` by the old builder, with 20 MB of context")),
        pytest.param("1", marks=proves("Docker's proxy: `build` by BuildKit, with 20 MB of context")),
    ],
)
def test_build(engine: Engine, tmp_path: Path, buildkit: str) -> None:
    if buildkit == "1" and engine("buildx", "version", check=False).returncode:
        pytest.skip("docker has no buildx here; start-engines --suite trixie brings one")
    context = fill(
        tmp_path / "context", f"Dockerfile = FROM {engine.image}\nCOPY . /in\nRUN sha256sum /in/random >/sum\n"
    )
    (context / "random").write_bytes(os.urandom(20_000_000))
    tag = f"paude-venv-hook-test:{uuid.uuid4().hex}"
    build = [*engine.command[:-1], f"DOCKER_BUILDKIT={buildkit}", "docker", "build", "--network=host"]

    try:
        run(*build, "--tag", tag, context)
        seen = engine("run", "--rm", "--network=host", tag, "cat", "/sum").stdout
        assert seen.split()[0] == run("sha256sum", context / "random").stdout.split()[0]
        fill(context, "Dockerfile = FROM scratch\nCOPY no-such-file /\n")
        failed = run(*build, context, check=False)
        assert (failed.returncode, "no-such-file" in failed.stderr + failed.stdout) == (1, True)
    finally:
        engine("rmi", "--force", tag, check=False)


@proves("Docker's proxy: `save` and `load`, `export` and `import`")
def test_save_and_load(engine: Engine, tmp_path: Path) -> None:
    tag = f"paude-venv-hook-test:{uuid.uuid4().hex}"
    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        archive.add(fill(tmp_path / "root", "file = content"), "/")
    try:
        engine("import", tmp_path / "root.tar", tag)
        engine("save", "--output", tmp_path / "saved.tar", tag)
        image = engine("inspect", "--format={{.Id}}", tag).stdout
        engine("rmi", tag)
        with (tmp_path / "saved.tar").open("rb") as saved:
            subprocess.run([*engine.command, "load"], stdin=saved, capture_output=True, check=True)
        assert engine("inspect", "--format={{.Id}}", tag).stdout == image
        created = engine("create", tag, "none").stdout.strip()
        exported = subprocess.run([*engine.command, "export", created], capture_output=True, check=True).stdout
        engine("rm", created)
        with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
            assert "file" in archive.getnames()
    finally:
        engine("rmi", "--force", tag, check=False)


@proves("Docker's proxy: `events`, `logs --follow`, `wait` and `stats`, each as it happens")
def test_what_is_told_as_it_happens(engine: Engine, name: str) -> None:
    since, follow = str(int(time.time())), "until [ -e /go ]; do sleep 0.05; done"
    told = ("events", "--since", since, "--filter", f"container={name}", "--format", "{{.Action}}.")
    with Dialogue(*engine.command, *told) as events:
        own = ("--name", name, "--network=host", engine.image, "sh", "-c")
        engine("run", "--detach", *own, f"echo first; {follow}; echo second; exit 9")
        events.expect("start.")
        with (
            Dialogue(*engine.command, "logs", "--follow", name) as logs,
            Dialogue(*engine.command, "wait", name) as wait,
        ):
            logs.expect("first")
            assert name in engine("stats", "--no-stream", "--format", "{{.Name}}", name).stdout
            engine("exec", name, "touch", "/go")
            logs.expect("second")
            wait.expect("9")
            assert (logs.wait(), wait.wait()) == (0, 0)
        events.expect("die.")
        assert events.process.poll() is None


@proves("Docker's proxy: a container made through it is an ordinary one: `inspect` shows the shadow, all ways alike")
def test_what_is_made_is_an_ordinary_container(
    way: Way, docker: Engine, workspace: Path, make_venv: MakeVenv, launch: Launch
) -> None:
    make_venv(workspace / ".venv")

    container = Container(docker, launch(workspace, target="/app").name)

    about = json.loads(docker("inspect", container.name).stdout)[0]
    assert [*(about["HostConfig"].get("Tmpfs") or {})] == (["/app/.venv"] if way.shadows else [])
    docker("restart", "--time=0", container.name)
    assert container.sh("ls -A /app/.venv") == ("" if way.shadows else "pyvenv.cfg\n")


@proves("Docker's proxy: what the daemon refuses is said in its words")
@pytest.mark.parametrize(
    "words", [("run", "No/Such"), ("run", "-v", "/x:relative", "x"), ("inspect", "no-such-thing"), ("rmi", "none")]
)
def test_the_daemons_refusal_is_said_as_it_is(engine: Engine, docker: Engine, words: tuple[str, ...]) -> None:
    done, plain = engine(*words, check=False), docker(*words, check=False)

    assert plain.returncode != 0
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@proves("Docker's proxy: a container that was made without it, or before the opt-in, is noted when it starts again")
@pytest.mark.parametrize("call", ["start", "restart"])
def test_a_container_that_was_made_before(
    proxy: Proxy, way: Way, docker: Engine, engine: Engine, workspace: Path, name: str, call: str
) -> None:
    fill(workspace, ".venv/pyvenv.cfg")
    words = ("create", "--network=host", f"--name={name}", bind(workspace, "/app"), docker.image, "true")
    docker(*words)
    said = proxy.said()

    engine(call, name)

    line = f".venv not shadowed: the container {name} was made without that; remove it, and make it anew"
    assert proxy.said().removeprefix(said) == (f"paude-venv-hook: warning: {line}\n" if way.shadows else "")
    docker("rm", "--force", name)
    engine(*words)
    said = proxy.said()
    for _ in range(2):
        engine(call, name)
    assert proxy.said().removeprefix(said) == ""


@proves("Docker's proxy: what mounts the socket that DOCKER_HOST names gets the daemon's own")
def test_the_socket_that_is_mounted(proxy: Proxy, way: Way, docker: Engine, engine: Engine, name: str) -> None:
    engine("create", f"--name={name}", f"--volume={proxy.socket}:/docker.sock", engine.image, "true")

    about = docker("inspect", "--format={{json .HostConfig.Binds}}", name).stdout
    assert json.loads(about) == [f"{UPSTREAM if way.shadows else proxy.socket}:/docker.sock"]
