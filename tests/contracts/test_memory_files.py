"""The in-memory data remote."""

from pathlib import Path

from contracts.memory_files import MemoryFiles
from contracts.object_store import ObjectStoreContract
from contracts.remote_files import RemoteFilesContract
from offbranch.storage.objects import ObjectStore
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_store import RemoteStore


class TestMemoryFiles(RemoteFilesContract):
    def make(self, tmp_path: Path) -> RemoteFiles:
        return MemoryFiles()


class TestRemoteStore(ObjectStoreContract):
    def make(self, tmp_path: Path) -> ObjectStore:
        return RemoteStore(MemoryFiles(), jobs=2)
