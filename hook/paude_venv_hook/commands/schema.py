"""`schema`: a JSON Schema on stdout."""

from __future__ import annotations

import os

import paude_venv_hook
from paude_venv_hook.command_line.options import argument
from paude_venv_hook.terminal import write

SUMMARY = "print the JSON Schema of the overlay, or of our keys of paude.json"
POSITION = 11
ARGUMENTS = (argument("schema", choices=("overlay", "paude"), help="whose schema"),)
EXAMPLES = """\
  paude-venv-hook schema paude > paude.schema.json
  paude-venv-hook schema overlay | jq .properties
"""


class Options:
    """The values of the arguments."""

    schema = ""


def execute(options: Options) -> int:
    """Print the schema."""
    path = os.path.join(paude_venv_hook.__path__[0], "schemas", f"{options.schema}.json")
    with open(path, encoding="utf-8") as file:
        write(file.read())
    return 0
