"""Which files of outputs have which versions at a data remote, and writing that into .dvc files and dvc.lock.

Each of these files is written in one step, and only with versions of files that have arrived.
"""

import os
from collections.abc import Iterable, Mapping

from offbranch.base.errors import CorruptObjectError, MissingDataError
from offbranch.base.events import Reporter
from offbranch.base.files import decode, write_if_changed
from offbranch.base.paths import RepoPath, join
from offbranch.base.records import record, replace
from offbranch.experiments.used import UsedOutput
from offbranch.pipeline.datafile import parse_data_file, update_datafile_text
from offbranch.pipeline.events import FileWritten
from offbranch.pipeline.lockfile import parse_lock, update_lock_text
from offbranch.pipeline.recording import lock_file_of
from offbranch.pipeline.stage import LockedItem, LockedStage, Stage
from offbranch.pipeline.versions import Version, with_versions
from offbranch.project import Project
from offbranch.storage.listing import Listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import is_directory
from offbranch.storage.versioned import Arrived, VersionedFile


@record
class Part:
    """A file of an output, as it is, or shall be, at a remote.

    Attributes:
        used: The output.
        name: Path inside it; empty for an output that is a file.
        file: Where it is at the remote, and what is recorded of it.
    """

    used: UsedOutput
    name: str
    file: VersionedFile


def listing_of(cache: LocalCache, used: UsedOutput) -> Listing | None:
    """Returns the files of an output that is a directory, None where they are not known."""
    if not is_directory(used.id):
        return None
    try:
        return cache.listing(used.id)
    except (MissingDataError, CorruptObjectError):
        return None


def record_versions(
    project: Project, parts: Iterable[Part], arrived: Mapping[str, Arrived], remote: str, reporter: Reporter
) -> None:
    """Writes the versions of what has arrived into .dvc files and dvc.lock, each file in one step."""
    outputs: dict[tuple[str, str], tuple[UsedOutput, dict[str, Version]]] = {}
    for part in parts:
        _, versions = outputs.setdefault((part.used.stage.address, part.used.out.written), (part.used, {}))
        if (answer := arrived.get(part.file.key)) is not None:
            versions[part.name] = Version(id=answer.file.version, etag=answer.file.etag)
    by_stage: dict[str, Stage] = {}
    items: dict[str, dict[str, LockedItem]] = {}
    for used, versions in outputs.values():
        cache = project.cache.legacy_view() if used.is_legacy else project.cache
        listing = listing_of(cache, used)
        new = with_versions(used.item, remote, versions, listing, _Sizes(cache, listing))
        if new != used.item and (versions or (listing is not None and not listing.entries)):
            by_stage[used.stage.address] = used.stage
            items.setdefault(used.stage.address, {})[used.out.written] = new
    locks: dict[RepoPath, dict[str, dict[str, LockedItem]]] = {}
    for address, changes in items.items():
        stage = by_stage[address]
        if stage.name is not None:
            locks.setdefault(lock_file_of(stage.file), {})[stage.name] = changes
            continue
        text = decode(project.reader.read_bytes(stage.file), stage.file)
        changes = _still_meant(parse_data_file(text, stage.file)[1], changes)
        write_if_changed(join(project.root, stage.file), update_datafile_text(text, stage.file, changes).encode())
    for path, entries in locks.items():
        _record_in_lock(project, path, entries, reporter)


def _record_in_lock(
    project: Project, path: RepoPath, entries: Mapping[str, Mapping[str, LockedItem]], reporter: Reporter
) -> None:
    text = decode(project.reader.read_bytes(path), path)
    known = parse_lock(text, path)
    changes: dict[str, LockedStage | None] = {
        name: replace(
            known[name],
            outs=tuple(_still_meant(known[name], items).get(item.written, item) for item in known[name].outs),
        )
        for name, items in entries.items()
        if name in known
    }
    if write_if_changed(join(project.root, path), update_lock_text(text, changes, path=path).encode()):
        reporter.emit(FileWritten(path=path, is_new=False))


def _still_meant(locked: LockedStage, changes: Mapping[str, LockedItem]) -> dict[str, LockedItem]:
    """Returns those changes whose content is still what is recorded: a user may edit the file during a long push."""
    contents = {item.written: item.md5 for item in locked.outs}
    return {written: item for written, item in changes.items() if contents.get(written) == item.md5}


class _Sizes:
    """Says how long a file of a listed directory is, by its object."""

    def __init__(self, cache: LocalCache, listing: Listing | None) -> None:
        self._cache, self._listing = cache, listing

    def __call__(self, name: str) -> tuple[int, bool] | None:
        assert self._listing is not None
        try:
            return os.stat(self._cache.path_of(self._listing.entries[name])).st_size, False
        except OSError:
            return None
