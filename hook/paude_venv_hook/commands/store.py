"""`store`: the venvs of containers that stay on the host's disk: list, empty or remove them."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from datetime import date, timedelta

from paude_venv_hook.command_line.options import DRY_RUN, argument
from paude_venv_hook.errors import StoreError, UsageError
from paude_venv_hook.files import is_inside
from paude_venv_hook.stores.folder import stores_folder
from paude_venv_hook.stores.listing import list_stores, size_of, unused_since
from paude_venv_hook.stores.removal import empty_store, remove_store
from paude_venv_hook.terminal import say, say_warnings, write
from paude_venv_hook.text import did_you_mean, print_line, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from paude_venv_hook.stores.listing import Store

SUMMARY = "list, empty or remove the venvs of containers that stay on disk"
POSITION = 12
ARGUMENTS = (
    argument(
        "action",
        choices=("list", "clean", "prune"),
        help="list: show all stores. clean: empty some; containers that use them still start. prune: remove those "
        "that no container uses and whose workspace is gone",
    ),
    argument(
        "names",
        nargs="*",
        default=(),
        metavar="NAME",
        help="for clean: the stores to empty, as list names them, even if a container runs (default: those of the "
        "workspace in the current folder, unless a container that uses one runs)",
    ),
    argument("--all", action="store_true", help="for clean: also those of all workspaces below the current folder"),
    argument("--json", action="store_true", help="for list: print JSON, for programs"),
    argument(*DRY_RUN[0], action="store_true", help="for prune: show what would be removed, and remove nothing"),
    argument(
        "--older",
        metavar="DAYS",
        help="for prune: also those that no container uses and no launch asked for in the last DAYS days",
    ),
)
EXAMPLES = """\
  paude-venv-hook store list
  cd ~/src/app && paude-venv-hook store clean
  cd ~/src && paude-venv-hook store clean --all
  paude-venv-hook store prune --older 90 --dry-run
"""

HEADINGS = ("NAME", "STATE", "SIZE", "LAST USE", "ENGINE", "IMAGE", "VENV", "IN THE CONTAINER", "WHY")
PATIENCE = 1.0  # seconds without a word
MAX_DAYS = 36500
_FLAGS = {"json": "list", "dry_run": "prune", "older": "prune", "names": "clean", "all": "clean"}


class Options:
    """The values of the arguments."""

    action = ""
    names: Sequence[str] = ()
    all = False
    json = False
    dry_run = False
    older: str | None = None


def execute(options: Options) -> int:
    """Do what the action says; 1 if a store could not be emptied or removed."""
    _refuse_what_does_not_fit(options)
    days = _number_of_days(options.older)
    stores, problems = list_stores(os.environ)
    say_warnings(problems)
    if options.action == "list":
        write(_list_as_json(stores) if options.json else render(stores))
        return 0
    if options.action == "clean":
        return _clean(stores, options)
    return _prune(stores, days, dry_run=options.dry_run)


def _refuse_what_does_not_fit(options: Options) -> None:
    """Raise UsageError for an argument that is for another action."""
    for name, action in _FLAGS.items():
        if getattr(options, name) != getattr(Options, name) and options.action != action:
            what = "a NAME" if name == "names" else "--" + name.replace("_", "-")
            raise UsageError(f"{what} does not go with {options.action}, only with {action}; leave it out")
    if options.all and options.names:
        raise UsageError("--all does not go with a NAME; leave one of them out")


def _number_of_days(text: str | None) -> int | None:
    """Return the value of `--older` as a number, None if it is not given. Raises UsageError."""
    if text is None:
        return None
    days = int(text) if text.isdecimal() else -1
    if not 0 <= days <= MAX_DAYS:
        raise UsageError(f'--older: "{shown(text)}" is no number of days; use 0 to {MAX_DAYS}')
    return days


def _clean(stores: Sequence[Store], options: Options) -> int:
    folder = os.path.realpath(".")
    chosen = choose(stores, options.names, folder, below=options.all)
    if not chosen:
        say(f"nothing is emptied: no store is for a venv of {shown(folder)}; {_where_stores_are(stores, folder)}")
        return 0
    emptied = _do_each(chosen, empty_store, "Emptying")
    if emptied:
        of_folder = "" if options.names else f" of {shown(folder)}"
        say(f"emptied {_count(emptied)}{of_folder}; the next start finds no venv there")
    return 0 if emptied == len(chosen) else 1


def _where_stores_are(stores: Sequence[Store], folder: str) -> str:
    """Return the advice if no store is for a folder (a real host path): its workspace may be above, or others below."""
    below = [store for store in stores if is_inside(store.record.purpose.host_path, folder)]
    if below:
        return f"for {_count(len(below))} of folders below it: store clean --all"
    above = [store.record.purpose.source for store in stores if is_inside(folder, store.record.purpose.source)]
    if above:
        return f"the workspace is {shown(max(above, key=len))}: change to it"
    return "see paude-venv-hook store list"


def _prune(stores: Sequence[Store], days: int | None, *, dry_run: bool) -> int:
    day = None if days is None else (date.today() - timedelta(days)).isoformat()  # noqa: DTZ011 - theirs
    unused = unused_since(stores, day)
    if not unused:
        say("nothing is removed: each store is still of use; see paude-venv-hook store list")
        return 0
    if dry_run:
        write("".join(f"{store.name}\n" for store in unused))
        say(f"would remove {_count(len(unused))}; nothing is changed yet")
        return 0
    removed = _do_each(unused, remove_store, "Removing")
    if removed:
        say(f"removed {_count(removed)}")
    return 0 if removed == len(unused) else 1


def _count(number: int) -> str:
    return "1 store" if number == 1 else f"{number} stores"


def choose(stores: Sequence[Store], names: Sequence[str], folder: str, *, below: bool = False) -> list[Store]:
    """Return the stores to empty: those that are named, else those of the workspace in a folder (a real host path).

    A store is of that workspace if the venv is in the folder, and the folder is what was mounted or lies in it. With
    `below` the stores of all workspaces further down are chosen too.
    Raises UsageError for a name that is none, StoreError if a container that has one of the folder's runs, or may run:
    its programs would vanish under it.
    """
    if names:
        return _choose_by_name(stores, names)
    chosen = []
    for store in stores:
        purpose = store.record.purpose
        is_own = below or is_inside(folder, purpose.source)
        if is_own and is_inside(purpose.host_path, folder):
            chosen.append(store)
    for store in chosen:
        _refuse_running(store)
    return chosen


def _choose_by_name(stores: Sequence[Store], names: Sequence[str]) -> list[Store]:
    by_name = {store.name: store for store in stores}
    for name in names:
        if name not in by_name:
            hint = did_you_mean(name, by_name)
            raise UsageError(f'"{shown(name)}" is no store{hint}; see paude-venv-hook store list')
    return [by_name[name] for name in dict.fromkeys(names)]


def _refuse_running(store: Store) -> None:
    if store.is_running:
        users = ", ".join(container.name for container in store.containers if container.running) or "a container"
        raise StoreError(
            f"{store.name}: {shown(users)} runs with it; stop that, or empty it all the same "
            f"with: store clean {store.name}"
        )
    if store.unasked:
        raise StoreError(
            f"{store.name}: whether a container runs with it is unknown ({shown(store.unasked)}); "
            f"if none does: store clean {store.name}"
        )


def _do_each(stores: Sequence[Store], action: Callable[[Store], None], word: str) -> int:
    """Empty or remove each of the stores and print its name; return how many were.

    What goes wrong with one spares the others. `word` is for what takes long.
    """
    done = 0
    for store in stores:
        try:
            with _said_if_slow(f"{word} {store.name} …"):
                action(store)
        except StoreError as error:
            say(f"error[{error.code}]: {error}")
        else:
            write(f"{store.name}\n")
            done += 1
    return done


@contextmanager
def _said_if_slow(line: str) -> Iterator[None]:
    """Say the line if the block takes a while."""
    timer = threading.Timer(PATIENCE, print_line, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# ---- What list prints


def _list_as_json(stores: Sequence[Store]) -> str:
    document = {"folder": stores_folder(), "stores": [as_json(store) for store in stores]}
    return json.dumps(document, indent=2) + "\n"


def as_json(store: Store) -> dict[str, Any]:
    """Return what `store list --json` prints of a store; the size is in bytes."""
    purpose = store.record.purpose
    containers = [{"name": container.name, "running": container.running} for container in store.containers]
    return {
        "name": store.name,
        "path": store.venv,
        "state": store.state,
        "containers": containers,
        "size": size_of(store.venv),
        "made": store.record.made,
        "lastUsed": store.record.last_used,
        "venv": purpose.host_path,
        "workspaceMount": purpose.source,
        "destination": purpose.destination,
        "engine": purpose.engine,
        "rootless": purpose.rootless,
        "service": purpose.service,
        "image": purpose.image,
        "platform": purpose.platform,
        "configuration": purpose.configuration,
        "lifetime": purpose.lifetime or "kept",
        "reason": store.record.reason,
    }


def render(stores: Sequence[Store]) -> str:
    """Return the table of the stores, nothing if there are none."""
    if not stores:
        return ""
    rows = [HEADINGS, *map(_row, stores)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def _row(store: Store) -> tuple[str, ...]:
    purpose = store.record.purpose
    engine = purpose.engine + (" rootless" if purpose.rootless else "")
    service = f"({purpose.service})" if purpose.service else ""
    image = " ".join(filter(None, (purpose.image, purpose.platform, service))) or "-"
    size = f"{size_of(store.venv) / 1e6:,.1f} MB"
    reason = store.record.reason or "-"
    return (
        store.name,
        store.state,
        size,
        store.record.last_used,
        shown(engine),
        shown(image),
        shown(purpose.host_path),
        shown(purpose.destination),
        shown(reason),
    )
