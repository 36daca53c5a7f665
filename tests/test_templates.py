"""The templates: what each says, and what is published of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from lab import need_devcontainer_cli
from layout import fill
from paude_venv_hook.cli import main
from paude_venv_hook.commands import init as templates
from paude_venv_hook.workspace.environments import BY_CONTENT, UNGUARDED
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.lifecycle import read_set_ups
from registry import Registry, running_registry
from template_files import (
    CONFIG,
    IDS,
    METADATA,
    ROOT,
    TEMPLATES,
    TRIAL,
    VENVS,
    config_of,
    each_project,
    each_template,
    files_of,
    guard_of,
    metadata_of,
    texts_of,
)

SCHEMAS = Path(__file__).parent / "schemas"

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


def setup_of(template: str) -> str:
    """Return the setup that the template's devcontainer.json runs, after what guards the host's venv."""
    command: str = config_of(TEMPLATES / template)["postCreateCommand"]
    return command.removeprefix(guard_of(template))


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
    need_devcontainer_cli()
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
