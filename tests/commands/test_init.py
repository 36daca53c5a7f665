"""`init`: what it copies, what it leaves alone, and what it says is to be merged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from layout import fill
from paude_venv_hook.cli import main
from paude_venv_hook.commands import init as templates
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.settings import read_settings
from template_files import (
    CONFIG,
    GUARD,
    IDS,
    METADATA,
    TEMPLATES,
    TRIAL,
    config_of,
    each_template,
    files_of,
    metadata_of,
    texts_of,
)


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


USE = "use hatch, monorepo, pdm, pip, pipenv, poetry or uv"
OTHER = "name another folder"
NO_FOLDER = "choose another folder"
JSON = "JSON is expected, with comments and trailing commas if you like"
on_linux = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc keeps everybody from making a folder")
# What is there, the folder and the template that are asked for, the kind of the error, and what is said.
REFUSALS = [
    ("src = x", ".", "pip", "workspace", f"{{app}}/src: is in the way of a folder; rename it, or {OTHER}"),
    ("file = x", "file", "pip", "workspace", f"{{app}}/file: is not a directory; {OTHER}"),
    ("file = x", "file/below", "pip", "workspace", f"{{app}}/file/below: is not a directory; {OTHER}"),
    ("x -> x", "x", "pip", "workspace", f"{{app}}/x: cannot be read: Too many levels of symbolic links; {OTHER}"),
    pytest.param(
        "x", "/proc/new", "pip", "workspace",
        f"/proc/new/{CONFIG}: cannot be written: No such file or directory; {NO_FOLDER}", marks=on_linux,
    ),
    (
        ".gitignore/", ".", "pip", "workspace",
        "{app}/.gitignore: cannot be read: Is a directory; remove what is in the way",
    ),
    ('paude.json = {"venv": }', ".", "pip", "json-file", f'{{app}}/paude.json:1:10: Unexpected "}}}}"; {JSON}'),
    ("x", ".", "poety", "usage", f'"poety" is no template (did you mean "poetry"?); {USE}'),
    ("x", ".", "UV", "usage", f'"UV" is no template (did you mean "uv"?); {USE}'),
    ("x", ".", "conda", "usage", f'"conda" is no template; {USE}'),
    ("x", ".", "publish", "usage", f'"publish" is no template; {USE}'),
    ("x", ".", "../templates/uv", "usage", f'"../templates/uv" is no template; {USE}'),
    ("x", ".", "a\nb", "usage", rf'"a\nb" is no template; {USE}'),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "folder", "template", "kind", "message"), REFUSALS)
def test_what_stops_it_before_anything_is_written_is_one_line(
    init: Init, workspace: Path, entry: str, folder: str, template: str, kind: str, message: str
) -> None:
    fill(workspace, entry)
    before = os.listdir(workspace)

    done = init(folder, "--template", template)

    error = f"paude-venv-hook: error[{kind}]: {message.format(app=workspace)}"
    assert done == (2 if kind == "usage" else 1, [], [error])
    assert os.listdir(workspace) == before


def test_an_unknown_storage_is_refused(init: Init, workspace: Path) -> None:
    done = init("--template=uv", "--storage=dsik")

    assert (done.code, done.out) == (2, [])
    assert os.listdir(workspace) == []


@pytest.mark.usefixtures("powerless")
def test_a_folder_without_the_right_to_write(init: Init, workspace: Path) -> None:
    workspace.chmod(0o555)

    done = init("--template=pip")

    message = f"{workspace}/{CONFIG}: cannot be written: Permission denied; let yourself write it"
    assert done == (1, [], [f"paude-venv-hook: error[workspace]: {message}"])


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
    assert done.stderr.endswith(": cannot be written: File too large; raise ulimit -f\n")
    assert files_in(workspace) == before
    assert init("--template=pip").code == 0
    assert "" not in files_in(workspace).values()


def files_in(folder: Path) -> dict[str, str]:
    """Return the text of each file below the folder, by its path from there."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


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
