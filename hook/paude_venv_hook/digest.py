"""SHA-256 without OpenSSL: to load that, as hashlib does, is a tenth of a whole run."""

from __future__ import annotations

import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256
    except ImportError:  # another Python than CPython
        from hashlib import sha256

__all__ = ["name_and_digest", "sha256"]


def name_and_digest(path: str) -> str:
    """Return a name for a file about a host path: for people its last part, and a digest of the whole."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(path))[:40]
    return f"{name}-{sha256(os.fsencode(path)).hexdigest()[:16]}"
