"""How engines read the command line of `run` and `create`."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.engines.run_grammar import (
    FLAGS,
    GLOBAL_FLAGS,
    GLOBAL_VALUES,
    GRAMMARS,
    VALUES,
    UnknownOptionError,
    find_subcommand,
    parse_run,
    platform_in,
    read_options,
)

PAUDE_LINE = (
    "run --rm -it --userns=keep-id -v /home/me/app:/home/me/app -w /home/me/app "
    "-v /home/me/.gitconfig:/home/paude/.gitconfig:ro -e TERM=xterm IMG claude --resume"
)
DEVCONTAINER_LINE = (
    "run --sig-proxy=false -a STDOUT -a STDERR --mount type=bind,source=/src,target=/workspaces/app "
    "-l devcontainer.local_folder=/src -l devcontainer.config_file=/src/.devcontainer/devcontainer.json "
    "--entrypoint /bin/sh -l 'devcontainer.metadata=[{\"id\":\"-v\"}]' IMG -c 'echo Container started' -"
)
VSCODE_LINE = (
    "run --sig-proxy=false -a STDOUT -a STDERR -p 127.0.0.1:3000:3000 "
    "--mount 'type=bind,source=/src,target=/workspaces/app,consistency=cached' "
    "--mount type=volume,src=vscode,dst=/vscode -l a=b -e A=B -u vscode --cap-add=SYS_PTRACE --gpus all --init "
    "--entrypoint /bin/sh IMG -c 'trap \"exit 0\" 15' -"
)
# What people, paude, the devcontainer CLI and VS Code write, and the image that the engine sees. None: no container is
# run or created by this line.
LINES: list[tuple[str, str | None]] = [
    # people
    ("run IMG", "IMG"),
    ("run IMG run IMG2", "IMG"),
    ("run --rm IMG", "IMG"),
    ("run --rm -it IMG bash", "IMG"),
    ("run -it --rm IMG bash -c 'echo -v /a:/b'", "IMG"),
    ("run -ti -v /src:/app IMG", "IMG"),
    ("run -itv /src:/app IMG", "IMG"),
    ("run -itv=/src:/app IMG", "IMG"),
    ("run -itv/src:/app IMG", "IMG"),
    ("run -v /src:/app:ro,z IMG", "IMG"),
    ("run --volume /src:/app IMG", "IMG"),
    ("run --volume=/src:/app IMG", "IMG"),
    ("run -v /a:/b -v /c:/d IMG", "IMG"),
    ("run --mount type=bind,source=/src,target=/app IMG", "IMG"),
    ("run --mount=type=bind,src=/src,dst=/app,readonly IMG", "IMG"),
    ("run --tmpfs /tmp IMG", "IMG"),
    ("run --tmpfs=/tmp:rw,exec IMG", "IMG"),
    ("run -d --name web -p 8080:80 IMG", "IMG"),
    ("run -dp 8080:80 IMG", "IMG"),
    ("run -dp8080:80 IMG", "IMG"),
    ("run -d -P IMG", "IMG"),
    ("run --name=x --hostname h -h h2 IMG", "IMG"),
    ("run -e A=1 -eB=2 --env C --env=D= --env-file .env IMG", "IMG"),
    ("run -e -v IMG", "IMG"),
    ("run -u 1000:1000 -w /app IMG", "IMG"),
    ("run --workdir=/app --entrypoint '' IMG", "IMG"),
    ("run --entrypoint sh IMG -c 'run it'", "IMG"),
    ("run -m 512m -c 512 --cpus 2 --memory-swap=-1 IMG", "IMG"),
    ("run --cpu-shares 10 --cpuset-cpus 0-1 --pids-limit -1 IMG", "IMG"),
    ("run -a stdin -a stdout -i IMG", "IMG"),
    ("run --attach STDOUT --sig-proxy=false IMG", "IMG"),
    ("run --sig-proxy IMG", "IMG"),
    ("run --rm=true --init=false -t=false IMG", "IMG"),
    ("run --detach=false --detach-keys ctrl-p IMG", "IMG"),
    ("run -l a=b --label c --label-file f IMG", "IMG"),
    ("run --cap-add SYS_PTRACE --cap-drop=ALL --security-opt seccomp=unconfined IMG", "IMG"),
    ("run --privileged --read-only --no-healthcheck --oom-kill-disable IMG", "IMG"),
    ("run --network host --net=none --network-alias a --ip 10.0.0.2 IMG", "IMG"),
    ("run --dns 1.1.1.1 --dns-opt ndots:1 --dns-search x --add-host a:1.2.3.4 IMG", "IMG"),
    ("run --gpus all --device /dev/fuse --shm-size 1g --ulimit nofile=1024 IMG", "IMG"),
    ("run --restart unless-stopped --stop-signal TERM --stop-timeout 5 IMG", "IMG"),
    ("run --platform linux/amd64 --pull always --quiet IMG", "IMG"),
    ("run -q IMG", "IMG"),
    ("run --volumes-from other --volume-driver local IMG", "IMG"),
    ("run --log-driver none --log-opt a=b --cidfile f --cgroup-parent p IMG", "IMG"),
    ("run --health-cmd 'curl x' --health-interval=5s --health-retries 3 IMG", "IMG"),
    ("run --link db --expose 80 --mac-address 02:42:ac:11:00:02 IMG", "IMG"),
    ("run --userns host --uts host --pid host --ipc=host --cgroupns private IMG", "IMG"),
    ("run --isolation default --runtime runc --storage-opt size=1G --sysctl a=1 IMG", "IMG"),
    ("run -- IMG -x", "--"),
    ("run --rm -- IMG", "--"),
    ("run -", "-"),
    ("create -v /src:/app IMG", "IMG"),
    ("create --name x --init IMG cmd", "IMG"),
    ("container run --rm IMG", "IMG"),
    ("container create IMG run", "IMG"),
    # before the subcommand
    ("--context remote run IMG", "IMG"),
    ("-c remote run IMG", "IMG"),
    ("-H unix:///x.sock run --rm IMG", "IMG"),
    ("--host=unix:///x.sock --tls run IMG", "IMG"),
    ("-D --log-level debug container run IMG", "IMG"),
    ("--config /cfg create IMG", "IMG"),
    ("--remote run IMG", "IMG"),
    ("-r --url ssh://x run IMG", "IMG"),
    ("--root /r --runroot /rr --storage-driver vfs run IMG", "IMG"),
    ("--hooks-dir /h --runtime crun --runtime-flag debug --log-level=debug run IMG", "IMG"),
    # podman's global options after the subcommand, where a letter keeps its meaning of there
    ("run --log-level=error --rm IMG", "IMG"),
    ("run --log-level error IMG", "IMG"),
    ("create --cgroup-manager cgroupfs --trace --syslog IMG", "IMG"),
    ("run --root /r --runroot /rr --storage-driver vfs -v /src:/app IMG", "IMG"),
    ("container --log-level error run IMG", "IMG"),
    ("--trace container --syslog create -v /src:/app IMG", "IMG"),
    ("container run --hooks-dir /h --conmon /c --events-backend file --tmpdir /t IMG", "IMG"),
    ("run --runtime crun --runtime-flag debug --storage-opt a=b --log-level debug IMG", "IMG"),
    ("run --max-workers 1 --registries-conf f --volumepath /v --network-config-dir /n IMG", "IMG"),
    ("run -c 512 -l a=b -h host -v /src:/app --log-level warn IMG", "IMG"),
    # podman's own
    ("run --userns=keep-id --security-opt label=disable IMG", "IMG"),
    ("run --replace --name x --rmi IMG", "IMG"),
    ("run --pod new:p --infra-name", None),
    ("run --rootfs /rootfs sh", "/rootfs"),
    ("run --env-host --http-proxy=false --no-hosts --tls-verify IMG", "IMG"),
    ("run --uidmap 0:1:10 --gidmap 0:1:10 --subuidname me --group-add keep-groups IMG", "IMG"),
    ("run --systemd always --sdnotify=conmon --timeout 5 --tz local --umask 022 IMG", "IMG"),
    ("run --secret s,type=env --annotation a=b --authfile f --arch arm64 --os linux IMG", "IMG"),
    ("run --passwd --passwd-entry x --read-only-tmpfs --unsetenv A --unsetenv-all IMG", "IMG"),
    ("run --healthcheck-command x --health-on-failure kill --image-volume tmpfs IMG", "IMG"),
    # paude
    (PAUDE_LINE, "IMG"),
    # the devcontainer CLI and VS Code
    (DEVCONTAINER_LINE, "IMG"),
    (VSCODE_LINE, "IMG"),
    ("run --rm -h example.com --mount type=volume,src=v,dst=/v --volume=/var/run:/host IMG sh -c 'run'", "IMG"),
    # no run, no create
    ("ps -q -a --filter label=run", None),
    ("-v", None),
    ("--version", None),
    ("version --format '{{.Server}}'", None),
    ("inspect --type container run", None),
    ("exec -i -u root c sh -c run", None),
    ("exec c run", None),
    ("build -t run -f Dockerfile .", None),
    ("buildx version", None),
    ("pull create", None),
    ("events --format '{{json .}}' --filter event=create", None),
    ("compose -f a.yaml run web", None),
    ("volume create run", None),
    ("network create n", None),
    ("container ls", None),
    ("container", None),
    ("pod create --name run", None),
    ("", None),
]


@pytest.mark.parametrize(("line", "image"), LINES)
def test_the_image_is_found(line: str, image: str | None) -> None:
    words = shlex.split(line)

    if "--infra-name" in words:  # an option that neither engine has
        with pytest.raises(UnknownOptionError, match=r"^--infra-name$"):
            parse_run(words)
        return
    parsed = parse_run(words)

    assert (words[parsed.image_at] if parsed else None) == image
    assert parsed is None or words[parsed.insert_at - 1] in ("run", "create")


WORDS = st.one_of(
    st.sampled_from(["run", "create", "-", "--", "-v", "--mount", "x=y", "", "/a:/b", "container", "-it"]), st.text()
)


@st.composite
def run_lines(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str | None]], list[str]]:
    """Return global words and the subcommand, the options of run in one of their spellings, image and command."""

    def spelled(flags: frozenset[str], values: frozenset[str]) -> tuple[list[str], list[tuple[str, str | None]]]:
        words, said = [], []
        for name in draw(st.lists(st.sampled_from(sorted(flags | values)), max_size=4)):
            value = None if name in flags else draw(WORDS)
            said.append((name, value))
            if value is None:
                words += [name]
            elif name.startswith("--") and draw(st.booleans()):
                words += [f"{name}={value}"]
            elif not name.startswith("--") and value and not value.startswith("=") and draw(st.booleans()):
                words += [name + value]
            else:
                words += [name, value]
        return words, said

    before, _ = spelled(GLOBAL_FLAGS, GLOBAL_VALUES)
    subcommand = draw(st.sampled_from([["run"], ["create"], ["container", "run"], ["container", "create"]]))
    words, said = spelled(FLAGS, VALUES)
    image = draw(st.text(min_size=1).filter(lambda word: not word.startswith("-")))
    return [*before, *subcommand], said, [*words, image, *draw(st.lists(WORDS, max_size=3))]


@given(run_lines())
def test_what_is_added_changes_nothing_else_that_the_engine_reads(
    line: tuple[list[str], list[tuple[str, str | None]], list[str]],
) -> None:
    head, said, tail = line
    added = ["--tmpfs", "/app/.venv:rw,exec"]

    before = parse_run([*head, *tail])
    assert before is not None
    after = parse_run([*head, *tail][: before.insert_at] + added + [*head, *tail][before.insert_at :])
    assert after is not None

    assert [option[:2] for option in before.options] == said
    assert [option[:2] for option in after.options] == [("--tmpfs", "/app/.venv:rw,exec"), *said]
    assert [*head, *added, *tail][after.image_at :] == [*head, *tail][before.image_at :]


@pytest.mark.parametrize("letter", ["-D", "-H", "-r"])
def test_a_global_letter_is_none_of_run(letter: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"^{letter}$"):
        parse_run(["run", letter, "x", "IMG"])


def test_no_option_of_run_is_a_flag_and_takes_a_value() -> None:
    assert {*FLAGS & VALUES, *GLOBAL_FLAGS & GLOBAL_VALUES} == set()


# ---- single options


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("", []),
        ("IMG -v a", []),
        ("-v a IMG", [("-v", "a")]),
        ("-va IMG", [("-v", "a")]),
        ("-v=a IMG", [("-v", "a")]),
        ("-v =a IMG", [("-v", "=a")]),
        ("-itv a IMG", [("-i", None), ("-t", None), ("-v", "a")]),
        ("-itva IMG", [("-i", None), ("-t", None), ("-v", "a")]),
        ("-t=false -i IMG", [("-t", "false"), ("-i", None)]),
        ("--volume a IMG", [("--volume", "a")]),
        ("--volume=a=b IMG", [("--volume", "a=b")]),
        ("--volume= IMG", [("--volume", "")]),
        ("--rm=false IMG", [("--rm", "false")]),
        ("-v -v IMG", [("-v", "-v")]),
        ("-v -- IMG", [("-v", "--")]),
        ("-v", [("-v", None)]),
        ("--rm - -v a", [("--rm", None)]),
        ("--rm -- -v a", [("--rm", None)]),
        ("- -v a IMG", []),
    ],
)
def test_options_end_at_the_first_word_that_is_none(line: str, read: list[tuple[str, str | None]]) -> None:
    assert [option[:2] for option in read_options(line.split())] == read


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("--future a -v b", [("--future", "a"), ("-v", "b")]),
        ("--future -v b", [("--future", None), ("-v", "b")]),
        ("--future=a -v b", [("--future", "a"), ("-v", "b")]),
        ("-Z a -v b", [("-Z", "a"), ("-v", "b")]),
        ("--future", [("--future", None)]),
    ],
)
def test_a_reader_that_is_lenient_goes_on_after_an_option_that_is_not_known(
    line: str, read: list[tuple[str, str | None]]
) -> None:
    assert [option[:2] for option in read_options(line.split(), lenient=True)] == read
    with pytest.raises(UnknownOptionError):
        list(read_options(line.split()))


@pytest.mark.parametrize(
    ("line", "subcommand", "end"),
    [
        ("run IMG", "run", 1),
        ("--context x container run IMG", "run", 4),
        ("container --log-level x create", "create", 4),
        ("container container run", "container", 2),
        ("compose run", "compose", 1),
        ("container", "", 2),
        ("--debug", "", 2),
        ("", "", 1),
    ],
)
def test_the_subcommand_is_the_first_word_that_is_no_option(line: str, subcommand: str, end: int) -> None:
    assert find_subcommand(line.split()) == (subcommand, end)


@pytest.mark.parametrize(
    ("line", "platform"),
    [
        ("", ""),
        ("--platform linux/arm64", "linux/arm64"),
        ("--platform=linux/arm64 --os linux --arch amd64", "linux/arm64"),
        ("--arch arm64", "arm64"),
        ("--variant v7 --arch arm --os linux", "linux/arm/v7"),
        ("--platform a --platform b", "b"),
    ],
)
def test_the_platform_is_that_of_the_line(line: str, platform: str) -> None:
    assert platform_in(read_options([*line.split(), "IMG"])) == platform


# ---- Apple's container


@pytest.mark.parametrize(
    ("line", "insert_at", "image_at"),
    [
        ("run -it -v .:/app IMG sh", 4, 4),
        ("--debug create --ssh IMG", 3, 3),
        ("run IMG -v x:y", 1, 1),
        ("run -- IMG", 1, 1),
    ],
)
def test_what_is_added_for_container_stands_last(line: str, insert_at: int, image_at: int) -> None:
    parsed = parse_run(line.split(), GRAMMARS["container"])

    assert parsed
    assert (parsed.insert_at, parsed.image_at) == (insert_at, image_at)


@pytest.mark.parametrize("option", ["--gpus", "--pod", "-P"])
def test_container_does_not_know_the_options_of_others(option: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"^{option}$"):
        parse_run(["run", option, "x", "IMG"], GRAMMARS["container"])


def test_no_option_of_container_is_a_flag_and_takes_a_value() -> None:
    assert set(GRAMMARS["container"].flags) & set(GRAMMARS["container"].values) == set()
