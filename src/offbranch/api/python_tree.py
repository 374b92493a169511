"""All files of a project at one moment, open for listing and reading: what the file system of `python_filesystem.py` shows.

Data is listed from what is recorded, lists of directories and files come from the cache or the data remote into a temporary
directory; nothing is written into the project.
"""

import io
import os
from contextlib import ExitStack
from threading import RLock
from typing import IO

from offbranch.api.python_data import FileRequest, data_of_revision, data_of_workspace, scratch_cache
from offbranch.base.errors import MissingDataError
from offbranch.base.paths import ROOT, RepoPath, join, parent
from offbranch.base.records import replace
from offbranch.experiments.inventory import DiskTree, Inventory, InventoryEntry
from offbranch.experiments.source_repo import OpenSource
from offbranch.experiments.stored_file import DataPlace, find_stored, listing_of, stored_file
from offbranch.git.tree_reader import TreeReader
from offbranch.storage.ignore import load_ignore_rules
from offbranch.storage.objects import is_directory


class ProjectTree:
    """The files of Git and the data of a workspace or a revision. Any thread may ask; one is answered at a time.

    What is recorded is that of the moment it was opened; of a workspace, files are as they are on disk.

    Args:
        request: Which project and revision; its path says nothing here.

    Raises:
        NoProjectError: There is no project in a directory.
        NotFoundError: There is no such repository or revision.
    """

    def __init__(self, request: FileRequest) -> None:
        self._lock = RLock()
        self._files: TreeReader | None = None
        self._is_on_disk = request.is_of_workspace
        with ExitStack() as stack:
            scratch = stack.enter_context(scratch_cache())
            source: OpenSource | None = None
            if self._is_on_disk:
                place = stack.enter_context(data_of_workspace(request, scratch))
            else:
                source, place = stack.enter_context(data_of_revision(request, scratch))
                tree = source.objects.commit(source.commit).tree
                self._files = TreeReader(source.objects, tree, source.prefix)
            # The database of the state belongs to the thread that has opened it.
            self._place = replace(place, state=None)
            self._near, self._far = _inventories(self._place, source)
            self._open = stack.pop_all()

    def close(self) -> None:
        """Gives back what is open; files that have been opened stay readable."""
        with self._lock:
            self._open.close()

    def children(self, path: RepoPath, *, data_only: bool = False) -> tuple[InventoryEntry, ...]:
        """Returns the entries of a directory, by name; none where there is no directory.

        Raises:
            MissingDataError: It is data, and what it holds is neither in the cache nor at the data remote.
        """
        with self._lock:
            near, far = self._near[data_only], self._far[data_only]
            try:
                return near.children(path)
            except MissingDataError:
                owner = path
                while owner not in self._place.outs:
                    if not owner:
                        raise
                    owner = parent(owner)
                listing_of(self._place, self._place.outs[owner])
                return far.children(path)

    def find(self, path: RepoPath, *, data_only: bool = False) -> InventoryEntry | None:
        """Returns the entry at a path, None if there is none; raises as `children`."""
        if not path:
            return InventoryEntry(ROOT, True)
        beside = self.children(parent(path), data_only=data_only)
        return next((entry for entry in beside if entry.path == path), None)

    def open(self, path: RepoPath) -> IO[bytes]:
        """Opens a file at its beginning.

        Raises:
            FileNotFoundError: There is none.
            IsADirectoryError: It is a directory.
            MissingDataError: It is data that is neither in the cache nor at the data remote.
            CorruptObjectError: The only copy is damaged.
        """
        with self._lock:
            if self._is_on_disk and os.path.isfile(join(self._place.root, path)):
                return open(join(self._place.root, path), "rb")
            entry = self.find(path)
            if entry is not None and entry.is_dir:
                raise IsADirectoryError(path)
            stored = find_stored(self._place, path)
            if stored is not None and not is_directory(stored.id):
                return open(stored_file(self._place, stored), "rb")
            if self._files is None or entry is None:
                raise FileNotFoundError(path)
            return io.BytesIO(self._files.read_bytes(path))


def _inventories(place: DataPlace, source: OpenSource | None) -> tuple[tuple[Inventory, Inventory], ...]:
    """Returns what lists everything and what lists data alone: by the lists of the cache, and by those that were brought."""
    if source is not None:
        near, far = (source.inventory.with_cache(cache) for cache in (place.cache, place.scratch))
    else:
        tree = DiskTree(place.root, load_ignore_rules(place.root))
        near, far = (Inventory(tree, place.outs, cache) for cache in (place.cache, place.scratch))
    return (near, near.data_only()), (far, far.data_only())
