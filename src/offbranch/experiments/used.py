"""Which cached outputs a workspace or a revision records: what must be in the cache, or at a remote, to have its data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from offbranch.base.paths import LOCK_FILE, PIPELINE_FILE, GitPath, RepoPath
from offbranch.base.records import record, replace
from offbranch.experiments.loading import keep_listings
from offbranch.experiments.revision_pipelines import Ignores, PipelineMemory
from offbranch.git.ids import BlobId, CommitId, TreeId
from offbranch.git.objects import ObjectReader
from offbranch.pipeline.lockfile import parse_lock
from offbranch.pipeline.recorded import recorded_outputs
from offbranch.pipeline.stage import LockedItem, LockedStage, Output, Pipelines, Stage
from offbranch.pipeline.targets import Target
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId
from offbranch.storage.transfer_plan import Wanted


@record
class UsedOutput:
    """A cached output with its recorded content.

    Attributes:
        stage: What makes it, or the .dvc file that tracks it.
        out: Its definition.
        path: Where it is in the project.
        item: What is recorded of it; its `md5` is set.
        inner: Paths inside it that are meant, when not the whole of it.
        deps: What is recorded of what it was made or imported from.
    """

    stage: Stage
    out: Output
    path: RepoPath
    item: LockedItem
    inner: tuple[str, ...] = ()
    deps: tuple[LockedItem, ...] = ()

    @property
    def id(self) -> ObjectId:
        """The object that holds it."""
        return ObjectId(self.item.md5 or "")

    @property
    def is_legacy(self) -> bool:
        """Its object is one of DVC 2, in the old place and with the old hash."""
        return self.item.hash_name is None

    @property
    def is_import(self) -> bool:
        """It comes from another repository, which keeps its data."""
        return any(dependency.source and "repo" in dependency.source for dependency in self.stage.deps)

    @property
    def is_url_import(self) -> bool:
        """It was imported from a url, which may still have it."""
        return self.stage.command is None and bool(self.stage.deps) and not self.is_import

    @property
    def wanted(self) -> Wanted:
        """The same as what a transfer moves."""
        return Wanted(id=self.id, path=self.path, inner=self.inner)


def outputs_of_stages(pipelines: Pipelines, stages: Iterable[Stage]) -> Iterator[UsedOutput]:
    """Yields every cached output of some stages whose content is recorded."""
    for stage in stages:
        yield from _of_stage(stage, pipelines.locks.get(stage.address))


def outputs_of_targets(pipelines: Pipelines, targets: Sequence[Target]) -> tuple[UsedOutput, ...]:
    """Returns the cached outputs that targets name; several paths inside one output make one entry."""
    inner: dict[tuple[str, RepoPath], list[str]] = {}
    found: dict[tuple[str, RepoPath], UsedOutput] = {}
    for target in targets:
        for used in _of_stage(target.stage, pipelines.locks.get(target.stage.address)):
            key = (target.stage.address, used.path)
            if target.path is None or target.path == used.path:
                found[key] = used
                inner[key] = [""]
            elif target.path.startswith(f"{used.path}/"):
                found.setdefault(key, used)
                inner.setdefault(key, []).append(target.path[len(used.path) + 1 :])
    return tuple(
        used if "" in inner[key] else replace(used, inner=tuple(dict.fromkeys(inner[key])))
        for key, used in found.items()
    )


class RevisionOutputs:
    """The cached outputs that commits record; what is the same in several commits is read and understood once.

    Args:
        objects: Stays open as long as this is used.
        prefix: Directory of the project in the repository.
        cache: Gets the directory objects of what is recorded file by file; None where there is none.
    """

    def __init__(self, objects: ObjectReader, prefix: GitPath, cache: LocalCache | None) -> None:
        self._objects = objects
        self._prefix = prefix
        self._cache = cache
        self._pipelines = PipelineMemory(objects, prefix, understand=_as_it_is)
        self._locks: dict[str, Mapping[str, LockedStage]] = {}

    def of_commit(self, commit: CommitId) -> tuple[UsedOutput, ...]:
        """Returns the outputs that a commit records.

        Raises:
            OffbranchError: A pipeline or lock file in it cannot be understood.
        """
        return self.of_tree(self._objects.commit(commit).tree)

    def of_tree(self, tree: TreeId) -> tuple[UsedOutput, ...]:
        """Returns the outputs that a tree records; raises as `of_commit`."""
        pipelines = self.pipelines_of(tree)
        for error in pipelines.broken.values():
            raise error
        return tuple(outputs_of_stages(pipelines, pipelines.stages))

    def ignores(self, tree: TreeId) -> Ignores:
        """Returns the rules of the .dvcignore files of a tree."""
        return self._pipelines.ignores(tree)

    def pipelines_of(self, tree: TreeId) -> Pipelines:
        """Returns the pipelines of a tree, with what is locked."""
        found = self._pipelines.wanted(tree)
        if isinstance(found, Exception):
            raise found
        locks = dict(found.locks)
        for stage in found.stages:
            if stage.name is not None:
                lock = self._lock(tree, RepoPath(stage.file.removesuffix(PIPELINE_FILE) + LOCK_FILE))
                if (entry := lock.get(stage.name)) is not None:
                    locks[stage.address] = entry
        pipelines = _with_locks(found, locks)
        if self._cache is not None:
            keep_listings(pipelines, self._cache)
        return pipelines

    def _lock(self, tree: TreeId, path: RepoPath) -> Mapping[str, LockedStage]:
        entry = self._objects.find(tree, GitPath(f"{self._prefix}/{path}" if self._prefix else path))
        if entry is None:
            return {}
        if entry.id not in self._locks:
            text = self._objects.blob(BlobId(entry.id)).decode("utf-8", "replace")
            self._locks[entry.id] = parse_lock(text, path)
        return self._locks[entry.id]


def _of_stage(stage: Stage, locked: LockedStage | None) -> Iterator[UsedOutput]:
    if locked is not None:
        for one in recorded_outputs((stage,), {stage.address: locked}):
            yield UsedOutput(stage=stage, out=one.out, path=one.path, item=one.item, deps=locked.deps)


def _with_locks(pipelines: Pipelines, locks: Mapping[str, LockedStage]) -> Pipelines:
    return replace(pipelines, locks=locks)


def _as_it_is(pipelines: Pipelines) -> Pipelines:
    return pipelines
