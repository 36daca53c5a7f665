"""What a JSON value of somebody else holds: of the type that is asked for, and empty where it is of another one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def get_text(value: Any, key: str) -> str:
    """Return the text of that key of a JSON object, "" where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def get_object(value: Any, key: str) -> dict[str, Any]:
    """Return the object of that key of a JSON object, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def get_list(value: Any, key: str) -> list[Any]:
    """Return the list of that key of a JSON object, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []
