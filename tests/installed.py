"""Stand-ins for docker, podman and systemctl, as far as an installation asks them; they write down what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# What each begins with: $state is the folder of what it knows, and $line how it is called. `failures` has what a line
# begins with and, after a tab, what is then said.
_START = """#!/bin/sh
PATH=/usr/bin:/bin
state='{state}'
line="${{0##*/}} $*"
while IFS='	' read -r start reason; do
    case $line in "$start"*) printf '%b\\n' "$reason" >&2; exit 1 ;; esac
done <"$state/failures"
asked=$line
change() {{ printf '%s\\n' "$asked" >>"$state/calls"; }}
fail() {{ echo "$2" >&2; exit "$1"; }}
"""

_DOCKER = """
[ "$1" != --config ] || { DOCKER_CONFIG=$2; shift 2; line="docker $*"; }
case $DOCKER_CONFIG in "" | "$HOME/.docker") config=$state ;; *) config=$DOCKER_CONFIG ;; esac
contexts=$config/contexts
current=default
[ ! -e "$config/current" ] || read -r current <"$config/current"
case $line in
"docker --version") echo 'Docker version 28.2.2, build e6534b4' ;;
"docker context inspect"*)
    echo x >>"$state/inspections"
    shift 2
    named=${1:-${DOCKER_HOST:+default}}
    named=${named:-${DOCKER_CONTEXT:-$current}}
    [ "$named" = default ] || [ -e "$contexts/$named" ] || { echo '[]'; fail 1 "context \\"$named\\" does not exist"; }
    address=unix:///var/run/docker.sock
    [ ! -e "$contexts/$named" ] || { read -r address; read -r description; } <"$contexts/$named"
    [ "$named" != default ] || address=${DOCKER_HOST:-$address}
    printf '[{"Name": "%s", "Metadata": {"Description": "%s"}, "Endpoints": {"docker": {"Host": "%s"}}}]\\n' \\
        "$named" "$description" "$address" ;;
"docker context create"*)
    change
    [ "$# $4 $6" = "7 --description --docker" ] && [ ! -e "$contexts/$3" ] || exit 64
    printf '%s\\n%s\\n' "${7#host=}" "$5" >"$contexts/$3" ;;
"docker context update "*" --docker host="*)
    change
    { read -r _; read -r description; } <"$contexts/$3"
    printf '%s\\n%s\\n' "${5#host=}" "$description" >"$contexts/$3" ;;
"docker context use "*)
    change
    [ "$3" = default ] || [ -e "$contexts/$3" ] || fail 1 'no such context'
    echo "$3" >"$config/current" ;;
"docker context rm "*)
    change
    [ "$3" != "$current" ] || fail 1 "context \\"$3\\" is in use, set another context as current"
    rm "$contexts/$3" ;;
"docker --context paude-venv version --format {{.Server.Version}}")
    [ -z "$DOCKER_HOST$DOCKER_CONTEXT" ] || exit 64
    echo 28.2.2 ;;
*) exit 64 ;;
esac
"""

_PODMAN = """
[ "$*" = --help ] || exit 64
read -r hooks <"$state/hooks"
echo 'Options:'
echo '      --help                        Help for podman'
[ -z "$hooks" ] || echo "      --hooks-dir strings           Set the OCI hooks directory path (default [$hooks])"
"""

_SYSTEMCTL = """
read -r units <"$state/units"
wants=$units/sockets.target.wants
unit=paude-venv-docker-proxy
case $line in
"systemctl --user show --property=Version") echo Version=252; exit ;;
"systemctl --user is-active $unit.socket") [ -e "$state/active" ] || exit 3; exit ;;
"systemctl --user cat $unit."*) [ -e "$units/$4" ]; exit ;;
"systemctl --user is-enabled $unit.socket") [ -L "$wants/$unit.socket" ] || exit 1; exit ;;
esac
change
case $line in
"systemctl --user daemon-reload") ;;
"systemctl --user stop $unit."*) rm -f "$state/active" ;;
"systemctl --user disable $unit.socket")
    [ -e "$units/$unit.socket" ] || fail 1 "Unit file $unit.socket does not exist."
    [ ! -L "$wants/$unit.socket" ] || rm -r "$wants" ;;
"systemctl --user enable --now $unit.socket")
    [ -e "$units/$unit.socket" ] || fail 1 "Unit file $unit.socket does not exist."
    mkdir -p "$wants" && ln -sf "$units/$unit.socket" "$wants/" && touch "$state/active" ;;
*) exit 64 ;;
esac
"""


class StandIns:
    """The programs, in a folder, and what they know, in another one."""

    def __init__(self, folder: Path, state: Path, home: Path) -> None:
        """Let them be none yet, of which Docker would have just its default context, and Podman a folder of hooks."""
        self.folder, self.state = folder, state
        (state / "contexts").mkdir(parents=True)
        for name, text in {
            "hooks": home / "hooks",
            "units": home / ".config/systemd/user",
            "current": "default",
        }.items():
            (state / name).write_text(f"{text}\n")
        for name in ("calls", "failures", "inspections"):
            (state / name).touch()
        self.add_context("default", "unix:///var/run/docker.sock")

    def add(self, *names: str) -> None:
        """Make programs, of these names."""
        scripts = {"docker": _DOCKER, "podman": _PODMAN, "systemctl": _SYSTEMCTL}
        for name in names:
            program = self.folder / name
            program.write_text(_START.format(state=self.state) + scripts[name])
            program.chmod(0o755)

    def remove(self, name: str) -> None:
        """Remove a program."""
        (self.folder / name).unlink()

    def fail(self, failures: dict[str, str]) -> None:
        """Let command lines that begin so fail, with what is then said, and no others."""
        lines = [f"{start}\t{reason}\n".replace("\n", "\\n", reason.count("\n")) for start, reason in failures.items()]
        (self.state / "failures").write_text("".join(lines))

    def add_config(self, folder: Path) -> None:
        """Let Docker's client keep contexts in a folder for DOCKER_CONFIG too, with its default one in use."""
        (folder / "contexts").mkdir(parents=True)
        (folder / "current").write_text("default\n")
        self.add_context("default", "unix:///var/run/docker.sock", config=folder)

    def add_context(self, name: str, host: str, description: str = "", config: Path | None = None) -> None:
        """Let Docker have a context."""
        ((config or self.state) / "contexts" / name).write_text(f"{host}\n{description}\n")

    def remove_context(self, name: str) -> None:
        """Let Docker have a context no longer."""
        (self.state / "contexts" / name).unlink()

    def use_context(self, name: str, config: Path | None = None) -> None:
        """Let Docker use a context."""
        ((config or self.state) / "current").write_text(f"{name}\n")

    def has_no_hooks(self) -> None:
        """Let Podman be one that starts its containers on another machine."""
        (self.state / "hooks").write_text("\n")

    def listens(self, *, now: bool) -> None:
        """Let systemd listen at the socket, or not."""
        (self.state / "active").touch() if now else (self.state / "active").unlink()

    def known(self, config: Path | None = None) -> dict[str, Any]:
        """Return what they know: the contexts, the one in use, and whether systemd listens at the socket."""
        folder = config or self.state
        contexts = {path.name: path.read_text().splitlines() for path in (folder / "contexts").iterdir()}
        current = (folder / "current").read_text().strip()
        return {"contexts": contexts, "current": current, "listens": (self.state / "active").exists()}

    def inspections(self) -> int:
        """Return how often Docker was asked for a context."""
        return len((self.state / "inspections").read_text().splitlines())

    def calls(self) -> list[str]:
        """Return the command lines that changed something, and forget them."""
        calls = (self.state / "calls").read_text().splitlines()
        (self.state / "calls").write_text("")
        return calls
