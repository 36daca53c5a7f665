"""Patches that shadow in a pod of Kubernetes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Hook, MakeVenv
from layout import fill
from paude_venv_hook.commands import print as print_command
from paude_venv_hook.launchers.kubernetes import KINDS, decide_kubernetes, is_ours, to_quantity
from paude_venv_hook.workspace.settings import check_size

FLAGS = ("print", "--format", "kubernetes", "--container", "dev", "--target", "/app")
DISK = ("--storage", "disk")
EMPTY_DIR = "each venv is in an emptyDir that a restart of the container keeps; it goes with the pod"
NOT_ROOT = "a user other than root may need fsGroup in the pod's securityContext"


def planned_from(workspace: Path, what: str = "planned from") -> str:
    """Return the line that says where the venvs were looked for."""
    return f'{what} {workspace} on this machine; if the cluster has a volume instead, list its venvs in "venv"'


def said(*lines: str) -> str:
    """Return the lines on stderr."""
    return "".join(f"paude-venv-hook: {line}\n" for line in lines)


def spec_of(patch: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a patch that is for a pod."""
    spec: dict[str, Any] = patch["spec"]
    return spec["template"]["spec"] if "template" in spec else spec


def mounts_of(patch: dict[str, Any]) -> list[dict[str, str]]:
    """Return the volumeMounts of a patch."""
    mounts: list[dict[str, str]] = spec_of(patch)["containers"][0]["volumeMounts"]
    return mounts


# ---- the patch


def test_the_patch_is_one_document_with_an_empty_dir_for_each_venv(
    workspace: Path, make_venv: MakeVenv, hook: Hook
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "My Env (é)")
    first, second = "paude-venv-0a499c811ed3f843", "paude-venv-94b7029b0900e67f"

    done = hook(*FLAGS)

    assert done == (0, done.out, said(planned_from(workspace), EMPTY_DIR))
    assert done.out.isascii()  # so that each parser of YAML reads the same
    assert done.out.endswith("\n}\n")
    assert json.loads(done.out) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {
            "containers": [
                {
                    "name": "dev",
                    "volumeMounts": [
                        {"name": first, "mountPath": "/app/.venv"},
                        {"name": second, "mountPath": "/app/My Env (é)"},
                    ],
                }
            ],
            "volumes": [{"name": first, "emptyDir": {}}, {"name": second, "emptyDir": {}}],
        },
    }
    assert hook(*FLAGS) == done
    assert sorted(os.listdir(workspace)) == [".venv", "My Env (é)"]


@pytest.mark.parametrize(
    ("kind", "version"), [("Deployment", "apps/v1"), ("StatefulSet", "apps/v1"), ("Job", "batch/v1")]
)
def test_where_there_is_a_template_the_patch_is_for_its_pod(
    workspace: Path, make_venv: MakeVenv, hook: Hook, kind: str, version: str
) -> None:
    make_venv(workspace / ".venv")
    pod = json.loads(hook(*FLAGS).out)

    for name, metadata in (((), {}), (("--name", "my.app-1"), {"metadata": {"name": "my.app-1"}})):
        assert json.loads(hook(*FLAGS, "--kind", kind, *name).out) == {
            "apiVersion": version,
            "kind": kind,
            **metadata,
            "spec": {"template": {"spec": pod["spec"]}},
        }


def test_the_kinds_of_the_flag_are_those_that_can_be_patched() -> None:
    choices = next(keywords["choices"] for names, keywords in print_command.ARGUMENTS if names == ("--kind",))

    assert choices == tuple(KINDS)


def test_containers_of_one_pod_have_volumes_of_their_own(workspace: Path, make_venv: MakeVenv, hook: Hook) -> None:
    make_venv(workspace / ".venv")

    def volume(*flags: str) -> str:
        return mounts_of(json.loads(hook(*FLAGS, *flags).out))[0]["name"]

    others = ("--container", "worker"), ("--target", "/srv"), DISK, (*DISK, "--claim", "c"), (*DISK, "--claim", "d")
    assert len({volume(), *(volume(*flags) for flags in others)}) == 1 + len(others)
    assert volume("--kind", "Job", "--name", "x") == volume()


def test_without_a_venv_nothing_is_changed(workspace: Path, hook: Hook) -> None:
    nothing = '{\n  "apiVersion": "v1",\n  "kind": "Pod"\n}\n'

    assert hook(*FLAGS) == (0, nothing, said(planned_from(workspace, "nothing to shadow in")))
    assert hook(*FLAGS, "--venv", "none", *DISK) == (0, nothing, "")
    assert hook(*FLAGS, "--quiet") == (0, nothing, "")


# ---- what is planned


def test_a_list_is_the_same_on_every_machine_and_a_pattern_is_looked_up_here(
    workspace: Path, make_venv: MakeVenv, hook: Hook
) -> None:
    make_venv(workspace / "not-listed")
    fill(workspace, 'paude.json = {"venv": [".venv", "back/.venv"]}', "back/")

    listed = hook(*FLAGS)
    assert [mount["mountPath"] for mount in mounts_of(json.loads(listed.out))] == ["/app/.venv", "/app/back/.venv"]
    setting = '"venv": [".venv", "back/.venv", "not-listed"] in paude.json'
    warning = f"not-listed stays visible in the container; to shadow what is there, write {setting}"
    visible = f"paude-venv-hook: warning: {warning}\n"
    assert listed.err == visible + said(EMPTY_DIR)

    make_venv(workspace / "back" / ".venv")
    assert hook(*FLAGS) == listed
    by_pattern = hook(*FLAGS, "--venv", ".venv,*/.venv")
    assert (by_pattern.out, by_pattern.err) == (listed.out, visible + said(planned_from(workspace), EMPTY_DIR))


def test_a_venv_that_the_project_reserves_is_shadowed_and_not_made_here(workspace: Path, hook: Hook) -> None:
    fill(workspace, "uv.lock")

    done = hook(*FLAGS, "--output", "venv.json")

    assert done == (0, "", said(planned_from(workspace), EMPTY_DIR))
    assert [mount["mountPath"] for mount in mounts_of(json.loads(Path("venv.json").read_bytes()))] == ["/app/.venv"]
    assert sorted(os.listdir(workspace)) == ["uv.lock", "venv.json"]


def test_a_devcontainer_json_is_for_other_launchers(workspace: Path, make_venv: MakeVenv, hook: Hook) -> None:
    """Its mounts are not the pod's, and nobody runs its commands there."""
    make_venv(workspace / ".venv")
    config = {"mounts": ["type=volume,source=v,target=/app/.venv"], "postCreateCommand": "python -m venv .venv"}
    fill(workspace, f".devcontainer.json = {json.dumps(config)}")

    done = hook(*FLAGS)

    assert [mount["mountPath"] for mount in mounts_of(json.loads(done.out))] == ["/app/.venv"]
    assert done.err == said(planned_from(workspace), EMPTY_DIR)


def test_no_engine_of_this_machine_has_a_part_in_it(
    workspace: Path, make_venv: MakeVenv, hook: Hook, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "a:b")  # Docker would have another word on it
    printed = [hook(*FLAGS), hook(*FLAGS, *DISK), hook(*FLAGS, *DISK, "--claim", "c")]

    for name in ("PAUDE_VENV_ENGINE", "DOCKER_HOST", "CONTAINER_HOST"):
        monkeypatch.setenv(name, "docker" if name == "PAUDE_VENV_ENGINE" else "ssh://elsewhere")
    assert [hook(*FLAGS), hook(*FLAGS, *DISK), hook(*FLAGS, *DISK, "--claim", "c")] == printed
    assert os.listdir(home) == []


def test_a_name_with_a_colon_is_skipped_and_said(workspace: Path, make_venv: MakeVenv, hook: Hook) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "a:b")
    make_venv(workspace / "$(HOME), ${x}")

    done = hook(*FLAGS)

    assert [mount["mountPath"] for mount in mounts_of(json.loads(done.out))] == ["/app/$(HOME), ${x}", "/app/.venv"]
    why = "Kubernetes has no way to mount a volume on /app/a:b, for its colon; rename the folder"
    assert done.err == said(f"warning: a:b not shadowed: {why}", planned_from(workspace), EMPTY_DIR)


# What a list takes: a colon is skipped, and a pattern matches what is there.
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/:*?["), min_size=1)
_NAMES = st.lists(
    _TEXT.filter(lambda name: name.strip() == name and name not in (".", "..", "paude.json")), max_size=5, unique=True
)


@given(_NAMES, st.sampled_from([None, "venvs"]))
def test_whatever_the_names_those_of_the_volumes_are_valid_unique_and_stable(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], claim: str | None
) -> None:
    folder = tmp_path_factory.mktemp("app")
    fill(folder, f"paude.json = {json.dumps({'venv': [f'./{name}' for name in names], 'venv-storage': 'disk'})}")

    def prepare() -> dict[str, Any]:
        return decide_kubernetes(str(folder), os.environ, container="c", target="/w", claim=claim)[1]

    patch = prepare()
    assert prepare() == patch
    assert is_ours(json.dumps(patch).encode())
    if not names:
        assert "spec" not in patch
        return
    mounts, volumes = mounts_of(patch), [volume["name"] for volume in spec_of(patch)["volumes"]]
    assert [mount["mountPath"] for mount in mounts] == [f"/w/{name}" for name in names]
    assert all(re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", volume) for volume in volumes)
    assert len(volumes) == len({*volumes}) == (1 if claim else len(names))
    assert {mount["name"] for mount in mounts} == {*volumes}
    assert len({mount.get("subPath", mount["name"]) for mount in mounts}) == len(names)


# ---- the volumes


def _with_size(workspace: Path, size: str) -> None:
    fill(workspace, ".venv/pyvenv.cfg", f'paude.json = {{"venv-tmpfs": {{"size": "{size}"}}}}')


def test_in_memory_there_is_a_limit_where_one_is_set(workspace: Path, hook: Hook) -> None:
    _with_size(workspace, "2g")

    done = hook(*FLAGS)

    (volume,) = spec_of(json.loads(done.out))["volumes"]
    assert volume == {"name": volume["name"], "emptyDir": {"sizeLimit": "2Gi"}}
    assert done.err == said(
        planned_from(workspace),
        "each venv is in an emptyDir of at most 2Gi, beyond which the pod is evicted, that a restart of the container "
        "keeps; it goes with the pod",
    )


@pytest.mark.parametrize(("size", "quantity"), [("300m", "300Mi"), (None, "5Gi")])
def test_on_disk_there_is_an_ephemeral_volume_which_always_has_a_size(
    workspace: Path, make_venv: MakeVenv, hook: Hook, size: str | None, quantity: str
) -> None:
    if size:
        _with_size(workspace, size)
    else:
        make_venv(workspace / ".venv")

    done = hook(*FLAGS, *DISK)

    (volume,) = spec_of(json.loads(done.out))["volumes"]
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": quantity}}}
    assert volume == {"name": volume["name"], "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
    assert mounts_of(json.loads(done.out)) == [{"name": volume["name"], "mountPath": "/app/.venv"}]
    assert done.err == said(
        planned_from(workspace),
        f"each venv is in an ephemeral volume of {quantity} that a restart of the container keeps; it goes with the "
        f"pod; {NOT_ROOT}",
    )


def test_in_a_claim_each_venv_has_a_folder(workspace: Path, make_venv: MakeVenv, hook: Hook, tmp_path: Path) -> None:
    _with_size(workspace, "50%")  # it is the claim's own
    make_venv(workspace / "env")
    claim = (*DISK, "--claim", "our.venvs")

    done = hook(*FLAGS, *claim)

    spec = spec_of(json.loads(done.out))
    (volume,) = spec["volumes"]
    assert volume == {"name": volume["name"], "persistentVolumeClaim": {"claimName": "our.venvs"}}
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": volume["name"], "mountPath": "/app/.venv", "subPath": "app-50977422facec69f"},
        {"name": volume["name"], "mountPath": "/app/env", "subPath": "app-1d9b91eedd6e5c92"},
    ]
    assert done.err == said(
        planned_from(workspace),
        "each venv is in a folder of the claim our.venvs, which outlives the pod; it goes with the claim; " + NOT_ROOT,
    )

    def folder(*flags: str) -> str:
        return mounts_of(json.loads(hook(*FLAGS, *claim, *flags).out))[0]["subPath"]

    others = ("--container", "x"), ("--target", "/x"), ("--image", "python:3.13"), ("--platform", "linux/arm64")
    assert len({folder(), *(folder(*flags) for flags in others)}) == 1 + len(others)
    same = tmp_path / "another home" / "app"  # another machine has the project at another place
    make_venv(same / ".venv")
    assert folder("--workspace-folder", str(same)) == folder()


@pytest.mark.parametrize(
    ("size", "quantity"),
    [
        (None, ""),
        ("4096", "4096"),
        ("64k", "64Ki"),
        ("64K", "64Ki"),
        ("300m", "300Mi"),
        ("2g", "2Gi"),
        ("2G", "2Gi"),
        ("1t", "1Ti"),
        ("1p", "1Pi"),
        ("7e", "7Ei"),
    ],
)
def test_a_size_is_a_quantity_in_binary_units(size: str | None, quantity: str) -> None:
    assert to_quantity(size) == (quantity, "")


@given(st.integers(1, 10**6), st.sampled_from(["", *"kmgtKMGT"]))
def test_a_quantity_is_as_many_bytes(number: int, unit: str) -> None:
    check_size(f"{number}{unit}", "size")
    digits, prefix, binary = re.fullmatch("([0-9]+)(?:([KMGT])(i))?", to_quantity(f"{number}{unit}")[0]).groups("")  # type: ignore[union-attr]

    assert (int(digits), prefix, binary) == (number, unit.upper(), "i" if unit else "")


@pytest.mark.parametrize(
    ("flags", "volume", "line"),
    [
        ((), "an emptyDir that a restart of the container keeps; it goes with the pod", ""),
        (DISK, "an ephemeral volume of 5Gi that a restart of the container keeps; it goes with the pod; ", NOT_ROOT),
    ],
)
def test_a_share_of_the_memory_is_no_quantity_and_that_is_said(
    workspace: Path, hook: Hook, flags: tuple[str, ...], volume: str, line: str
) -> None:
    _with_size(workspace, "50%")

    done = hook(*FLAGS, *flags)

    warning = 'venv-tmpfs.size: 50% of the memory is nothing that Kubernetes knows; write a size such as "2g"'
    assert done.err == said(f"warning: {warning}", planned_from(workspace), f"each venv is in {volume}{line}")
    assert "sizeLimit" not in done.out


# ---- the file


def test_a_file_of_ones_own_is_not_overwritten(workspace: Path, hook: Hook) -> None:
    manifest = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "dev", "image": "x"}]}}
    more = {"kind": "Pod", "spec": {"volumes": [{"name": "mine", "emptyDir": {}}]}}
    for text in ("kind: Pod\n", json.dumps(manifest), json.dumps(more), "{}", "[]", '{"kind": "Service"}', ""):
        Path("pod.yaml").write_text(text, encoding="utf-8")
        assert hook(*FLAGS, "--output", "pod.yaml") == (
            1,
            "",
            f"paude-venv-hook: error[overlay]: {workspace}/pod.yaml: holds more than shadows, and is not overwritten; "
            "write to another file, and patch this one with that\n",
        )
        assert Path("pod.yaml").read_text(encoding="utf-8") == text


def test_a_patch_is_overwritten_where_something_changed(workspace: Path, make_venv: MakeVenv, hook: Hook) -> None:
    make_venv(workspace / ".venv")
    for flags in ((), ("--kind", "Deployment"), DISK, ("--venv", "none"), (*DISK, "--claim", "c", "--name", "n")):
        assert hook(*FLAGS, *flags, "--output", "venv.json", "--quiet") == (0, "", "")
        written = os.stat("venv.json").st_ino
        assert Path("venv.json").read_text(encoding="utf-8") == hook(*FLAGS, *flags).out
        assert hook(*FLAGS, *flags, "--output", "venv.json", "--quiet") == (0, "", "")
        assert os.stat("venv.json").st_ino == written


# ---- a wrong command line

_NAME = "is no name in Kubernetes; write a-z, 0-9, - and ., with a letter or digit at both ends"
_NOT_FOR_IT = "is not for --format kubernetes; leave it out"
_CONTAINER = "is no name of a container; write at most 63 of a-z, 0-9 and -, with a letter or digit at both ends"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--target", "/app"], "--container: needed for kubernetes; say which container of the pod has the workspace"),
        (["--container", "dev"], "--target: needed for kubernetes; say where the workspace folder is in the container"),
        (
            ["--container", "dev", "--target", "app"],
            '--container-workspace-folder: "app" cannot hold the workspace; '
            "write an absolute path below / in the container",
        ),
        *(
            ([f"--container={name}", "--target", "/app"], f'--container: "{name}" {_CONTAINER}')
            for name in ("Dev", "a_b", "-a", "a-", "a.b", "é", "a" * 64)
        ),
        (["--container", "a\n", "--target", "/app"], rf'--container: "a\n" {_CONTAINER}'),
        *(
            (["--container", "dev", "--target", "/app", *DISK, option, name], f'{option}: "{name}" {_NAME}')
            for option in ("--claim", "--name")
            for name in ("Data", "a..b", "a.", "a/b", "a" * 254)
        ),
        (
            ["--container", "dev", "--target", "/app", "--claim", "data"],
            "--claim: is for storage on disk; add --storage disk, or leave it out",
        ),
        *(
            (["--container", "dev", "--target", "/app", option, value], f"{option}: {_NOT_FOR_IT}")
            for option, value in (("--engine", "docker"), ("--config", "x.json"))
        ),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    workspace: Path, hook: Hook, flags: list[str], message: str
) -> None:
    assert hook("print", "--format", "kubernetes", *flags) == (2, "", f"paude-venv-hook: error[usage]: {message}\n")
    assert os.listdir(workspace) == []


@pytest.mark.parametrize("form", ["args", "json", "kubernetes", "bwrap"])
def test_a_service_is_refused_with_a_format_that_has_none(workspace: Path, hook: Hook, form: str) -> None:
    message = "--service: is for --format compose; leave it out"

    done = hook("print", "--format", form, "--service", "web")

    assert done == (2, "", f"paude-venv-hook: error[usage]: {message}\n")


@pytest.mark.parametrize("form", ["args", "json", "compose"])
@pytest.mark.parametrize("flag", [["--container", "c"], ["--kind", "Pod"], ["--name", "n"], ["--claim", "c"]])
def test_what_is_for_kubernetes_is_refused_with_another_format(
    workspace: Path, hook: Hook, form: str, flag: list[str]
) -> None:
    message = f"{flag[0]}: is for --format kubernetes; leave it out"

    assert hook("print", "--format", form, *flag) == (2, "", f"paude-venv-hook: error[usage]: {message}\n")


def test_names_as_long_as_they_may_be_are_taken(workspace: Path, make_venv: MakeVenv, hook: Hook) -> None:
    make_venv(workspace / ".venv")
    flags = ("--container", "c" * 63, "--name", "n" * 253, *DISK, "--claim", "1." * 126 + "1")

    assert hook(*FLAGS, *flags).code == 0
