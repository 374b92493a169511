"""What data a revision, the records of the workspace, or the disk has: outputs by path, and the files of directories.

An index is made without reading any directory object; those are read when a comparison needs them, and may be missing.
"""

import os
from collections.abc import Callable, Mapping

from offbranch.base.errors import CorruptObjectError, OffbranchError
from offbranch.base.paths import RepoPath, join
from offbranch.base.records import record
from offbranch.experiments.used import RevisionOutputs
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.pipeline.recorded import RecordedOutput, all_recorded
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project
from offbranch.storage.hashing import hash_text_normalised
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.whole import is_whole
from offbranch.storage.workspace import list_directory, observe

Files = Mapping[str, ObjectId]


@record
class DataIndex:
    """Data as of one moment.

    Attributes:
        outs: Path of each output -> its object.
        files_of: Returns the files of an output that is a directory, by path below it; None when its directory object
            is not in the cache.
    """

    outs: Mapping[RepoPath, ObjectId]
    files_of: Callable[[RepoPath], Files | None]


NOTHING = DataIndex(outs={}, files_of=lambda path: {})


def pipelines_at(project: Project, objects: ObjectReader, commit: CommitId) -> Pipelines:
    """Returns the pipelines and records of a commit, read with the ignore rules of that commit.

    Raises:
        OffbranchError: One of its files is malformed.
    """
    reader = RevisionOutputs(objects, project.prefix, project.cache)
    return sound(reader.pipelines_of(objects.commit(commit).tree))


def sound(pipelines: Pipelines) -> Pipelines:
    """Returns pipelines of which nothing is broken; raises the first error otherwise."""
    for error in pipelines.broken.values():
        raise error if isinstance(error, OffbranchError) else OffbranchError(str(error))
    return pipelines


def recorded_index(project: Project, pipelines: Pipelines) -> DataIndex:
    """Returns what is recorded of cached outputs."""
    recorded = all_recorded(pipelines)

    def files_of(path: RepoPath) -> Files | None:
        return listed(project, recorded[path])

    return DataIndex(outs={path: one.id for path, one in recorded.items()}, files_of=files_of)


def listed(project: Project, output: RecordedOutput) -> Files | None:
    """Returns the files that a directory object lists; None when it is not in the cache, or not what its name says."""
    for cache in (project.cache, project.cache.legacy_view()) if output.is_legacy else (project.cache,):
        if cache.has(output.id):
            try:
                return cache.listing(output.id).entries
            except CorruptObjectError:  # it has been removed, and is missing now
                return None
    return None


def disk_index(project: Project, pipelines: Pipelines) -> DataIndex:
    """Returns what is on disk at the outputs that have a record; unchanged files are not read."""
    recorded = all_recorded(pipelines)
    outs: dict[RepoPath, ObjectId] = {}
    for path, output in recorded.items():
        disk = join(project.root, path)
        content = observe(disk, state=project.state, ignore=project.ignore, rel=path)
        if content is not None:
            outs[path] = content.id
            if output.is_legacy and content.id != output.id and os.path.isfile(disk):
                outs[path] = output.id if hash_text_normalised(disk) == output.id else content.id

    def files_of(path: RepoPath) -> Files:
        if not is_directory(outs[path]):
            return {}
        disk = join(project.root, path)
        return list_directory(disk, state=project.state, ignore=project.ignore, rel=path).entries

    return DataIndex(outs=outs, files_of=files_of)


def not_in_cache(project: Project, pipelines: Pipelines, *, granular: bool) -> dict[str, ObjectId]:
    """Returns what is recorded but not in the cache: shown path -> object; files of directories only if `granular`."""
    found: dict[str, ObjectId] = {}
    for path, output in all_recorded(pipelines).items():
        cache = project.cache
        if output.is_legacy and not cache.has(output.id):
            cache = cache.legacy_view()
        if not cache.has(output.id):
            found[output.shown] = output.id
        elif not granular or is_whole(output.id, cache, project.state):
            continue
        files = listed(project, output) if granular and is_directory(output.id) else None
        if files:
            there = cache.has_many(set(files.values()))
            found.update((f"{path}/{name}", id) for name, id in files.items() if id not in there)
    return found
