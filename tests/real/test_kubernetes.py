"""Patches for Kubernetes, in the hands of kubectl and kustomize, and the manifests that come of them played by Podman.

kubectl needs no cluster for this. Podman needs to be one that plays pods where there are no cgroups: 5 does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeVenv
from lab import missing
from paude_venv_hook.commands.print import EXAMPLES
from real.containers import HOOK, OWNER, SCRIPTS, Container, Engine, as_owner, need_engine, run, tree_hash, use_venv

proves = pytest.mark.proves
HAS_PATCHES = (1, 21)  # before that kubectl had kustomize 2, without `patches` and their targets
Manifest = dict[str, Any]


@pytest.fixture(scope="session")
def kubectl_version() -> tuple[int, ...]:
    """Return the version of kubectl, which is there then."""
    if not shutil.which("kubectl"):
        missing("kubectl is not on PATH; Debian has it as kubernetes-client")
    version = json.loads(run("kubectl", "version", "--client", "-o", "json").stdout)["clientVersion"]["gitVersion"]
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def make_patch(workspace: Path, *flags: str) -> Path:
    """Return the file, beside the workspace, with the patch of a container `dev` that has it on `/app`."""
    path = workspace.parent / "venv.json"
    own = ("--container=dev", "--target=/app", "--workspace-folder", str(workspace), "--output", str(path))
    run(*HOOK, "print", "--format=kubernetes", *own, *flags)
    return path


def make_manifest(kind: str, name: str, spec: Manifest) -> Manifest:
    """Return a manifest of the kind, with the spec as its pod's."""
    start: Manifest = {"kind": kind, "metadata": {"name": name}}
    if kind == "Pod":
        return {"apiVersion": "v1", **start, "spec": spec}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    if kind == "Job":
        return {"apiVersion": "batch/v1", **start, "spec": {"template": template}}
    more = {"serviceName": name} if kind == "StatefulSet" else {}
    return {
        "apiVersion": "apps/v1",
        **start,
        "spec": {"selector": {"matchLabels": labels}, "template": template, **more},
    }


def pod_of(manifest: Manifest) -> Manifest:
    """Return the spec of the pod in a manifest or a patch."""
    spec: Manifest = manifest["spec"]
    return spec["template"]["spec"] if "template" in spec else spec


def by_kubectl(manifest: Manifest, patch: Path) -> Manifest:
    """Return the manifest as `kubectl patch --local` makes it."""
    file = patch.parent / "manifest.json"
    file.write_text(json.dumps(manifest))
    words = ("kubectl", "patch", "--local", "-f", file, "--patch-file", patch, "-o", "json")
    patched: Manifest = json.loads(run(*words).stdout)
    return patched


def by_kustomize(manifest: Manifest, patch: Path, patches: Manifest) -> Manifest:
    """Return the manifest as `kubectl kustomize` makes it, with the patch in the field that is given."""
    folder = patch.parent / "kustomize"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(patch, folder / "venv.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": ["manifest.json"], **patches}))
    built = folder / "built.yaml"
    built.write_text(run("kubectl", "kustomize", folder).stdout)
    read: Manifest = json.loads(run("kubectl", "patch", "--local", "-f", built, "-p", "{}", "-o", "json").stdout)
    return read


def in_order(manifest: Manifest) -> Manifest:
    """Return the manifest with what has a merge key in the order of that."""
    copy: Manifest = json.loads(json.dumps(manifest))
    pod = pod_of(copy)
    for container in pod["containers"]:
        container.get("volumeMounts", []).sort(key=lambda mount: mount["mountPath"])
    for key in ("containers", "volumes"):
        pod.get(key, []).sort(key=lambda item: item["name"])
    return copy


def with_shadows(manifest: Manifest, patch: Path) -> Manifest:
    """Return the manifest, in order, with what the patch has for it."""
    copy: Manifest = json.loads(json.dumps(manifest))
    pod, ours = pod_of(copy), pod_of(json.loads(patch.read_bytes()))
    (dev,) = (container for container in pod["containers"] if container["name"] == "dev")
    dev["volumeMounts"] = dev.get("volumeMounts", []) + ours["containers"][0]["volumeMounts"]
    pod["volumes"] = pod.get("volumes", []) + ours["volumes"]
    return in_order(copy)


SOURCE = {"name": "source", "mountPath": "/app"}
VOLUMES = [
    {"name": "source", "hostPath": {"path": "/home/me/app"}},
    {"name": "cache", "emptyDir": {}},
    {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
]
DEV: Manifest = {"name": "dev", "image": "python:3.13", "volumeMounts": [SOURCE], "resources": {}}
SIDE: Manifest = {"name": "side", "image": "busybox", "volumeMounts": [SOURCE], "resources": {}}
PODS: dict[str, Manifest] = {
    "one container": {"containers": [{"name": "dev", "image": "python:3.13", "resources": {}}]},
    "two containers": {"containers": [SIDE, DEV], "volumes": VOLUMES[:1]},
    "volumes of its own": {
        "containers": [
            {**DEV, "volumeMounts": [SOURCE, {"name": "cache", "mountPath": "/root/.cache", "subPath": "uv"}]},
            {**SIDE, "volumeMounts": [SOURCE, {"name": "data", "mountPath": "/app/.venv"}]},
        ],
        "volumes": VOLUMES,
    },
}


@pytest.mark.parametrize(
    ("kind", "pod", "flags"),
    [
        ("Pod", "one container", ()),
        ("Deployment", "two containers", ()),
        ("StatefulSet", "volumes of its own", ()),
        ("Job", "two containers", ()),
        ("Pod", "volumes of its own", ("--storage=disk",)),
        ("Deployment", "volumes of its own", ("--storage=disk", "--claim=venvs")),
    ],
)
def test_kubectl_and_kustomize_add_the_shadows_and_change_nothing_else(
    workspace: Path,
    make_venv: MakeVenv,
    kubectl_version: tuple[int, ...],
    kind: str,
    pod: str,
    flags: tuple[str, ...],
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "é $(x) ${y}, \"'\\#%")
    manifest = make_manifest(kind, "web", PODS[pod])
    without = by_kubectl(manifest, _nothing(workspace))  # with what kubectl adds to each manifest

    patch = make_patch(workspace, f"--kind={kind}", *flags)
    expected = with_shadows(without, patch)
    assert in_order(by_kubectl(manifest, patch)) == expected
    assert in_order(by_kubectl(by_kubectl(manifest, patch), patch)) == expected
    named = make_patch(workspace, f"--kind={kind}", "--name=web", *flags)
    assert in_order(by_kubectl(manifest, named)) == expected
    assert in_order(by_kustomize(manifest, named, {"patchesStrategicMerge": ["venv.json"]})) == expected
    if kubectl_version >= HAS_PATCHES:
        assert in_order(by_kustomize(manifest, named, {"patches": [{"path": "venv.json"}]})) == expected
        manifest["metadata"]["name"] = expected["metadata"]["name"] = "another"
        target = {"path": "venv.json", "target": {"kind": kind}}
        assert in_order(by_kustomize(manifest, named, {"patches": [target]})) == expected


def _nothing(workspace: Path) -> Path:
    path = workspace.parent / "nothing.json"
    path.write_text("{}")
    return path


def test_without_a_venv_kubectl_and_kustomize_change_nothing(workspace: Path, kubectl_version: tuple[int, ...]) -> None:
    manifest = make_manifest("Deployment", "web", PODS["two containers"])
    without = by_kubectl(manifest, _nothing(workspace))

    patch = make_patch(workspace, "--kind=Deployment", "--name=web", "--venv=none")

    assert by_kubectl(manifest, patch) == without
    assert by_kustomize(manifest, patch, {"patchesStrategicMerge": ["venv.json"]}) == without


@pytest.mark.usefixtures("kubectl_version")
def test_two_containers_that_have_the_workspace_get_volumes_of_their_own(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    manifest = by_kubectl(make_manifest("Pod", "web", PODS["two containers"]), make_patch(workspace))

    both = pod_of(by_kubectl(manifest, make_patch(workspace, "--container=side")))

    shadows = [
        mount["name"]
        for container in both["containers"]
        for mount in container["volumeMounts"]
        if mount["mountPath"] == "/app/.venv"
    ]
    assert len({*shadows}) == 2
    assert {volume["name"] for volume in both["volumes"]} == {"source", *shadows}


@pytest.mark.usefixtures("kubectl_version")
def test_what_the_container_has_on_the_venv_itself_gives_way(workspace: Path, make_venv: MakeVenv) -> None:
    """A merge finds it by its path: so it is, wherever the patch is used, and it cannot be known here."""
    make_venv(workspace / ".venv")
    spec: Manifest = {
        "containers": [{**DEV, "volumeMounts": [SOURCE, {"name": "cache", "mountPath": "/app/.venv"}]}],
        "volumes": VOLUMES,
    }
    patch = make_patch(workspace)

    patched = pod_of(by_kubectl(make_manifest("Pod", "web", spec), patch))

    ours = pod_of(json.loads(patch.read_bytes()))["containers"][0]["volumeMounts"]
    assert [mount for mount in patched["containers"][0]["volumeMounts"] if mount["mountPath"] == "/app/.venv"] == ours


@pytest.mark.usefixtures("kubectl_version")
def test_the_example_of_the_help_works_as_it_stands(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    (workspace / "pod.yaml").write_text(json.dumps(make_manifest("Pod", "web", PODS["one container"])))
    lines = EXAMPLES[EXAMPLES.index("  paude-venv-hook print --format kubernetes") :].splitlines()[:2]

    done = run("bash", "-c", "\n".join(lines), env={**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"})

    assert "mountPath: /app/.venv" in done.stdout
    assert "emptyDir: {}" in done.stdout


# ---- played by Podman


@pytest.fixture(scope="session")
def engine(image: str) -> Engine:
    """Return a Podman that plays pods."""
    engine = need_engine("podman", image)
    if engine.version < (5,):
        pytest.skip(f"{engine} plays no pod where there are no cgroups: it says that one is not set")
    return engine


Play = Callable[[Manifest], Callable[[str], Container]]


@pytest.fixture
def play(engine: Engine, tmp_path: Path) -> Iterator[Play]:
    """Return a function that plays a manifest, anew if it was played before, and returns its containers by name."""
    file = tmp_path / "played.json"

    def down(*flags: str) -> None:
        if file.exists():
            engine("kube", "down", *flags, file)

    def play(manifest: Manifest) -> Callable[[str], Container]:
        down()
        file.write_text(json.dumps(manifest))
        engine("kube", "play", file)
        suffix = "" if manifest["kind"] == "Pod" else "-pod"
        return lambda name: Container(engine, f"{manifest['metadata']['name']}{suffix}-{name}")

    yield play
    down("--force")


def make_pod(engine: Engine, workspace: Path, wheels: Path, user: int, kind: str = "Pod") -> Manifest:
    """Return a manifest of the workspace on `/app` in two containers, in which a user of that id works."""
    mounts = [SOURCE, {"name": "wheels", "mountPath": "/wheels"}]
    container = {
        "image": engine.image,
        "command": ["sleep", "infinity"],
        "workingDir": "/app",
        "volumeMounts": mounts,
        "securityContext": {"runAsUser": user},
    }
    spec = {
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "dev", **container}, {"name": "side", **container}],
        "volumes": [
            {"name": "source", "hostPath": {"path": str(workspace)}},
            {"name": "wheels", "hostPath": {"path": str(wheels)}},
        ],
    }
    return make_manifest(kind, f"paude-venv-hook-test-{uuid.uuid4().hex}", spec)


@pytest.mark.usefixtures("kubectl_version")
@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
@pytest.mark.parametrize("user", [pytest.param(0, id="root"), pytest.param(OWNER, id="owner")])
@proves(
    "podman kube play of a patched manifest: an empty emptyDir, kept over a restart; host's tree and venv as before"
)
def test_host_and_pod_each_have_a_venv_that_works(
    engine: Engine, workspace: Path, venv: Path, wheelhouse: Path, play: Play, kind: str, user: int
) -> None:
    manifest = make_pod(engine, workspace, wheelhouse, user, kind)
    patched = by_kubectl(manifest, make_patch(workspace, f"--kind={kind}"))
    before = tree_hash(workspace)

    container = play(patched)("dev")
    assert container.sh("id -u; ls -A .venv") == f"{user}\n"
    assert "noexec" not in container.mounts()["/app/.venv"][1]
    use_venv(container)
    engine("restart", "--time=0", container.name)
    container.sh(".venv/bin/python -c 'import markupsafe._speedups'")
    assert tree_hash(workspace) == before
    assert as_owner(venv / "bin/python", "-B", "-c", "import markupsafe._speedups; print('ok')") == "ok\n"

    containers = play(patched)
    assert containers("dev").sh("ls -A .venv") == ""
    assert "pyvenv.cfg" in containers("side").sh("ls -A .venv")  # the patch is not for this one
    assert tree_hash(workspace) == before


@pytest.mark.usefixtures("kubectl_version")
@proves("podman kube play of a manifest that kustomize patched, with a volume of its own in the workspace")
def test_a_manifest_of_kustomize_is_played(
    engine: Engine, workspace: Path, venv: Path, wheelhouse: Path, play: Play
) -> None:
    manifest = make_pod(engine, workspace, wheelhouse, OWNER)
    spec = pod_of(manifest)
    spec["volumes"].append({"name": "cache", "emptyDir": {}})
    (dev, _) = spec["containers"]
    dev["volumeMounts"] = [*dev["volumeMounts"], {"name": "cache", "mountPath": "/app/.cache"}]
    (workspace / ".cache").mkdir()
    patch = make_patch(workspace, f"--name={manifest['metadata']['name']}")
    before = tree_hash(workspace)

    container = play(by_kustomize(manifest, patch, {"patchesStrategicMerge": ["venv.json"]}))("dev")

    use_venv(container)
    container.sh("touch .cache/it")
    assert tree_hash(workspace) == before


@pytest.mark.usefixtures("kubectl_version")
@proves("podman kube play with `--claim`: the venv outlives the pod; host's tree as before")
def test_in_a_claim_the_venv_outlives_the_pod(
    engine: Engine, workspace: Path, venv: Path, wheelhouse: Path, play: Play
) -> None:
    claim = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    patch = make_patch(workspace, "--storage=disk", f"--claim={claim}", f"--image={engine.image}")
    (mount,) = pod_of(json.loads(patch.read_bytes()))["containers"][0]["volumeMounts"]
    patched = by_kubectl(make_pod(engine, workspace, wheelhouse, 0), patch)
    before = tree_hash(workspace)
    # Kubernetes makes the folder in the claim itself.
    engine.run(f"--volume={claim}:/claim", f"mkdir /claim/{mount['subPath']}")

    container = play(patched)("dev")
    assert container.sh("ls -A .venv") == ""
    use_venv(container)
    play(patched)("dev").sh(".venv/bin/python -c 'import markupsafe._speedups'")

    assert tree_hash(workspace) == before


@pytest.mark.usefixtures("kubectl_version")
@proves("control: an emptyDir with `medium: Memory` shows the host's venv under podman kube play")
def test_an_empty_dir_in_memory_would_show_the_hosts_venv(
    engine: Engine, workspace: Path, venv: Path, wheelhouse: Path, play: Play
) -> None:
    patched = by_kubectl(make_pod(engine, workspace, wheelhouse, OWNER), make_patch(workspace))
    (volume,) = (volume for volume in pod_of(patched)["volumes"] if "emptyDir" in volume)
    volume["emptyDir"] = {"medium": "Memory"}

    container = play(patched)("dev")

    assert "pyvenv.cfg" in container.sh("ls -A .venv").split()
    assert "Permission denied" in container.exec("touch", ".venv/file").stderr
