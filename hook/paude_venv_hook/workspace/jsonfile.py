"""Read a JSON object from a file: strict JSON, JSON with comments (devcontainer.json), or JSON5 (paude.json).

Strict JSON is tried first, then the same text with comments and trailing commas blanked out, and only what neither
reads goes to json5, whose parser needs 7 ms per KB, and up to 45. It gets no more than the files of people hold.
"""

from __future__ import annotations

import json
import os
import re

from paude_venv_hook.errors import JsonFileError, WorkspaceError
from paude_venv_hook.files import NOT_REGULAR, read_bytes, remedy
from paude_venv_hook.text import shown

TYPE_CHECKING = False  # typing itself takes a tenth of the start-up; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

MAX_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
MAX_JSON5_LENGTH = 64 * 1024

# Text, since few files need them compiled. What is not closed ends with the text: a match that failed there would be
# tried again from every later quote.
_STRING = r'"[^"\\]*(?:\\(?:.|\Z)[^"\\]*)*(?:"|\Z)'
_COMMENT = rf"(?s)({_STRING})|//[^%s]*|/\*.*?(?:\*/|\Z)"
_RARE_LINE_ENDS = "\u2028\u2029"  # a set with these takes longer to compile than all else that reads a file
_TRAILING_COMMA = rf"(?s)((?:{_STRING}|[\]}}\w])[ \t\r\n]*),(?=[ \t\r\n]*[\]}}])|{_STRING}"
_MISSING_COMMA = rf"(?s)((?:{_STRING}|[\]}}\w])[ \t\r\n]*)(?=[\"\[{{])|{_STRING}"
_BRACKET = rf"(?s){_STRING}|[\[\]{{}}]"
_JSON5_ERROR = r"(?s)<string>:(\d+) (.*) at column (\d+)"


def read_object(path: str, *, unique_keys: bool = True) -> dict[str, Any]:
    """Return the JSON object that the file at the host path `path` holds.

    With `unique_keys=False` the last of several equal keys wins, bytes that are not UTF-8 are replaced, and it does
    not matter whether commas or the last brackets are missing, nor what follows those, as the dev container tools read
    devcontainer.json. Raises JsonFileError, which names the file and, if the parser knows them, line and column;
    WorkspaceError for a file that this user may not read.
    """
    try:
        return _parse(path, _read_text(path, "strict" if unique_keys else "replace"), unique_keys)
    except RecursionError:
        raise JsonFileError(f"{shown(path)}: nested too deeply; flatten it") from None


def _read_text(path: str, errors: str) -> str:
    try:
        data = read_bytes(path, MAX_BYTES + 1)
    except OSError as error:
        if error.strerror == NOT_REGULAR:
            raise JsonFileError(f"{shown(path)}: {NOT_REGULAR}; replace or remove it") from None
        if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
            raise JsonFileError(f"{shown(path)}: does not exist; name another file") from None
        if isinstance(error, PermissionError):
            problem = WorkspaceError(f"{shown(path)}: cannot be read: {error.strerror}; let yourself read it")
            problem.code = JsonFileError.code  # codes never change
            raise problem from None
        raise JsonFileError(f"{shown(path)}: cannot be read: {error.strerror}; {remedy(error)}") from None
    if len(data) > MAX_BYTES:
        raise JsonFileError(f"{shown(path)}: larger than {MAX_BYTES} bytes; make it smaller")
    try:
        return data.removeprefix(_BOM).decode("utf-8", errors)
    except UnicodeDecodeError as error:
        line, column = _position(error.object[: error.start].decode())  # the object is without its BOM
        raise JsonFileError(f"{shown(path)}:{line}:{column}: not UTF-8; save it as UTF-8") from None


def _position(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _parse(path: str, text: str, unique_keys: bool) -> dict[str, Any]:  # noqa: FBT001 - private, one caller
    if not text.strip():
        raise JsonFileError(f"{shown(path)}: empty; write a JSON object such as {{}}")
    pairs_hook = _refuse_duplicates(path) if unique_keys else dict
    value, problem = _quick_parse(text, pairs_hook)
    if problem and not unique_keys:
        value, problem = _quick_parse(complete(blank_comments(text)), pairs_hook)
    if problem:
        if len(text) > MAX_JSON5_LENGTH:
            raise JsonFileError(
                f"{shown(path)}{problem}; JSON is expected, with comments and trailing commas if you like, "
                f"and JSON5 only up to {MAX_JSON5_LENGTH} characters"
            )
        value = _json5_parse(path, text, pairs_hook)
    if not isinstance(value, dict):
        raise JsonFileError(f"{shown(path)}: holds no JSON object; write {{…}} around it")
    document: dict[str, Any] = _join_surrogates(path, value, pairs_hook) if "\\ud" in text.lower() else value
    return document


def _quick_parse(text: str, pairs_hook: Callable[[Iterable[tuple[str, Any]]], Any]) -> tuple[Any, str]:
    """Return what strict JSON holds, or JSON with comments and trailing commas, and "" or what is wrong, and where."""
    problem = ""
    for prepare in (str, blank_comments):
        try:
            return json.loads(prepare(text), object_pairs_hook=pairs_hook), ""
        except json.JSONDecodeError as error:
            problem = f":{error.lineno}:{error.colno}: {error.msg}"
        except ValueError as error:  # a number of too many digits
            problem = f": {error}".partition(";")[0]
    return None, problem


def blank_comments(text: str) -> str:
    """Return the text with blanks for its comments and trailing commas; every other character keeps its place."""
    line_ends = "\n\r" + "".join(end for end in _RARE_LINE_ENDS if end in text)
    text = re.sub(_COMMENT % line_ends, lambda match: match[1] or re.sub(r"[^\n\r]", " ", match[0]), text)
    return re.sub(_TRAILING_COMMA, lambda match: match[1] + " " if match[1] else match[0], text)


def complete(text: str) -> str:
    """Return JSON without comments up to the end of its first value, with the commas and brackets that it lacks."""
    text = re.sub(_MISSING_COMMA, lambda match: match[1] + "," if match[1] else match[0], text)
    missing: list[str] = []
    for match in re.finditer(_BRACKET, text):
        if match[0] in ("[", "{"):
            missing.append("]" if match[0] == "[" else "}")
        elif match[0] in ("]", "}"):
            if not missing or missing.pop() != match[0]:
                break
            if not missing:
                return text[: match.end()]
    return text + "".join(reversed(missing))


def _json5_parse(path: str, text: str, pairs_hook: Callable[[Iterable[tuple[str, Any]]], Any]) -> Any:
    import json5  # noqa: PLC0415 - 8 ms, for the few files that need it

    try:
        return json5.loads(text, object_pairs_hook=pairs_hook)
    except ValueError as error:
        match = re.fullmatch(_JSON5_ERROR, str(error))
        where, what = (f":{match[1]}:{match[3]}", match[2]) if match else ("", str(error).partition(";")[0])
        raise JsonFileError(
            f"{shown(path)}{where}: {shown(what)}; JSON is expected, with comments and trailing commas if you like"
        ) from None


def _refuse_duplicates(path: str) -> Callable[[Iterable[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                raise JsonFileError(f'{shown(path)}: key "{shown(key)}" stands twice; keep one')
            result[key] = value
        return result

    return build


def _join_surrogates(path: str, value: Any, pairs_hook: Callable[[Iterable[tuple[str, Any]]], Any]) -> Any:
    r"""Join the halves that json5 makes of a pair such as `"\ud83d\ude00"`, and refuse a half without the other."""
    if isinstance(value, str):
        try:
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            problem = "a \\ud… escape is half of a surrogate pair"
            raise JsonFileError(f"{shown(path)}: {problem}; complete or remove it") from None

    def join(part: Any) -> Any:
        return _join_surrogates(path, part, pairs_hook)

    if isinstance(value, dict):
        return pairs_hook([(join(key), join(part)) for key, part in value.items()])
    if isinstance(value, list):
        return [join(part) for part in value]
    return value
