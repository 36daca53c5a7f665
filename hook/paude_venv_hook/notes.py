"""What a person should know of a launch: notes, each a kind and its data, and the one place where they become words.

A note is made by what decides; nothing compares or takes apart its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

MOST_NAMED = 5  # at most this many venvs are named in one line
_BESIDE = 3  # more of one name, in folders beside each other, become one pattern


class NoteKind(Enum):
    """What a note is about."""

    SKIPPED = auto()  # a directory, or everything, is not shadowed though somebody may expect it
    VISIBLE = auto()  # venvs of the host stay visible, which a setting could shadow
    SHARED = auto()  # the mount is shared with the host
    MEANT = auto()  # a bind whose source is a venv itself: whoever wrote it meant it
    UNASKED = auto()  # the engine knows more of the mounts, and cannot be asked
    EMPTIED = auto()  # a restart empties a venv that is meant to stay
    IN_MEMORY = auto()  # a store cannot be used
    AGED = auto()  # a venv that stayed on disk may not work with this image
    GUARDED = auto()  # a command makes no venv if there is a directory of that name
    TROUBLE = auto()  # a venv of the host does not run on this machine
    LANDS = auto()  # a container will make a venv that is not shadowed
    KEPT = auto()  # a tool of the host keeps an environment elsewhere, and would forget it for a .venv
    CENTRAL = auto()  # uv keeps environments in its cache
    EMPTY = auto()  # a shadow is empty in a running container, which may cover something of the image
    WORKS = auto()  # a venv of the host would work in this container
    UNNAMED = auto()  # there are devcontainer.json files, of which none is the default
    SETTING = auto()  # a value in the settings is odd
    WORKSPACE = auto()  # something in the workspace is odd
    MADE_FOR_RESERVE = auto()  # an empty .venv was made on the host
    MADE_FOR_LIST = auto()  # directories of a list were made on the host
    MADE_BEFORE = auto()  # a container that starts again was made without its shadow
    NOTHING = auto()  # there is nothing to shadow


class Note(NamedTuple):
    """One thing that a person should know.

    `paths` are directories as the user names them. `why` is a reason and `advice` what to do, each a phrase. `file` is
    the paude.json that the advice is about, as a person in the start folder would name it. `setting` is the list to
    write there.
    """

    kind: NoteKind
    paths: tuple[str, ...] = ()
    why: str = ""
    advice: str = ""
    file: str = "paude.json"
    setting: tuple[str, ...] = ()

    @property
    def is_warning(self) -> bool:
        """Whether something may not be as expected; the others tell what was done."""
        return self.kind not in (NoteKind.MADE_FOR_RESERVE, NoteKind.MADE_FOR_LIST, NoteKind.NOTHING)


def to_text(note: Note) -> str:
    """Return a note as one printable line, without a full stop."""
    return _WORDS[note.kind](note)


def unique_words(notes: Iterable[Note]) -> list[str]:
    """Return the lines of notes, each once, in their order."""
    return list(dict.fromkeys(map(to_text, notes)))


def note_on_nothing(why: str, advice: str = "") -> Note:
    """Return the note that nothing is shadowed, although somebody may expect it."""
    return Note(NoteKind.SKIPPED, (".",), why, advice)


def to_patterns(paths: Iterable[str]) -> list[str]:
    """Return paths as the entries of a list: many of one name in folders beside each other are one pattern."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        parts = path.split("/")
        pattern = path
        if len(parts) > 2:  # noqa: PLR2004 - packages/a/.venv
            pattern = "/".join([*parts[:-2], "*", parts[-1]])
        groups.setdefault(pattern, []).append(path)
    entries = []
    for pattern, group in groups.items():
        entries += [pattern] if len(group) > _BESIDE else group
    return entries


# ---- The words of each kind


def _skipped(note: Note) -> str:
    what = "nothing" if note.paths == (".",) else f"{_names(note)} not"
    return f"{what} shadowed: {shown(note.why)}{_advice(note)}"


def _visible(note: Note) -> str:
    named = ", ".join(note.paths[:MOST_NAMED])
    more = len(note.paths) - MOST_NAMED
    if more > 0:
        named += f" and {more} more"
    stay = "stay" if len(note.paths) > 1 else "stays"
    return f"{shown(named)} {stay} visible in the container; {_setting(note)}"


def _setting(note: Note) -> str:
    if not note.setting:
        return "only a paude.json in that folder can name it"
    return f'to shadow what is there, write "venv": {_list(note)} in {shown(note.file)}'


def _shared(note: Note) -> str:
    return f"{_names(note)} is mounted shared, and the host's venv would be covered too; mount it private"


def _meant(note: Note) -> str:
    return f"{_names(note)} is mounted on {shown(note.why)} by itself, so it is left as it is"


def _unasked(note: Note) -> str:
    return f"nothing shadowed of what {_names(note)} brings: {shown(note.why)}{_advice(note)}"


def _emptied(note: Note) -> str:
    return f"a restart empties {_names(note)}, {note.why}: {note.advice}"


def _in_memory(note: Note) -> str:
    return f"{_names(note)} is in memory for this launch: {note.why}{_advice(note)}"


def _aged(note: Note) -> str:
    return f"{_names(note)} is on disk from before, and may not work: {note.why}{_advice(note)}"


def _guarded(note: Note) -> str:
    name = _names(note)
    return (
        f"{note.why} makes no venv if there is a directory {name}, and its shadow is one: "
        f"let it look for {name}/bin/python"
    )


def _trouble(note: Note) -> str:
    return f"{_names(note)} does not run on this machine: {note.why}"


def _lands(note: Note) -> str:
    advice = note.advice or f'to shadow it, write "venv-also": {_list(note)} in {shown(note.file)}'
    return f"{note.why} makes {_names(note)}, which lands on the host too; {advice}"


def _kept(note: Note) -> str:
    return (
        f"{_names(note)} is not reserved, since the host's environment in {shown(note.why)} would be forgotten for it; "
        "let the container keep its own outside of the workspace, too"
    )


def _central(note: Note) -> str:
    return f"uv keeps its environments in its cache ({note.why}), not in {_names(note)}{_advice(note)}"


def _empty(note: Note) -> str:
    return (
        f"{_names(note)} is empty in the container: the image may hold one at this path; to have that, "
        "give the path a volume of its own"
    )


def _works(note: Note) -> str:
    return (
        f"{_names(note)} of the host would work here, since its Python is mounted too; to have it, "
        f'write "venv": "none" in {shown(note.file)}'
    )


def _unnamed(note: Note) -> str:
    files = " or ".join(map(shown, note.paths))
    return f"no default devcontainer.json; to plan for another one, give --config {files}"


def _plain(note: Note) -> str:
    return f"{note.why}{_advice(note)}"


def _made_for_reserve(note: Note) -> str:
    line = (
        f"made an empty {_names(note)}, to keep the container's venv out of it ({note.why}); "
        f'"venv": "none" in {shown(note.file)} turns that off'
    )
    return line + _advice(note)


def _made_for_list(note: Note) -> str:
    return f"made an empty {_names(note)}, which {shown(note.why)} lists"


def _made_before(note: Note) -> str:
    return f"{_names(note)} not shadowed: the container {shown(note.why)} was made without that{_advice(note)}"


def _nothing(note: Note) -> str:
    return f"nothing shadowed: {note.why}{_advice(note)}"


def _list(note: Note) -> str:
    import json  # noqa: PLC0415 - few notes have one

    return shown(json.dumps(list(note.setting), ensure_ascii=False))


def _names(note: Note) -> str:
    return ", ".join(map(shown, note.paths))


def _advice(note: Note) -> str:
    return f"; {note.advice}" if note.advice else ""


_WORDS: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.SKIPPED: _skipped,
    NoteKind.VISIBLE: _visible,
    NoteKind.SHARED: _shared,
    NoteKind.MEANT: _meant,
    NoteKind.UNASKED: _unasked,
    NoteKind.EMPTIED: _emptied,
    NoteKind.IN_MEMORY: _in_memory,
    NoteKind.AGED: _aged,
    NoteKind.GUARDED: _guarded,
    NoteKind.TROUBLE: _trouble,
    NoteKind.LANDS: _lands,
    NoteKind.KEPT: _kept,
    NoteKind.CENTRAL: _central,
    NoteKind.EMPTY: _empty,
    NoteKind.WORKS: _works,
    NoteKind.UNNAMED: _unnamed,
    NoteKind.SETTING: _plain,
    NoteKind.WORKSPACE: _plain,
    NoteKind.MADE_FOR_RESERVE: _made_for_reserve,
    NoteKind.MADE_FOR_LIST: _made_for_list,
    NoteKind.MADE_BEFORE: _made_before,
    NoteKind.NOTHING: _nothing,
}
