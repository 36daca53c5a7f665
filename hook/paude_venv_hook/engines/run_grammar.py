"""How engines read the command line of `run` and `create`: Docker, Podman and nerdctl (with Go's pflag), and Apple's.

That of bwrap is in `bwrap_grammar`.
"""

from __future__ import annotations

from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

# The options before the subcommand, then those of `run` and `create`, of Docker 20.10 to 28, Podman 4.3 to 5.8 and
# nerdctl 2.3, with Finch. Those that take no value are the flags.
GLOBAL_FLAGS = frozenset(
    """
    --debug --debug-full --experimental --help --insecure-registry --kube-hide-dupe --noout --remote --selinux-enabled
    --syslog --tls --tlsverify --trace --transient-store --version -D -r -v
    """.split()  # noqa: SIM905 - a list of words reads better than a list of quotes
)
GLOBAL_VALUES = frozenset(
    """
    --address --bridge-ip --cdi-spec-dir --cdi-spec-dirs --cgroup-manager --cni-netconfpath --cni-path --config --conmon
    --connection --context --cpu-profile --data-root --db-backend --default-mounts-file --events-backend --global-dns
    --global-dns-opts --global-dns-search --hooks-dir --host --host-gateway-ip --hosts-dir --identity --imagestore
    --log-level --max-workers --memory-profile --module --namespace --network-cmd-path --network-config-dir --out
    --pull-option --registries-conf --root --runroot --runtime --runtime-flag --snapshotter --ssh --storage-driver
    --storage-opt --tls-ca --tls-cert --tls-key --tlscacert --tlscert --tlskey --tmpdir --url --userns-remap
    --volumepath -H -a -c -l -n
    """.split()  # noqa: SIM905
)

# Podman and nerdctl take their long global options there too, and Docker refuses a line that has one of them.
FLAGS = frozenset(option for option in GLOBAL_FLAGS if option.startswith("--")).union(
    """
    --detach --disable-content-trust --env-host --help --http-proxy --init --interactive --no-healthcheck --no-hostname
    --no-hosts --oom-kill-disable --passwd --privileged --publish-all --quiet --read-only --read-only-tmpfs --replace
    --rm --rmi --rootfs --sig-proxy --tls-verify --tty --unsetenv-all --use-api-socket -P -d -i -q -t
    """.split()  # noqa: SIM905
)
VALUES = frozenset(option for option in GLOBAL_VALUES if option.startswith("--")).union(
    """
    --add-host --annotation --arch --attach --authfile --blkio-weight --blkio-weight-device --cap-add --cap-drop
    --cert-dir --cgroup-conf --cgroup-parent --cgroupns --cgroups --chrootdirs --cidfile --conmon-pidfile
    --cosign-certificate-identity --cosign-certificate-identity-regexp --cosign-certificate-oidc-issuer
    --cosign-certificate-oidc-issuer-regexp --cosign-key --cpu-count --cpu-percent --cpu-period --cpu-quota
    --cpu-rt-period --cpu-rt-runtime --cpu-shares --cpus --cpuset-cpus --cpuset-mems --creds --decryption-key
    --detach-keys --device --device-cgroup-rule --device-read-bps --device-read-iops --device-write-bps
    --device-write-iops --dns --dns-opt --dns-option --dns-search --domainname --entrypoint --env --env-file --env-merge
    --expose --gidmap --gpus --group-add --group-entry --health-cmd --health-interval --health-log-destination
    --health-max-log-count --health-max-log-size --health-on-failure --health-retries --health-start-interval
    --health-start-period --health-startup-cmd --health-startup-interval --health-startup-retries
    --health-startup-success --health-startup-timeout --health-timeout --healthcheck-command --healthcheck-interval
    --healthcheck-retries --healthcheck-start-period --healthcheck-timeout --hostname --hosts-file --hostuser
    --image-volume --init-binary --init-ctr --init-path --io-maxbandwidth --io-maxiops --ip --ip6 --ipc --ipfs-address
    --isolation --kernel-memory --label --label-file --link --link-local-ip --log-driver --log-opt --mac-address
    --memory --memory-reservation --memory-swap --memory-swappiness --mount --name --net --net-alias --network
    --network-alias --oom-score-adj --os --override-arch --override-os --override-variant --passwd-entry --personality
    --pid --pidfile --pids-limit --platform --pod --pod-id-file --preserve-fd --preserve-fds --publish --pull
    --rdt-class --requires --restart --retry --retry-delay --runtime --sdnotify --seccomp-policy --secret --security-opt
    --shm-size --shm-size-systemd --signature-policy --stop-signal --stop-timeout --storage-opt --subgidname
    --subuidname --sysctl --systemd --timeout --tmpfs --tz --uidmap --ulimit --umask --unsetenv --user --userns --uts
    --variant --verify --volume --volume-driver --volumes-from --workdir -a -c -e -h -l -m -p -u -v -w
    """.split()  # noqa: SIM905
)


class Grammar(NamedTuple):
    """What an engine knows before the subcommand, and after `run` and `create`.

    `mount_type` is that of a `--mount` which names none. `is_last` tells that what comes later covers what came before.
    """

    global_flags: Collection[str]
    global_values: Collection[str]
    flags: Collection[str]
    values: Collection[str]
    mount_type: str
    is_last: bool = False


GRAMMARS = {
    "docker": Grammar(GLOBAL_FLAGS, GLOBAL_VALUES, FLAGS, VALUES, "volume"),
    # Flags.swift of Apple's container 1.2. From 1.0 on it mounts by depth; earlier ones are not known to.
    "container": Grammar(
        frozenset(("--debug", "--help", "--version", "-h")),
        frozenset(),
        frozenset(
            """
            --debug --detach --disable-progress-updates --help --init --interactive --no-dns --read-only --remove --rm
            --rosetta --ssh --tty --version --virtualization -d -h -i -t
            """.split()  # noqa: SIM905
        ),
        frozenset(
            """
            --arch --cap-add --cap-drop --cidfile --cpus --cwd --dns --dns-domain --dns-option --dns-search --entrypoint
            --env --env-file --gid --init-image --kernel --kernel-arg --label --masked-path --max-concurrent-downloads
            --memory --mount --name --network --os --platform --progress --publish --publish-socket --read-only-path
            --runtime --scheme --shm-size --tmpfs --uid --ulimit --user --volume --workdir -a -c -e -k -l -m -p -u -v -w
            """.split()  # noqa: SIM905
        ),
        "bind",
        is_last=True,
    ),
}


class UnknownOptionError(ValueError):
    """An unknown option: it may take a value or not, and what follows cannot be read."""


class Option(NamedTuple):
    """One option: its name with the dashes, its value or None, and the index of the word after it."""

    name: str
    value: str | None
    end: int


class RunLine(NamedTuple):
    """A `run` or `create`: the index of that word, the index for more options, the options, the index of the image."""

    subcommand_at: int
    insert_at: int
    options: tuple[Option, ...]
    image_at: int


def read_options(
    arguments: Sequence[str],
    start: int = 0,
    flags: Collection[str] = FLAGS,
    values: Collection[str] = VALUES,
    *,
    lenient: bool = False,
) -> Iterator[Option]:
    """Yield the options from the index `start` on, up to the first word that is none.

    `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value` and clusters such as `-itv value` are all read.
    `flags` take no value and `values` take one. Another option raises UnknownOptionError or, if `lenient`, takes the
    next word unless that is an option itself: a flag that is too new must not hide what follows.
    """
    index = start
    while index < len(arguments):
        word = arguments[index]
        if word in ("-", "--") or not word.startswith("-"):
            return
        index += 1
        for name, attached in _split(word, flags):
            is_known = name in flags or name in values
            if not is_known and not lenient:
                raise UnknownOptionError(name)
            is_alone = not is_known and arguments[index : index + 1] and arguments[index].startswith("-")
            if attached is not None or name in flags or is_alone:
                yield Option(name, attached, index)
            else:
                value = arguments[index] if index < len(arguments) else None
                index += 1
                yield Option(name, value, index)


def _split(word: str, flags: Collection[str]) -> list[tuple[str, str | None]]:
    """Return the options in one word, each with the value that is attached to it, or None."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return [(name, value if equals else None)]
    cluster: list[tuple[str, str | None]] = []
    for position, letter in enumerate(word[1:], start=2):
        name, rest = f"-{letter}", word[position:]
        if rest.startswith("=") or (rest and name not in flags):
            return [*cluster, (name, rest.removeprefix("="))]
        cluster.append((name, None))
    return cluster


def platform_in(options: Iterable[Option]) -> str:
    """Return the platform that the options of `run` or `create` ask for, "" if they leave it to the engine.

    Podman knows it by its parts too.
    """
    values = {option.name: option.value or "" for option in options}
    parts = (values.get(name, "") for name in ("--os", "--arch", "--variant"))
    return values.get("--platform") or "/".join(filter(None, parts))


def volumes_from_in(options: Iterable[Option]) -> list[str]:
    """Return the containers whose mounts the options take over, each perhaps with more after a colon."""
    return [option.value for option in options if option.name == "--volumes-from" and option.value]


def pods_in(options: Iterable[Option]) -> list[str]:
    """Return the pod of Podman that is there already and that the options name."""
    pods = [option.value for option in options if option.name == "--pod" and option.value]
    return [pod for pod in pods if not pod.startswith("new:")]


def labels_in(options: Iterable[Option], annotations: Collection[str] = ()) -> dict[str, str]:
    """Return the labels that the options give, and those of the annotations that stand for a label."""
    labels = {}
    for option in options:
        key, _, value = (option.value or "").partition("=")
        if option.name in ("-l", "--label") or (option.name == "--annotation" and key in annotations):
            labels[key] = value
    return labels


def parse_run(arguments: Sequence[str], grammar: Grammar = GRAMMARS["docker"]) -> RunLine | None:
    """Return what an engine is told with these arguments if it runs or creates a container, else None.

    The words after the image belong to the container and are not read. Raises UnknownOptionError.
    """
    subcommand, index = find_subcommand(arguments, grammar)
    if subcommand not in ("run", "create"):
        return None
    line = tuple(read_options(arguments, index, grammar.flags, grammar.values))
    image_at = _end(line, index)
    insert_at = image_at if grammar.is_last else index
    return RunLine(index - 1, insert_at, line, image_at)


# What creates containers from something else than the options of a line: a file, an image's label, another container.
_UNREAD = frozenset((
    "clone", "kube play", "play kube", "pod clone", "runlabel",
    "sandbox create", "sandbox run", "service create", "stack deploy", "stack up",
))  # fmt: skip


def find_unread(arguments: Sequence[str], grammar: Grammar = GRAMMARS["docker"]) -> str:
    """Return the subcommand, as it is written, that creates containers of which the line does not tell; "" for others.

    Raises UnknownOptionError for an option before it that is not known.
    """
    subcommand, end = find_subcommand(arguments, grammar)
    both = " ".join((subcommand, *arguments[end : end + 1]))
    return next((words for words in (subcommand, both) if words in _UNREAD), "")


def find_subcommand(arguments: Sequence[str], grammar: Grammar = GRAMMARS["docker"]) -> tuple[str, int]:
    """Return the subcommand that an engine is told with these arguments, "" if there is none, and where it ends.

    `container run` is `run`. Raises UnknownOptionError for an option before it that is not known.
    """
    before = grammar.global_flags, grammar.global_values
    index = _end(read_options(arguments, 0, *before), 0)
    if list(arguments[index : index + 1]) == ["container"]:
        index = _end(read_options(arguments, index + 1, *before), index + 1)
    return next(iter(arguments[index : index + 1]), ""), index + 1


def _end(options: Iterable[Option], start: int) -> int:
    end = start
    for option in options:
        end = option.end
    return end
