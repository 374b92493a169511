from pathlib import Path

from contracts.file_reader import FileReaderContract
from contracts.memory import MemoryReader
from offbranch.base.files import FileReader


class TestMemoryReader(FileReaderContract):
    def make(self, tmp_path: Path, files: dict[str, bytes]) -> FileReader:
        return MemoryReader(files)
