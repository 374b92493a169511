"""Looking at data: what has changed since the last Git commit, and how two revisions differ. Changes nothing."""

import posixpath
from collections.abc import Callable, Iterable, Sequence

from offbranch.api.session import Session, opened, working_directory
from offbranch.base.errors import NoProjectError, NotFoundError, did_you_mean
from offbranch.base.paths import RepoPath, is_same_or_inside, resolve_in
from offbranch.base.records import record
from offbranch.experiments.data_diff import DataDiff, compare_data
from offbranch.experiments.data_index import (
    NOTHING,
    DataIndex,
    disk_index,
    listed,
    not_in_cache,
    pipelines_at,
    recorded_index,
    sound,
)
from offbranch.experiments.loading import load
from offbranch.experiments.refs import resolve_any
from offbranch.git.ids import CommitId
from offbranch.git.ignore import untracked_files
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import resolve_revision
from offbranch.git.repository import GitRepo, has_changes
from offbranch.pipeline.recorded import all_recorded
from offbranch.pipeline.stage import Pipelines
from offbranch.pipeline.targets import resolve_targets
from offbranch.project import Project
from offbranch.storage.connections import Connections
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_setting import resolve_remote
from offbranch.storage.remote_store import present_in

FindMissing = Callable[[frozenset[ObjectId], str | None, bool], frozenset[ObjectId]]
WORKSPACE = "workspace"


@record
class DataStatusOptions:
    """What `ob data status` is asked.

    Attributes:
        granular: Also file by file inside directories.
        untracked_files: Also files that neither Git nor the project tracks.
        not_in_remote: Also what the data remote lacks.
        remote: The data remote; None for the default one.
    """

    granular: bool = False
    untracked_files: bool = False
    not_in_remote: bool = False
    remote: str | None = None


@record
class DataStatus:
    """Data in three places: the last Git commit, the records of the workspace, the disk.

    Attributes:
        not_in_cache: Recorded, but its content is not in the cache.
        not_in_remote: Recorded, but the data remote lacks it; empty if not asked for.
        committed: From the last Git commit to the records (.dvc files and dvc.lock).
        uncommitted: From the records to the disk.
        untracked: Files that nothing tracks, as seen from the user's directory; empty if not asked for.
        unchanged: What is the same in all three places.
        has_git_changes: Git has changes of its own to show.
    """

    not_in_cache: tuple[str, ...] = ()
    not_in_remote: tuple[str, ...] = ()
    committed: DataDiff
    uncommitted: DataDiff
    untracked: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    has_git_changes: bool = False


@record
class RevisionDiff:
    """How the data of two revisions differs.

    Attributes:
        not_in_cache: Data of the old one that is not in the cache, if the new one is the workspace; None otherwise.
    """

    changes: DataDiff
    not_in_cache: tuple[tuple[str, ObjectId], ...] | None


def data_status(targets: Sequence[str], options: DataStatusOptions, session: Session) -> DataStatus:
    """Returns what has happened to the data of a project since the last Git commit.

    Args:
        targets: Only these outputs, paths inside them, .dvc files or stages; all data if there are none.
        options: What to look at.
        session: Where.

    Raises:
        NotFoundError: A target is not data, neither now nor in the last commit.
    """
    with opened(session) as project:
        pipelines = sound(load(project))
        recorded = recorded_index(project, pipelines)
        head = _index_at(project, _head(project))
        paths = _paths(targets, pipelines, head, working_directory(project, session))
        granular = options.granular
        committed = compare_data(head, recorded, granular=granular, targets=paths)
        uncommitted = compare_data(recorded, disk_index(project, pipelines), granular=granular, targets=paths)
        if project.repo is None:
            committed = DataDiff(unchanged=uncommitted.unchanged)
        same = {change.path for change in committed.unchanged}
        find_missing = find_missing_in(project, options.remote) if options.not_in_remote else None
        missing = not_in_cache(project, pipelines, granular=granular)
        return DataStatus(
            not_in_cache=_wanted(missing, paths),
            not_in_remote=_wanted(not_in_remote(project, pipelines, find_missing, granular=granular), paths),
            committed=committed,
            uncommitted=uncommitted,
            untracked=_untracked(project, working_directory(project, session)) if options.untracked_files else (),
            unchanged=tuple(change.path for change in uncommitted.unchanged if change.path in same),
            has_git_changes=project.repo is not None and has_changes(project.repo),
        )


def diff(a: str | None, b: str | None, session: Session, *, targets: Sequence[str] = ()) -> RevisionDiff:
    """Compares the data of two revisions, file by file.

    Args:
        a: Git revision or experiment, HEAD if not given: the old side.
        b: The same, or `workspace`, which it is if not given: the new side.
        session: Where.
        targets: Only these paths and what is below them.

    Raises:
        NoProjectError: The project is not under Git.
        NotFoundError: A revision, or a target, does not exist.
    """
    with opened(session) as project:
        if project.repo is None:
            raise NoProjectError("data is compared between Git commits, and this project has no Git repository")
        if a is None and _head(project) is None:
            return RevisionDiff(changes=DataDiff(), not_in_cache=())
        with ObjectReader(project.repo) as objects:
            before = _revision(project, project.repo, objects, a or "HEAD")
            after = _revision(project, project.repo, objects, b or WORKSPACE)
            old = _index(project, before, a)
            new = _index(project, after, b or WORKSPACE)
            cwd = working_directory(project, session)
            paths = tuple(_named(target, (old, new), cwd) for target in targets)
            changes = compare_data(old, new, granular=True, targets=paths, show_old=True, only_changes=True)
            missing = not_in_cache(project, before, granular=True)
        absent = tuple((path, id) for path, id in sorted(missing.items()) if path in _wanted(missing, paths))
        return RevisionDiff(changes=changes, not_in_cache=absent if b is None else None)


def not_in_remote(
    project: Project, pipelines: Pipelines, find_missing: FindMissing | None, *, granular: bool
) -> dict[str, ObjectId]:
    """Returns what is recorded but missing in its data remote: shown path -> object.

    Args:
        find_missing: Tells which of some objects the data remote that an output names (None: the default one) lacks, those
            of DVC 2 apart; None if no remote is to be asked.
    """
    groups: dict[tuple[str | None, bool], dict[str, ObjectId]] = {}
    for path, output in all_recorded(pipelines).items():
        if find_missing is not None and output.out.push:
            wanted = groups.setdefault((output.out.remote, output.is_legacy), {})
            wanted[output.shown] = output.id
            files = listed(project, output) if granular and is_directory(output.id) else None
            wanted.update((f"{path}/{name}", id) for name, id in (files or {}).items())
    missing: dict[str, ObjectId] = {}
    for (remote, is_legacy), wanted in groups.items():
        absent = find_missing(frozenset(wanted.values()), remote, is_legacy) if find_missing is not None else ()
        missing.update((path, id) for path, id in wanted.items() if id in absent)
    return missing


def find_missing_in(project: Project, default: str | None) -> FindMissing:
    """Returns what asks the data remotes of a project for missing objects.

    Args:
        project: Whose.
        default: The remote of outputs that name none; None for the default one of the project.

    Raises:
        UsageError: There is no such remote.
    """
    resolve_remote(project.config, default, root=project.root)

    def find_missing(ids: frozenset[ObjectId], remote: str | None, is_legacy: bool, /) -> frozenset[ObjectId]:
        setting = resolve_remote(project.config, remote or default, root=project.root)
        with Connections() as connections:
            return ids - present_in(connections.store(setting, legacy=is_legacy), ids)

    return find_missing


def _head(project: Project) -> CommitId | None:
    return None if project.repo is None else resolve_revision(project.repo, "HEAD")


def _index_at(project: Project, commit: CommitId | None) -> DataIndex:
    if project.repo is None or commit is None:
        return NOTHING
    with ObjectReader(project.repo) as objects:
        return recorded_index(project, pipelines_at(project, objects, commit))


def _revision(project: Project, repo: GitRepo, objects: ObjectReader, text: str) -> Pipelines:
    if text == WORKSPACE:
        return sound(load(project))
    return pipelines_at(project, objects, resolve_any(repo, text))


def _index(project: Project, pipelines: Pipelines, text: str | None) -> DataIndex:
    return disk_index(project, pipelines) if text == WORKSPACE else recorded_index(project, pipelines)


def _paths(targets: Sequence[str], pipelines: Pipelines, head: DataIndex, cwd: RepoPath) -> tuple[RepoPath, ...]:
    found: list[RepoPath] = []
    for written in targets:
        path = resolve_in(cwd, written)
        if path is not None and any(is_same_or_inside(path, out) for out in head.outs):
            found.append(path)
            continue
        for target in resolve_targets(pipelines, (written,), cwd=cwd):
            outs = [out.path for out in target.stage.outs if out.path is not None]
            found += outs if target.path is None else [target.path]
    return tuple(found)


def _named(written: str, indices: Iterable[DataIndex], cwd: RepoPath) -> RepoPath:
    path = resolve_in(cwd, written)
    outs = [out for index in indices for out in index.outs]
    if path is None or not any(is_same_or_inside(path, out) or is_same_or_inside(out, path) for out in outs):
        raise NotFoundError(
            f"'{written}' is not tracked data in either revision",
            hint=did_you_mean(path or written, outs) or "'ob ls . --dvc-only -R' lists what is",
        )
    return path


def _wanted(paths: Iterable[str], targets: tuple[RepoPath, ...]) -> tuple[str, ...]:
    if not targets:
        return tuple(sorted(paths))
    return tuple(
        sorted(path for path in paths if any(is_same_or_inside(path.rstrip("/"), target) for target in targets))
    )


def _untracked(project: Project, cwd: RepoPath) -> tuple[str, ...]:
    """Returns untracked files as seen from the user's directory, as Git and DVC show them."""
    if project.repo is None:
        return ()
    prefix = f"{project.prefix}/" if project.prefix else ""
    found = untracked_files(project.repo, (project.prefix,) if project.prefix else ())
    inside = (path[len(prefix) :] for path in found if path.startswith(prefix))
    return tuple(posixpath.relpath(path, cwd) if cwd else path for path in inside)
