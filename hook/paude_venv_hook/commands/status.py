"""`status`: what is shadowed and why, for a person or as JSON."""

from __future__ import annotations

import json
import os
import sys
import textwrap

from paude_venv_hook.command_line.options import OUTPUT, WORKSPACE, WorkspaceOptions, argument, overlay_path
from paude_venv_hook.decision import find_left_visible
from paude_venv_hook.engines.choice import choose_engine
from paude_venv_hook.files import is_inside, read_file
from paude_venv_hook.installation.coverage import find_launches
from paude_venv_hook.launchers.flags import notes_on_nothing
from paude_venv_hook.launchers.last_launch import read_last_launch
from paude_venv_hook.notes import NoteKind, unique_words
from paude_venv_hook.overlay import dump, make_document
from paude_venv_hook.plan import is_outside, nameable_paths
from paude_venv_hook.storage import AUTO, has_stores, once_made
from paude_venv_hook.terminal import write
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.contents import Kind
from paude_venv_hook.workspace.deep import MOST_DIRECTORIES
from paude_venv_hook.workspace.detection import detect
from paude_venv_hook.workspace.devcontainer import find_devcontainer
from paude_venv_hook.workspace.environments import made_once
from paude_venv_hook.workspace.venv import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from paude_venv_hook.decision import Answer
    from paude_venv_hook.installation.coverage import Launches
    from paude_venv_hook.launchers.last_launch import LastLaunch
    from paude_venv_hook.plan import Shadow
    from paude_venv_hook.workspace.contents import Unshadowed

SUMMARY = "show what is shadowed, and why"
POSITION = 3
ARGUMENTS = (
    *WORKSPACE,
    OUTPUT,
    argument("--json", action="store_true", help="print JSON, for programs"),
    argument(
        "--check",
        action="store_true",
        help="end with 1 if a venv of the host would be visible in a launch through this program, else with 0",
    ),
)
EXAMPLES = """\
  paude-venv-hook status
  paude-venv-hook status --check >/dev/null || echo 'a venv of the host would be visible'
  paude-venv-hook status --json | jq '.directories[]'
"""

WIDTH = 80
NAME_WIDTH = 24  # a longer name has a line of its own
_NOT_SEARCHED = f"only {MOST_DIRECTORIES} directories were searched for venvs; list what lies deeper, if it matters"
_AMONG_DIRECTORIES = (NoteKind.SKIPPED, NoteKind.TROUBLE, NoteKind.VISIBLE)  # which need no warning
_COLOURS = {
    "shadowed": "32",
    "would be shadowed": "32",
    "reserved": "32",
    "would be reserved": "32",
    "skipped": "33",
    "not shadowed": "2",
}


class Options(WorkspaceOptions):
    """The values of the arguments."""

    output: str | None = None
    json = False
    check = False


def execute(options: Options) -> int:
    """Print the report of a workspace. With --check, return 1 if it says that a venv of the host would be visible."""
    answer = options.decide()
    folder = answer.workspace_folder
    path = overlay_path(options.output, folder)
    answers = _by_service(answer, options)
    report = make_report(
        answers,
        engine_why=choose_engine(options.engine, os.environ)[1],
        overlay_path=path,
        overlay_state=_overlay_state(path, dump(make_document(answer, os.environ))),
        launches=find_launches(folder, os.environ),
        last_launch=read_last_launch(folder),
    )
    if options.json:
        write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    else:
        terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        write(render(report, colour=terminal and not os.environ.get("NO_COLOR")))
    is_visible = options.check and any(map(leaves_venv_visible, answers.values()))
    return 1 if is_visible else 0


def leaves_venv_visible(answer: Answer) -> bool:
    """Tell whether a container would see a venv of the host's, as this answer has it. Reads the workspace."""
    if answer.settings.venv == "none":
        folder = os.path.realpath(answer.workspace_folder)
        detected = detect(folder, (), (), same_path=False)
        return any(directory.kind is not Kind.RESERVED for directory in detected.directories)
    if not answer.location.mounts:
        return False
    if any(note.kind is NoteKind.SHARED for note in answer.notes):
        return True
    visible, _ = find_left_visible(answer)
    if any(directory.kind is not Kind.NAMES_NO_VENV for directory in visible):
        return True
    unexpected = [skipped.path for skipped in answer.plan.skipped if not skipped.is_expected]
    return any(_is_seen(path, answer) for path in unexpected if path != ".")


def _is_seen(path: str, answer: Answer) -> bool:
    """Tell whether a skipped directory is there, and a container sees it: no mount of its own lies on it or above."""
    host_path = os.path.join(answer.workspace_folder, path)
    mount = answer.location.mounts[0]
    destination = os.path.normpath(os.path.join(mount.target, os.path.relpath(host_path, mount.source)))
    others = [target for target in answer.location.mounted if is_inside(target, mount.target)]
    return os.path.lexists(host_path) and not any(is_inside(destination, target) for target in others)


def _by_service(answer: Answer, options: Options) -> Mapping[str, Answer]:
    """Return the answer for each service that has the workspace, as far as compose tells, else the only one, by ""."""
    from paude_venv_hook.engines.compose_grammar import has_default_file  # noqa: PLC0415 - not for --help

    is_by_compose = answer.location.is_by_compose
    is_plain_compose = not find_devcontainer(answer.workspace_folder) and has_default_file(answer.workspace_folder)
    is_said = options.container_workspace_folder is not None or options.config is not None
    if not is_by_compose and (is_said or not is_plain_compose):
        return {"": answer}
    from paude_venv_hook.launchers.compose import decide_compose  # noqa: PLC0415 - it asks docker

    answers, file = decide_compose(options.workspace_folder, os.environ, target_needed=False, **options.choices)
    if not file["services"] and not is_by_compose:
        return {"": answer}
    return dict(zip(file["services"] or [""], answers, strict=True))


def _overlay_state(path: str, data: bytes) -> str:
    try:
        written = read_file(path)
    except OSError:
        return "cannot be read"
    if written is None:
        return "not written yet"
    return "up to date" if written == data else "out of date"


def make_report(
    answers: Mapping[str, Answer],
    *,
    engine_why: str,
    overlay_path: str,
    overlay_state: str,
    launches: Sequence[Launches] = (),
    last_launch: LastLaunch | None = None,
) -> dict[str, Any]:
    """Return what `status --json` prints of the answers, which differ in nothing but the service of compose, or "".

    `launches` tells what covers those that name us nowhere, `last_launch` what came of the last one through a way in
    that has no voice. Reads `pyvenv.cfg`, the folders of the workspace, and with storage on disk the stores. Writes
    nothing.
    """
    answer = next(iter(answers.values()))
    settings = answer.settings
    report: dict[str, Any] = {"workspaceFolder": answer.workspace_folder, **_place(answer)}
    if "" not in answers:
        report["services"] = {name: _place(of_service) for name, of_service in answers.items()}
    report |= {
        "venv": settings.venv if isinstance(settings.venv, str) else list(settings.venv),
        "venvSource": settings.venv_source,
        "venvAlso": list(settings.also),
        "venvAlsoSource": settings.also_source,
        "storage": settings.storage,
        "storageSource": settings.storage_source,
        "storageWhy": _why_storage(answer),
        "stores": _count_stores(),
        "engine": answer.engine,
        "engineWhy": engine_why,
        "overlay": overlay_path,
        "overlayState": overlay_state,
        "launches": [{"engine": row.engine, "coveredBy": row.by or None, "why": row.why} for row in launches],
        "lastLaunch": last_launch and last_launch.lines(),
        "directories": [],
        "warnings": [],
        "whyNothing": None,
    }
    why_nothing = unique_words(notes_on_nothing(list(answers.values())))
    if why_nothing:
        report["whyNothing"] = why_nothing[0]
    warnings = []
    for name, of_service in answers.items():
        service = {"service": name} if name else {}
        visible, is_whole = find_left_visible(of_service)
        report["directories"] += [row | service for row in _directories(of_service, visible)]
        if not is_whole:
            warnings.append(_NOT_SEARCHED)
        warnings += unique_words(note for note in of_service.notes if note.kind not in _AMONG_DIRECTORIES)
    report["warnings"] = list(dict.fromkeys(warnings))
    return report


def _why_storage(answer: Answer) -> str:
    """Return what `auto` means for a workspace, and why; "" if the settings name a storage."""
    if answer.settings.storage != AUTO:
        return ""
    config = answer.config or find_devcontainer(answer.workspace_folder)
    if config is None:
        return "memory (no devcontainer.json)"
    from paude_venv_hook.workspace.lifecycle import read_set_ups  # noqa: PLC0415 - not for every workspace

    set_ups = read_set_ups(config, answer.workspace_folder)
    shadows = answer.plan.shadows
    key = once_made(set_ups, shadows) if shadows else made_once(set_ups)
    if key:
        return f"disk in a dev container ({key} makes the venv once), memory otherwise"
    at_start = next((set_up.key for set_up in set_ups if set_up.is_at_each_start), "")
    if at_start:
        return f"memory ({at_start} makes the venv at each start)"
    return "memory (nothing in devcontainer.json makes the venv)"


def _count_stores() -> dict[str, int]:
    """Return how many stores there are, and how many belong to workspaces that are gone; no engine is asked."""
    if not has_stores():
        return {"all": 0, "workspaceGone": 0}
    from paude_venv_hook.stores.listing import count_stores  # noqa: PLC0415 - few have any

    count, gone = count_stores()
    return {"all": count, "workspaceGone": gone}


def _words_on_storage(report: dict[str, Any]) -> str:
    source = report["storageSource"]
    if not report["storageWhy"]:
        return f"{report['storage']} ({source})"
    named = "" if source == "default" else f" ({source})"
    return f"{report['storage']}{named}: {report['storageWhy']}"


def _words_on_stores(stores: dict[str, int]) -> str:
    count = "1 store" if stores["all"] == 1 else f"{stores['all']} stores"
    if not stores["workspaceGone"]:
        return f"{count} on this machine"
    return (
        f"{count} on this machine, {stores['workspaceGone']} of workspaces that are gone: paude-venv-hook store prune"
    )


def _place(answer: Answer) -> dict[str, Any]:
    mount = answer.location.mount
    return {
        "workspaceMount": mount and {"source": mount.source, "target": mount.target},
        "workspaceMountWhy": answer.location.why,
    }


def _directories(answer: Answer, visible: Iterable[Unshadowed]) -> list[dict[str, Any]]:
    """Return a row for each directory that is shadowed, skipped, or left visible."""
    paths = [shadow.path for shadow in answer.plan.shadows]
    rows = []
    for shadow in answer.plan.shadows:
        row = _shadowed(shadow)
        if paths.count(shadow.path) > 1:
            row["why"] += f", at {shadow.destination}"
        rows.append(row)
    for skipped in answer.plan.skipped:
        row = {"path": skipped.path, "state": "skipped", "why": skipped.reason.text}
        rows.append(row)
    nameable = list(dict.fromkeys(nameable_paths(answer.plan)))
    for directory in visible:
        why = directory.why
        if directory.kind is not Kind.NAMES_NO_VENV and not is_outside(directory.path):
            setting = json.dumps([*nameable, directory.path], ensure_ascii=False)
            why += shown(f'; to shadow it: "venv": {setting}')
        rows.append({"path": shown(directory.path), "state": "not shadowed", "why": why})
    return rows


def _shadowed(shadow: Shadow) -> dict[str, Any]:
    """Return the row of a shadow."""
    state, why = "shadowed", shadow.why
    if shadow.kind is Kind.RESERVED:
        state, why = "reserved", f"for the first venv made here ({shadow.evidence})"
    if shadow.trouble:
        why += f"; does not run on this machine: {shadow.trouble}"
    row: dict[str, Any] = {"path": shadow.path, "state": state, "why": why, "destination": shadow.destination}
    stores = _stores(shadow)
    if shadow.store:
        row["store"] = shadow.store
    if stores or shadow.store:
        row["stores"] = stores
    return row | describe(shadow.host_path)


def _stores(shadow: Shadow) -> list[dict[str, Any]]:
    """Return the stores for a directory at its container path: one for each engine and image that was launched."""
    if not has_stores():
        return []
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
            "reason": record.reason,
        }
        for store, record in records_of(shadow.host_path).items()
        if record.purpose.destination == shadow.destination
    ]


def render(report: dict[str, Any], *, colour: bool) -> str:
    """Return the report as aligned text for a terminal of 80 columns.

    If no way in covers a launch that names us nowhere, the shadows are those that there would be. What holds in each of
    several services stands there once; else it says in which.
    """
    lines = []
    for name, text in _facts(report):
        lines += _wrapped(f"{name:<9}  ", shown(text))
    rows = _rows(report)
    if rows:
        lines += ["", *_table(rows, colour=colour)]
    elif report["whyNothing"]:
        lines += ["", *_wrapped("", shown(report["whyNothing"]))]
    if report["warnings"]:
        lines.append("")
    for warning in report["warnings"]:
        lines += _wrapped("warning: ", shown(warning))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the head of the report: what each line is about, "" if the line before says it, and its text."""
    facts = [("workspace", report["workspaceFolder"])]
    places = report.get("services") or {"": report}
    head = "mount"
    for service, place in places.items():
        text = _mount(place)
        if len(places) > 1:
            text = f"{service}: {text}"
        facts.append((head, text))
        head = ""

    venv = report["venv"]
    names = venv if isinstance(venv, str) else ", ".join(venv) or "nothing (empty list)"
    facts.append(("venv", f"{names} ({report['venvSource']})"))
    if report["venvAlso"]:
        facts.append(("venv-also", f"{', '.join(report['venvAlso'])} ({report['venvAlsoSource']})"))
    facts.append(("storage", _words_on_storage(report)))
    if report["stores"]["all"]:
        facts.append(("", _words_on_stores(report["stores"])))
    facts.append(("engine", f"{report['engine']} ({report['engineWhy']})"))
    facts.append(("overlay", f"{report['overlayState']}: {report['overlay']}"))
    for row in report["launches"]:
        state = "covered" if row["coveredBy"] else "not covered"
        facts.append((row["engine"], f"{state}: {row['why']}"))
    head = "launched"
    for line in report["lastLaunch"] or ():
        facts.append((head, line))
        head = ""
    return facts


def _mount(place: dict[str, Any]) -> str:
    mount, why = place["workspaceMount"], place["workspaceMountWhy"]
    if not mount:
        return f"none ({why})"
    return f"{mount['source']} → {mount['target']} ({why})"


def _rows(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the directories: name, state and details, each once, those of one name side by side."""
    is_covered = any(row["coveredBy"] for row in report["launches"])
    services: dict[tuple[str, str, str], set[str]] = {}
    for row in report["directories"]:
        state = row["state"]
        if state in ("shadowed", "reserved") and not is_covered:
            state = f"would be {state}"
        services.setdefault((shown(row["path"]), state, _details(row)), set()).add(row.get("service", ""))

    everywhere = len(report.get("services") or {"": report})
    rows = []
    for (path, state, details), names in services.items():
        services_named = ""
        if len(names) < everywhere:
            services_named = f" (in {shown(', '.join(sorted(names)))})"
        rows.append((path, state, details + services_named))
    order = [path for path, _, _ in rows]
    return sorted(rows, key=lambda row: order.index(row[0]))


def _table(rows: Sequence[tuple[str, str, str]], *, colour: bool) -> list[str]:
    """Return rows as lines in columns; a long name has a line of its own."""
    name_width = max((len(name) for name, _, _ in rows if len(name) <= NAME_WIDTH), default=0)
    state_width = max(len(state) for _, state, _ in rows)
    lines = []
    for name, state, details in rows:
        label = name
        if len(name) > name_width:
            lines.append(name)
            label = ""
        first, *rest = _wrapped(f"{label:<{name_width}}  {state:<{state_width}}  ", details)
        if colour:
            before, after = first[: name_width + 2], first[name_width + 2 + len(state) :]
            first = f"{before}\x1b[{_COLOURS[state]}m{state}\x1b[0m{after}"
        lines += [first, *rest]
    return lines


def _details(row: dict[str, Any]) -> str:
    details = row["why"]
    if "python" in row:
        details += f", Python {row['python']}"
    if "maker" in row:
        details += f", made by {row['maker']}"
    for store in row.get("stores", ()):
        user = " ".join(filter(None, (store["engine"], store["image"])))
        size = f"{store['size'] / 1e6:,.1f} MB"
        details += f"; on disk for {user}: {size}, made {store['made']}, last asked for {store['lastUsed']}"
    return shown(details)


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        head + text,
        WIDTH,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
