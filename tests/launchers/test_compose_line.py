"""Command lines of compose: what is read from them, what is added, and that it changes nothing but the shadows."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeVenv
from lab import missing
from layout import fill
from outcomes import Outcome, destinations, outcome
from paude_venv_hook.cli import main
from paude_venv_hook.engines.compose_grammar import parse_compose
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.launchers.compose_line import rewrite_compose_line
from paude_venv_hook.terminal import WARNINGS
from real.containers import ENVIRONMENT

Programs = Callable[[str, str], Path]

PODMAN = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"
WRAPPER = "import sys; sys.argv[0] = '{own}'; from paude_venv_hook.launchers.wrapper import {name}; sys.exit({name}())"


# ---- what is added, with a compose that tells what the test wants


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    make_venv(workspace / ".venv")
    fill(workspace, "compose.yaml")
    return workspace


def project(programs: Programs, name: str = "docker", **services: Any) -> Path:
    """Make a program of compose that tells these services, and else prints its arguments."""
    config = json.dumps({"name": "app", "services": services})
    script = f"""case "$*" in
        --version) echo "Docker version 28" ;;
        *version) echo "Docker Compose version v2" ;;
        *"config --format json") printf '%s' '{config}' ;;
        *) printf '%s\\n' "$@" ;;
    esac"""
    return programs(name, script)


def bind(source: Path, target: str, **more: Any) -> dict[str, Any]:
    return {"volumes": [{"type": "bind", "source": str(source), "target": target}], **more}


def prepare(program: Path | str, *arguments: str, folder: Path, environ: dict[str, str] | None = None) -> Outcome:
    line = parse_compose(os.path.basename(program), arguments)
    assert line
    return outcome(
        rewrite_compose_line(str(program), arguments, line, environ or dict(os.environ), str(folder), WARNINGS)
    )


def added_file(added: Outcome) -> dict[str, list[str]]:
    """Return the destinations of each service in the one file that was added."""
    [(path, data)] = added.files.items()
    assert path in added.words
    services = json.loads(data)["services"]
    return {name: [entry.partition(":")[0] for entry in own.get("tmpfs", [])] for name, own in services.items()}


def test_every_service_that_binds_a_workspace_is_shadowed_at_its_own_place(
    app: Path, make_venv: MakeVenv, programs: Programs
) -> None:
    make_venv(app / "backend" / ".venv")
    docker = project(programs, web=bind(app, "/code"), api=bind(app / "backend", "/srv"), all=bind(app.parent, "/all"),
                     db={}, data={"volumes": [{"type": "volume", "source": "x", "target": "/code"}]})  # fmt: skip

    added = prepare(docker, "compose", "up", "-d", folder=app)

    assert added_file(added) == {"web": ["/code/.venv"], "api": ["/srv/.venv"], "all": ["/all/app/.venv"]}
    [path] = added.files
    assert added.words == ["compose", "-f", str(app / "compose.yaml"), "-f", path, "up", "-d"]
    assert os.path.dirname(path) == str(Path(os.environ["HOME"], ".cache/paude/venv-overlays"))


def test_the_shadows_are_the_same_from_wherever_it_is_started(app: Path, programs: Programs) -> None:
    fill(app, "docker/", "src/deep/")
    docker = project(programs, web=bind(app, "/code"))

    first, second = (prepare(docker, "compose", "up", folder=folder) for folder in (app, app / "src" / "deep"))

    assert first._replace(answers=()) == second._replace(answers=())
    assert destinations(first) == destinations(second) == ["/code/.venv"]


def test_a_file_is_appended_to_those_that_are_named(app: Path, programs: Programs) -> None:
    docker = project(programs, web=bind(app, "/code"))

    added = prepare(docker, "compose", "-f", "a.yaml", "--file=b.yaml", "-p", "x", "run", "-f", "web", folder=app)

    [path] = added.files
    assert added.words == ["compose", "-f", "a.yaml", "--file=b.yaml", "-p", "x", "-f", path, "run", "-f", "web"]


@pytest.mark.parametrize(
    ("arguments", "environ", "files"),
    [
        ([], {"COMPOSE_FILE": "a.yaml:/b.yaml"}, ["a.yaml", "/b.yaml"]),
        ([], {"COMPOSE_FILE": "a.yaml,b.yaml", "COMPOSE_PATH_SEPARATOR": ","}, ["a.yaml", "b.yaml"]),
        (["--project-directory", "sub"], {}, ["{app}/sub/compose.yml"]),
    ],
)
def test_the_files_that_compose_would_read_are_named(
    app: Path, programs: Programs, arguments: list[str], environ: dict[str, str], files: list[str]
) -> None:
    fill(app, "sub/compose.yml")
    docker = project(programs, web=bind(app, "/code"))

    added = prepare(docker, "compose", *arguments, "up", folder=app, environ={**os.environ, **environ})

    named = [word for file in files for word in ("-f", file.format(app=app))]
    assert added.words[:-3] == ["compose", *arguments, *named]


def test_a_variable_in_a_file_is_what_compose_reads_there(app: Path, programs: Programs) -> None:
    fill(app, ".env = COMPOSE_FILE=whatever\n")
    docker = project(programs, web=bind(app, "/code"))
    said = "echo A=1; echo COMPOSE_FILE=x.yaml,y.yaml; echo COMPOSE_PATH_SEPARATOR=,"
    docker.write_text(docker.read_text().replace('case "$*" in', f'case "$*" in *--environment) {said} ;;'))

    added = prepare(docker, "compose", "up", folder=app)

    assert added.words[:-3] == ["compose", "-f", "x.yaml", "-f", "y.yaml"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("case $* in *version) ;; *) echo 'service \"a\" is odd' >&2; exit 15 ;; esac", 'it says: service "a" is odd'),
        ("exit 1", "it is not installed"),
        ("echo services:", "it prints no JSON object"),
    ],
)
def test_a_compose_that_does_not_tell_goes_on_with_one_line(
    app: Path, programs: Programs, script: str, why: str
) -> None:
    added = prepare(programs("docker", script), "compose", "up", folder=app)

    assert (added.answers, added.words) == ((), ["compose", "up"])
    assert added.warnings == [
        f"nothing shadowed: compose does not tell of its project ({why}); run its config command to see what is wrong"
    ]


def test_a_service_that_is_wrong_in_another_profile_is_no_reason_to_shadow_nothing(
    app: Path, programs: Programs
) -> None:
    docker = project(programs, web=bind(app, "/code"))
    docker.write_text(docker.read_text().replace('case "$*" in', 'case "$*" in *--profile*) exit 15 ;;'))

    assert added_file(prepare(docker, "compose", "up", folder=app)) == {"web": ["/code/.venv"]}


@pytest.mark.parametrize(
    ("services", "nothing"),
    [
        ({"db": {"image": "x"}}, "no service has a bind mount that carries a workspace"),
        ({}, "no service has a bind mount that carries a workspace"),
        ({"web": {"volumes": [{"type": "bind", "source": "{app}/docs", "target": "/d"}]}},
         'no venv in {app}/docs, and nothing says there will be one; '
            'if so, write "venv": [".venv"] in docs/paude.json'),
    ],
)  # fmt: skip
def test_a_project_without_the_workspace_is_nothing_to_do(
    app: Path, programs: Programs, services: dict[str, Any], nothing: str
) -> None:
    fill(app, "docs/")
    docker = project(programs, **json.loads(json.dumps(services).replace("{app}", str(app))))

    added = prepare(docker, "compose", "up", folder=app)

    assert (added.words, added.warnings, added.files) == (["compose", "up"], [], {})
    assert added.nothing == nothing.format(app=app)


def test_a_bind_of_run_itself_counts_for_its_service(app: Path, programs: Programs) -> None:
    docker = project(programs, web={}, db={})

    added = prepare(docker, "compose", "run", "--rm", "-v", ".:/app", "-v", "data:/data", "web", folder=app)

    assert added_file(added) == {"web": ["/app/.venv"]}
    assert prepare(docker, "compose", "run", "-v", ".:/app\n", "web", folder=app).files == {}


def test_what_two_services_have_in_common_is_said_once(app: Path, programs: Programs) -> None:
    volumes = [*bind(app, "/code")["volumes"], {"type": "volume", "target": "/code/.venv"}]
    docker = project(programs, web={"volumes": volumes}, worker={"volumes": volumes})

    assert prepare(docker, "compose", "up", folder=app).warnings == [
        ".venv not shadowed: the configuration mounts something on /code/.venv already"
    ]


def test_the_labels_of_the_dev_container_tools_name_the_workspace(app: Path, programs: Programs) -> None:
    fill(app, "sub/uv.lock", ".devcontainer/compose.yaml")
    labels = {"devcontainer.local_folder": str(app / "sub"), "other": "x"}
    docker = project(programs, web=bind(app, "/code", labels=labels))

    added = prepare(docker, "compose", "-f", ".devcontainer/compose.yaml", "up", folder=app)

    assert added_file(added) == {"web": ["/code/sub/.venv", "/code/.venv"]}


@pytest.mark.parametrize(
    ("name", "environ", "said", "form"),
    [
        ("docker-compose", {}, "Docker Compose version v2.40.3", "uid="),
        ("docker-compose", {"DOCKER_HOST": "unix:///run/podman/podman.sock"}, "Docker Compose version v2", PODMAN),
        ("podman", {}, "Docker Compose version v2.40.3", PODMAN),
    ],
)
def test_the_form_is_that_of_the_engine_below(
    app: Path, programs: Programs, name: str, environ: dict[str, str], said: str, form: str
) -> None:
    program = project(programs, name, web=bind(app, "/code"))
    words = ["compose", "up"] if name == "podman" else ["up"]

    added = prepare(program, *words, folder=app, environ={**os.environ, **environ})

    assert form in next(iter(added.files.values())).decode()


@pytest.mark.parametrize("words", [["podman-compose"], ["podman", "compose"], ["docker-compose"]])
def test_podman_compose_starts_the_wrapper_in_place_of_podman(
    app: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    wrapper = programs("paude-venv-podman", "")
    monkeypatch.setattr(sys, "argv", [str(wrapper.with_name("paude-venv-hook"))])
    program = programs(words[0], "echo podman-compose version 1.6.0")
    arguments = [*words[1:], "-f", "a.yaml", "--podman-path", "bin/podman", "up"]

    added = prepare(program, *arguments, folder=app)

    assert added.words == [*arguments[:-1], "--podman-path", str(wrapper), "up"]
    assert added.variables == {"PAUDE_VENV_PODMAN": str(app / "bin/podman"), "PAUDE_VENV_TELLS": "1"}


# ---- real processes


def wrapper(name: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    code = WRAPPER.format(own="paude-venv", name=name)
    words = [sys.executable, "-c", code, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, input=stdin)


@pytest.mark.parametrize(("name", "words"), [("docker", ["compose"]), ("docker_compose", [])])
def test_the_wrappers_add_it_and_write_the_file(app: Path, programs: Programs, name: str, words: list[str]) -> None:
    project(programs, name.replace("_", "-"), web=bind(app, "/code"))

    done = wrapper(name, *words, "up", "-d")

    *before, path, action, flag = done.stdout.splitlines()
    assert before == [*words, "-f", str(app / "compose.yaml"), "-f"]
    assert (action, flag, done.stderr) == ("up", "-d", "")
    assert list(json.loads(Path(path).read_text())["services"]) == ["web"]


def test_with_storage_on_disk_each_service_has_a_store_of_its_own(
    app: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUDE_VENV_STORAGE", "disk")
    project(programs, web=bind(app, "/code", image="x"), api=bind(app, "/code", image="x"), other=bind(app, "/other"))

    done = wrapper("docker", "compose", "up")

    services = json.loads(Path(done.stdout.splitlines()[4]).read_text())["services"]
    volumes = [volume for service in services.values() for volume in service["volumes"]]
    assert [volume["target"] for volume in volumes] == ["/code/.venv", "/code/.venv", "/other/.venv"]
    assert len({volume["source"] for volume in volumes}) == 3
    assert all(os.path.isdir(volume["source"]) for volume in volumes)


@pytest.mark.parametrize("arguments", [["ps"], ["logs", "-f", "web"], ["exec", "web", "sh"], ["down"], ["config"]])
def test_all_else_passes_without_asking(app: Path, programs: Programs, arguments: list[str]) -> None:
    programs("docker", f"echo \"$@\" >>'{app}/asked'")

    assert wrapper("docker", "compose", "-f", "a.yaml", *arguments).stderr == ""
    assert (app / "asked").read_text() == f"compose -f a.yaml {' '.join(arguments)}\n"


def test_exec_says_what_is_shadowed(app: Path, programs: Programs, command: list[str]) -> None:
    project(programs, web=bind(app, "/code"))
    words = [*command, "exec", "--", "docker", "compose", "up"]

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "Shadowing venv: .venv\n")


def test_a_project_from_stdin_is_read_and_handed_on(app: Path, programs: Programs) -> None:
    config = json.dumps({"services": {"web": bind(app, "/code")}})
    programs("docker", f"""case "$*" in
        *json) read -r line; [ "$line" = "the project" ] && printf '%s' '{config}' ;;
        *) printf '%s\\n' "$@"; read -r line; echo "got $line" ;;
    esac""")  # fmt: skip

    words = wrapper("docker", "compose", "-f", "-", "up", stdin="the project\n").stdout.splitlines()

    assert words[:4] == ["compose", "-f", "-", "-f"]
    assert words[5:] == ["--project-directory", str(app), "up", "got the project"]  # else it would be that of the file


@pytest.mark.parametrize("redirection", ["HOME=/dev/null XDG_CACHE_HOME=/dev/null"])
def test_where_the_file_cannot_be_written_compose_starts(
    app: Path, programs: Programs, command: list[str], redirection: str
) -> None:
    project(programs, web=bind(app, "/code"))
    words = ["/bin/sh", "-c", f'{redirection} exec "$@"', "sh", *command, "exec", "docker", "compose", "up"]

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split()) == (0, ["compose", "up"])
    assert done.stderr.startswith("paude-venv-hook: warning: nothing shadowed: /dev/null/")


def test_wrong_settings_stop_the_launch(app: Path, programs: Programs) -> None:
    project(programs, web=bind(app, "/code"))
    fill(app, 'paude.json = {"venv": "Auto"}')

    done = wrapper("docker", "compose", "up")

    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith("paude-venv-hook: error[settings]: ")


# ---- print --output


def test_a_file_of_ours_is_written_again_and_another_one_is_not(
    app: Path, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    project(programs, web=bind(app, "/code"), api=bind(app, "/srv"), db={})
    path = app / "compose.override.yaml"
    words = ["print", "--format", "compose", "--output", str(path)]

    assert main(words) == main(words) == 0
    assert list(json.loads(path.read_text())["services"]) == ["web", "api"]
    assert main([*words, "--service", "api", "--service", "db"]) == 0
    assert json.loads(path.read_text())["services"]["db"] == {}
    assert capfd.readouterr().out == ""
    texts = [
        "services: {}\n",
        "",
        *(
            f'{{"services": {{"web": {own}}}}}'
            for own in ('{"image": "x"}', '{"volumes": ["./:/x"]}', '{"tmpfs": ["/t"]}')
        ),
        '{"services": {}, "name": "x"}',
    ]
    for text in texts:
        path.write_text(text)
        capfd.readouterr()
        assert main(words) == 1
        assert capfd.readouterr() == (
            "",
            f"paude-venv-hook: error[overlay]: {path}: holds more than shadows, and is not overwritten; "
            "write to another file, and name that after this one, with -f or in COMPOSE_FILE\n",
        )
        assert path.read_text() == text


def test_print_makes_the_mount_points_for_the_file_that_stays(
    workspace: Path, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(workspace, "uv.lock")
    project(programs, web=bind(workspace, "/code"))

    assert main(["print", "--format", "compose"]) == 0
    assert not (workspace / ".venv").exists()
    assert main(["print", "--format", "compose", "--output", "venv.json"]) == 0
    assert (workspace / ".venv").is_dir()
    assert "made an empty .venv" in capfd.readouterr().err


# ---- the oracle: the real compose reads the same project, but for the shadows

COMPOSE = ["docker", "compose"]


@pytest.fixture
def real_compose() -> str:
    """Return the host path of docker, whose compose works here without any daemon."""
    docker = find_program("docker", ENVIRONMENT)
    version = docker and ask([docker, "compose", "version"], ENVIRONMENT)
    if not docker or not version or version.returncode:
        missing("docker compose does not work")
    return docker


class Generated:
    """A project of services with binds and what surrounds them, from a seed."""

    def __init__(self, seed: int, app: Path) -> None:
        """Write the project's files into the folder, which has venvs in it and in its `backend`."""
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self.app = app
        self.expected: dict[str, list[str]] = {}
        services = {f"s{index}": self.service(f"s{index}") for index in range(self.rng.randint(1, 4))}
        if self.chance():
            services["s0"]["depends_on"] = ["db"]
        if self.chance(0.3):
            services["heir"] = {"extends": "s0", "environment": {"B": "2"}}
            self.expected["heir"] = list(self.expected["s0"])
        document: dict[str, Any] = {
            "services": {**services, "db": {"image": "db", "environment": {"F": "${COMPOSE_FILE-none}"}}}
        }
        if self.chance(0.3):
            fill(app, "team/c.yaml = " + json.dumps({"services": {"inner": {"image": "x", "volumes": ["..:/inner"]}}}))
            document["include"] = ["team/c.yaml"]
            self.expected["inner"] = ["/inner/.venv"]
        self.stdin = ""
        self.variables: dict[str, str] = {}
        self.arguments: list[str] = ["-p", "given"] if self.chance(0.3) else []
        self.folder = app
        self.lay_out(document)

    def chance(self, of: float = 0.5) -> bool:
        """Return true as often as that."""
        return self.rng.random() < of

    def service(self, name: str) -> dict[str, Any]:
        """Return a service, and note what is expected of it."""
        own: dict[str, Any] = {"image": "x", "labels": {"mine": "$$x"}}
        places = [".", "./backend", "..", "$PWD_OF_APP"]
        sources = self.rng.sample(places, self.rng.randint(0, 3))
        targets = {
            source: self.rng.choice([f"/{name}/t{index}", f"/a b/$$x{index}"]) for index, source in enumerate(sources)
        }
        own["volumes"] = [
            f"{source}:{target}" if self.chance() else {"type": "bind", "source": source, "target": target}
            for source, target in targets.items()
        ]
        if self.chance(0.3):
            own["volumes"].append("/anonymous")
        taken = [f"{targets['.']}/.venv"] if "." in targets and self.chance(0.2) else []
        own["volumes"] += taken
        if self.chance(0.3):
            own["tmpfs"] = self.rng.choice(["/run", ["/run", "/x:mode=700"]])
        if self.chance(0.2):
            own["profiles"] = ["dev"]
        if self.chance(0.2):
            own["develop"] = {"watch": [{"path": "./src", "action": "sync", "target": "/src"}]}
        self.expected[name] = sorted(
            place for source, target in targets.items() for place in self.shadows(source, target, targets)
            if place not in taken
        )  # fmt: skip
        return own

    def shadows(self, source: str, target: str, sources: dict[str, str]) -> list[str]:
        """Return where a bind shows a venv: that of the folder, and of the backend where that is bound too."""
        inner = {".": "", "$PWD_OF_APP": "", "..": "/app", "./backend": None}[source]
        found = [] if inner is None else [f"{target}{inner}/.venv"]
        if "./backend" in sources:
            found.append(f"{target}/.venv" if inner is None else f"{target}{inner}/backend/.venv")
        return found

    def lay_out(self, document: dict[str, Any]) -> None:
        """Write the project in one of the ways in which compose finds it."""
        text = json.dumps(document)
        self.variables["PWD_OF_APP"] = str(self.app)
        how = self.rng.choice(["default", "above", "override", "named", "variable", "env", "stdin", "directory"])
        name = self.rng.choice(["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"])
        second = json.dumps({"services": {"db": {"environment": {"C": "3"}}}})
        self.how = how
        if how == "stdin":
            self.stdin, self.arguments = text, [*self.arguments, "-f", "-"]
            return
        fill(self.app, f"{'first.yaml' if how in ('named', 'variable', 'env') else name} = {text}")
        if how == "above":
            self.folder = self.app / "src" / "deep"
        elif how == "override":
            fill(self.app, f"compose.override.yaml = {second}")
        elif how == "directory":
            self.folder, self.arguments = self.app.parent, [*self.arguments, "--project-directory", "app"]
        elif how != "default":
            fill(self.app, f"second.yaml = {second}")
            files = ["first.yaml", "second.yaml"]
            if how == "named":
                self.arguments += [word for file in files for word in ("-f", file)]
            elif how == "variable":
                self.variables["COMPOSE_FILE"] = ":".join(files)
            else:
                fill(self.app, f'.env = COMPOSE_PATH_SEPARATOR=,\nCOMPOSE_FILE="{",".join(files)}" # both\n')


@pytest.mark.parametrize("seed", range(64))
def test_the_real_compose_reads_the_same_project_but_for_the_shadows(
    workspace: Path, make_venv: MakeVenv, real_compose: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "backend" / ".venv")
    fill(workspace, "src/deep/")
    made = Generated(seed, workspace)
    environ = {**ENVIRONMENT, "HOME": os.environ["HOME"], **made.variables}
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr("paude_venv_hook.launchers.compose_line._reread_stdin", made.stdin.encode)

    def compose(words: list[str], *action: str) -> str:
        done = subprocess.run(
            [real_compose, *words, "--profile", "*", *action], capture_output=True, text=True, check=True, env=environ,
            cwd=made.folder, input=made.stdin,
        )  # fmt: skip
        return done.stdout

    words = ["compose", *made.arguments]
    added = prepare(real_compose, *words, "up", folder=made.folder, environ=environ)
    for path, data in added.files.items():
        fill(Path(path).parent, f"{Path(path).name} = {data.decode()}")
    assert added.words[-1] == "up"
    plain, ours = (json.loads(compose(line, "config", "--format", "json")) for line in (words, added.words[:-1]))
    shadows: dict[str, list[str]] = {}
    for name, service in ours["services"].items():
        before = plain["services"][name].get("tmpfs", [])
        shadows[name] = sorted(entry.partition(":")[0] for entry in service.get("tmpfs", []) if entry not in before)
        if before:
            service["tmpfs"] = before
        else:
            service.pop("tmpfs", None)

    assert ours == plain
    assert {name: found for name, found in shadows.items() if found} == {
        name: places for name, places in made.expected.items() if places
    }
    hashes = [dict(line.split() for line in compose(line, "config", "--hash=*").splitlines()) for line in
              (words, added.words[:-1])]  # fmt: skip
    assert {name for name in hashes[0] if hashes[0][name] != hashes[1][name]} == {
        name for name, found in shadows.items() if found
    }
