"""Moving the data of a project between its cache and its data remotes, remote by remote, and what came of it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from offbranch.base.errors import CorruptObjectError, Interrupted, MissingDataError, OffbranchError, RemoteError
from offbranch.base.events import Reporter
from offbranch.base.paths import RepoPath
from offbranch.base.plugins import load
from offbranch.base.records import field, record, replace
from offbranch.experiments.bring_imports import Brought, bring_imports
from offbranch.experiments.checkout_data import CheckedOut
from offbranch.experiments.data_remotes import DataScope, Group, group_outputs
from offbranch.experiments.run_cache_transfer import fetch_run_cache, push_run_cache
from offbranch.project import Project
from offbranch.storage.connections import Connections, jobs_of
from offbranch.storage.objects import ObjectId
from offbranch.storage.remote_setting import RemoteSetting, is_versioned, resolve_remote
from offbranch.storage.transfer import fetch_objects, push_objects
from offbranch.storage.transfer_plan import Ends, Transferred, Wanted, plan_push, users_of
from offbranch.storage.verify import record_written_objects


@record
class TransferOptions:
    """How data is moved.

    Attributes:
        jobs: Transfers at a time; None for what the remote likes.
        run_cache: Entries of the run-cache go along; the outputs that they name do not.
    """

    jobs: int | None = None
    run_cache: bool = False


@record
class Problem:
    """An object that did not arrive.

    Attributes:
        id: The object.
        paths: Files of the project whose content it is, the first few.
        error: Why.
        remote: Name of the data remote.
    """

    id: ObjectId
    paths: tuple[str, ...]
    error: OffbranchError
    remote: str


@record
class Moved:
    """What a transfer came to.

    Attributes:
        n_objects: Objects that arrived, lists of directories included.
        size_bytes: Of them.
        n_runs: Entries of the run-cache that arrived.
        problems: What did not arrive.
        remotes: Labels of the remotes that took part.
        checked_out: For `pull`, what changed in the workspace.
        error: Why one of several remotes could not be used at all; the others were.
        brought: What came from where it was imported.
    """

    n_objects: int = 0
    size_bytes: int = 0
    n_runs: int = 0
    problems: tuple[Problem, ...] = ()
    remotes: tuple[str, ...] = ()
    checked_out: CheckedOut = field(default_factory=CheckedOut)
    error: OffbranchError | None = None
    brought: Brought = field(default_factory=Brought)


@record
class _Move:
    """One action on the data of a project."""

    project: Project
    options: TransferOptions
    reporter: Reporter
    connections: Connections


def push_data(
    project: Project, scope: DataScope, options: TransferOptions, reporter: Reporter, *, cwd: RepoPath
) -> Moved:
    """Sends what the remotes lack; see `api.transfer.push`."""
    groups = group_outputs(project, scope, cwd=cwd, for_push=True)
    with Connections() as connections:
        move = _Move(project=project, options=options, reporter=reporter, connections=connections)
        moved = _each(groups, lambda group: _push_group(move, group, scope))
        n_runs = 0
        if options.run_cache:
            setting = resolve_remote(project.config, scope.remote, root=project.root)
            n_runs = push_run_cache(
                project.cache.root, connections.files(setting), jobs=jobs_of(setting, options.jobs), reporter=reporter
            )
        return _sum(moved, n_runs)


def fetch_data(
    project: Project, scope: DataScope, options: TransferOptions, reporter: Reporter, *, cwd: RepoPath
) -> Moved:
    """Gets what the cache lacks; see `api.transfer.fetch`."""
    with Connections() as connections:
        n_runs = 0
        if options.run_cache:
            setting = resolve_remote(project.config, scope.remote, root=project.root)
            n_runs = fetch_run_cache(
                project.cache.root, connections.files(setting), jobs=jobs_of(setting, options.jobs), reporter=reporter
            )
        groups = group_outputs(project, scope, cwd=cwd, for_push=False)
        move = _Move(project=project, options=options, reporter=reporter, connections=connections)
        moved = _each(groups, lambda group: _fetch_group(move, group))
    brought = bring_imports(project, scope, reporter, cwd=cwd)
    record_written_objects(project.cache, state=project.state)
    return replace(_sum([*moved, _of_imports(brought)], n_runs), brought=brought)


def fetch_ids(
    project: Project, setting: RemoteSetting, ids: Iterable[ObjectId], reporter: Reporter
) -> tuple[OffbranchError, ...]:
    """Gets objects, directories with their files, from one remote; returns what went wrong."""
    with Connections() as connections:
        move = _Move(project=project, options=TransferOptions(), reporter=reporter, connections=connections)
        if is_versioned(setting):
            moved = _fetch_group(move, _versioned_group(project, setting, frozenset(ids)))
        else:
            moved = _fetch(move, setting, False, tuple(Wanted(id=id, path=id) for id in ids))
    return tuple(problem.error for problem in moved.problems)


def fetch_runs(project: Project, setting: RemoteSetting, reporter: Reporter) -> None:
    """Gets the entries of the run-cache that a remote has, if it can be listed."""
    with Connections() as connections:
        files = connections.files(setting)
        if files.can_list and not is_versioned(setting):
            fetch_run_cache(project.cache.root, files, jobs=jobs_of(setting, None), reporter=reporter)


def raise_problems(moved: Moved, verb: str) -> None:
    """Raises what a transfer could not do, once the rest is done and told.

    Raises:
        OffbranchError: A remote could not be used at all.
        RemoteError: A remote failed.
        CorruptObjectError: Something was corrupt.
        MissingDataError: Something was not there.
    """
    if moved.error is not None:
        raise moved.error
    if not moved.problems:
        return
    n = len(moved.problems)
    text = f"{n} {'object' if n == 1 else 'objects'} could not be {verb}"
    errors = [problem.error for problem in moved.problems]
    if (broken := next((error for error in errors if isinstance(error, RemoteError)), None)) is not None:
        raise RemoteError(text, hint=broken.hint or "run the command again: what has arrived is not sent again")
    if any(isinstance(error, CorruptObjectError) for error in errors):
        hint = "ob fsck checks everything; ob fsck --repair gets sound copies"
        if verb != "pushed":  # what is wrong is at the remote, where a push does not replace what has the right name
            hint = "remove it at the data remote, then run 'ob push' where there is a sound copy"
        raise CorruptObjectError(text, hint=hint)
    raise MissingDataError(text, hint="push it from a clone that has it, or make it again with 'ob repro'")


# Loaded late: few remotes keep versions.
_VERSIONED = "offbranch.experiments.versioned"
_Part = tuple[RemoteSetting, bool, tuple[Wanted, ...]]


def _part(group: Group) -> _Part:
    return group.setting, group.is_legacy, group.wanted


def _each(groups: Sequence[Group], action: Callable[[Group], Moved]) -> list[Moved]:
    """Does something with each group; one of several remotes that cannot be used does not keep the others back."""
    moved: list[Moved] = []
    for group in groups:
        try:
            moved.append(action(group))
        except OffbranchError as error:
            if len(groups) == 1 or isinstance(error, Interrupted):
                raise
            moved.append(Moved(error=error, remotes=(group.setting.label,)))
    return moved


def _push_group(move: _Move, group: Group, scope: DataScope) -> Moved:
    if not is_versioned(group.setting):
        return _push(move, *_part(group))
    push = load(f"{_VERSIONED}:push_versions")
    jobs = jobs_of(group.setting, move.options.jobs)
    return _exchanged(push(move.project, group, scope, move.connections, jobs=jobs, reporter=move.reporter), group)


def _fetch_group(move: _Move, group: Group) -> Moved:
    if not is_versioned(group.setting):
        return _fetch(move, *_part(group))
    fetch = load(f"{_VERSIONED}:fetch_versions")
    jobs = jobs_of(group.setting, move.options.jobs)
    return _exchanged(fetch(move.project, group, move.connections, jobs=jobs, reporter=move.reporter), group)


def _versioned_group(project: Project, setting: RemoteSetting, ids: frozenset[ObjectId]) -> Group:
    """Returns the outputs of the workspace that are some objects: only their records say where those are."""
    groups = group_outputs(project, DataScope(), cwd=RepoPath(""), for_push=False)
    outputs = [used for group in groups if group.setting == setting for used in group.outputs if used.id in ids]
    return Group(setting=setting, is_legacy=False, outputs=tuple(used for used in outputs if not used.is_legacy))


def _exchanged(done: Any, group: Group) -> Moved:
    name, label = group.setting.name, group.setting.label
    problems = [Problem(id=id, paths=(path,), error=error, remote=name) for id, path, error in done.problems]
    return Moved(n_objects=done.n_files, size_bytes=done.size_bytes, problems=tuple(problems), remotes=(label,))


def _ends(move: _Move, setting: RemoteSetting, is_legacy: bool) -> Ends:
    project = move.project
    return Ends(
        cache=project.cache.legacy_view() if is_legacy else project.cache,
        store=move.connections.store(setting, jobs=move.options.jobs, legacy=is_legacy),
        state=project.state,
        reporter=move.reporter,
    )


def _push(move: _Move, setting: RemoteSetting, is_legacy: bool, wanted: tuple[Wanted, ...]) -> Moved:
    ends = _ends(move, setting, is_legacy)
    done = push_objects(plan_push(wanted, ends), ends)
    for id, error in done.failed.items():
        if isinstance(error, CorruptObjectError):
            ends.cache.verify(id)  # removes it: what is corrupt must not be taken for present
    return _moved(done, wanted, ends, setting, "is neither in the cache nor at the")


def _fetch(move: _Move, setting: RemoteSetting, is_legacy: bool, wanted: tuple[Wanted, ...]) -> Moved:
    ends = _ends(move, setting, is_legacy)
    done = fetch_objects(wanted, ends)
    # Hashed on their way in: a checkout need not do it again.
    record_written_objects(ends.cache, state=move.project.state)
    return _moved(done, wanted, ends, setting, "is not at the")


def _moved(done: Transferred, wanted: tuple[Wanted, ...], ends: Ends, setting: RemoteSetting, where: str) -> Moved:
    users = users_of({*done.failed, *done.missing}, wanted, ends.cache)
    missing = {id: MissingDataError(f"the object '{id}' {where} {setting.label}") for id in done.missing}
    problems = [
        Problem(id=id, paths=users[id], error=error, remote=setting.name)
        for id, error in {**done.failed, **missing}.items()
    ]
    return Moved(
        n_objects=done.n_objects, size_bytes=done.size_bytes, problems=tuple(problems), remotes=(setting.label,)
    )


def _of_imports(brought: Brought) -> Moved:
    problems = [Problem(id=one.id, paths=(one.path,), error=one.error, remote=one.source) for one in brought.failures]
    return Moved(n_objects=brought.n_objects, size_bytes=brought.size_bytes, problems=tuple(problems))


def _sum(moved: Iterable[Moved], n_runs: int) -> Moved:
    parts = tuple(moved)
    return Moved(
        n_objects=sum(part.n_objects for part in parts),
        size_bytes=sum(part.size_bytes for part in parts),
        n_runs=n_runs,
        problems=tuple(problem for part in parts for problem in part.problems),
        remotes=tuple(dict.fromkeys(label for part in parts for label in part.remotes)),
        error=next((part.error for part in parts if part.error is not None), None),
    )
