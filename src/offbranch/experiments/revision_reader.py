"""Reads many commits as `RevisionData` at once: what is the same in several of them is read and understood once.

Pipelines are remembered by the ids of every file that took part in resolving them, parsed files by blob id, walks of
directories by tree id. Nothing is checked out, and no process runs where all objects are loose.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from offbranch.base.errors import OffbranchError
from offbranch.base.files import decode
from offbranch.base.paths import GitPath, RepoPath
from offbranch.experiments.revision import RevisionData, read_revision
from offbranch.experiments.revision_files import no_such_file, parse_metrics
from offbranch.experiments.revision_metrics import locks_of, metric_sources
from offbranch.experiments.revision_pipelines import PipelineMemory
from offbranch.experiments.wanted import Wanted, wanted_of
from offbranch.git.ids import BlobId, CommitId, ObjectName, TreeId
from offbranch.git.objects import MODE_LINK, MODE_SUBMODULE, MODE_TREE, ObjectReader, TreeEntry
from offbranch.git.tree_reader import TreeReader
from offbranch.params.files import parse_params
from offbranch.pipeline.lockfile import parse_lock
from offbranch.pipeline.stage import LockedStage, Pipelines
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId

T = TypeVar("T")
# So many commits are prefetched together: enough to make one conversation with Git, few enough for memory.
_BATCH = 1000


class RevisionReader:
    """Reads revisions of one project; `objects` must stay open as long as it is used. One thread at a time."""

    def __init__(
        self,
        objects: ObjectReader,
        prefix: GitPath,
        cache: LocalCache,
        *,
        understand: Callable[[Pipelines], Wanted] = wanted_of,
    ) -> None:
        self._objects = objects
        self._prefix = prefix
        self._cache = cache
        self._pipelines = PipelineMemory(objects, prefix, understand=understand)
        self._blobs: dict[str, bytes] = {}
        self._parsed: dict[tuple[str, str], Any] = {}

    def read(
        self, commits: Sequence[CommitId], *, param_deps: bool = False
    ) -> dict[CommitId, RevisionData | OffbranchError]:
        """Returns what each commit holds, or why its pipelines cannot be understood."""
        return self.each(commits, lambda files, wanted: self._read(files, wanted, param_deps))

    def each(
        self, commits: Sequence[CommitId], use: "Callable[[CommitFiles, Wanted | OffbranchError], T]"
    ) -> dict[CommitId, T]:
        """Returns what a function makes of each commit: of its files, and of what is wanted of them or why that is unknown."""
        found: dict[CommitId, T] = {}
        for start in range(0, len(commits), _BATCH):
            part = commits[start : start + _BATCH]
            trees = {commit.id: commit.tree for commit in self._objects.commits(part)}
            wanted = {commit: self.wanted(tree) for commit, tree in trees.items()}
            self._prefetch((trees[commit], each) for commit, each in wanted.items() if isinstance(each, Wanted))
            for commit, each in wanted.items():
                found[commit] = use(self._files(trees[commit]), each)
            self._blobs.clear()
        return found

    def read_attempt(self, commit: CommitId, baseline: CommitId) -> RevisionData | OffbranchError:
        """Returns what an unfinished attempt holds, with only those metrics that it has written.

        A metric file that is the same as in the baseline counts as not written: it is left over from before. So is one
        that only dvc.lock and the cache know: what dvc.lock says of a stage that failed is from its last success.
        """
        own, old = self._objects.commits((commit, baseline))
        wanted = self.wanted(own.tree)
        data = self._read(self._files(own.tree), wanted, False)
        if not isinstance(wanted, Wanted) or not isinstance(data, RevisionData):
            return data
        before = self.wanted(old.tree)
        stale = self._metric_ids(old.tree, before) if isinstance(before, Wanted) else {}
        now = self._metric_ids(own.tree, wanted)
        kept = {path: entry for path, entry in data.metrics.items() if now.get(path) not in (None, stale.get(path))}
        return RevisionData(params=data.params, metrics=kept, deps=data.deps, outs=data.outs)

    def _read(
        self, files: "CommitFiles", wanted: Wanted | OffbranchError, param_deps: bool
    ) -> RevisionData | OffbranchError:
        if isinstance(wanted, OffbranchError):
            return wanted
        try:
            return read_revision(wanted, files, self._cache, param_deps=param_deps)
        except OffbranchError as error:
            return error

    def wanted(self, tree: TreeId) -> Wanted | OffbranchError:
        """Returns what the pipelines of a commit name, or why they cannot be understood."""
        try:
            return self._pipelines.wanted(tree)
        except OffbranchError as error:  # a tree is missing in this clone
            return error

    def _files(self, tree: TreeId) -> "CommitFiles":
        return CommitFiles(self._objects, tree, self._prefix, self._cache, self._blobs, self._parsed)

    def _metric_ids(self, tree: TreeId, wanted: Wanted) -> dict[str, str]:
        files = self._files(tree)
        try:
            sources = metric_sources(wanted, files, locks_of(wanted, files), self._cache)
        except OffbranchError:
            return {}
        ids = {source.path: files.id_of(source.path) for source in sources if source.id is None}
        return {path: id for path, id in ids.items() if id is not None}

    def _prefetch(self, wanted: Iterable[tuple[TreeId, Wanted]]) -> None:
        names: dict[str, None] = {}
        for tree, each in wanted:
            for path in (*each.locks, *each.params, *each.metrics):
                try:
                    entry = self._objects.find(tree, _in_git(self._prefix, path))
                except OffbranchError:  # reading it will say so
                    continue
                if entry is not None and entry.mode not in (MODE_TREE, MODE_SUBMODULE, MODE_LINK):
                    names[entry.id] = None
        for name, (kind, content) in self._objects.read_many(names).items():
            if kind == "blob":
                self._blobs[name] = content


class CommitFiles:
    """The tree of a commit as `RevisionFiles`; content and parsed data are shared with the reader that made it."""

    def __init__(
        self,
        objects: ObjectReader,
        tree: TreeId,
        prefix: GitPath,
        cache: LocalCache,
        blobs: dict[str, bytes],
        parsed: dict[tuple[str, str], Any],
    ) -> None:
        self._objects = objects
        self._tree = tree
        self._prefix = prefix
        self._cache = cache
        self._blobs = blobs
        self._parsed = parsed

    def params(self, path: RepoPath) -> Any:
        return self._once("params", path, parse_params)

    def metrics(self, path: RepoPath) -> Any:
        return self._once("metrics", path, parse_metrics)

    def object(self, id: ObjectId, path: RepoPath) -> Any:
        return self._known(("object", id), lambda: parse_metrics(self._cache.read_bytes(id), path))

    def lock(self, path: RepoPath) -> Mapping[str, LockedStage]:
        try:
            content = self._content(path)
        except FileNotFoundError:
            return {}
        return parse_lock(decode(content, path), path)

    def is_file(self, path: RepoPath) -> bool:
        entry = self._find(path)
        if entry is not None and entry.mode != MODE_LINK:
            return entry.mode not in (MODE_TREE, MODE_SUBMODULE)
        return self._slow_reader().is_file(path)

    def files_below(self, path: RepoPath) -> Sequence[RepoPath]:
        entry = self._find(path)
        if entry is None or entry.mode != MODE_TREE:
            return ()
        found: list[RepoPath] = []
        for child in self._objects.tree(TreeId(entry.id)):
            below = RepoPath(f"{path}/{child.name}")
            if child.mode == MODE_TREE:
                found.extend(self.files_below(below))
            elif child.mode != MODE_SUBMODULE:
                found.append(below)
        return found

    def id_of(self, path: RepoPath) -> ObjectName | None:
        """Returns the id of a file, None where there is none."""
        entry = self._find(path)
        return None if entry is None else entry.id

    def _once(self, kind: str, path: RepoPath, parse: Any) -> Any:
        entry = self._find(path)
        if entry is None or entry.mode == MODE_LINK:
            return parse(self._content(path), path)
        # The name decides the format, and is in the message of an error.
        return self._known((f"{kind}:{path}", entry.id), lambda: parse(self._content(path), path))

    def _known(self, key: tuple[str, str], read: Any) -> Any:
        if key not in self._parsed:
            try:
                self._parsed[key] = read()
            except (OffbranchError, OSError) as error:
                self._parsed[key] = error
        value = self._parsed[key]
        if isinstance(value, Exception):
            raise value
        return value

    def _content(self, path: RepoPath) -> bytes:
        entry = self._find(path)
        if entry is not None and entry.mode not in (MODE_TREE, MODE_SUBMODULE, MODE_LINK):
            content = self._blobs.get(entry.id)
            return self._objects.blob(BlobId(entry.id)) if content is None else content
        try:
            return self._slow_reader().read_bytes(path)
        except FileNotFoundError as error:
            raise no_such_file(path) from error

    def _find(self, path: RepoPath) -> TreeEntry | None:
        return self._objects.find(self._tree, _in_git(self._prefix, path))

    def _slow_reader(self) -> TreeReader:
        """Returns a reader that follows links."""
        return TreeReader(self._objects, self._tree, self._prefix)


def _in_git(prefix: GitPath, path: RepoPath) -> GitPath:
    return GitPath(f"{prefix}/{path}" if prefix else path)
