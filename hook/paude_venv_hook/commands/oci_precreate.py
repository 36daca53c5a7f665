"""`oci-precreate`: Podman's precreate hook itself, as `install` sets it up."""

from __future__ import annotations

import os
import sys

from paude_venv_hook.launchers.oci import filter_config
from paude_venv_hook.terminal import say_warnings, write

SUMMARY = "be Podman's precreate hook: an OCI config from stdin to stdout"
POSITION = None  # for Podman, not for people
ARGUMENTS = ()
EXAMPLES = """\
  paude-venv-hook oci-precreate < config.json | jq .mounts
"""


class Options:
    """It has none."""


def execute(_: Options) -> int:
    """Pass an OCI config on from stdin to stdout, with the shadows added."""
    data, warnings = filter_config(sys.stdin.buffer.read(), os.environ)
    write(data.decode("utf-8", "surrogateescape"))
    say_warnings(warnings)
    return 0
