"""JSON that somebody else wrote: whatever it holds, the reader gets a value of the type that was asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parse_json(data: bytes | str) -> Any:
    """Return the value of a JSON text, None for what is no JSON, or nested too deeply to be read."""
    import json  # noqa: PLC0415 - not for a launch without a JSON file

    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def kind_of(value: Any) -> str:
    """Return the type of a JSON value in words."""
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), "null")


def get_text(value: Any, key: str) -> str:
    """Return the text of that key of a JSON object, "" if there is none."""
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""


def get_object(value: Any, key: str) -> dict[str, Any]:
    """Return the object of that key of a JSON object, an empty one if there is none."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def get_list(value: Any, key: str) -> list[Any]:
    """Return the list of that key of a JSON object, an empty one if there is none."""
    values = value.get(key) if isinstance(value, dict) else None
    return values if isinstance(values, list) else []
