"""A complete configuration for `devcontainer up --override-config`: the base, with the shadows added."""

from __future__ import annotations

import json
import os
from functools import partial

from paude_venv_hook.decision import decide, without_taken
from paude_venv_hook.engines.choice import choose_engine, engine_called_docker
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.run_grammar import labels_in, volumes_from_in
from paude_venv_hook.engines.table import refuse_other_forms
from paude_venv_hook.engines.volumes import resolve
from paude_venv_hook.errors import DevcontainerError
from paude_venv_hook.launch import CONFIG_FILE, LOCAL_FOLDER
from paude_venv_hook.launchers import compose
from paude_venv_hook.launchers.asked import questions
from paude_venv_hook.launchers.flags import decide_by_flags
from paude_venv_hook.launchers.settled import asking, settle_answer
from paude_venv_hook.overlay import default_path
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import find_devcontainer, read_devcontainer
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.location import check_workspace_folder
from paude_venv_hook.workspace.variables import substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from paude_venv_hook.decision import Answer


class Override(NamedTuple):
    """The decisions, the configuration as JSON bytes, and the files that it names: their host paths and contents."""

    answers: list[Answer]
    data: bytes
    files: dict[str, bytes]


def make_override(
    workspace_folder: str,
    environ: Mapping[str, str],
    *,
    container_workspace_folder: str | None = None,
    config: str | None = None,
    engine: str = "auto",
    venv: str | None = None,
    storage: str | None = None,
) -> Override:
    """Return the configuration of a workspace folder (a host path), from the values of the flags.

    If neither a flag nor the environment names the engine, it is what `docker` on PATH is: the devcontainer CLI
    starts that, whatever else is there. The container of before is not removed yet, and `devcontainer up` may start it
    again: so its stores are kept as they are. They are made, and else nothing is written here. Raises a HookError for
    whatever is wrong.
    """
    folder = check_workspace_folder(workspace_folder)
    path = config or find_devcontainer(folder)
    if path is None:
        raise DevcontainerError(f"{shown(folder)}: there is no devcontainer.json; name one with --config")
    base = read_object(path, unique_keys=False)
    if engine == "auto" and environ.get("PAUDE_VENV_ENGINE", "") in ("", "auto"):
        engine = engine_called_docker(environ)
    else:
        refuse_other_forms(choose_engine(engine, environ)[0], "devcontainer-config")
    if "dockerComposeFile" in base:
        chosen = compose.choose_compose_engine(engine, environ)
        answers, project = compose.decide_compose(
            folder,
            environ,
            target=container_workspace_folder,
            config=path,
            engine=engine,
            venv=venv,
            storage=storage,
            target_needed=False,
            is_by_tools=True,
            settle=partial(settle_answer, ask=asking(chosen, environ), is_ahead=True),
        )
        if not any(answer.plan.shadows for answer in answers):
            return Override(answers, _dump(path, base), {})
        compose_file = default_path(folder).removesuffix(".json") + ".compose.json"
        document = compose.add_compose_file(path, base, compose_file, folder, environ)
        return Override(answers, _dump(path, document), {compose_file: compose.dump(project)})
    answer = decide_by_flags(
        folder,
        environ,
        container_workspace_folder=container_workspace_folder,
        config=path,
        engine=engine,
        venv=venv,
        storage=storage,
        is_by_tools=True,
    )
    answers = _with_others(answer, path, environ, venv, storage)
    ask = asking(answer.engine, environ)
    answers = [settle_answer(answer, ask, is_ahead=True) for answer in answers]
    run_args = [word for answer in answers for words in answer.arguments() for word in words]
    document = _add_run_args(path, base, run_args, folder, environ)
    return Override(answers, _dump(path, document), {})


def _with_others(
    answer: Answer, path: str, environ: Mapping[str, str], venv: str | None, storage: str | None
) -> list[Answer]:
    """Return the decision for the workspace of a devcontainer.json (a host path), and those for what else it mounts.

    These are other workspaces, and its own once more if only the engine knows of it: by a volume that is a bind, or by
    another container. A launch through a wrapper sees the same mounts and labels, and decides the same.
    """
    folder = answer.workspace_folder
    devcontainer = read_devcontainer(path, folder, environ)
    volumes_from = volumes_from_in(devcontainer.options)
    if not devcontainer.mounts and not volumes_from:
        return [answer]
    mounts = [*answer.location.mounts[:1], *devcontainer.mounts]
    program = find_program(answer.engine, environ) or answer.engine
    resolved = resolve(mounts, volumes_from, questions(program, (), environ))
    launch = answer.launch._replace(
        told_by="devcontainer.json",
        mounts=tuple(resolved.mounts),
        labels={**labels_in(devcontainer.options), LOCAL_FOLDER: folder, CONFIG_FILE: path},
    )
    answers = [answer._replace(notes=(*answer.notes, *resolved.notes))]
    taken = {shadow.destination for shadow in answer.plan.shadows}
    for other in decide(launch, environ, storage=storage).answers:
        rest = without_taken(other, taken)
        is_own = other.workspace_folder == os.path.realpath(folder)
        if not is_own or (rest.plan.shadows and venv is None):  # that flag has decided on the own one
            answers.append(rest)
    return answers


def _add_run_args(
    path: str, base: Mapping[str, Any], run_args: Sequence[str], workspace_folder: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    substitute = substitution(path, workspace_folder, "/", environ)  # the tools do it once more
    for argument in run_args:
        if substitute(argument) != argument:
            raise DevcontainerError(f"{shown(argument)}: holds what devcontainer.json replaces; rename the folder")
    return {**base, "runArgs": [*(base.get("runArgs") or []), *run_args]}


def _dump(path: str, document: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except ValueError:
        raise DevcontainerError(f"{shown(path)}: holds a number that JSON cannot write; remove it") from None
