"""`status`: what is shadowed and why, for a person or as JSON."""

from __future__ import annotations

import json
import os
import sys
import textwrap

from paude_venv_hook.command_line.options import OUTPUT, WORKSPACE, WorkspaceOptions, argument, overlay_path
from paude_venv_hook.files import read_file
from paude_venv_hook.installation.coverage import find_launches
from paude_venv_hook.overlay import dump
from paude_venv_hook.pipeline import left_visible
from paude_venv_hook.terminal import write
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import COMPOSE_DECIDES
from paude_venv_hook.workspace.found import Kind
from paude_venv_hook.workspace.venv import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from paude_venv_hook.installation.coverage import Launches
    from paude_venv_hook.pipeline import Prepared
    from paude_venv_hook.plan import Shadow

SUMMARY = "show what is shadowed, and why"
POSITION = 3
ARGUMENTS = (*WORKSPACE, OUTPUT, argument("--json", action="store_true", help="for programs"))
EXAMPLES = """\
  paude-venv-hook status
  paude-venv-hook status --json | jq '.directories[]'
"""

WIDTH = 80
NAME_WIDTH = 24  # a longer name has a line of its own
_COLOURS = {"shadowed": "32", "reserved": "32", "skipped": "33", "not shadowed": "2"}


class Options(WorkspaceOptions):
    """The values of the arguments."""

    output: str | None = None
    json = False


def execute(options: Options) -> int:
    """Print the report of a workspace."""
    prepared = options.prepare()
    path = overlay_path(options.output, prepared.workspace_folder)
    state = _overlay_state(path, dump(prepared.document))
    launches = find_launches(prepared.workspace_folder, os.environ)
    report = make_report(_by_service(prepared, options), path, state, launches)
    if options.json:
        write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    else:
        terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        write(render(report, colour=terminal and not os.environ.get("NO_COLOR")))
    return 0


def _by_service(prepared: Prepared, options: Options) -> Mapping[str, Prepared]:
    """Return the plan of each service that has the workspace, as far as compose tells, else the only one, by ""."""
    if prepared.location.why != COMPOSE_DECIDES:
        return {"": prepared}
    from paude_venv_hook.launchers.compose import prepare_compose  # noqa: PLC0415 - it asks docker

    plans, file = prepare_compose(options.workspace_folder, os.environ, target_needed=False, **options.choices)
    return dict(zip(file["services"] or [""], plans, strict=True))


def _overlay_state(path: str, data: bytes) -> str:
    try:
        written = read_file(path)
    except OSError:
        return "cannot be read"
    return "not written yet" if written is None else "up to date" if written == data else "out of date"


def make_report(
    plans: Mapping[str, Prepared], overlay_path: str, overlay_state: str, launches: Sequence[Launches] = ()
) -> dict[str, Any]:
    """Return what `status --json` prints of the plans, which differ in nothing but the service of compose, or "".

    `launches` tells what covers those that name us nowhere.

    Reads `pyvenv.cfg`, the top level of the workspace, and with storage on disk the stores. Writes nothing.
    """
    prepared = next(iter(plans.values()))
    venv = prepared.settings.venv
    services = {"services": {name: _place(item) for name, item in plans.items()}} if "" not in plans else {}
    return {
        "workspaceFolder": prepared.workspace_folder,
        **_place(prepared),
        **services,
        "venv": venv if isinstance(venv, str) else list(venv),
        "venvSource": prepared.settings.venv_source,
        "venvAlso": list(prepared.settings.also),
        "venvAlsoSource": prepared.settings.also_source,
        "storage": prepared.settings.storage,
        "storageSource": prepared.settings.storage_source,
        "engine": prepared.engine,
        "engineWhy": prepared.engine_why,
        "overlay": overlay_path,
        "overlayState": overlay_state,
        "launches": [{"engine": item.engine, "coveredBy": item.by or None, "why": item.why} for item in launches],
        "directories": [
            row | ({"service": name} if name else {}) for name, item in plans.items() for row in _directories(item)
        ],
        "warnings": list(dict.fromkeys(warning for item in plans.values() for warning in item.warnings)),
    }


def _place(prepared: Prepared) -> dict[str, Any]:
    mount = prepared.location.mount
    return {
        "workspaceMount": mount and {"source": mount.source, "target": mount.target},
        "workspaceMountWhy": prepared.location.why,
    }


def _directories(prepared: Prepared) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    paths = [shadow.path for shadow in prepared.plan.shadows]
    for shadow in prepared.plan.shadows:
        state = "reserved" if shadow.kind is Kind.RESERVED else "shadowed"
        why = f"for the first venv made here ({shadow.evidence})" if state == "reserved" else shadow.why
        why += f"; does not run on this machine: {shadow.trouble}" if shadow.trouble else ""
        why += f", at {shadow.destination}" if paths.count(shadow.path) > 1 else ""
        row: dict[str, Any] = {"path": shadow.path, "state": state, "why": why, "destination": shadow.destination}
        row |= {"store": shadow.store, "stores": _stores(shadow)} if shadow.store else {}
        rows.append(row | describe(shadow.host_path))
    rows += [{"path": item.path, "state": "skipped", "why": item.reason.text} for item in prepared.plan.skipped]
    # A list cannot name what lies above the workspace folder.
    own = [shadow.path for shadow in prepared.plan.shadows if shadow.kind is not Kind.ALSO]
    listed = list(dict.fromkeys(path for path in own if not path.startswith("../")))
    for item in dict.fromkeys((*prepared.plan.visible, *left_visible(prepared))):
        setting = json.dumps([*listed, item.path], ensure_ascii=False)
        coverable = item.kind is not Kind.NAMES_NO_VENV and not item.path.startswith("../")
        hint = f'; to shadow it: "venv": {setting}' if coverable else ""
        rows.append({"path": shown(item.path), "state": "not shadowed", "why": item.why + shown(hint)})
    return rows


def _stores(shadow: Shadow) -> list[dict[str, Any]]:
    """Return the stores for a directory at its container path: one for each engine and image that was launched."""
    from paude_venv_hook.stores.folder import VENV  # noqa: PLC0415 - for storage on disk only
    from paude_venv_hook.stores.listing import records_of, size_of  # noqa: PLC0415 - as above

    return [
        {
            "path": os.path.join(store, VENV),
            "size": size_of(os.path.join(store, VENV)),
            "engine": record.purpose.engine,
            "image": record.purpose.image,
            "made": record.made,
            "lastUsed": record.last_used,
        }
        for store, record in records_of(shadow.host_path).items()
        if record.purpose.destination == shadow.destination
    ]


def render(report: dict[str, Any], *, colour: bool) -> str:
    """Return the report as aligned text for a terminal of 80 columns.

    What holds in each of several services stands there once; else it says in which.
    """
    places = report.get("services") or {"": report}
    mounts = [f"{name}: {_where(place)}" if len(places) > 1 else _where(place) for name, place in places.items()]
    mode = report["venv"] if isinstance(report["venv"], str) else ", ".join(report["venv"]) or "nothing (empty list)"
    listed_also = ", ".join(report["venvAlso"])
    also = [("venv-also", f"{listed_also} ({report['venvAlsoSource']})")] if listed_also else []
    facts = [
        ("workspace", report["workspaceFolder"]),
        *zip(["mount", *[""] * len(mounts)], mounts, strict=False),
        ("venv", f"{mode} ({report['venvSource']})"),
        *also,
        ("storage", f"{report['storage']} ({report['storageSource']})"),
        ("engine", f"{report['engine']} ({report['engineWhy']})"),
        ("overlay", f"{report['overlayState']}: {report['overlay']}"),
    ]
    facts += [
        (row["engine"], f"{'' if row['coveredBy'] else 'not '}covered: {row['why']}") for row in report["launches"]
    ]
    lines = [line for name, text in facts for line in _wrapped(f"{name:<9}  ", shown(text))]
    found: dict[tuple[str, str, str], set[str]] = {}
    for row in report["directories"]:
        found.setdefault((shown(row["path"]), row["state"], _details(row)), set()).add(row.get("service", ""))
    rows = [
        (path, state, details if len(names) == len(places) else f"{details} (in {shown(', '.join(sorted(names)))})")
        for (path, state, details), names in found.items()
    ]
    order = [row[0] for row in rows]
    rows.sort(key=lambda row: order.index(row[0]))  # services side by side
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


def _where(place: dict[str, Any]) -> str:
    mount = place["workspaceMount"]
    where = f"{mount['source']} → {mount['target']}" if mount else "none"
    return f"{where} ({place['workspaceMountWhy']})"


def _details(row: dict[str, Any]) -> str:
    made = f", Python {row['python']}" if "python" in row else ""
    made += f", made by {row['maker']}" if "maker" in row else ""
    stores = "".join(
        f"; on disk for {' '.join(filter(None, (store['engine'], store['image'])))}: {store['size'] / 1e6:,.1f} MB, "
        f"made {store['made']}, last asked for {store['lastUsed']}"
        for store in row.get("stores", ())
    )
    return shown(row["why"] + made + stores)


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        head + text,
        WIDTH,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
