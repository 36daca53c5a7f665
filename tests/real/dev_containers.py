"""The real devcontainer CLI, as tests start it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from real.containers import ENVIRONMENT, HOOK, PROGRAM, SCRIPTS, Container, Engine, as_owner, devcontainer, run


class Tools:
    """The devcontainer CLI on one engine, launched in one way."""

    def __init__(self, engine: Engine, how: str, scratch: Path) -> None:
        """Take the engine, the way, and a folder to write to.

        The way is `wrapper`, `exec`, `override` (`--override-config`), or another one for an engine that is changed
        itself.
        """
        self.engine, self.how, self.scratch = engine, how, scratch
        self.before: tuple[str, ...] = (str(PROGRAM), "exec", "--") if how == "exec" else ()
        self.variables: dict[str, str] = {}
        self.program = str(SCRIPTS / f"paude-venv-{engine.name}") if how == "wrapper" else engine.name

    def __call__(self, command: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the CLI in the folder; it has to succeed."""
        own = (command, "--workspace-folder", folder, "--docker-path", self.program)
        return devcontainer(*own, *arguments, before=self.before, env={**ENVIRONMENT, **self.variables})

    def up(self, folder: Path, *arguments: str) -> Container:
        """Launch the folder and return its container."""
        if self.how == "override":
            override = self.scratch / "override.json"
            hook = ("devcontainer-config", "--workspace-folder", folder, "--engine", self.engine.name)
            run(*HOOK, *hook, "--output", override, env={**ENVIRONMENT, **self.variables})
            override.chmod(0o644)
            arguments = ("--override-config", str(override), *arguments)
        done = self("up", folder, "--buildkit", "never", *arguments)
        return Container(self.engine, json.loads(done.stdout.splitlines()[-1])["containerId"])

    def remove(self, folder: Path) -> None:
        """Remove the containers of the workspaces in a folder."""
        found = self.engine("ps", "--all", "--quiet", "--no-trunc", "--filter", "label=devcontainer.local_folder")
        for name in found.stdout.split():
            label = '{{index .Config.Labels "devcontainer.local_folder"}}'
            done = self.engine("inspect", "--format", label, name, check=False)
            if done.stdout.startswith(str(folder)):
                self.engine("rm", "--force", "--volumes", name, check=False)


def configure(folder: Path, image: str, name: str = "", **config: object) -> Path:
    """Write a devcontainer.json with comments, perhaps one of a name, and return its path."""
    path = folder / ".devcontainer" / name / "devcontainer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    base = {"name": "${localWorkspaceFolderBasename}", "runArgs": ["--network=host"]}
    image_or_build = {} if "build" in config or "dockerComposeFile" in config else {"image": image}
    path.write_text("// made by a test\n" + json.dumps({**base, **image_or_build, **config}))
    return path


def check_host(venv: Path) -> None:
    """Check that the host's venv works on the host."""
    assert as_owner(venv / "bin/python", "-c", "import markupsafe._speedups; print('ok')") == "ok\n"
