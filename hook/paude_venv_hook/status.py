"""What `status` shows: the plan of a workspace, for a person or as JSON."""

from __future__ import annotations

import json
import os
import textwrap

from paude_venv_hook.detection import read_start, unshadowed
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from paude_venv_hook.pipeline import Prepared

WIDTH = 80
NAME_WIDTH = 24  # a longer name has a line of its own
_COLOURS = {"shadowed": "32", "reserved": "32", "skipped": "33", "not shadowed": "2"}


def make_report(prepared: Prepared, overlay_path: str, overlay_state: str) -> dict[str, Any]:
    """Return what `status --json` prints. Reads `pyvenv.cfg` and the top level of the workspace, writes nothing."""
    mount = prepared.location.mount
    venv = prepared.settings.venv
    return {
        "workspaceFolder": prepared.workspace_folder,
        "workspaceMount": mount and {"source": mount.source, "target": mount.target},
        "workspaceMountWhy": prepared.location.why,
        "venv": venv if isinstance(venv, str) else list(venv),
        "venvSource": prepared.settings.venv_source,
        "engine": prepared.engine,
        "engineWhy": prepared.engine_why,
        "overlay": overlay_path,
        "overlayState": overlay_state,
        "directories": _directories(prepared),
        "warnings": list(prepared.warnings),
    }


def _directories(prepared: Prepared) -> list[dict[str, str]]:
    rows = []
    for shadow in prepared.plan.shadows:
        state = "reserved" if shadow.why == "reserved" else "shadowed"
        why = "for the first venv made here" if state == "reserved" else shadow.why
        row = {"path": shadow.path, "state": state, "why": why, "destination": shadow.destination}
        rows.append(row | read_pyvenv_cfg(shadow.host_path))
    rows += [{"path": item.path, "state": "skipped", "why": item.why} for item in prepared.plan.skipped]
    if prepared.settings.venv != "none":
        # A list cannot name what lies above the workspace folder.
        listed = [shadow.path for shadow in prepared.plan.shadows if not shadow.path.startswith("../")]
        for name, why in unshadowed(prepared.workspace_folder):
            if name not in (row["path"] for row in rows):
                setting = json.dumps([*listed, name], ensure_ascii=False)
                hint = "" if why.startswith("a file") else f'; to shadow it: "venv": {setting}'
                rows.append({"path": shown(name), "state": "not shadowed", "why": why + shown(hint)})
    return rows


def read_pyvenv_cfg(folder: str) -> dict[str, str]:
    """Return the Python version and the maker of the venv in the folder (a host path), as far as its file tells."""
    lines = read_start(os.path.join(folder, "pyvenv.cfg")).decode("utf-8", "replace").splitlines()
    if not lines:
        return {}
    said = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    maker = next((f"{name} {said[name]}" for name in ("uv", "virtualenv") if name in said), "venv")
    python = said.get("version") or said.get("version_info", "").removesuffix(".final.0")
    return ({"python": python} if python else {}) | {"maker": maker}


def render(report: dict[str, Any], *, colour: bool) -> str:
    """Return the report as aligned text for a terminal of 80 columns."""
    mount = report["workspaceMount"]
    where = f"{mount['source']} → {mount['target']}" if mount else "none"
    mode = report["venv"] if isinstance(report["venv"], str) else ", ".join(report["venv"]) or "nothing (empty list)"
    facts = [
        ("workspace", report["workspaceFolder"]),
        ("mount", f"{where} ({report['workspaceMountWhy']})"),
        ("venv", f"{mode} ({report['venvSource']})"),
        ("engine", f"{report['engine']} ({report['engineWhy']})"),
        ("overlay", f"{report['overlayState']}: {report['overlay']}"),
    ]
    lines = [line for name, text in facts for line in _wrapped(f"{name:<9}  ", shown(text))]
    rows = [(shown(row["path"]), row["state"], _details(row)) for row in report["directories"]]
    name_width = max((len(row[0]) for row in rows if len(row[0]) <= NAME_WIDTH), default=0)
    state_width = max((len(row[1]) for row in rows), default=0)
    lines += [""] if rows else []
    for name, state, details in rows:
        is_long = len(name) > name_width
        lines += [name] if is_long else []
        first, *rest = _wrapped(f"{'' if is_long else name:<{name_width}}  {state:<{state_width}}  ", details)
        if colour:
            at = name_width + 2
            first = f"{first[:at]}\x1b[{_COLOURS[state]}m{state}\x1b[0m{first[at + len(state) :]}"
        lines += [first, *rest]
    lines += [""] if report["warnings"] else []
    lines += [line for warning in report["warnings"] for line in _wrapped("warning: ", shown(warning))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _details(row: dict[str, str]) -> str:
    made = f", Python {row['python']}" if "python" in row else ""
    made += f", made by {row['maker']}" if "maker" in row else ""
    return shown(row["why"] + made)


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        head + text,
        WIDTH,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
