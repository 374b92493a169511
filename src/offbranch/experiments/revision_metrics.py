"""The metric files of one revision: which there are, where the content of each is, and what of it is shown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import RepoPath
from offbranch.base.records import record
from offbranch.experiments.revision_files import Entry, RevisionFiles, error_entry
from offbranch.experiments.wanted import Item, Wanted
from offbranch.pipeline.stage import LockedItem, LockedStage
from offbranch.pipeline.versions import keep_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId, parse_object_id

Locks = Mapping[tuple[RepoPath, str | None], LockedStage]


@record
class MetricSource:
    """Where the content of a metric file is: in the cache when `id` is there, in the revision's files otherwise."""

    path: RepoPath
    id: ObjectId | None = None


def locks_of(wanted: Wanted, files: RevisionFiles) -> Locks:
    """Returns every record of a revision by (file, stage name); the name is None in a .dvc file."""
    locks: dict[tuple[RepoPath, str | None], LockedStage] = {(path, None): data for path, data in wanted.data.items()}
    for path in wanted.locks:
        for name, entry in files.lock(path).items():
            locks[path, name] = entry
    return locks


def find_locked(locks: Locks, item: Item, *, is_out: bool) -> LockedItem | None:
    """Returns what is recorded of a dependency or output."""
    entry = locks.get((item.lock, item.stage))
    if entry is not None:
        for locked in entry.outs if is_out else entry.deps:
            if locked.written == item.written:
                return locked
    return None


def metric_sources(wanted: Wanted, files: RevisionFiles, locks: Locks, cache: LocalCache) -> tuple[MetricSource, ...]:
    """Returns every metric file, directories expanded; one that is neither a file nor recorded is among them too."""
    found: dict[RepoPath, MetricSource] = {}
    for path in wanted.metrics:
        for source in _expanded(path, wanted, files, locks, cache):
            found.setdefault(source.path, source)
    return tuple(found.values())


def read_metrics(sources: Sequence[MetricSource], files: RevisionFiles) -> dict[str, Entry]:
    """Returns the entries of metric files."""
    entries: dict[str, Entry] = {}
    for source in sources:
        try:
            data = files.metrics(source.path) if source.id is None else files.object(source.id, source.path)
            entries[source.path] = {"data": metric_values(data)}
        except (OffbranchError, OSError) as error:
            entries[source.path] = error_entry(error)
    return entries


def _expanded(
    path: RepoPath, wanted: Wanted, files: RevisionFiles, locks: Locks, cache: LocalCache
) -> Iterator[MetricSource]:
    if files.is_file(path):
        yield MetricSource(path=path)
        return
    below = files.files_below(path)
    if below:
        yield from (MetricSource(path=each) for each in below)
        return
    yield from _recorded(path, wanted, locks, cache)


def _recorded(path: RepoPath, wanted: Wanted, locks: Locks, cache: LocalCache) -> Iterator[MetricSource]:
    """Yields the files of a metric that the lock file knows, as itself or inside a directory that is an output."""
    place: str = path
    while place and place not in wanted.recorded:
        place = place.rpartition("/")[0]
    locked = find_locked(locks, wanted.recorded[RepoPath(place)], is_out=True) if place else None
    if locked is None or locked.md5 is None:
        yield MetricSource(path=path)
        return
    keep_listing(locked, cache)
    try:
        id = parse_object_id(locked.md5)
        entries = cache.listing(id).entries if id.endswith(DIRECTORY_SUFFIX) else {"": id}
    except (ValueError, OffbranchError):
        yield MetricSource(path=path)
        return
    names = {RepoPath(f"{place}/{name}" if name else place): id for name, id in entries.items()}
    chosen = {name: id for name, id in names.items() if name == path or name.startswith(f"{path}/")}
    for name, id in chosen.items():
        yield MetricSource(path=name, id=id)
    if not chosen:
        yield MetricSource(path=path)


def metric_values(data: Any) -> Any:
    """Returns numbers and texts at any depth; lists, nulls and what is empty are no metrics."""
    if not isinstance(data, Mapping):
        return data if isinstance(data, (int, float, str)) else {}
    kept = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            if inner := metric_values(value):
                kept[key] = inner
        elif isinstance(value, (int, float, str)):
            kept[key] = value
    return kept
