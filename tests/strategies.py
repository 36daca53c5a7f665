"""What hypothesis draws: paths, and what detection finds in a workspace that is mounted somewhere."""

from __future__ import annotations

from hypothesis import strategies as st

from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.workspace.contents import Directory, Kind, Reason

# Few names, so that paths are often equal or nested; some only begin alike, and one cannot be mounted.
GOOD_NAMES = ("a", "ab", ".venv", " é:,\"'$\\", "😀")
NAMES = (*GOOD_NAMES, "\x85\udcff")

good_paths = st.lists(st.sampled_from(GOOD_NAMES), max_size=3).map(lambda parts: "/" + "/".join(parts))
_found = st.tuples(
    st.sampled_from(["source", "workspace", "elsewhere"]),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join),
    st.sampled_from([".venv", "env", "../env"]),
    st.sampled_from(["", "", "", "a problem"]),
)
_Drawn = tuple[str, str, str, list[tuple[str, str, str, str]], list[str]]
Planned = tuple[list[Directory], str, tuple[Mount], dict[str, str]]


def _arguments(drawn: _Drawn) -> Planned:
    source, below, target, items, mounted = drawn
    workspace_folder = _join(source, below[1:])
    folders = {"source": source, "workspace": workspace_folder, "elsewhere": "/"}
    found = [
        Directory(path, _join(folders[where], relative), Kind.VENV, problem=Reason(problem) if problem else None)
        for where, relative, path, problem in items
    ]
    others = {_join(target, path[1:]): "volume" for path in mounted}
    return found, workspace_folder, (Mount("bind", source, target),), others


def _join(folder: str, relative: str) -> str:
    return f"{folder.rstrip('/')}/{relative}".rstrip("/") or "/"


# The arguments of make_plan.
planned = st.tuples(
    good_paths, good_paths, good_paths, st.lists(_found, max_size=6), st.lists(good_paths, max_size=2)
).map(_arguments)
