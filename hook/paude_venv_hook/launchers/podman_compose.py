"""podman-compose starts Podman for each container: here it is told to start the wrapper of Podman.

Nothing else changes by that: no file that it reads, no label and no hash. What is shadowed is said by the wrapper, for
each container; of why nothing is, most of its calls would tell.
"""

from __future__ import annotations

import os

from paude_venv_hook.terminal import SHADOWS, VERBOSITY_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from paude_venv_hook.engines.compose_grammar import ComposeLine

_OPTION = "--podman-path"


def with_wrapper(
    arguments: Sequence[str], line: ComposeLine, wrapper: str, folder: str, verbosity: int
) -> tuple[list[str], dict[str, str]]:
    """Return the words of a line of podman-compose that start the wrapper (a host path), and variables for it.

    `folder` is the host folder in which it starts, `verbosity` how much is said.
    """
    words = [*arguments[: line.end], _OPTION, wrapper, *arguments[line.end :]]
    variables = {VERBOSITY_VARIABLE: str(min(verbosity, SHADOWS))}
    for podman in line.values(_OPTION)[-1:]:
        is_path = bool(os.path.dirname(podman))
        variables["PAUDE_VENV_PODMAN"] = os.path.join(folder, podman) if is_path else podman
    return words, variables
