"""A disk that is full: each command says which file it could not write, and advises only what it has itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layout import fill
from paude_venv_hook.cli import load

Programs = Callable[[str, str], Path]

pytest.importorskip("resource", reason="there are no limits here")
# Not root runs it: what root installs is checked in another way, and is the machine's.
FULL = """import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
os.geteuid = lambda: 1000
sys.argv[0] = sys.argv.pop(1)
from paude_venv_hook.installation import podman_hook
podman_hook.config_folder = lambda _: os.environ["HOME"]
from paude_venv_hook.cli import main
sys.exit(main(sys.argv[1:]))"""
DOCKER = """case "$*" in
    --version) echo "Docker version 28" ;;
    *version) echo "Docker Compose version v2" ;;
    *"config --format json") printf '%s' '{config}' ;;
    *) printf '%s\\n' "$@" ;;
esac"""
TOO_LARGE = "cannot be written: File too large"
ULIMIT = "raise ulimit -f"
CANNOT = f"{TOO_LARGE}; {ULIMIT}"
OVERLAY = "{home}/.cache/paude/venv-overlays/app-*"
HOOK = f"{{home}}/hooks/paude-venv-hook.json: {TOO_LARGE}; {ULIMIT}"
STORE = f"{{home}}/.local/share/paude/venvs/CACHEDIR.TAG: {CANNOT}, or keep venvs in memory"
AT_APP = "--container-workspace-folder /app"
IN_MEMORY = ".venv is in memory for this launch"
CALLS = [
    (f"run {AT_APP}", 1, f"error[overlay]: {OVERLAY}.json: {CANNOT}, or use --output"),
    (f"run {AT_APP} --output o", 1, f"error[overlay]: {{app}}/o: {CANNOT}, or use --output"),
    ("print --output o", 1, f"error[overlay]: {{app}}/o: {CANNOT}, or use --output"),
    (f"print {AT_APP} --storage disk", 0, f"warning: {IN_MEMORY}: {STORE}"),
    ("print --format compose --output o", 1, f"error[overlay]: {{app}}/o: {CANNOT}, or use --output"),
    ("devcontainer-config", 1, f"error[overlay]: {OVERLAY}.compose.json: {CANNOT}"),
    (
        "init --template pip",
        1,
        f"error[workspace]: {{app}}/.devcontainer/own-venv.sh: {TOO_LARGE}; {ULIMIT}",
    ),
    ("install --engine podman", 1, f"error[engine]: podman: {HOOK}"),
    ("oci-precreate", 0, f"warning: {IN_MEMORY}: {STORE}"),
    ("path", 0, ""),
    ("schema paude", 0, ""),
    ("status", 0, ""),
    ("store list", 0, ""),
]


@pytest.fixture
def app(workspace: Path, home: Path, programs: Programs) -> Path:
    """Return a workspace of compose, and the engines that each command asks."""
    named = {"dockerComposeFile": "compose.yaml", "service": "web"}
    fill(workspace, "uv.lock", "compose.yaml", f".devcontainer.json = {json.dumps(named)}")
    (home / "hooks").mkdir()
    web = {"volumes": [{"type": "bind", "source": str(workspace), "target": "/app"}]}
    programs("docker", DOCKER.format(config=json.dumps({"name": "app", "services": {"web": web}})))
    programs("podman", f'echo "      --hooks-dir strings   Set the hooks directory (default [{home}/hooks])"')
    programs("paude-venv-hook", "")
    return workspace


@pytest.mark.parametrize(("words", "code", "said"), CALLS, ids=[words for words, _, _ in CALLS])
def test_a_full_disk_is_said_with_what_the_command_can_do_about_it(
    app: Path, home: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, said: str
) -> None:
    name, *arguments = words.split()
    if name == "oci-precreate":
        monkeypatch.setenv("PAUDE_VENV_STORAGE", "disk")
    before = sorted(os.listdir(app))
    bind = {"type": "bind", "source": str(app), "destination": "/app"}
    environ = {key: value for key, value in os.environ.items() if not key.startswith("COV")}  # it writes files too

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(app.parent / "programs" / "paude-venv-hook"), name, *arguments],
        input=json.dumps({"ociVersion": "1", "mounts": [bind]}), capture_output=True, text=True, check=False,
        env={**environ, "PAUDE_VENV_ENGINE": "docker"},
    )  # fmt: skip

    told = [f"paude-venv-hook: {said.format(home=home, app=app)}"] if said else []
    assert done.returncode == code
    assert [re.sub(r"app-[0-9a-f.]+\b", "app-*.", line).replace("..", ".") for line in done.stderr.splitlines()] == told
    left = {*os.listdir(app)} - {".devcontainer"} if name == "init" else os.listdir(app)
    made = [".venv"] if name == "oci-precreate" else []  # as ever: its shadow is in memory
    assert sorted(left) == sorted([*before, *made])
    assert set(re.findall(r"--[\w-]+", done.stderr)) <= {flag for flags, _ in load(name).ARGUMENTS for flag in flags}
