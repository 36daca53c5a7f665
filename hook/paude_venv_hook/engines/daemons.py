"""Find the daemon that a launch reaches, as far as its line and the environment name it. Pure."""

from __future__ import annotations

from paude_venv_hook.engines.run_grammar import GRAMMARS, find_subcommand, read_options
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paude_venv_hook.engines.run_grammar import Option

_HOST, _CONTEXT = "host", "context"
# What names a daemon on the line, then in the environment, the first before the others (docker(1), podman(1)). A host
# is an address; a context of Docker's, a connection of Podman's, has one.
_OPTIONS = {
    "docker": (("-H", _HOST), ("--host", _HOST), ("-c", _CONTEXT), ("--context", _CONTEXT)),
    "podman": (
        ("--url", _HOST), ("-H", _HOST), ("--host", _HOST),
        ("-c", _CONTEXT), ("--connection", _CONTEXT), ("--context", _CONTEXT),
    ),
}  # fmt: skip
_VARIABLES = {
    "docker": (("DOCKER_HOST", _HOST), ("DOCKER_CONTEXT", _CONTEXT)),
    "podman": (("CONTAINER_HOST", _HOST), ("CONTAINER_CONNECTION", _CONTEXT)),
}
VARIABLES = {engine: tuple(dict(names)) for engine, names in _VARIABLES.items()}
# Addresses on this machine, the second on Windows.
_LOCAL = ("unix:", "npipe:")


class Address(NamedTuple):
    """The address of a daemon, and the option or variable that names it.

    `host` is the address itself, `context` the name of a docker context or a Podman connection that holds it. A field
    that nothing names is "".
    """

    said_in: str = ""
    host: str = ""
    context: str = ""


def global_options(arguments: Sequence[str], form: str = "docker") -> list[Option]:
    """Return the options of an engine's line that are no subcommand's own; `arguments` are those after its name.

    They stand before the subcommand; Podman takes the long ones after `run` and `create` too, and Docker refuses a line
    that has one there. An option that is not known raises nothing.
    """
    grammar = GRAMMARS[form]
    global_ones = list(read_options(arguments, 0, grammar.global_flags, grammar.global_values, lenient=True))
    try:
        subcommand, index = find_subcommand(arguments, grammar)
    except ValueError:
        return global_ones
    if subcommand in ("run", "create"):
        names = {name for name in (*grammar.global_flags, *grammar.global_values) if name.startswith("--")}
        later = read_options(arguments, index, grammar.flags, grammar.values, lenient=True)
        global_ones += [option for option in later if option.name in names]
    return global_ones


def named_daemon(engine: str, line: Iterable[Option], environ: Mapping[str, str]) -> Address:
    """Return what names the daemon of an engine: an option among those of `global_options`, else a variable."""
    values = {option.name: option.value or "" for option in line}
    for names, values_of_names in ((_OPTIONS, values), (_VARIABLES, environ)):
        for name, kind in names.get(engine, ()):
            value = values_of_names.get(name, "").strip()
            if value:
                return Address(name, value) if kind == _HOST else Address(name, "", value)
    return Address()


def why_remote(address: Address) -> str:
    """Return "", or why a daemon is on another machine, which has none of this one's folders.

    Of a context it is not known here: `stores.daemons.find_daemon` asks for its address.
    """
    if not address.host or address.host.startswith(_LOCAL):
        return ""
    return f"{address.said_in} leads to {shown(address.host)}, which is another machine"
