"""The wheel as people install it: with uv, with pipx, and on each Python that is here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distributions import Built
from lab import missing
from layout import fill
from paude_venv_hook import __version__

# Before each test gets a home folder of its own: where this user says which registry is asked.
CONFIG = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
REGISTRY = {"PIP_CONFIG_FILE": CONFIG / "pip" / "pip.conf", "UV_CONFIG_FILE": CONFIG / "uv" / "uv.toml"}
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
SCRIPTS = [f"paude-venv-{name}" for name in ("docker", "docker-compose", "hook", "podman", "podman-compose")]

Install = Callable[..., str]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths of Windows are others")


def environment(home: Path) -> dict[str, str]:
    """Return the environment, with this user's registry, but in which all that is written goes to the folder."""
    theirs = re.compile(r"PYTHON|COV|XDG_|PIPX_|VIRTUAL_ENV$|UV_.*_DIR$")
    settings = {name: str(path) for name, path in REGISTRY.items() if path.exists()}
    environ = {name: value for name, value in os.environ.items() if not theirs.match(name)}
    return {**settings, **environ, "HOME": str(home), "UV_PYTHON_DOWNLOADS": "never"}


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Return a function that runs a module of this Python, uv or pipx, or a program in the home folder they write to.

    It returns what that prints.
    """
    home = tmp_path_factory.mktemp("home")

    def run(*words: str | Path) -> str:
        program = home / words[0]
        start = [program] if program.exists() else [sys.executable, "-m", words[0]]
        done = subprocess.run(
            [*start, *words[1:]], capture_output=True, text=True, check=False, cwd=home, env=environment(home)
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for module in ("pipx", "uv"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    try:
        run("uv", "venv", "--quiet", "probe")
        run("uv", "pip", "install", "--quiet", "--python", "probe", "json5", "platformdirs")
    except AssertionError as problem:
        missing(f"no registry can be reached: {problem}")
    return run


def test_uvx_runs_the_wheel(built: Built, install: Install) -> None:
    version = install("uv", "tool", "run", "--from", built.wheel, "paude-venv-hook", "--version")

    assert version == f"paude-venv-hook {__version__}\n"


def test_pipx_runs_the_wheel(built: Built, install: Install) -> None:
    version = install("pipx", "run", "--spec", built.wheel, "paude-venv-hook", "--version")

    assert version == f"paude-venv-hook {__version__}\n"


def test_uv_installs_the_programs_and_the_completion_script(built: Built, install: Install) -> None:
    install("uv", "tool", "install", built.wheel)
    install("uv", "tool", "install", "--reinstall", built.wheel)
    folder = Path(install("uv", "tool", "dir", "--bin").strip())

    assert sorted(path.name for path in folder.iterdir()) == SCRIPTS
    assert "paude-venv-hook" in install(folder / "paude-venv-hook", "completion", "bash")
    install("uv", "tool", "uninstall", "paude-venv-hook")


def test_pipx_installs_the_programs_the_manual_and_the_completions(built: Built, install: Install) -> None:
    install("pipx", "install", built.wheel)
    install("pipx", "install", "--force", built.wheel)
    places = dict(re.findall(r"^PIPX_(BIN|MAN|COMPLETION)_DIR=(/.*)$", install("pipx", "environment"), re.MULTILINE))

    assert sorted(path.name for path in Path(places["BIN"]).iterdir()) == SCRIPTS
    assert "PAUDE_VENV_ENGINE" in (Path(places["MAN"]) / "man1" / "paude-venv-hook.1").read_text(encoding="utf-8")
    if "COMPLETION" in places:  # older ones do not
        share = Path(places["COMPLETION"])
        assert (share / "bash-completion" / "completions" / "paude-venv-hook").exists()
        assert (share / "zsh" / "site-functions" / "_paude-venv-hook").exists()
        assert (share / "fish" / "vendor_completions.d" / "paude-venv-hook.fish").exists()
    install("pipx", "uninstall", "paude-venv-hook")


def find_python(version: str) -> str | None:
    """Return the path of a Python of this version that works: on PATH, or one that pyenv has but does not show."""
    found = [shutil.which(f"python{version}")]
    found += map(str, Path(os.environ.get("PYENV_ROOT", "/nowhere")).glob(f"versions/{version}.*/bin/python{version}"))
    words = ("-c", "import sys; print(*sys.version_info[:2], sep='.')")
    for path in filter(None, found):
        done = subprocess.run([path, *words], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return path
    return None


@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_works_on_each_python(built: Built, install: Install, workspace: Path, version: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no python{version} on PATH")
    fill(workspace, ".venv/pyvenv.cfg", "paude.json = {venv: 'auto'}")  # which json5 reads
    venv = f"venv-{version}"
    hook = f"{venv}/bin/paude-venv-hook"

    install("uv", "venv", "--quiet", "--python", python, venv)
    install("uv", "pip", "install", "--quiet", "--python", venv, built.wheel)
    install(hook, "--workspace-folder", workspace, "--engine", "podman")

    assert f"{workspace}/.venv:" in install(hook, "print", "--workspace-folder", workspace, "--engine", "podman")
    assert install(hook, "--help").startswith("usage: paude-venv-hook ")
    assert install(f"{venv}/bin/python", "-c", "import sys; print(*sys.version_info[:2], sep='.')") == f"{version}\n"
