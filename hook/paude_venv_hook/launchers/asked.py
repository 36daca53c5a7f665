"""Ask an engine, by its own command line, about mounts that a launch does not show."""

from __future__ import annotations

import os
from functools import partial

from paude_venv_hook.engines.programs import ask
from paude_venv_hook.engines.volumes import Questions
from paude_venv_hook.json_values import parse_json
from paude_venv_hook.text import last_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_SECONDS = 10.0
_NO_SUCH = "no such"


def questions(program: str, options: Sequence[str], environ: Mapping[str, str]) -> Questions:
    """Return the questions for the engine at a host path; `options` are those before its subcommand."""
    command = [program, *options]
    return Questions(
        volume=partial(_inspect, [*command, "volume", "inspect"], environ),
        container=partial(_inspect, [*command, "container", "inspect"], environ),
        pod=partial(_inspect, [*command, "pod", "inspect"], environ),
    )


def describe_image(command: Sequence[str], environ: Mapping[str, str], name: str) -> Any:
    """Return what `inspect` prints of an image, for an engine started by these words; None if it fails."""
    try:
        return _inspect([*command, "image", "inspect"], environ, name)
    except OSError:
        return None


def _inspect(command: Sequence[str], environ: Mapping[str, str], name: str) -> Any:
    """Return what `inspect` prints of one thing, None if it does not exist. Raises OSError if the engine is silent."""
    done = ask([*command, name], environ, seconds=_SECONDS)
    if done.returncode:
        stderr = os.fsdecode(done.stderr)
        if _NO_SUCH in stderr.lower():
            return None
        raise OSError(None, last_line(stderr))
    answer = parse_json(done.stdout)
    if isinstance(answer, list):
        return answer[0] if answer else None
    return answer  # Podman 4 does not put a pod into a list
