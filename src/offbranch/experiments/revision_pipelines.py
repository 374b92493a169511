"""Remembers what pipelines want by the files they were resolved from, so that a thousand commits are resolved once.

A commit's key is the path and id of every pipeline and ignore file below the project; what else took part in resolving
(parameter files that templates read) is recorded while it happens and must be the same too.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import DATA_SUFFIX, IGNORE_FILE, LOCK_FILE, PIPELINE_FILE, GitPath, RepoPath, parent
from offbranch.base.plugins import load
from offbranch.git.ids import BlobId, ObjectName, TreeId
from offbranch.git.objects import MODE_TREE, ObjectReader
from offbranch.git.tree_reader import TreeReader
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.stage import Pipelines
from offbranch.storage.ignore import IGNORED_DIRECTORIES, PATTERN_MATCHER

Signature = tuple[tuple[str, str], ...]
Ignores = Callable[[RepoPath, bool], bool]
T = TypeVar("T")


class PipelineMemory(Generic[T]):
    """What was understood of the trees seen so far.

    Args:
        objects: Reads them; stays open as long as this is used.
        prefix: Directory of the project in the repository.
        understand: Makes of the pipelines of a tree what is wanted of them; their lock files count as missing.
    """

    def __init__(self, objects: ObjectReader, prefix: GitPath, *, understand: Callable[[Pipelines], T]) -> None:
        self._objects = objects
        self._prefix = prefix
        self._understand = understand
        self._signatures: dict[TreeId, Signature] = {}
        self._known: dict[Signature, list[tuple[Mapping[RepoPath, ObjectName | None], T | OffbranchError]]] = {}

    def ignores(self, tree: TreeId) -> Ignores:
        """Returns the rules of the .dvcignore files of a commit."""
        return self._ignores(self._signature_of_project(tree))

    def wanted(self, tree: TreeId) -> T | OffbranchError:
        """Returns what to read of a commit, or why its pipelines cannot be understood."""
        signature = self._signature_of_project(tree)
        candidates = self._known.setdefault(signature, [])
        for reads, answer in candidates:
            if all(self._id(tree, path) == name for path, name in reads.items()):
                return answer
        recorder = _Recorder(self._objects, tree, self._prefix)
        answer = self._resolve(recorder, signature)
        candidates.append((recorder.reads, answer))
        return answer

    def _resolve(self, recorder: "_Recorder", signature: Signature) -> T | OffbranchError:
        try:
            return self._understand(load_pipelines(recorder, ignores=self._ignores(signature)))
        except OffbranchError as error:
            return error

    def _id(self, tree: TreeId, path: RepoPath) -> ObjectName | None:
        entry = self._objects.find(tree, GitPath(f"{self._prefix}/{path}" if self._prefix else path))
        return None if entry is None else entry.id

    def _signature_of_project(self, tree: TreeId) -> Signature:
        top = self._objects.find(tree, self._prefix)
        return self._signature(TreeId(top.id)) if top is not None and top.mode == MODE_TREE else ()

    def _signature(self, tree: TreeId) -> Signature:
        known = self._signatures.get(tree)
        if known is None:
            found: list[tuple[str, str]] = []
            for entry in self._objects.tree(tree):
                if entry.mode == MODE_TREE:
                    if entry.name not in IGNORED_DIRECTORIES:
                        below = self._signature(TreeId(entry.id))
                        found += [(f"{entry.name}/{path}", name) for path, name in below]
                elif entry.name in (PIPELINE_FILE, IGNORE_FILE) or entry.name.endswith(DATA_SUFFIX):
                    found.append((entry.name, entry.id))
            known = self._signatures[tree] = tuple(found)
        return known

    def _ignores(self, signature: Signature) -> Ignores:
        """Returns the rules of the .dvcignore files of a commit."""
        matchers: dict[str, Any] = {}
        for path, name in signature:
            if path.rpartition("/")[2] == IGNORE_FILE:
                text = self._objects.blob(BlobId(name)).decode("utf-8-sig", "surrogateescape")
                lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
                if lines:
                    matchers[parent(RepoPath(path))] = load(PATTERN_MATCHER)(lines)
        if not matchers:
            return _nothing

        def ignores(path: RepoPath, is_dir: bool) -> bool:
            directory = parent(path)
            while True:
                if directory in matchers:
                    relative = path[len(directory) + 1 :] if directory else path
                    verdict: bool | None = matchers[directory].verdict(relative, is_dir)
                    if verdict is not None:
                        return verdict
                if not directory:
                    return False
                directory = parent(directory)

        return ignores


class _Recorder:
    """A commit as `FileReader` that notes what is read, and has no lock files: their content decides nothing here."""

    def __init__(self, objects: ObjectReader, tree: TreeId, prefix: GitPath) -> None:
        self._objects = objects
        self._tree = tree
        self._prefix = prefix
        self._reader = TreeReader(objects, tree, prefix)
        self.reads: dict[RepoPath, ObjectName | None] = {}

    def read_bytes(self, path: RepoPath) -> bytes:
        if path.rpartition("/")[2] == LOCK_FILE:
            raise FileNotFoundError(path)
        entry = self._objects.find(self._tree, GitPath(f"{self._prefix}/{path}" if self._prefix else path))
        self.reads[path] = None if entry is None else entry.id
        return self._reader.read_bytes(path)

    def is_file(self, path: RepoPath) -> bool:
        return self._reader.is_file(path)

    def is_dir(self, path: RepoPath) -> bool:
        return self._reader.is_dir(path)

    def list_dir(self, path: RepoPath) -> tuple[tuple[str, bool], ...]:
        return self._reader.list_dir(path)


def _nothing(path: RepoPath, is_dir: bool) -> bool:
    del path, is_dir
    return False
