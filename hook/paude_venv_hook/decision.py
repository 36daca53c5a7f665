"""The decision: what is shadowed in a container, and what a person should know of it. One answer, for every way in.

It reads the workspaces of a launch and their settings, and writes nothing.
"""

from __future__ import annotations

import os

from paude_venv_hook.engines.choice import find_remote_variable, is_rootless
from paude_venv_hook.engines.table import COMMON, ENGINES, shadow_args, why_not
from paude_venv_hook.errors import EngineError, HookError, StoreError, WorkspaceError
from paude_venv_hook.files import is_inside
from paude_venv_hook.notes import Note, NoteKind, note_on_nothing, to_patterns, to_text
from paude_venv_hook.plan import Plan, Shadow, Skipped, is_outside, make_plan, name_for_people, nameable_paths, skip_if
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.storage import AUTO, DISK, MEMORY, Storage, choose_storage, find_config, is_by_tools, once_made
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.contents import Directory, Kind, Reason, Unshadowed
from paude_venv_hook.workspace.detection import Detection, detect
from paude_venv_hook.workspace.devcontainer import find_devcontainer
from paude_venv_hook.workspace.directories import find_directories
from paude_venv_hook.workspace.environments import BY_DIRECTORY, is_made_again
from paude_venv_hook.workspace.lifecycle import read_set_ups
from paude_venv_hook.workspace.location import Location, Workspace, refuse_unmountable
from paude_venv_hook.workspace.settings import FILE_NAME, MAX_DIRECTORIES, Settings, read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.launch import Launch
    from paude_venv_hook.stores.purpose import Purpose
    from paude_venv_hook.workspace.environments import SetUp


class Answer(NamedTuple):
    """The decision for one workspace of a launch.

    `workspace_folder` is its host path. `owner` is the uid and gid that Docker's shadows have in the container. With
    storage on disk, `purposes` says what the store of each shadow is for, in the order of the plan. `every_shadow` has
    also those on paths for which this engine has no arguments, while another one may. `config` is the devcontainer.json
    (a host path) by which the container is started, None if that is unknown.
    """

    workspace_folder: str
    settings: Settings
    launch: Launch
    location: Location
    plan: Plan
    owner: tuple[int, int]
    purposes: tuple[Purpose, ...] = ()
    notes: tuple[Note, ...] = ()
    every_shadow: tuple[Shadow, ...] = ()
    storage: Storage = Storage()
    config: str | None = None

    @property
    def engine(self) -> str:
        """The engine of the launch."""
        return self.launch.engine

    @property
    def settings_file(self) -> str:
        """The workspace's paude.json, as a person in the start folder would name it."""
        return _settings_file(self.workspace_folder, self.launch)

    @property
    def concerns_stores(self) -> bool:
        """Whether it has stores, which have to be made, or may be for a dev container whose stores are left over."""
        return bool(self.purposes) or is_by_tools(self.launch.labels)

    def arguments(self) -> list[list[str]]:
        """Return the engine's arguments for each shadow of the plan. Raises EngineError if it has none for one."""
        return [_arguments(self, shadow, self.engine) for shadow in self.plan.shadows]


class Decision(NamedTuple):
    """The answer for each workspace that a launch mounts, and all that a person should know before it starts.

    `refused` has the host path of each workspace of which nothing is shadowed since something is wrong there, and what.
    """

    answers: tuple[Answer, ...]
    notes: tuple[Note, ...]
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def shadows(self) -> list[Shadow]:
        """The shadows of all workspaces."""
        return [shadow for answer in self.answers for shadow in answer.plan.shadows]

    def arguments(self) -> list[list[str]]:
        """Return the engine's arguments for each shadow. Raises EngineError if it has none for one."""
        return [arguments for answer in self.answers for arguments in answer.arguments()]


def decide(
    launch: Launch, environ: Mapping[str, str], *, venv: str | None = None, storage: str | None = None
) -> Decision:
    """Return the decision for a launch; `venv` and `storage` are flags, which beat all other settings.

    Raises HookError, with the workspace's folder, for wrong settings. Two things are notes instead: a workspace
    that cannot be read, since the launch works without us; and, if nobody asked for us, wrong settings of a folder
    above what is bound.
    """
    from paude_venv_hook.workspace.carried import find_workspaces  # noqa: PLC0415 - flags name the workspace

    launch = launch._replace(labels=_labels_without_zero_bytes(launch.labels))
    carried = find_workspaces(launch)
    notes = [*launch.notes, *carried.notes]
    answers: dict[str, Answer] = {}
    refused: list[tuple[str, str]] = []
    taken: set[str] = set()
    for workspace in sorted(carried.workspaces, key=_depth, reverse=True):
        try:
            settings = _settings(workspace, environ, venv, storage)
            answer = _decide(workspace, settings, launch, environ)
        except HookError as error:
            if not isinstance(error, WorkspaceError) and (launch.is_asked or not workspace.is_above):
                error.workspace_folder = workspace.folder
                raise
            notes.append(note_on_nothing(str(error)))
            refused.append((workspace.folder, str(error)))
            continue
        # Two workspaces may lie in each other: an engine takes a destination once, and the inner one has it.
        answer = without_taken(answer, taken)
        taken.update(shadow.destination for shadow in answer.plan.shadows)
        answers[workspace.folder] = answer

    covered = {shadow.host_path for answer in answers.values() for shadow in answer.plan.shadows}
    folders = [workspace.folder for workspace in carried.workspaces if workspace.folder in answers]
    in_order = tuple(_with_notes_on_plan(answers[folder], covered) for folder in folders)
    notes += [note for answer in in_order for note in answer.notes]
    return Decision(in_order, tuple(dict.fromkeys(notes)), tuple(refused))


def _labels_without_zero_bytes(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels that can be paths: a client of Docker's API may send any text."""
    return {key: value for key, value in labels.items() if "\0" not in value}


def _depth(workspace: Workspace) -> int:
    return workspace.folder.count(os.sep)


def _settings(workspace: Workspace, environ: Mapping[str, str], venv: str | None, storage: str | None) -> Settings:
    settings = read_settings(workspace.folder, venv or workspace.venv, environ, storage)
    if isinstance(settings.venv, tuple) and not workspace.is_chosen:
        settings = read_settings(workspace.folder, "auto", environ, storage)
    if not workspace.is_chosen:  # the user's own lists are for workspaces
        settings = settings._replace(also=())
    return settings


def without_taken(answer: Answer, taken: Collection[str]) -> Answer:
    """Return an answer without the shadows on container paths that are taken."""
    if not any(shadow.destination in taken for shadow in answer.plan.shadows):
        return answer
    kept = [index for index, shadow in enumerate(answer.plan.shadows) if shadow.destination not in taken]
    plan = answer.plan._replace(shadows=tuple(answer.plan.shadows[index] for index in kept))
    purposes = tuple(answer.purposes[index] for index in kept if answer.purposes)
    every_shadow = tuple(shadow for shadow in answer.every_shadow if shadow.destination not in taken)
    return answer._replace(plan=plan, purposes=purposes, every_shadow=every_shadow)


def decide_workspace(workspace: Workspace, settings: Settings, launch: Launch, environ: Mapping[str, str]) -> Answer:
    """Return the decision for the only workspace of a launch, given its settings.

    Raises a HookError for whatever is wrong.
    """
    return _with_notes_on_plan(_decide(workspace, settings, launch, environ), ())


def _decide(workspace: Workspace, settings: Settings, launch: Launch, environ: Mapping[str, str]) -> Answer:
    """Return the decision for a workspace, without the notes that its plan has in the end."""
    folder, location = workspace.folder, workspace.location
    owner = _owner(folder, settings)
    notes = [Note(NoteKind.SETTING, why=line) for line in settings.warnings]
    if settings.venv == "none":
        location = Location((), "not looked up, since venv is none")
        return Answer(folder, settings, launch, location, Plan(), owner, notes=tuple(notes))

    for mount in location.mounts:
        refuse_unmountable(mount.source)
        refuse_unmountable(mount.target)
    config = workspace.config or find_devcontainer(folder)
    plan, notes_of_workspace = _plan(folder, config, settings, launch, location)
    notes += notes_of_workspace
    started_by = find_config(workspace.config, launch, folder)
    set_ups = _read_set_ups(started_by if launch.has_labels else config, folder, plan)
    storage = choose_storage(settings, launch, set_ups, plan.shadows)
    notes += _notes_on_commands(plan, set_ups, settings, launch, _settings_file(folder, launch))

    answer = Answer(folder, settings, launch, location, plan, owner, (), (), plan.shadows, storage, started_by)
    answer = _on_disk(answer, environ) if storage.kind == DISK else _in_memory(answer)
    return answer._replace(notes=(*notes, *answer.notes))


def _in_memory(answer: Answer) -> Answer:
    plan = answer.plan._replace(shadows=answer.every_shadow)
    plan = as_engine_can(plan, answer.engine, answer.settings, on_disk=False)
    return answer._replace(plan=plan, purposes=(), storage=answer.storage._replace(kind=MEMORY, is_own=False))


def _on_disk(answer: Answer, environ: Mapping[str, str]) -> Answer:
    """Return an answer with a store for each shadow, or in memory if this engine cannot use one."""
    try:
        _refuse_elsewhere(answer.engine, environ)
        plan = as_engine_can(answer.plan, answer.engine, answer.settings, on_disk=True)
        purposes = make_purposes(plan, answer.engine, answer, environ)
        on_disk = answer._replace(plan=_with_stores(plan, purposes), purposes=purposes)
        on_disk.arguments()  # an engine that cannot mount a store says so now, whatever the way in
    except (EngineError, StoreError, WorkspaceError) as error:
        return fall_back(answer, str(error))
    return on_disk


def fall_back(answer: Answer, why: str) -> Answer:
    """Return an answer in memory, for one whose stores cannot be used: that is no reason not to start."""
    if not answer.plan.shadows:
        return _in_memory(answer)
    paths = tuple(dict.fromkeys(shadow.path for shadow in answer.plan.shadows))
    note = Note(NoteKind.IN_MEMORY, paths, why)
    return _in_memory(answer)._replace(notes=(*answer.notes, note))


def _owner(folder: str, settings: Settings) -> tuple[int, int]:
    status = os.stat(folder)
    uid, gid = settings.tmpfs.uid, settings.tmpfs.gid
    return (status.st_uid if uid is None else uid, status.st_gid if gid is None else gid)


# ---- The plan of a workspace


def _plan(
    folder: str, config: str | None, settings: Settings, launch: Launch, location: Location
) -> tuple[Plan, list[Note]]:
    real = os.path.realpath(folder)
    mounts = _real(location.mounts, {folder: real})
    carriers = [mount for mount in mounts if is_inside(real, mount.source) or is_inside(mount.source, real)]
    # The engines have no way to keep a mount in a shared one from the host.
    private = [mount for mount in carriers if not mount.is_shared]
    shared = [Note(NoteKind.SHARED, (mount.source,)) for mount in carriers if mount.is_shared]

    detected = _detect(real, folder, config, settings, location, private)
    file = _settings_file(folder, launch)
    if not private:
        return _plan_without_mount(detected, location, shared, file)

    meant = [mount for mount in private if _is_meant(mount, real, detected)]
    notes = [Note(NoteKind.MEANT, (_name(mount.source, real),), mount.target) for mount in meant]
    plan = make_plan(detected.directories, real, private, location.mounted, detected.unshadowed)
    if len(plan.shadows) > MAX_DIRECTORIES:
        why = f"{len(plan.shadows)} venvs are more than {MAX_DIRECTORIES}; list those that matter"
        plan = Plan((), (Skipped(".", Reason(why)),))
    for note in detected.notes:
        paths = _not_covered(note.paths, real, detected, private, location)
        if paths or not note.paths:
            notes.append(_limited(note, paths, file))
    return plan, [*notes, *shared]


def _limited(note: Note, paths: tuple[str, ...], file: str) -> Note:
    """Return a note on some of its paths alone, with the paude.json that its advice is about."""
    setting = tuple(path for path in note.setting if path in paths)
    return note._replace(paths=paths, setting=setting, file=file)


def _not_covered(
    paths: Iterable[str], real: str, detected: Detection, mounts: Sequence[Mount], location: Location
) -> tuple[str, ...]:
    """Return those of some paths in a workspace on which the container has nothing of its own, nor will have."""
    directories = [Unshadowed(path, os.path.join(real, path), Kind.DEEP) for path in paths]
    plan = make_plan(detected.directories, real, mounts, location.mounted, directories)
    return tuple(directory.path for directory in plan.visible)


def _detect(
    real: str, folder: str, config: str | None, settings: Settings, location: Location, mounts: Sequence[Mount]
) -> Detection:
    """Return what is to be shadowed in a workspace, a real host path, according to its settings."""
    own = os.path.join(folder, FILE_NAME)
    configurations = [config, own] if config else [own]
    sources = [mount.source for mount in mounts]
    same_path = not location.mounts or any(mount.source == mount.target for mount in mounts)
    return find_directories(real, settings, sources, configurations, same_path=same_path)


def _is_meant(mount: Mount, real: str, detected: Detection) -> bool:
    """Tell whether the source of a bind is itself one of the directories that are shadowed elsewhere."""
    return mount.source != real and any(directory.host_path == mount.source for directory in detected.directories)


def _plan_without_mount(
    detected: Detection, location: Location, shared: Sequence[Note], file: str
) -> tuple[Plan, list[Note]]:
    """Return the plan of a workspace that nothing carries, of which only `status` says what it would be."""
    why, advice = location.why, location.advice
    if location.mounts:
        why = f"{shown(location.mounts[0].source)} is mounted, which does not hold it"
    if advice is None:
        advice = f'mount it, or write "venv": "none" in {shown(file)}'
    if shared:
        why, advice = to_text(shared[0]), ""
    everything = Skipped(".", Reason(why, advice))
    skipped = [everything]
    for directory in detected.directories:
        reason = Reason(f"{directory.why}; {why}")
        skipped.append(Skipped(name_for_people(directory.path), reason, is_expected=True))
    return Plan((), tuple(skipped)), []


def _real(mounts: Iterable[Mount], known: Mapping[str, str]) -> list[Mount]:
    """Return the mounts with real sources, some of which are known."""
    return [mount._replace(source=known.get(mount.source) or os.path.realpath(mount.source)) for mount in mounts]


def _name(path: str, folder: str) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")


def as_engine_can(plan: Plan, engine: str, settings: Settings, *, on_disk: bool) -> Plan:
    """Return the plan for an engine: what it has no arguments for is skipped."""
    return skip_if(plan, lambda destination: why_not(engine, destination, settings.tmpfs.size, on_disk=on_disk))


# ---- Storage on disk


def make_purposes(plan: Plan, engine: str, answer: Answer, environ: Mapping[str, str]) -> tuple[Purpose, ...]:
    """Return what the stores of a plan's shadows are for, in their order, on an engine."""
    from paude_venv_hook.stores.purpose import CONTAINER, Purpose  # noqa: PLC0415 - not for venvs in memory

    launch = answer.launch
    platform = launch.platform or environ.get(ENGINES[engine].platform, "")
    rootless = is_rootless(engine)
    configuration = _configuration(answer)
    lifetime = CONTAINER if answer.storage.is_own else ""
    purposes = []
    for shadow in plan.shadows:
        path = os.path.relpath(shadow.host_path, shadow.source)
        of_launch = (engine, rootless, launch.service, launch.image, platform, configuration, lifetime)
        purposes.append(Purpose(shadow.source, path, shadow.destination, *of_launch))
    return tuple(purposes)


def _configuration(answer: Answer) -> str:
    """Return the devcontainer.json as a store names it: "" for the default one."""
    folder, config = answer.workspace_folder, answer.config
    if config is None or config == find_devcontainer(folder):
        return ""
    return os.path.relpath(os.path.realpath(config), os.path.realpath(folder))


def with_purposes(answer: Answer, purposes: tuple[Purpose, ...]) -> Answer:
    """Return an answer with other stores."""
    return answer._replace(plan=_with_stores(answer.plan, purposes), purposes=purposes)


def _with_stores(plan: Plan, purposes: Iterable[Purpose]) -> Plan:
    """Return the plan with the host path of a store in each shadow; nothing is made.

    Raises WorkspaceError if the folder of the stores is one that no engine can mount.
    """
    from paude_venv_hook.stores.folder import store_path, stores_folder  # noqa: PLC0415 - not for venvs in memory

    refuse_unmountable(stores_folder())
    pairs = zip(plan.shadows, purposes, strict=True)
    return plan._replace(shadows=tuple(shadow._replace(store=store_path(purpose)) for shadow, purpose in pairs))


def _refuse_elsewhere(engine: str, environ: Mapping[str, str]) -> None:
    variable = find_remote_variable(engine, environ)
    if variable:
        raise EngineError(
            f"{engine} is on another machine, says {variable}, and storage on disk is on this one; "
            'write "venv-storage": "memory" in paude.json'
        )


# ---- What an engine is told


def _arguments(answer: Answer, shadow: Shadow, engine: str) -> list[str]:
    label = False
    if shadow.store:
        from paude_venv_hook.engines import selinux  # noqa: PLC0415 - not for venvs in memory

        label = selinux.is_on()
    size = answer.settings.tmpfs.size
    return shadow_args(engine, shadow.destination, shadow.store, answer.owner, size, label=label)


def plan_for(answer: Answer, engine: str, environ: Mapping[str, str]) -> tuple[Plan, tuple[Purpose, ...]]:
    """Return the plan of an answer for any engine, each of which has stores of its own, and what those are for.

    Raises EngineError if it can have no stores.
    """
    if engine == answer.engine:
        return answer.plan, answer.purposes
    if not answer.purposes:
        return answer.plan._replace(shadows=answer.every_shadow), ()
    if engine not in COMMON:
        raise EngineError(f"storage on disk is not made ready for {engine}; use --engine {engine}")
    _refuse_elsewhere(engine, environ)
    purposes = make_purposes(answer.plan, engine, answer, environ)
    return _with_stores(answer.plan, purposes), purposes


def arguments_for(answer: Answer, engine: str, environ: Mapping[str, str]) -> list[str]:
    """Return the arguments of any engine for the shadows of an answer. Raises EngineError if it has none."""
    plan, _ = plan_for(answer, engine, environ)
    return [word for shadow in plan.shadows for word in _arguments(answer, shadow, engine)]


# ---- Notes


def _with_notes_on_plan(answer: Answer, covered: Collection[str]) -> Answer:
    """Return an answer with the notes on its plan; `covered` are host paths that other workspaces shadow."""
    plan = answer.plan
    plan = plan._replace(visible=tuple(directory for directory in plan.visible if directory.host_path not in covered))
    notes = _notes_on_plan(plan, answer.launch, answer.settings_file)
    return answer._replace(plan=plan, notes=(*answer.notes, *notes))


def _notes_on_plan(plan: Plan, launch: Launch, file: str) -> Iterator[Note]:
    """Yield what was skipped and why, and what of the host's stays visible."""
    for skipped in plan.skipped:
        if not skipped.is_expected:
            yield Note(NoteKind.SKIPPED, (skipped.path,), skipped.reason.text, skipped.reason.advice)
    for path, trouble in {shadow.path: shadow.trouble for shadow in plan.shadows if shadow.trouble}.items():
        yield Note(NoteKind.TROUBLE, (path,), trouble)
    working = [shadow.path for shadow in plan.shadows if _works_inside(shadow, launch)]
    if working:
        yield Note(NoteKind.WORKS, tuple(dict.fromkeys(working)), file=file)
    yield from _notes_on_visible(plan, file)


def _works_inside(shadow: Shadow, launch: Launch) -> bool:
    """Tell whether a container has what a venv of the host needs: the venv and its Python, both at the host's paths.

    So it is in a sandbox on the same machine.
    """
    if shadow.kind not in (Kind.VENV, Kind.OLD_VIRTUALENV) or shadow.destination != shadow.host_path or shadow.trouble:
        return False
    from paude_venv_hook.workspace.venv import find_python  # noqa: PLC0415 - few containers have the host's paths

    python = find_python(shadow.host_path)
    return bool(python) and all(_is_seen(path, launch) for path in (python, os.path.realpath(python)))


def _is_seen(path: str, launch: Launch) -> bool:
    """Tell whether a container has a file of the host at its host path, by a bind of a folder above it."""
    above = [mount for mount in launch.seen or launch.mounts if is_inside(path, mount.target)]
    if not above:
        return False
    nearest = max(above, key=lambda mount: len(mount.target))
    return nearest.type == "bind" and nearest.source == nearest.target


def _notes_on_visible(plan: Plan, file: str) -> Iterator[Note]:
    paths = [directory.path for directory in plan.visible if directory.kind is not Kind.NAMES_NO_VENV]
    inside = [path for path in paths if not is_outside(path)]
    if inside:
        setting = tuple(dict.fromkeys([*nameable_paths(plan), *to_patterns(inside)]))
        yield Note(NoteKind.VISIBLE, tuple(inside), file=file, setting=setting)
    outside = [path for path in paths if is_outside(path)]
    if outside:
        yield Note(NoteKind.VISIBLE, tuple(outside), file=file)


def _read_set_ups(config: str | None, folder: str, plan: Plan) -> tuple[SetUp, ...]:
    """Return what makes the environments of a workspace, as far as a devcontainer.json starts it."""
    if config is None or not plan.shadows:
        return ()
    return read_set_ups(config, folder)


def _notes_on_commands(
    plan: Plan, set_ups: Sequence[SetUp], settings: Settings, launch: Launch, file: str
) -> Iterator[Note]:
    """Yield what a person should know of the commands that make the environments, in a devcontainer.json."""
    paths = tuple(dict.fromkeys(shadow.path for shadow in plan.shadows))
    guarded = [set_up for set_up in set_ups if set_up.guard == BY_DIRECTORY and set_up.venv in paths]
    for venv, key in dict.fromkeys((set_up.venv, set_up.key) for set_up in guarded):
        yield Note(NoteKind.GUARDED, (venv,), key)
    key = once_made(set_ups, plan.shadows)
    if not key or guarded:
        return
    if settings.storage == MEMORY and not is_made_again(set_ups):
        advice = _advice_to_keep(settings.storage_source, file)
        yield Note(NoteKind.EMPTIED, paths, f"and {key} does not run again", advice)
    elif settings.storage == AUTO and not launch.has_labels:
        why = "since Podman's hook does not see what the dev container tools start"
        advice = f'use --docker-path paude-venv-podman, or write "venv-storage": "disk" in {shown(file)}'
        yield Note(NoteKind.EMPTIED, paths, why, advice)


def _advice_to_keep(source: str, file: str) -> str:
    """Return how to change the storage to auto; `source` is the file, the flag or the variable that says memory."""
    if source.startswith("--"):
        return f"use {source} auto"
    if not os.path.isabs(source):
        return f"set {source}=auto"
    is_own = os.path.basename(os.path.dirname(source)) == os.path.basename(os.path.dirname(os.path.abspath(file)))
    place = file if is_own else source
    return f'write "venv-storage": "auto" in {shown(place)}'


def notes_on_made(answer: Answer, host_paths: Collection[str]) -> list[Note]:
    """Return what a person should know of the mount points (host paths) that had to be made."""
    settings = answer.settings
    new = [shadow for shadow in answer.plan.shadows if shadow.host_path in host_paths]
    notes = [_note_on_reserved(shadow, answer.settings_file) for shadow in new if shadow.kind is Kind.RESERVED]
    listed = _paths_of(new, Kind.LISTED)
    if listed:
        notes.append(Note(NoteKind.MADE_FOR_LIST, listed, settings.venv_source))
    also = _paths_of(new, Kind.ALSO)
    if also:
        notes.append(Note(NoteKind.MADE_FOR_LIST, also, settings.also_source))
    return notes


def _note_on_reserved(shadow: Shadow, file: str) -> Note:
    from paude_venv_hook.workspace.central import is_poetry_project  # noqa: PLC0415 - few shadows have to be made

    advice = ""
    if is_poetry_project(os.path.dirname(shadow.host_path)):
        advice = "the host's first `poetry install` makes it anew, so restart a running container after that"
    return Note(NoteKind.MADE_FOR_RESERVE, (shadow.path,), shadow.evidence, advice, file)


def _paths_of(shadows: Iterable[Shadow], kind: Kind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shadow.path for shadow in shadows if shadow.kind is kind))


def find_left_visible(answer: Answer) -> tuple[list[Unshadowed], bool]:
    """Return all environments of the host that stay visible, at any depth, and whether it was searched to its end.

    Reads the workspace: a launch names those that cost nothing to find.
    """
    location = answer.location
    if answer.settings.venv == "none" or not location.mounts:
        return [], True
    from paude_venv_hook.workspace.deep import find_deep_venvs  # noqa: PLC0415 - not for a launch

    real = os.path.realpath(answer.workspace_folder)
    detected = detect(real, (), (), same_path=False)
    existing = [directory for directory in detected.directories if directory.exists]
    venvs = [Unshadowed(venv.path, venv.host_path, venv.kind) for venv in existing]
    paths, is_whole = find_deep_venvs(real)
    deep = [Unshadowed(_name(path, real), path, Kind.DEEP) for path in paths]
    by_host_path: dict[str, Unshadowed] = {}
    for directory in (*answer.plan.visible, *venvs, *detected.unshadowed, *deep):
        if not any(is_inside(directory.host_path, known) for known in by_host_path):
            by_host_path[directory.host_path] = directory

    shadowed = [Directory(shadow.path, shadow.host_path, shadow.kind) for shadow in answer.plan.shadows]
    mounts = _real(location.mounts, {answer.workspace_folder: real})
    plan = make_plan(shadowed, real, mounts, location.mounted, by_host_path.values())
    skipped = {directory.path for directory in answer.plan.skipped}
    return [directory for directory in plan.visible if name_for_people(directory.path) not in skipped], is_whole


def why_nothing(decision: Decision, no_workspace: str) -> Note:
    """Return why a launch needs no shadow; `no_workspace` is the reason if it mounts no workspace."""
    for answer in decision.answers:
        if answer.settings.venv in ("none", ()):
            return Note(NoteKind.NOTHING, why=f"venv is none ({shown(answer.settings.venv_source)})")
        for skipped in answer.plan.skipped:
            return Note(NoteKind.NOTHING, why=f"{shown(skipped.path)} is {shown(skipped.reason.text)}")
    if not decision.answers:
        return Note(NoteKind.NOTHING, why=no_workspace)
    folders = ", ".join(dict.fromkeys(shown(answer.workspace_folder) for answer in decision.answers))
    file = shown(decision.answers[0].settings_file)
    return Note(
        NoteKind.NOTHING,
        why=f"no venv in {folders}, and nothing says there will be one",
        advice=f'if so, write "venv": [".venv"] in {file}',
    )


def _settings_file(folder: str, launch: Launch) -> str:
    """Return the paude.json of a workspace: from the start folder on if it lies near that, else its whole path."""
    path = os.path.join(folder, FILE_NAME)
    if not launch.folder:
        return path
    start = os.path.realpath(launch.folder)
    relative = os.path.relpath(os.path.join(os.path.realpath(folder), FILE_NAME), start)
    is_near = not relative.startswith(os.path.join(os.pardir, os.pardir, os.pardir))
    return relative if is_near else path
