"""The templates: what each says, what `init` does with them, and what is published."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from lab import missing
from layout import fill
from paude_venv_hook.cli import main
from paude_venv_hook.commands import init as templates
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.settings import read_settings
from paude_venv_hook.workspace.setup import BY_CONTENT, UNGUARDED, read_set_ups
from registry import Registry, running_registry

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
SCHEMAS = Path(__file__).parent / "schemas"
CONFIG, METADATA = ".devcontainer/devcontainer.json", "devcontainer-template.json"
GUARD = ".devcontainer/own-venv.sh"

IDS = ["hatch", "monorepo", "pdm", "pip", "pipenv", "poetry", "uv"]
VENVS = {"hatch": [".hatch"], "monorepo": [".venv", "legacy/.venv"]}
INTERPRETERS = {"hatch": ".hatch/default/bin/python"}
VARIABLES = {
    "monorepo": {"UV_LINK_MODE": "copy"},
    "pipenv": {"PIPENV_VENV_IN_PROJECT": "1"},
    "uv": {"UV_LINK_MODE": "copy"},
}
LOCKS = {"monorepo": "uv.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock", "poetry": "poetry.lock", "uv": "uv.lock"}
LOCK_FILES = re.compile(r"(.*[.-])?lock(\.\w+)?|pylock\..*", re.IGNORECASE)
# Keys that each engine, each tool of the specification, and a machine without the hook understand.
PORTABLE_KEYS = {
    "containerEnv",
    "customizations",
    "image",
    "initializeCommand",
    "name",
    "onCreateCommand",
    "postCreateCommand",
    "postStartCommand",
    "waitFor",
}

each_template = pytest.mark.parametrize("template", IDS)
# And this repository, which is its own user.
each_project = pytest.mark.parametrize("project", [*(TEMPLATES / name for name in IDS), ROOT], ids=[*IDS, "ours"])


def config_of(project: Path) -> dict[str, Any]:
    """Return what its devcontainer.json says."""
    return read_object(str(project / CONFIG))


def guard_of(name: str) -> str:
    """Return what a template, or this repository, puts before its setup."""
    return f"sh {GUARD} {' '.join(VENVS.get(name, ['.venv']))} && "


def setup_of(template: str) -> str:
    """Return the setup that the template's devcontainer.json runs, after what guards the host's venv."""
    command: str = config_of(TEMPLATES / template)["postCreateCommand"]
    return command.removeprefix(guard_of(template))


def metadata_of(template: str) -> dict[str, Any]:
    return read_object(str(TEMPLATES / template / METADATA))


def files_of(template: str) -> list[str]:
    """Return the files of a template, as the repository has them."""
    return sorted(templates._files(str(TEMPLATES / template)))  # noqa: SLF001 - a trial in there may have left more


def texts_of(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in the folder, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- what each says


def test_there_is_a_template_for_each_tool() -> None:
    assert templates.template_ids() == IDS


@each_template
def test_the_metadata_is_as_the_specification_wants_it(template: str) -> None:
    metadata = metadata_of(template)
    schema = json.loads((SCHEMAS / "devContainerTemplate.schema.json").read_text())

    jsonschema.Draft7Validator(schema).validate(metadata)
    assert metadata["id"] == template
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["version"])
    assert metadata["name"] == config_of(TEMPLATES / template)["name"]
    assert metadata["description"]


@each_template
def test_the_option_of_the_metadata_is_the_tag_of_the_image(template: str) -> None:
    (name,) = metadata_of(template)["options"]
    option = metadata_of(template)["options"][name]
    image, tag = config_of(TEMPLATES / template)["image"].rsplit(":", 1)

    assert name == "imageVariant"
    assert image == "mcr.microsoft.com/devcontainers/python"
    assert option["default"] == tag
    assert tag in option["proposals"]
    assert read_object(str(TEMPLATES / template / "paude.json"))["base"] == f"{image}:{tag}"


def devcontainer_schema() -> jsonschema.Draft201909Validator:
    return jsonschema.Draft201909Validator(json.loads((SCHEMAS / "devContainer.base.schema.json").read_text()))


@each_project
def test_devcontainer_json_is_as_the_specification_wants_it(project: Path) -> None:
    devcontainer_schema().validate(config_of(project))


@pytest.mark.parametrize("change", [{"waitfor": "postStartCommand"}, {"waitFor": "postAttachCommand"}, {"image": 3}])
def test_the_schema_of_the_specification_tells_a_wrong_devcontainer_json(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        devcontainer_schema().validate({**config_of(ROOT), **change})


@each_project
def test_devcontainer_json_is_portable(project: Path) -> None:
    config = config_of(project)
    hook = config.pop("initializeCommand")

    assert config.keys() | {"initializeCommand"} <= PORTABLE_KEYS
    assert "paude" not in json.dumps({**config, "name": ""})
    assert "paude" in hook


@each_project
def test_the_venv_is_made_once_and_at_a_start_only_if_it_is_gone(project: Path) -> None:
    config = config_of(project)
    guard, setup = config["postCreateCommand"].split(" && ", 1)

    assert f"{guard} && " == guard_of(project.name)
    start = config["postStartCommand"]
    assert start.startswith(f"{guard} && (test -x ")
    assert start.endswith((f" || {setup})", f" || ({setup}))"))
    set_ups = read_set_ups(str(project / CONFIG), str(project))
    assert {(item.key, item.guard) for item in set_ups} == {
        ("postCreateCommand", UNGUARDED),
        ("postStartCommand", BY_CONTENT),
    }


@each_project
def test_an_editor_waits_for_the_venv_and_finds_it(project: Path) -> None:
    config = config_of(project)
    interpreter = INTERPRETERS.get(project.name, ".venv/bin/python")

    assert config["waitFor"] == "postStartCommand"
    settings = config["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"] == f"${{containerWorkspaceFolder}}/{interpreter}"


@each_project
def test_each_tool_has_the_variables_that_it_needs(project: Path) -> None:
    host = {"LOCAL_WORKSPACE_FOLDER": "${localWorkspaceFolder}"}
    assert config_of(project)["containerEnv"] == {**VARIABLES.get(project.name, {}), **host}


def test_poetry_and_hatch_have_their_settings_in_files_that_count_on_the_host_too() -> None:
    assert (TEMPLATES / "poetry/poetry.toml").read_text().splitlines()[1:] == ["[virtualenvs]", "in-project = true"]
    assert 'path = ".hatch/default"' in (TEMPLATES / "hatch/hatch.toml").read_text().splitlines()


@each_template
def test_paude_json_is_as_our_schema_wants_it(template: str) -> None:
    schema = json.loads((ROOT / "hook/paude_venv_hook/schemas/paude.json").read_text())

    settings = json.loads((TEMPLATES / template / "paude.json").read_text())

    jsonschema.Draft202012Validator(schema).validate(settings)
    assert settings["venv"] == VENVS.get(template, "auto")


@each_template
def test_paude_json_has_a_comment_before_each_key(template: str) -> None:
    keys = list(read_object(str(TEMPLATES / template / "paude.json")))

    # The last one says how to choose another storage than the user's own paude.json, which a key would beat.
    assert keys == ["// base", "base", "// setup", "setup", "// venv", "venv", "// venv-storage"]


@each_template
def test_a_storage_is_written_after_its_comment(init: Init, workspace: Path, template: str) -> None:
    done = init(f"--template={template}", "--storage=disk")

    assert "paude.json" in done.out
    text = (workspace / "paude.json").read_text()
    ours = (TEMPLATES / template / "paude.json").read_text()
    assert text == ours.removesuffix("\n}\n") + ',\n  "venv-storage": "disk"\n}\n'
    assert json.loads(text)["venv-storage"] == "disk"
    assert read_settings(str(workspace), None, {}).storage == "disk"


def test_a_storage_is_to_be_merged_where_paude_json_is_there(init: Init, workspace: Path) -> None:
    template = (TEMPLATES / "uv/paude.json").read_text()
    fill(workspace, f"paude.json = {template}")

    assert init("--template=uv", "--storage=disk").err[-3:-1] == [
        "merge into paude.json:",
        '    "venv-storage": "disk"',
    ]
    assert (workspace / "paude.json").read_text() == template
    fill(workspace, "paude.json = " + template.replace('"auto"', '"auto", "venv-storage": "disk"'))
    assert "merge into paude.json:" not in init("--template=uv", "--storage=disk").err


def test_an_unknown_storage_is_refused(init: Init, workspace: Path) -> None:
    done = init("--template=uv", "--storage=dsik")

    assert (done.code, done.out) == (2, [])
    assert os.listdir(workspace) == []


@each_template
def test_paude_does_the_same_setup(template: str) -> None:
    config = config_of(TEMPLATES / template)
    tool = f"({config['onCreateCommand']}) && " if "onCreateCommand" in config else ""

    settings = read_object(str(TEMPLATES / template / "paude.json"))

    assert settings["setup"] == tool + config["postCreateCommand"]


@each_template
def test_the_hook_shadows_what_the_template_makes(
    template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "app"), "--template", template]) == 0
    capsys.readouterr()

    code = main(["print", "--format=json", "--engine=docker", "--workspace-folder", str(tmp_path / "app")])

    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    shadows = [shadow["path"] for shadow in json.loads(printed.out)["shadows"]]
    assert shadows == VENVS.get(template, [".venv"])
    ignored = (TEMPLATES / template / ".gitignore").read_text().splitlines()
    assert {f"{Path(path).name}/" for path in shadows} <= set(ignored)


@each_template
def test_the_readme_says_in_a_few_lines_what_to_know(template: str) -> None:
    lines = (TEMPLATES / template / "README.md").read_text().splitlines()
    host, container, tests = (next(line for line in lines if f"- {word}" in line) for word in ("Host", "Con", "Tests"))
    venv = VENVS.get(template, [".venv"])[0]

    assert 12 <= len(lines) <= 15
    assert f"`{setup_of(template)}`" in host
    assert f"`{LOCKS[template]}`" in host if template in LOCKS else "makes no lock file" in host
    assert ("commit" in host) == (template in LOCKS)
    assert "`devcontainer up --workspace-folder . --docker-path paude-venv-docker`" in container
    assert "pytest" in tests
    assert any("`postStartCommand` makes " in line for line in lines)
    assert any(f"`[ -d {venv} ]` is always true" in line for line in lines)


@each_template
def test_no_lock_file_and_no_index_is_shipped(template: str) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--", TEMPLATES / template], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()

    names = [os.path.basename(path) for path in (*tracked, *files_of(template))]
    assert [name for name in names if LOCK_FILES.fullmatch(name)] == []
    for path in files_of(template):
        text = (TEMPLATES / template / path).read_text()
        assert not re.search(r"://|pypi|\[\[.*source|index-url", text), path


@each_template
def test_the_example_is_a_package_with_a_compiled_dependency_and_tests(template: str) -> None:
    package = Path("packages/wordcount" if template == "monorepo" else ".")
    own, pip = TEMPLATES / template / package, TEMPLATES / "pip"

    assert 'dependencies = ["regex>=' in (own / "pyproject.toml").read_text()
    for path in ("src/wordcount/__init__.py", "tests/test_wordcount.py"):
        assert (own / path).read_bytes() == (pip / path).read_bytes()


# ---- what guards the host's venv, inside of a container


def test_the_guard_is_the_same_everywhere() -> None:
    assert {(TEMPLATES / template / GUARD).read_bytes() for template in IDS} == {(ROOT / GUARD).read_bytes()}


Guard = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def guard(workspace: Path) -> Guard:
    """Return a function that runs the guard in the workspace, which the host has at `/home/me/app`."""

    def run(*directories: str, host: str | None = "/home/me/app") -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if name != "LOCAL_WORKSPACE_FOLDER"}
        environ |= {} if host is None else {"LOCAL_WORKSPACE_FOLDER": host}
        return subprocess.run(
            ["sh", ROOT / GUARD, *(directories or (".venv",))],
            cwd=workspace,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def refused(directory: str) -> tuple[int, str, str]:
    message = (
        f"{directory} may be the host's and is left alone. For one of the container's own, install paude-venv-hook "
        "and run: devcontainer up --workspace-folder . --docker-path paude-venv-docker --remove-existing-container "
        "(VS Code: set dev.containers.dockerPath to paude-venv-docker, and rebuild). To share one instead, remove it "
        "first.\n"
    )
    return 1, "", message


def what(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


ALLOWED = (0, "", "")

# How each tool writes down where a venv was made: lines of bin/activate.
RECORDS = {
    "venv": 'VIRTUAL_ENV="{}"\nexport VIRTUAL_ENV\n',
    "venv of 3.12": '    export VIRTUAL_ENV=$(cygpath "{0}")\nelse\n    export VIRTUAL_ENV="{0}"\nfi\n',
    "venv of 3.13": "        VIRTUAL_ENV=$(cygpath {0})\n        ;;\n    *)\n        export VIRTUAL_ENV={0}\n",
    "virtualenv": '    if [ -d "$CURRENT_ENV" ]; then\n        VIRTUAL_ENV="$CURRENT_ENV"\n'
    "    else\n        VIRTUAL_ENV={}\n    fi\n",
    "uv": "VIRTUAL_ENV='{}'\n    VIRTUAL_ENV=$(cygpath -u \"$VIRTUAL_ENV\")\nexport VIRTUAL_ENV\n",
}


def make_venv_of(folder: Path, made_at: Path | str, record: str = RECORDS["venv"]) -> None:
    """Make what counts as a venv, which says that it was made at the path."""
    fill(folder, "pyvenv.cfg", f"bin/activate = {record.format(made_at)}")


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (".venv/",),
        (".venv/.gitkeep",),
        (".venv/.gitignore = *", ".venv/CACHEDIR.TAG"),  # where uv was interrupted
        ("venvs/x/", ".venv -> venvs/x"),
    ],
)
def test_where_there_is_no_venv_the_setup_runs(guard: Guard, workspace: Path, entries: tuple[str, ...]) -> None:
    fill(workspace, *entries)

    assert what(guard()) == ALLOWED
    assert what(guard(host=str(workspace))) == ALLOWED


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_venv_made_at_the_containers_path_is_its_own(guard: Guard, workspace: Path, record: str) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv", record)

    assert what(guard()) == ALLOWED


def test_a_real_venv_is_told_by_where_it_was_made(guard: Guard, workspace: Path) -> None:
    for path in (".venv", "venvs/with a blank"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", workspace / path], check=True)

    assert what(guard(".venv", "venvs/with a blank")) == ALLOWED
    (workspace / ".venv").rename(workspace / "moved")
    assert what(guard("moved")) == refused("moved")


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize(
    "path", ["/home/me/app/.venv", "{}/.venv2", "{}/.ven", "{}.venv", "/x{}/.venv", "{}/.venv/", ""]
)
def test_a_venv_made_at_another_path_stops_the_setup(guard: Guard, workspace: Path, record: str, path: str) -> None:
    make_venv_of(workspace / ".venv", path.format(workspace), record)

    assert what(guard()) == refused(".venv")


@pytest.mark.parametrize(
    "entries",
    [
        (".venv/pyvenv.cfg = home = /nowhere",),
        (".venv/pyvenv.cfg", ".venv/bin/activate/"),
        (".venv/pyvenv.cfg", ".venv/Scripts/activate = x"),  # of Windows
        (".venv/bin/activate = VIRTUAL_ENV=$(dirname $0)",),  # made before virtualenv 20, or relocatable
        (".venv/conda-meta/history",),
        (".venv/default/pyvenv.cfg",),
        (".venv = /home/me/.virtualenvs/app",),
        (".venv -> /home/me/.virtualenvs/app",),
        (".venv -> .venv",),
    ],
)
def test_a_venv_that_does_not_say_where_it_was_made_stops_the_setup(
    guard: Guard, workspace: Path, entries: tuple[str, ...]
) -> None:
    fill(workspace, *entries)
    before = texts_of(workspace)

    assert what(guard()) == refused(".venv")
    assert texts_of(workspace) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_venv_that_cannot_be_looked_into_stops_the_setup(guard: Guard, workspace: Path) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv")
    (workspace / ".venv").chmod(0)

    assert what(guard()) == refused(".venv")


@pytest.mark.parametrize("host", [None, "", "{}", "{}/below", "{parent}"])
def test_where_the_host_may_have_the_same_path_the_path_tells_nothing(
    guard: Guard, workspace: Path, host: str | None
) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv")

    same = host and host.format(workspace, parent=workspace.parent)

    assert what(guard(host=same)) == refused(".venv")


@pytest.mark.parametrize("host", ["{}2", "{parent}/ap", "${{localWorkspaceFolder}}"])
def test_a_host_path_that_looks_much_alike_is_another_one(guard: Guard, workspace: Path, host: str) -> None:
    """The last is what VS Code says where it cloned a repository into a volume: there is no such folder."""
    make_venv_of(workspace / ".venv", workspace / ".venv")

    assert what(guard(host=host.format(workspace, parent=workspace.parent))) == ALLOWED


Mount = Callable[..., None]


@pytest.fixture
def mount(programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Mount:
    """Return a function that makes the guard see these mount points, written as the kernel does, and no others."""

    def run(*paths: Path | str) -> None:
        escaped = [str(path).replace("\\", r"\134").replace(" ", r"\040") for path in paths]
        program = programs("cut", f"printf '%s\\n' / {shlex.join(escaped)} /proc")
        monkeypatch.setenv("PATH", f"{program.parent}:{os.defpath}")

    return run


@pytest.mark.parametrize("name", ["app", "my app", r"a\040b", "a*[b]$c", "it's"])
def test_what_is_mounted_there_is_the_containers_own(guard: Guard, workspace: Path, mount: Mount, name: str) -> None:
    venv = workspace / name / ".venv"
    make_venv_of(venv, "/home/me/app/.venv")

    mount(venv)
    assert what(guard(f"{name}/.venv")) == ALLOWED
    assert what(guard(f"{name}/.venv", host=None)) == ALLOWED

    mount(venv.parent, f"{venv}2", str(venv)[:-1], f"/x{venv}", venv / "lib")
    assert what(guard(f"{name}/.venv")) == refused(f"{name}/.venv")


def test_a_symlink_counts_as_what_it_leads_to(guard: Guard, workspace: Path, mount: Mount) -> None:
    fill(workspace, ".venv -> venvs/x")
    make_venv_of(workspace / "venvs/x", "/home/me/app/venvs/x")

    mount()
    assert what(guard()) == refused(".venv")
    mount(workspace / "venvs/x")
    assert what(guard()) == ALLOWED


def test_each_directory_counts(guard: Guard, workspace: Path) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv")
    make_venv_of(workspace / "legacy/.venv", "/home/me/app/legacy/.venv")

    assert what(guard(".venv", "legacy/.venv")) == refused("legacy/.venv")
    assert what(guard("legacy/.venv", ".venv")) == refused("legacy/.venv")


def test_environments_one_level_down_count(guard: Guard, workspace: Path) -> None:
    make_venv_of(workspace / ".hatch/default", workspace / ".hatch/default")
    assert what(guard(".hatch")) == ALLOWED

    make_venv_of(workspace / ".hatch/docs", "/home/me/app/.hatch/docs")
    assert what(guard(".hatch")) == refused(".hatch")


# ---- the command on the host


@each_project
def test_without_the_hook_one_line_says_so(project: Path, programs: Callable[[str, str], Path]) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", config_of(project)["initializeCommand"]], capture_output=True, text=True, check=False
    )

    what = {"hatch": ".hatch", "monorepo": "both .venv"}.get(project.name, ".venv")
    assert done.stderr == f"paude-venv-hook is not installed: host and container share {what}\n"
    assert (done.returncode, done.stdout) == (0, "")


@each_project
@pytest.mark.parametrize("code", [0, 1])
def test_the_result_of_the_hook_is_that_of_the_launch(
    project: Path, code: int, programs: Callable[[str, str], Path]
) -> None:
    programs("paude-venv-hook", f'echo "called with $#"; echo said >&2; exit {code}')

    done = subprocess.run(
        ["/bin/sh", "-c", config_of(project)["initializeCommand"]], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (code, "called with 0\n", "said\n")


# ---- init


class Done(NamedTuple):
    """What `init` did."""

    code: int
    out: list[str]
    err: list[str]


Init = Callable[..., Done]


@pytest.fixture
def init(capsys: pytest.CaptureFixture[str]) -> Init:
    """Return a function that runs `paude-venv-hook init`."""

    def run(*arguments: str | Path) -> Done:
        code = main(["init", *map(str, arguments)])
        out, err = capsys.readouterr()
        return Done(code, out.splitlines(), err.splitlines())

    return run


def left_alone(*paths: str) -> list[str]:
    return [f"{path} is there already and was left alone" for path in paths]


def next_step(folder: str = ".", *, merge: bool = False) -> str:
    first = "merge what is shown above, then " if merge else ""
    return f"next: {first}devcontainer up --workspace-folder {folder} --docker-path paude-venv-docker"


LEFT_OUT = "the folder holds a Python project already, so the example is left out"


@each_template
@pytest.mark.parametrize("folder", ["new", "deep/below/new"])
def test_a_new_folder_gets_the_whole_template(init: Init, workspace: Path, template: str, folder: str) -> None:
    done = init(folder, "--template", template)

    assert done == (0, files_of(template), [next_step(folder)])
    copied = texts_of(workspace / folder)
    assert copied == {path: (TEMPLATES / template / path).read_bytes() for path in files_of(template)}
    assert METADATA not in copied


def test_the_current_folder_is_the_default(init: Init, workspace: Path) -> None:
    assert init("--template=uv") == (0, files_of("uv"), [next_step()])
    assert sorted(texts_of(workspace)) == files_of("uv")


def test_a_folder_without_a_python_project_gets_the_whole_template(init: Init, workspace: Path) -> None:
    fill(workspace, "LICENSE = mine", "src/other.c = mine", "README.md = mine")

    done = init("--template=pip")

    assert done == (
        0,
        [path for path in files_of("pip") if path != "README.md"],
        [*left_alone("README.md"), next_step()],
    )
    assert (workspace / "README.md").read_text() == "mine"


def test_without_a_template_they_are_listed_and_nothing_is_copied(init: Init, workspace: Path) -> None:
    done = init("new")

    error = "paude-venv-hook: error[usage]: --template: needed; use hatch, monorepo, pdm, pip, pipenv, poetry or uv"
    assert (done.code, done.err) == (2, [error])
    assert [line.split(maxsplit=1) for line in done.out] == [[name, metadata_of(name)["name"]] for name in IDS]
    assert os.listdir(workspace) == []


def test_the_help_and_the_completions_name_the_templates() -> None:
    ((_, keywords), *_) = templates.ARGUMENTS

    assert keywords["metavar"].split("|") == templates.template_ids()


@pytest.mark.parametrize(
    ("config", "image"),
    [
        ('{"image": "debian:13"}', "debian:13"),
        (r'{"image": "a\\g<0>\u00e9"} // mine', "a\\g<0>é"),
        ('{"image": "debian:${localEnv:TAG}"}', None),
        ('{"build": {"dockerfile": "Dockerfile"}}', None),
        ('{"dockerComposeFile": "compose.yaml", "service": "web"}', None),
    ],
)
@each_template
def test_paude_json_names_no_other_image_than_the_devcontainer_json_that_is_there(
    init: Init, workspace: Path, template: str, config: str, image: str | None
) -> None:
    fill(workspace, f".devcontainer.json = {config}")

    assert init("--template", template).code == 0

    settings = json.loads((workspace / "paude.json").read_text())
    theirs = json.loads((TEMPLATES / template / "paude.json").read_text())
    assert settings.get("base") == image
    assert list(settings) == [key for key in theirs if image or key not in ("// base", "base")]


@each_template
def test_a_second_time_changes_nothing(init: Init, workspace: Path, template: str) -> None:
    init("--template", template)
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}

    done = init("--template", template)

    assert done == (0, [], [*left_alone(*files_of(template)), next_step()])
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*")} == before


@pytest.mark.parametrize("name", ["Pipfile", "pyproject.toml", "requirements.txt", "setup.cfg", "setup.py"])
def test_a_python_project_gets_the_settings_without_the_example(init: Init, workspace: Path, name: str) -> None:
    (workspace / name).write_text("mine\n")

    done = init("--template=hatch")

    kept = left_alone(name) if name in files_of("hatch") else []
    assert done == (0, [CONFIG, GUARD, ".gitignore", "hatch.toml", "paude.json"], [*kept, LEFT_OUT, next_step()])
    assert (workspace / name).read_text() == "mine\n"


def test_what_a_kept_file_lacks_is_shown(init: Init, workspace: Path) -> None:
    fill(
        workspace,
        "pyproject.toml = mine",
        ".gitignore = __pycache__/\n.venv/\n*.o\n",
        "paude.json = {base: 'debian:13', venv: 'none', /* mine */}",
        ".devcontainer/devcontainer.json = // mine\n"
        '{"name": "mine", "image": "debian:13", "waitFor": "postStartCommand", "postStartCommand": "make"}',
    )
    before = texts_of(workspace)

    done = init("--template=uv")

    settings = read_object(str(TEMPLATES / "uv/paude.json"))
    config = config_of(TEMPLATES / "uv")
    wanted = ["initializeCommand", "onCreateCommand", "postCreateCommand", "postStartCommand"]
    assert done.err == [
        *left_alone(CONFIG, ".gitignore", "paude.json", "pyproject.toml"),
        LEFT_OUT,
        f"merge into {CONFIG}:",
        *(f"    {json.dumps(key)}: {json.dumps(config[key])}," for key in wanted),
        '    "containerEnv": {',
        '      "UV_LINK_MODE": "copy",',
        '      "LOCAL_WORKSPACE_FOLDER": "${localWorkspaceFolder}"',
        "    },",
        '    "customizations": {',
        '      "vscode": {',
        '        "extensions": [',
        '          "ms-python.python"',
        "        ],",
        '        "settings": {',
        '          "python.defaultInterpreterPath": "${containerWorkspaceFolder}/.venv/bin/python"',
        "        }",
        "      }",
        "    }",
        "merge into .gitignore:",
        "  *.egg-info/",
        "  /build/",
        "  /dist/",
        "  .pytest_cache/",
        "merge into paude.json:",
        f'    "setup": {json.dumps(settings["setup"])},',
        '    "venv": "auto"',
        next_step(merge=True),
    ]
    assert (done.code, done.out) == (0, [GUARD])
    guard = {GUARD: (TEMPLATES / "uv" / GUARD).read_bytes()}
    assert texts_of(workspace) == {**before, **guard}


def test_a_table_is_shown_whole(init: Init, workspace: Path) -> None:
    fill(workspace, "pyproject.toml = mine", "poetry.toml = [virtualenvs]\nin-project = false\n")

    done = init("--template=poetry")

    assert done.out == [CONFIG, GUARD, ".gitignore", "paude.json"]
    assert done.err == [
        *left_alone("poetry.toml", "pyproject.toml"),
        LEFT_OUT,
        "merge into poetry.toml:",
        "  [virtualenvs]",
        "  in-project = true",
        next_step(merge=True),
    ]


def test_a_devcontainer_json_elsewhere_stays_the_one_that_counts(init: Init, workspace: Path) -> None:
    config = (TEMPLATES / "pip" / CONFIG).read_text().replace('"waitFor": "postStartCommand"', '"waitFor": "x"')
    (workspace / ".devcontainer.json").write_text(config)

    done = init("--template=pip")

    assert done.out == [path for path in files_of("pip") if path != CONFIG]
    assert done.err == [
        *left_alone(".devcontainer.json"),
        "merge into .devcontainer.json:",
        '    "waitFor": "postStartCommand"',
        next_step(merge=True),
    ]
    assert (workspace / ".devcontainer.json").read_text() == config
    assert os.listdir(workspace / ".devcontainer") == ["own-venv.sh"]


def test_a_guard_that_was_changed_is_shown_whole(init: Init, workspace: Path) -> None:
    init("--template=uv")
    guard = workspace / GUARD
    guard.write_text(guard.read_text().replace("        exit 1\n", ""))

    done = init("--template=uv")

    lines = (TEMPLATES / "uv" / GUARD).read_text().splitlines()
    shown = [f"  {line}" for line in lines if line and line[0] != "#"]
    assert done == (0, [], [*left_alone(*files_of("uv")), f"merge into {GUARD}:", *shown, next_step(merge=True)])


def test_symlinks_are_not_written_through(init: Init, workspace: Path, tmp_path: Path) -> None:
    fill(workspace, "README.md -> ../nowhere", "paude.json -> ../settings")
    (tmp_path / "settings").write_text('{"venv": "auto"}')

    done = init("--template=pip")

    kept = ["README.md", "paude.json"]
    settings = read_object(str(TEMPLATES / "pip/paude.json"))
    assert done == (
        0,
        [path for path in files_of("pip") if path not in kept],
        [
            *left_alone(*kept),
            "merge into paude.json:",
            f'    "setup": {json.dumps(settings["setup"])}',
            next_step(merge=True),
        ],
    )
    assert sorted(os.listdir(tmp_path)) == ["app", "settings"]
    assert (tmp_path / "settings").read_text() == '{"venv": "auto"}'


def test_a_name_that_is_taken_by_a_file_stops_it_before_anything_is_written(init: Init, workspace: Path) -> None:
    (workspace / "src").write_text("mine")

    done = init("--template=pip")

    message = f"{workspace}/src: is in the way of a folder; rename it, or name another folder"
    assert done == (1, [], [f"paude-venv-hook: error[workspace]: {message}"])
    assert os.listdir(workspace) == ["src"]


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_file_is_no_folder(init: Init, workspace: Path, folder: str) -> None:
    (workspace / "file").write_text("mine")

    done = init(folder, "--template=pip")

    message = f"{workspace}/{folder}: is not a directory; name another folder"
    assert done == (1, [], [f"paude-venv-hook: error[workspace]: {message}"])


def test_a_folder_that_cannot_be_read(init: Init, workspace: Path) -> None:
    (workspace / "loop").symlink_to("loop")

    done = init("loop", "--template=pip")

    message = f"{workspace}/loop: cannot be read: Too many levels of symbolic links; name another folder"
    assert done == (1, [], [f"paude-venv-hook: error[workspace]: {message}"])


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc keeps everybody from making a folder")
def test_a_folder_that_cannot_be_made(init: Init) -> None:
    done = init("/proc/new", "--template=pip")

    message = (
        f"/proc/new/{CONFIG}: cannot be written: No such file or directory; make room, or let yourself write there"
    )
    assert done == (1, [], [f"paude-venv-hook: error[workspace]: {message}"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(init: Init, workspace: Path) -> None:
    workspace.chmod(0o555)

    done = init("--template=pip")

    message = f"{workspace}/{CONFIG}: cannot be written: Permission denied; make room, or let yourself write there"
    assert done == (1, [], [f"paude-venv-hook: error[workspace]: {message}"])


def test_a_kept_file_that_is_no_file(init: Init, workspace: Path) -> None:
    fill(workspace, ".gitignore/")

    done = init("--template=pip")

    message = f"{workspace}/.gitignore: cannot be read: Is a directory; make it a readable file, or remove it"
    assert done == (1, [], [f"paude-venv-hook: error[workspace]: {message}"])
    assert os.listdir(workspace) == [".gitignore"]


@pytest.mark.parametrize("name", [".gitignore", "paude.json", ".devcontainer.json"])
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "/dev/tty"])
def test_a_kept_file_that_would_never_end_or_begin(init: Init, workspace: Path, name: str, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(workspace / name)
    else:
        (workspace / name).symlink_to(kind)

    code, out, _ = init("--template=pip")

    found = name != ".devcontainer.json"  # the search for one passes over what is no file
    assert (code, out) == ((1, []) if found else (0, out))
    assert found == (os.listdir(workspace) == [name])


@pytest.mark.parametrize("there", [[], [".devcontainer.json = {}"], [".devcontainer.json = {}", ".gitignore = x"]])
def test_on_a_full_disk_no_file_is_left_that_stops_the_next_one(
    init: Init, workspace: Path, command: list[str], there: list[str]
) -> None:
    resource = pytest.importorskip("resource")
    fill(workspace, *there)
    before = files_in(workspace)
    full = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, {resource.RLIM_INFINITY})); "
    code = f"{full} from paude_venv_hook.cli import main; sys.exit(main(['init', '--template=pip']))"

    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # it writes files too
    done = subprocess.run([command[0], "-c", code], capture_output=True, text=True, check=False, env=environ)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": cannot be written: File too large; make room, or let yourself write there\n")
    assert files_in(workspace) == before
    assert init("--template=pip").code == 0
    assert "" not in files_in(workspace).values()


def files_in(folder: Path) -> dict[str, str]:
    """Return the text of each file below the folder, by its path from there."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_kept_file_that_is_not_json(init: Init, workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv": }')

    done = init("--template=pip")

    message = f'{workspace}/paude.json:1:10: Unexpected "}}"; JSON is expected, with comments and trailing commas'
    assert done == (1, [], [f"paude-venv-hook: error[json-file]: {message} if you like"])
    assert os.listdir(workspace) == ["paude.json"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("poety", ' (did you mean "poetry"?)'),
        ("UV", ' (did you mean "uv"?)'),
        ("conda", ""),
        ("publish", ""),
        ("../templates/uv", ""),
    ],
)
def test_an_unknown_template(init: Init, workspace: Path, name: str, hint: str) -> None:
    use = "use hatch, monorepo, pdm, pip, pipenv, poetry or uv"
    assert init("--template", name) == (2, [], [f'paude-venv-hook: error[usage]: "{name}" is no template{hint}; {use}'])
    assert os.listdir(workspace) == []


def test_a_name_with_control_characters_is_printed_as_one_line(init: Init) -> None:
    done = init("--template", "a\nb")

    assert done.err == [
        r'paude-venv-hook: error[usage]: "a\nb" is no template; use hatch, monorepo, pdm, pip, pipenv, poetry or uv'
    ]


TRIAL = (".venv/bin/python = x", "uv.lock = x", "src/wordcount/__pycache__/x.pyc = x", "src/x.egg-info/PKG-INFO = x")


def test_an_installed_package_has_its_own_and_a_trial_in_them_is_not_copied(
    init: Init, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages/paude_venv_hook"
    shutil.copytree(TEMPLATES / "uv", package / "templates/uv", ignore=shutil.ignore_patterns(".venv", "*.lock"))
    fill(package / "templates/uv", *TRIAL)
    fill(package / "templates", "no-template/file")
    monkeypatch.setattr(templates, "__file__", str(package / "commands" / "init.py"))

    assert templates.template_ids() == ["uv"]
    assert init("--template=uv") == (0, files_of("uv"), [next_step()])
    assert sorted(texts_of(workspace)) == files_of("uv")


# ---- publish


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with the templates, in which each was tried."""
    folder = tmp_path / "repository"
    (folder / "templates").mkdir(parents=True)
    shutil.copy(TEMPLATES / "publish", folder / "templates")
    for template in IDS:
        for path in (*files_of(template), METADATA):
            target = folder / "templates" / template / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATES / template / path, target)
        fill(folder / "templates" / template, *TRIAL)
    (folder / ".gitignore").write_text(".venv/\n.hatch/\n")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


def publish(repository: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": path or os.environ["PATH"]}
    command: list[str | Path] = [repository / "templates/publish", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ)


def published(template: str, path: str, tag: str) -> bytes:
    """Return what a published file of the template is, with this tag of the image."""
    data = (TEMPLATES / template / path).read_bytes()
    default: str = metadata_of(template)["options"]["imageVariant"]["default"]
    if path in (CONFIG, "paude.json"):
        image = "mcr.microsoft.com/devcontainers/python:"
        assert data.count(f"{image}{default}".encode()) == 1
        return data.replace(f"{image}{default}".encode(), f"{image}{tag}".encode())
    return data


def test_what_is_published_has_the_option_in_place_of_the_tag(repository: Path, tmp_path: Path) -> None:
    program = fill(tmp_path, "programs/").joinpath("programs/devcontainer")
    program.write_text(f'#!/bin/sh\nfor last; do :; done\ncp -R "$last" {tmp_path}/seen\necho "$@"\necho "$last"\n')
    program.chmod(0o755)

    done = publish(repository, "ghcr.io", "me/templates", path=f"{program.parent}:{os.environ['PATH']}")

    words, folder = done.stdout.splitlines()
    assert words == f"templates publish --registry ghcr.io --namespace me/templates {folder}"
    assert (done.returncode, done.stderr) == (0, "")
    assert not os.path.exists(folder)
    assert texts_of(tmp_path / "seen") == {
        f"{template}/{path}": published(template, path, "${templateOption:imageVariant}")
        for template in IDS
        for path in (*files_of(template), METADATA)
    }


@pytest.mark.parametrize("arguments", [(), ("ghcr.io",), ("ghcr.io", "me/templates", "more")])
def test_publish_says_what_it_needs(repository: Path, arguments: tuple[str, ...]) -> None:
    done = publish(repository, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usage: templates/publish REGISTRY NAMESPACE\n"


def test_the_result_of_the_tools_is_that_of_publish(repository: Path, tmp_path: Path) -> None:
    program = fill(tmp_path, "programs/").joinpath("programs/devcontainer")
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)

    assert publish(repository, "a", "b", path=f"{program.parent}:{os.environ['PATH']}").returncode == 3


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Return a registry of this machine."""
    if not shutil.which("devcontainer"):
        missing("there is no devcontainer CLI on PATH; npm has it as @devcontainers/cli")
    with running_registry() as registry:
        yield registry


def test_the_real_tools_publish_and_apply_each_template(repository: Path, registry: Registry, tmp_path: Path) -> None:
    """With a registry of this machine; `apply` itself leaves out the README."""
    done = publish(repository, registry.name, "me/templates")
    assert done.returncode == 0, done.stderr
    assert {name: about["version"] for name, about in json.loads(done.stdout).items()} == dict.fromkeys(IDS, "1.0.0")

    for template in IDS:
        folder = tmp_path / template
        folder.mkdir()
        tag = "3.12" if template == "uv" else "3.13"
        options = ["--template-args", '{"imageVariant": "3.12"}'] if template == "uv" else []
        options += ["--template-id", f"{registry.name}/me/templates/{template}"]
        command = ["devcontainer", "templates", "apply", "--workspace-folder", str(folder), *options]
        applied = subprocess.run(command, capture_output=True, text=True, check=False)
        assert applied.returncode == 0, applied.stderr
        paths = [path for path in files_of(template) if path != "README.md"]
        assert texts_of(folder) == {path: published(template, path, tag) for path in paths}
