"""SHA-256 without OpenSSL: to load that, as hashlib does, is a tenth of a whole run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # CPython from 3.12 on
    except ImportError:
        try:
            from _sha256 import sha256  # CPython to 3.11
        except ImportError:
            from hashlib import sha256

__all__ = ["sha256"]
