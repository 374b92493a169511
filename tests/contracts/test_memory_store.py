from pathlib import Path

from contracts.memory_store import MemoryStore
from contracts.object_store import ObjectStoreContract
from offbranch.storage.objects import ObjectStore


class TestMemoryStore(ObjectStoreContract):
    def make(self, tmp_path: Path) -> ObjectStore:
        return MemoryStore()
