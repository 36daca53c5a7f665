"""The built distributions: what is in them, and that the wheel works where the source is not."""

from __future__ import annotations

import email
import re
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path, PurePosixPath

import packaging.metadata
import pytest

from distributions import NAME, Built
from paude_venv_hook import __version__

ROOT = Path(__file__).parents[1]

# The whole wheel. What is added to the package, or to a template, is added here.
PACKAGE = """
    __init__.py
    __main__.py
    cli.py
    command_line/__init__.py
    command_line/options.py
    command_line/parser.py
    commands/__init__.py
    commands/completion.py
    commands/devcontainer_config.py
    commands/docker_proxy.py
    commands/exec.py
    commands/init.py
    commands/install.py
    commands/oci_precreate.py
    commands/path.py
    commands/print.py
    commands/run.py
    commands/schema.py
    commands/status.py
    commands/store.py
    commands/uninstall.py
    commands/verify.py
    decision.py
    digest.py
    docker_api/__init__.py
    docker_api/builder.py
    docker_api/contexts.py
    docker_api/daemon.py
    docker_api/sockets.py
    engines/__init__.py
    engines/arguments.py
    engines/bwrap_grammar.py
    engines/choice.py
    engines/compose_grammar.py
    engines/daemons.py
    engines/mountable.py
    engines/mountinfo.py
    engines/mounts.py
    engines/programs.py
    engines/run_grammar.py
    engines/selinux.py
    engines/table.py
    engines/volumes.py
    errors.py
    files.py
    folders.py
    installation/__init__.py
    installation/changes.py
    installation/coverage.py
    installation/docker_install.py
    installation/docker_record.py
    installation/docker_removal.py
    installation/docker_units.py
    installation/own_program.py
    installation/podman_hook.py
    json_values.py
    launch.py
    launchers/__init__.py
    launchers/asked.py
    launchers/around.py
    launchers/compose.py
    launchers/compose_project.py
    launchers/devcontainer_cli.py
    launchers/flags.py
    launchers/kubernetes.py
    launchers/last_launch.py
    launchers/oci.py
    launchers/ready.py
    launchers/rewritten.py
    launchers/podman_compose.py
    launchers/run_line.py
    launchers/sandbox_line.py
    launchers/settled.py
    launchers/wrapper.py
    notes.py
    overlay.py
    plan.py
    proxy/__init__.py
    proxy/api.py
    proxy/client.py
    proxy/closed.py
    proxy/framing.py
    proxy/helpers.py
    proxy/life.py
    proxy/listener.py
    proxy/loop.py
    proxy/person.py
    proxy/place.py
    proxy/planning.py
    proxy/private.py
    proxy/pump.py
    proxy/reused.py
    proxy/server.py
    proxy/setup.py
    py.typed
    records.py
    schemas/overlay.json
    schemas/paude.json
    storage.py
    stores/__init__.py
    stores/aged.py
    stores/daemons.py
    stores/folder.py
    stores/lifetime.py
    stores/listing.py
    stores/purpose.py
    stores/removal.py
    terminal.py
    text.py
    workspace/__init__.py
    workspace/carried.py
    workspace/central.py
    workspace/deep.py
    workspace/detection.py
    workspace/devcontainer.py
    workspace/directories.py
    workspace/environments.py
    workspace/contents.py
    workspace/git_root.py
    workspace/guards.py
    workspace/jsonfile.py
    workspace/lifecycle.py
    workspace/links.py
    workspace/listed.py
    workspace/location.py
    workspace/makers.py
    workspace/patterns.py
    workspace/recipes.py
    workspace/reserve.py
    workspace/settings.py
    workspace/setup.py
    workspace/shell.py
    workspace/variables.py
    workspace/venv.py
"""
IN_EACH_TEMPLATE = """
    .devcontainer/devcontainer.json .devcontainer/own-venv.sh .gitignore README.md devcontainer-template.json
    paude.json pyproject.toml
"""
WORDCOUNT = "src/wordcount/__init__.py tests/test_wordcount.py"
TEMPLATES = {
    "hatch": f"{WORDCOUNT} hatch.toml",
    "monorepo": """
        legacy/pyproject.toml legacy/src/legacy/__init__.py legacy/tests/test_legacy.py
        packages/report/pyproject.toml packages/report/src/report/__init__.py packages/report/tests/test_report.py
        packages/wordcount/pyproject.toml packages/wordcount/src/wordcount/__init__.py
        packages/wordcount/tests/test_wordcount.py
    """,
    "pdm": WORDCOUNT,
    "pip": f"{WORDCOUNT} requirements.txt",
    "pipenv": f"{WORDCOUNT} Pipfile",
    "poetry": f"{WORDCOUNT} poetry.toml",
    "uv": WORDCOUNT,
}
TEMPLATE_FILES = [f"{name}/{file}" for name, own in TEMPLATES.items() for file in (IN_EACH_TEMPLATE + own).split()]
DIST_INFO = "METADATA RECORD WHEEL entry_points.txt licenses/LICENSE"
# In the folder hook, and in no wheel.
BESIDE_THE_PACKAGE = """
    README.md build_hook.py docs/code.md docs/launching.md docs/settings.md docs/storage.md docs/troubleshooting.md
    docs/writing-a-launcher.md man_page.py shared_files.py terminal.svg terminal.txt
"""
SHARED = """
    bash-completion/completions/paude-venv-hook fish/vendor_completions.d/paude-venv-hook.fish
    man/man1/paude-venv-hook.1 zsh/site-functions/_paude-venv-hook
"""
SDIST_FILES = {
    *(".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "PKG-INFO", "README.md"),
    *("SECURITY.md", "pyproject.toml"),
}
SDIST_FOLDERS = {".ci", ".devcontainer", "hook", "templates", "tests"}
SCRIPTS = (
    "paude-venv-docker",
    "paude-venv-docker-compose",
    "paude-venv-hook",
    "paude-venv-podman",
    "paude-venv-podman-compose",
)


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    with zipfile.ZipFile(built.wheel) as wheel:
        return email.message_from_string(wheel.read(f"{NAME}.dist-info/METADATA").decode())


def test_nothing_else_is_built(built: Built) -> None:
    assert sorted(built.wheel.parent.iterdir()) == sorted([built.sdist, built.wheel])


def test_the_wheel_holds_exactly_the_package(built: Built) -> None:
    expected = [f"paude_venv_hook/{name}" for name in PACKAGE.split()]
    expected += [f"paude_venv_hook/templates/{name}" for name in TEMPLATE_FILES]
    expected += [f"{NAME}.data/data/share/{name}" for name in SHARED.split()]
    expected += [f"{NAME}.dist-info/{name}" for name in DIST_INFO.split()]

    assert sorted(zipfile.ZipFile(built.wheel).namelist()) == sorted(expected)


def test_the_sdist_holds_the_source_the_tests_and_the_templates(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = [PurePosixPath(name) for name in sdist.getnames()]
    inside = [name.relative_to(NAME) for name in names]

    assert {str(name) for name in inside if len(name.parts) == 1} == SDIST_FILES
    assert {name.parts[0] for name in inside if len(name.parts) > 1} <= SDIST_FOLDERS
    package = {f"hook/paude_venv_hook/{name}" for name in PACKAGE.split()}
    assert package | {f"hook/{name}" for name in BESIDE_THE_PACKAGE.split()} == {
        str(name) for name in inside if name.parts[0] == "hook"
    }
    assert {f"templates/{name}" for name in [*TEMPLATE_FILES, "README.md", "publish"]} == {
        str(name) for name in inside if name.parts[0] == "templates"
    }
    assert {".ci/run", "tests/conftest.py", "tests/real/start-engines"} <= {str(name) for name in inside}
    assert not [name for name in inside if {"__pycache__", ".venv", ".git"} & set(name.parts)]


def test_the_wheel_made_of_the_sdist_has_the_files_of_the_source(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        for name in PACKAGE.split():
            assert wheel.read(f"paude_venv_hook/{name}") == (ROOT / "hook" / "paude_venv_hook" / name).read_bytes()
        for name in TEMPLATE_FILES:
            assert wheel.read(f"paude_venv_hook/templates/{name}") == (ROOT / "templates" / name).read_bytes()


def test_the_wheel_made_of_the_source_in_any_terminal_is_the_one_made_of_the_sdist(
    built: Built, tmp_path: Path
) -> None:
    terminal = built._replace(environ={**built.environ, "FORCE_COLOR": "1", "COLUMNS": "30"})
    terminal.run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, ROOT)

    assert (tmp_path / built.wheel.name).read_bytes() == built.wheel.read_bytes()


def test_only_json5_and_platformdirs_are_required(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]

    assert required == ["json5>=0.12", "platformdirs>=4"]
    assert metadata["Requires-Python"] == ">=3.10"


def test_the_metadata_is_complete(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("paude-venv-hook", __version__)
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert f"Copyright (c) 2026 {metadata['Author']}" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert len(metadata["Summary"]) < 100
    assert "devcontainer" in metadata["Keywords"].split(",")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_metadata_is_what_a_registry_accepts(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        packaging.metadata.Metadata.from_email(wheel.read(f"{NAME}.dist-info/METADATA"), validate=True)


def test_each_python_that_is_supported_is_named(metadata: Message) -> None:
    named = [item.rpartition(" :: ")[2] for item in metadata.get_all("Classifier", []) if ":: Python :: 3." in item]

    assert named == [f"3.{minor}" for minor in range(10, 15)]
    assert f">={named[0]}" == metadata["Requires-Python"]


def test_the_types_of_the_package_are_for_others_too(built: Built, metadata: Message) -> None:
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert "paude_venv_hook/py.typed" in zipfile.ZipFile(built.wheel).namelist()


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    releases = re.findall(r"^## \[(\d.*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert releases[0] == __version__


def test_the_installed_program_is_the_wheels(built: Built, installed: Path) -> None:
    code = "import paude_venv_hook; print(paude_venv_hook.__file__)"

    assert Path(built.run(installed / "python", "-c", code).strip()).is_relative_to(installed.parent)
    assert built.run(installed / "paude-venv-hook", "--version") == f"paude-venv-hook {__version__}\n"
    assert built.run(installed / "python", "-m", "paude_venv_hook", "--version") == f"paude-venv-hook {__version__}\n"
    assert sorted(path.name for path in installed.glob("paude-*")) == list(SCRIPTS)


@pytest.mark.parametrize("name", ["overlay", "paude"])
def test_the_installed_program_has_its_schemas(built: Built, installed: Path, name: str) -> None:
    source = ROOT / "hook" / "paude_venv_hook" / "schemas" / f"{name}.json"

    assert built.run(installed / "paude-venv-hook", "schema", name) == source.read_text(encoding="utf-8")


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_installed_program_has_its_templates(built: Built, installed: Path, workspace: Path, template: str) -> None:
    copied = built.run(installed / "paude-venv-hook", "init", workspace / "new", "--template", template).splitlines()

    files = {name.partition("/")[2] for name in TEMPLATE_FILES if name.startswith(f"{template}/")}
    assert {*copied, "devcontainer-template.json"} == files
    for name in copied:
        assert (workspace / "new" / name).read_bytes() == (ROOT / "templates" / template / name).read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is needed, which is not installed here")
def test_the_installed_program_writes_an_overlay_without_what_it_requires(
    built: Built, installed: Path, workspace: Path
) -> None:
    (workspace / ".venv").mkdir()
    (workspace / ".venv" / "pyvenv.cfg").touch()
    flags = ("--workspace-folder", workspace, "--engine", "podman")

    path = Path(built.run(installed / "paude-venv-hook", "path", "--workspace-folder", workspace).strip())
    built.run(installed / "paude-venv-hook", *flags)

    assert path.is_relative_to(built.environ["HOME"])
    assert path.read_text(encoding="utf-8") == built.run(
        installed / "paude-venv-hook", "print", "--format", "json", *flags
    )
