"""SHA-256 without OpenSSL: to load that, as hashlib does, is a tenth of a whole run."""

from __future__ import annotations

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

__all__ = ["sha256"]
