"""What hypothesis draws: bodies of the call that creates a container. `@app` and such stand for a folder's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

# ---- hostile ones

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(10**400)
anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def _mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw what is usual, and now and then anything."""
    return st.integers(0, 15).flatmap(lambda number: usual if number else anything)


_sources = _mostly(
    st.sampled_from(["@app", "@app/.", "@app/.venv", "@other", "@wrong", "/no/such", "v", "", "\0", "é"])
)
_targets = st.sampled_from(
    ["/app", "/app/", "//app", "/x/../app", "/app/.venv", "/", "", "app", "/a\0", "/é,", "/\ud800"]
)
_binds = st.tuples(_sources, _targets, st.sampled_from(["", "", "", ":ro", ":z", ":ro,rw", ":nonsense", ":"])).map(
    lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}"
)
_mounts = st.fixed_dictionaries(
    {
        "Type": st.sampled_from(["bind"] * 4 + ["volume", "tmpfs", "Bind", "", None]),
        "Source": _sources,
        "Target": _targets,
    },
    optional={
        "target": _targets,
        "ReadOnly": _mostly(st.booleans()),
        "BindOptions": _mostly(st.just({"Propagation": "rprivate"})),
        "TmpfsOptions": anything,
    },
)
_host_configs = st.fixed_dictionaries(
    {"NetworkMode": st.just("host")},
    optional={
        "Binds": _mostly(st.lists(_mostly(_binds), max_size=3)),
        "Mounts": _mostly(st.lists(_mostly(_mounts), max_size=3)),
        "Tmpfs": _mostly(st.dictionaries(_targets, _mostly(st.sampled_from(["", "rw,exec", "nonsense"])), max_size=2)),
        "binds": _mostly(st.none()),
        "VolumesFrom": _mostly(
            st.lists(st.sampled_from(["@first", "@first:ro", "none", "@first:nonsense"]), max_size=2)
        ),
        "Unknown": anything,
    },
)
hostile = st.fixed_dictionaries(
    {"Image": _mostly(st.just("@image")), "Cmd": _mostly(st.just(["true"]))},
    optional={
        "HostConfig": _mostly(_host_configs),
        "hostConfig": _mostly(st.none()),
        "Labels": _mostly(st.dictionaries(st.just("paude.venv"), _mostly(st.sampled_from(["auto", "none", "x"])))),
        "Volumes": _mostly(st.dictionaries(_targets, _mostly(st.just({})), max_size=2)),
    },
)


def written(document: object, names: Mapping[str, object]) -> bytes:
    """Return the body with what stands for a name replaced."""
    text = json.dumps(document)
    for name, real in names.items():
        text = text.replace(f"@{name}", str(real))
    return text.encode()


# ---- good ones

_good_binds = st.tuples(
    st.sampled_from(["@app", "@other", "@app/.", "volume"]),
    st.sampled_from(["/one", "/two", "/two/", "/deep/er", "/é, x"]),
    st.sampled_from(["", "", "ro", "rw", "ro,z", "rshared"]),
)


@st.composite
def good_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a body that the daemon takes, with binds in both spellings, volumes and tmpfs, and another container's."""
    host: dict[str, Any] = {"NetworkMode": "host", "Binds": [], "Mounts": []}
    for source, target, options in draw(st.lists(_good_binds, max_size=4, unique_by=lambda bind: bind[1].rstrip("/"))):
        if source == "volume":
            host["Mounts"].append({"Type": "volume", "Source": "", "Target": target})
        elif draw(st.booleans()):
            host["Binds"].append(f"{source}:{target}:{options}".rstrip(":"))
        else:
            more = {"BindOptions": {"Propagation": options}} if options == "rshared" else {}
            host["Mounts"].append(
                {"Type": "bind", "Source": source, "Target": target, "ReadOnly": "ro" in options, **more}
            )
    tmpfs = st.sampled_from(["/own", "/one/.venv", "/two/.venv/"])
    host["VolumesFrom"] = draw(st.sampled_from([[], [], ["@first"], ["@first:ro"]]))
    host["Tmpfs"] = draw(st.dictionaries(tmpfs, st.just("rw"), max_size=2))
    labels = draw(st.sampled_from([{}, {"a": "b"}, {"paude.venv": "auto"}, {"paude.venv": "none"}]))
    volumes: dict[str, Any] = draw(st.dictionaries(st.sampled_from(["/volume", "/one/.venv"]), st.just({}), max_size=1))
    return {"Image": "@image", "Cmd": ["true"], "HostConfig": host, "Labels": labels, "Volumes": volumes}
