"""What hatchling asks when it builds a wheel: which files lie beside the package."""

from __future__ import annotations

import os
import sys
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SharedFiles(BuildHookInterface[Any]):
    """Lay the completion scripts and the manual page into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the signature is hatchling's
        """Write the files, and have the wheel hold them."""
        sys.path.insert(0, os.path.join(self.root, "hook"))  # the source, whatever else is installed
        from shared_files import shared_files  # noqa: PLC0415 - it is there only now

        self.made = TemporaryDirectory()
        files = shared_files(self.metadata.core.description, os.path.join(self.root, "CHANGELOG.md"))
        for number, (place, text) in enumerate(files.items()):
            path = os.path.join(self.made.name, str(number))
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            build_data["shared_data"][path] = place

    def finalize(self, *_: Any) -> None:
        """Remove what was written."""
        self.made.cleanup()
