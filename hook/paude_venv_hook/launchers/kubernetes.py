"""Kubernetes: the strategic merge patch that puts a volume of the pod's own over each venv, in one container of it.

It goes into a manifest, before that is applied or played, or into an object of a cluster. `kubectl patch
--patch-file` (with `--local` for a manifest) finds the container, its volumeMounts and the volumes by their merge
keys: `name`, `mountPath` and `name`. kustomize, and through it Helm's post-renderers, also wants the name of the
object in each patch, while kubectl would refuse a wrong one: it is there if it is given. The kind is always there:
the patch of a Pod then fails on a Deployment of a cluster instead of changing nothing. A Pod and a Job that exist
take no other volumes: it is for their manifests. What the manifest has on a venv's very path gives way to the volume,
since their merge keys are the same; nothing here can know of it. A container of another name is added, without an
image, which the cluster refuses.

In memory is not meant literally here: an `emptyDir` is on the disk of the node. With `medium: Memory`, Podman copies
what lies below, the host's venv, up into it (5.4, 5.8), and lets only root write. So it is never asked for. Podman
plays neither an ephemeral volume nor a claim whose folder is missing, which Kubernetes makes; it has no limit for an
emptyDir, which belongs to the user of the container, while all may write to that of Kubernetes.

What is planned is what this machine has: a list names the same venvs everywhere, while `auto` looks into the
workspace folder, which the cluster may mount from here (`podman kube play`, kind, minikube) or have as a volume with
another content. Which one it is cannot be known. The plan is made for the first: what the volume lacks gets an empty
directory more. A line says so. Nothing is made on this machine, neither stores nor mount points.
"""

from __future__ import annotations

import json
import os
import re

from paude_venv_hook.decision import Answer, decide_workspace
from paude_venv_hook.digest import sha256
from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.errors import UsageError
from paude_venv_hook.json_values import get_list, get_object, get_text, parse_json
from paude_venv_hook.launch import Launch
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.plan import skip_colons
from paude_venv_hook.stores.purpose import Purpose, store_name
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.location import Location, Workspace, check_workspace_folder, container_folder
from paude_venv_hook.workspace.patterns import is_pattern
from paude_venv_hook.workspace.settings import read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from paude_venv_hook.plan import Plan, Shadow
    from paude_venv_hook.workspace.settings import Settings

KINDS = {"Pod": "v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1"}
DEFAULT_SIZE = "5Gi"  # of a volume that must have one; ten times a venv with the usual scientific packages
_PREFIX = "paude-venv-"
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"  # as Kubernetes reads RFC 1123, which has one or several of them in a name
_MAX_LABEL, _MAX_NAME = 63, 253


def decide_kubernetes(  # noqa: PLR0913 - each is a flag of the command line
    workspace_folder: str,
    environ: Mapping[str, str],
    *,
    container: str | None,
    target: str | None,
    kind: str = "Pod",
    name: str | None = None,
    claim: str | None = None,
    image: str = "",
    platform: str = "",
    venv: str | None = None,
    storage: str | None = None,
) -> tuple[Answer, dict[str, Any], list[str]]:
    """Return the decision for a workspace folder (a host path), the patch, and other lines for a person.

    `container` is the name of the container that has the folder at its path `target`; `kind` is one of KINDS and `name`
    that of the object. With storage on disk, `claim` names the PersistentVolumeClaim in which each venv has a folder of
    its own, also for each `image` and `platform`. The other arguments are flags. Raises a HookError for
    whatever is wrong.
    """
    if container is None:
        raise UsageError("--container: needed for kubernetes; say which container of the pod has the workspace")
    if target is None:
        raise UsageError("--target: needed for kubernetes; say where the workspace folder is in the container")
    _check_names(container, name, claim)
    folder = check_workspace_folder(workspace_folder)
    settings = read_settings(folder, venv, environ, storage)
    if claim is not None and settings.storage != "disk":
        raise UsageError("--claim: is for storage on disk; add --storage disk, or leave it out")
    location = Location((Mount("bind", folder, container_folder(target)),), "--target")
    # On disk means a volume of the cluster: the stores of this machine, and its engine, have no part in it.
    launch = Launch("podman", mounts=location.mounts, folder=folder)
    in_memory = read_settings(folder, venv, environ, "memory")
    answer = decide_workspace(Workspace(folder, location), in_memory, launch, environ)
    plan = skip_colons(answer.plan, "Kubernetes", "a volume")
    size, problem = to_quantity(settings.tmpfs.size)
    source = _source(settings.storage, claim, size)

    mounts = []
    for shadow in plan.shadows:
        path = shadow.destination
        if claim is None:
            mounts.append({"name": _volume_name(*source, container, path), "mountPath": path})
        else:
            sub_path = _sub_path(shadow, container, image, platform)
            mounts.append({"name": _volume_name(*source, claim), "mountPath": path, "subPath": sub_path})

    notes = list(answer.notes)
    if problem and plan.shadows and claim is None:
        notes.append(Note(NoteKind.SETTING, why=problem))
    new = plan.skipped[len(answer.plan.skipped) :]
    notes += [Note(NoteKind.SKIPPED, (skipped.path,), skipped.reason.text) for skipped in new]
    lines = _lines_on_folder(settings, plan, folder)
    if plan.shadows:
        lines.append(_line_on_lifetime(source))
    patch = make_patch(kind, name, container, mounts, source)
    return answer._replace(plan=plan, notes=tuple(notes)), patch, lines


def make_patch(
    kind: str, name: str | None, container: str, mounts: Iterable[Mapping[str, str]], source: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the strategic merge patch that gives a container the volumeMounts, and the pod the volumes that they name.

    All volumes have the same `source`, such as `{"emptyDir": {}}`. Without a mount nothing is changed: not even the
    container is named, which would be added if there is none of that name.
    """
    patch: dict[str, Any] = {"apiVersion": KINDS[kind], "kind": kind}
    if name is not None:
        patch["metadata"] = {"name": name}
    mounts = list(mounts)
    if mounts:
        names = dict.fromkeys(mount["name"] for mount in mounts)
        volumes = [{"name": volume, **source} for volume in names]
        spec = {"containers": [{"name": container, "volumeMounts": mounts}], "volumes": volumes}
        patch["spec"] = spec if kind == "Pod" else {"template": {"spec": spec}}
    return patch


def to_quantity(size: str | None) -> tuple[str, str]:
    """Return a size of `venv-tmpfs` as a quantity of Kubernetes, "" for none, and a warning if it has none.

    The units of ours are binary; `m` would be a thousandth there, and `g` nothing.
    """
    if not size:
        return "", ""
    if size.endswith("%"):
        return "", f'venv-tmpfs.size: {size} of the memory is nothing that Kubernetes knows; write a size such as "2g"'
    if size.isdigit():
        return size, ""
    return f"{size[:-1]}{size[-1].upper()}i", ""


def is_ours(data: bytes) -> bool:
    """Tell whether the bytes of a file hold a patch that was made here, and nothing else."""
    patch = parse_json(data)
    spec = get_object(patch, "spec")
    spec = get_object(get_object(spec, "template"), "spec") or spec
    containers, volumes = get_list(spec, "containers"), get_list(spec, "volumes")
    if get_text(patch, "kind") not in KINDS:
        return False
    for container in containers:
        if not isinstance(container, dict) or set(container) != {"name", "volumeMounts"}:
            return False
    return all(get_text(volume, "name").startswith(_PREFIX) for volume in volumes)


def _check_names(container: str, name: str | None, claim: str | None) -> None:
    if len(container) > _MAX_LABEL or not re.fullmatch(_LABEL, container):
        raise UsageError(
            f'--container: "{shown(container)}" is no name of a container; '
            "write at most 63 of a-z, 0-9 and -, with a letter or digit at both ends"
        )
    for option, value in (("--name", name), ("--claim", claim)):
        if value is None or (len(value) <= _MAX_NAME and re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", value)):
            continue
        raise UsageError(
            f'{option}: "{shown(value)}" is no name in Kubernetes; '
            "write a-z, 0-9, - and ., with a letter or digit at both ends"
        )


def _source(storage: str, claim: str | None, size: str) -> dict[str, Any]:
    """Return the source of a volume; its only key is the kind."""
    if claim is not None:
        return {"persistentVolumeClaim": {"claimName": claim}}
    if storage == "disk":
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size or DEFAULT_SIZE}}}
        return {"ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
    return {"emptyDir": {"sizeLimit": size} if size else {}}


def _volume_name(*purpose: str) -> str:
    """Return the name of a volume, a DNS label: another one for each purpose, and always the same for that.

    The kind of volume is a part of it, since a merge would give one volume two of them.
    """
    return _PREFIX + sha256(json.dumps(purpose).encode()).hexdigest()[:16]


def _sub_path(shadow: Shadow, container: str, image: str, platform: str) -> str:
    """Return the folder of a venv in a claim. Of the workspace it has the name, the same on all machines."""
    source, path = os.path.basename(shadow.source), os.path.relpath(shadow.host_path, shadow.source)
    purpose = Purpose(source, path, shadow.destination, "kubernetes", service=container, image=image, platform=platform)
    return store_name(purpose)


def _lines_on_folder(settings: Settings, plan: Plan, folder: str) -> list[str]:
    """Return a line on the folder in which venvs were looked for, none if the settings alone name them."""
    if settings.venv == "none" or (settings.venv != "auto" and not any(map(is_pattern, settings.venv))):
        return []
    what = "planned from" if plan.shadows else "nothing to shadow in"
    return [f'{what} {shown(folder)} on this machine; if the cluster has a volume instead, list its venvs in "venv"']


def _line_on_lifetime(source: Mapping[str, Any]) -> str:
    """Return the line that says how long the venvs in a volume of this source live."""
    if "emptyDir" in source:
        size = source["emptyDir"].get("sizeLimit")
        limit = f" of at most {size}, beyond which the pod is evicted," if size else ""
        return f"each venv is in an emptyDir{limit} that a restart of the container keeps; it goes with the pod"
    not_root = "a user other than root may need fsGroup in the pod's securityContext"
    if "ephemeral" in source:
        size = source["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
        return (
            f"each venv is in an ephemeral volume of {size} that a restart of the container keeps; "
            f"it goes with the pod; {not_root}"
        )
    claim = source["persistentVolumeClaim"]["claimName"]
    return f"each venv is in a folder of the claim {claim}, which outlives the pod; it goes with the claim; {not_root}"
