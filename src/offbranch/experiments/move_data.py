"""Moving the data of a project between its cache and its data remotes, remote by remote, and what came of it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.events import Reporter
from offbranch.base.paths import RepoPath
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.data_remotes import DataScope, Group, group_outputs

# Others import records from here.
from offbranch.experiments.moved import Brought, of_imports, sum_moved
from offbranch.experiments.moved import Moved as Moved
from offbranch.experiments.moved import Problem as Problem
from offbranch.experiments.moved import TransferOptions as TransferOptions
from offbranch.experiments.moved import raise_problems as raise_problems
from offbranch.experiments.run_cache_transfer import fetch_run_cache, push_run_cache
from offbranch.project import Project
from offbranch.storage.connections import Connections, jobs_of
from offbranch.storage.objects import ObjectId
from offbranch.storage.remote_setting import RemoteSetting, is_versioned, resolve_remote
from offbranch.storage.transfer import fetch_objects, push_objects
from offbranch.storage.transfer_plan import Ends, Transferred, Wanted, plan_push, users_of
from offbranch.storage.verify import record_written_objects


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
        n_runs = _exchange_runs(move, scope.remote, is_push=True) if options.run_cache else 0
        return sum_moved(moved, n_runs)


def fetch_data(
    project: Project, scope: DataScope, options: TransferOptions, reporter: Reporter, *, cwd: RepoPath
) -> Moved:
    """Gets what the cache lacks; see `api.transfer.fetch`."""
    with Connections() as connections:
        move = _Move(project=project, options=options, reporter=reporter, connections=connections)
        n_runs = _exchange_runs(move, scope.remote, is_push=False) if options.run_cache else 0
        groups = group_outputs(project, scope, cwd=cwd, for_push=False)
        moved = _each(groups, lambda group: _fetch_group(move, group))
    brought: Brought = load(BRING_IMPORTS)(project, scope, reporter, cwd=cwd)
    record_written_objects(project.cache, state=project.state)
    return replace(sum_moved([*moved, of_imports(brought)], n_runs), brought=brought)


def push_groups(
    project: Project, groups: Sequence[Group], scope: DataScope, options: TransferOptions, reporter: Reporter
) -> tuple[Moved, ...]:
    """Sends groups of outputs; returns what came of each. One whose remote cannot be used has an `error`."""
    with Connections() as connections:
        move = _Move(project=project, options=options, reporter=reporter, connections=connections)
        return tuple(_each(groups, lambda group: _push_group(move, group, scope), stops=False))


def fetch_groups(
    project: Project, groups: Sequence[Group], options: TransferOptions, reporter: Reporter
) -> tuple[Moved, ...]:
    """Gets groups of outputs; returns what came of each, as `push_groups`."""
    with Connections() as connections:
        move = _Move(project=project, options=options, reporter=reporter, connections=connections)
        moved = tuple(_each(groups, lambda group: _fetch_group(move, group), stops=False))
    record_written_objects(project.cache, state=project.state)
    return moved


def exchange_run_cache(
    project: Project, remote: str | None, options: TransferOptions, reporter: Reporter, *, is_push: bool
) -> int:
    """Sends or gets the entries of the run-cache alone; returns how many.

    Raises:
        OffbranchError: The remote does not exist or cannot be used.
    """
    with Connections() as connections:
        move = _Move(project=project, options=options, reporter=reporter, connections=connections)
        return _exchange_runs(move, remote, is_push=is_push)


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


# Loaded late: opening the repositories of others needs much, and most transfers have nothing from there.
BRING_IMPORTS: Final = "offbranch.experiments.bring_imports:bring_imports"
# Few remotes keep versions.
_VERSIONED = "offbranch.experiments.versioned"
_Part = tuple[RemoteSetting, bool, tuple[Wanted, ...]]


def _part(group: Group) -> _Part:
    return group.setting, group.is_legacy, group.wanted


def _each(groups: Sequence[Group], action: Callable[[Group], Moved], *, stops: bool = True) -> list[Moved]:
    """Does something with each group; one of several remotes that cannot be used does not keep the others back.

    With `stops` the error of the only one is raised.
    """
    moved: list[Moved] = []
    for group in groups:
        try:
            moved.append(action(group))
        except OffbranchError as error:
            if stops and len(groups) == 1:
                raise
            moved.append(Moved(error=error, remotes=(group.setting.label,)))
    return moved


def _exchange_runs(move: _Move, remote: str | None, *, is_push: bool) -> int:
    setting = resolve_remote(move.project.config, remote, root=move.project.root)
    exchange = push_run_cache if is_push else fetch_run_cache
    files, jobs = move.connections.files(setting), jobs_of(setting, move.options.jobs)
    return exchange(move.project.cache.root, files, jobs=jobs, reporter=move.reporter)


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
