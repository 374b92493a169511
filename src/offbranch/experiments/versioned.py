"""Data at remotes that keep versions of files by name (`version_aware`, `worktree`): push, fetch, and what is there.

A version is recorded in the .dvc file or dvc.lock once its file has arrived, each of these files in one step at the end of a
push, also of one that fails or is interrupted. A push that is killed records nothing; the next one finds what has arrived by
its tag. Versions of other revisions are read, never recorded: commits do not change.
"""

from collections.abc import Iterable, Iterator

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.events import Reporter
from offbranch.base.paths import is_same_or_inside
from offbranch.base.records import record
from offbranch.experiments.data_remotes import DataScope, Group
from offbranch.experiments.loading import load
from offbranch.experiments.used import UsedOutput
from offbranch.experiments.versioned_mirror import mirror
from offbranch.experiments.versioned_records import Part, listing_of, record_versions
from offbranch.pipeline.versions import Version, versions_of
from offbranch.project import Project
from offbranch.storage.connections import Connections, jobs_of
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_setting import RemoteSetting, is_worktree
from offbranch.storage.verify import record_written_objects
from offbranch.storage.versioned import (
    Arrived,
    VersionedFile,
    check_versioned,
    get_files,
    present_files,
    send_files,
)


@record
class Exchanged:
    """Attributes:
    n_files: That were sent, or came.
    size_bytes: Of them.
    problems: Object, path and reason of each that did not.
    """

    n_files: int
    size_bytes: int
    problems: tuple[tuple[ObjectId, str, OffbranchError], ...]


_Problems = list[tuple[ObjectId, str, OffbranchError]]


def push_versions(
    project: Project,
    group: Group,
    scope: DataScope,
    connections: Connections,
    *,
    jobs: int | None,
    reporter: Reporter,
) -> Exchanged:
    """Sends the files of outputs that have no version at their remote yet, and records the versions.

    Raises:
        UsageError: Remotes of this kind keep no versions.
        RemoteError: The remote cannot be written to, or keeps no versions; nothing has been sent then.
    """
    setting = group.setting
    check_versioned(setting)
    cache = _cache_of(project, group)
    problems: _Problems = []
    parts = tuple(_parts(project, group, problems))
    if scope.has_revisions:
        parts = _of_workspace(project, parts, setting, problems)
    wanted = {part.file.key: part for part in parts if is_worktree(setting) or part.file.version is None}
    arrived: dict[str, Arrived] = {}
    files = connections.files(setting)
    sent = [part.file for part in wanted.values()]
    try:
        for one, answer in send_files(sent, files, cache, jobs=jobs, reporter=reporter):
            if isinstance(answer, Arrived):
                arrived[one.key] = answer
            else:
                problems.append((one.id, one.key, _explained(answer, one, cache, setting)))
    finally:
        record_versions(project, parts, arrived, setting.name, reporter)
    if is_worktree(setting):
        mirror(project, files, parts, arrived, scope, is_complete=not problems)
    sizes = [answer.size_bytes for answer in arrived.values() if answer.size_bytes is not None]
    return Exchanged(n_files=len(sizes), size_bytes=sum(sizes), problems=tuple(problems))


def fetch_versions(
    project: Project, group: Group, connections: Connections, *, jobs: int | None, reporter: Reporter
) -> Exchanged:
    """Gets the files of outputs that the cache lacks, each by its recorded version.

    Raises:
        UsageError: Remotes of this kind keep no versions.
        RemoteError: The remote cannot be asked.
    """
    check_versioned(group.setting)
    cache, problems = _cache_of(project, group), list[tuple[ObjectId, str, OffbranchError]]()
    sources: dict[ObjectId, list[VersionedFile]] = {}
    for part in _parts(project, group, problems):
        sources.setdefault(part.file.id, []).append(part.file)
    for id in cache.has_many(sorted(sources)):
        del sources[id]
    for places in sources.values():
        places.sort(key=lambda one: one.version is None)
    n_files = size_bytes = 0
    files = connections.files(group.setting)
    for id, answer in get_files(sources, files, cache, jobs=jobs, reporter=reporter):
        if isinstance(answer, OffbranchError):
            problems.append((id, sources[id][0].key, answer))
        else:
            n_files += 1
            size_bytes += answer
    record_written_objects(cache, state=project.state)
    return Exchanged(n_files=n_files, size_bytes=size_bytes, problems=tuple(problems))


def recorded_files(
    project: Project, group: Group, connections: Connections, jobs: int | None
) -> tuple[tuple[tuple[str, ObjectId, bool], ...], tuple[UsedOutput, ...]]:
    """Returns path, object and presence at the remote of every file, and the directories of which no list is known.

    Raises:
        UsageError: Remotes of this kind keep no versions.
        RemoteError: The remote cannot be asked.
    """
    check_versioned(group.setting)
    problems: _Problems = []
    parts = tuple(_parts(project, group, problems))
    unknown = {path for _, path, _ in problems}
    asked = [part.file for part in parts if part.file.version is not None]
    jobs = jobs_of(group.setting, jobs)
    there = {(one.key, one.version) for one in present_files(asked, connections.files(group.setting), jobs=jobs)}
    found = tuple((part.file.key, part.file.id, (part.file.key, part.file.version) in there) for part in parts)
    return found, tuple(used for used in group.outputs if used.path in unknown)


def _parts(project: Project, group: Group, problems: _Problems) -> Iterator[Part]:
    name_of_remote = group.setting.name
    cache = _cache_of(project, group)
    for used in group.outputs:
        listing = listing_of(cache, used)
        if listing is None and is_directory(used.id):
            error = MissingDataError(
                f"'{used.path}' has no versions recorded for the {group.setting.label}, and is not in the cache",
                hint="push it from a clone that has it, or make it again with 'ob repro'",
            )
            problems.append((used.id, used.path, error))
            continue
        versions = versions_of(used.item, name_of_remote, listing)
        for name, id in listing.entries.items() if listing is not None else (("", used.id),):
            if name and used.inner and not any(is_same_or_inside(name, each) for each in used.inner):
                continue
            version = versions.get(name) or Version(id=None)
            key = f"{used.path}/{name}" if name else used.path
            yield Part(used=used, name=name, file=VersionedFile(key=key, id=id, version=version.id, etag=version.etag))


def _of_workspace(
    project: Project, parts: Iterable[Part], setting: RemoteSetting, problems: _Problems
) -> tuple[Part, ...]:
    """Returns what the workspace records; what another revision does, and no version of it, becomes a problem."""
    here = {(address, item.written): item for address, locked in load(project).locks.items() for item in locked.outs}
    kept = []
    for part in parts:
        if here.get((part.used.stage.address, part.used.out.written)) == part.used.item:
            kept.append(part)
        elif part.file.version is None:
            error = MissingDataError(
                f"'{part.file.key}' of another revision has no version at the {setting.label}, and a commit cannot record one",
                hint="check that revision out and push from there",
            )
            problems.append((part.file.id, part.file.key, error))
    return tuple(kept)


def _explained(error: OffbranchError, one: VersionedFile, cache: LocalCache, setting: RemoteSetting) -> OffbranchError:
    if isinstance(error, CorruptObjectError):
        cache.verify(one.id)  # removes it: what is corrupt must not be taken for present
    if isinstance(error, MissingDataError):
        return MissingDataError(f"'{one.key}' is neither in the cache nor at the {setting.label}", hint=error.hint)
    return error


def _cache_of(project: Project, group: Group) -> LocalCache:
    return project.cache.legacy_view() if group.is_legacy else project.cache
