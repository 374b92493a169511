"""What every `FileReader` must do. Subclass it, and give `make`."""

from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from offbranch.base.files import FileReader, read_text
from offbranch.base.paths import RepoPath

FILES = {
    "params.yaml": b"lr: 0.1\n",
    "b": b"",
    "dir/one": b"\0\xff",
    "dir/deep/er/two": b"2",
    "dir.txt": b"between",
    "é x/'q'": b"odd",
}


class FileReaderContract(ABC):
    """The tests; every path is one of the project, and the reader was made of `FILES`."""

    @abstractmethod
    def make(self, tmp_path: Path, files: dict[str, bytes]) -> FileReader:
        """Returns a reader of exactly these files."""

    @pytest.fixture
    def reader(self, tmp_path: Path) -> FileReader:
        return self.make(tmp_path, FILES)

    def test_content_is_exact(self, reader: FileReader) -> None:
        for path, content in FILES.items():
            assert reader.read_bytes(RepoPath(path)) == content
        assert read_text(reader, RepoPath("params.yaml")) == "lr: 0.1\n"

    def test_reading_what_is_no_file_fails(self, reader: FileReader) -> None:
        for path in ("none", "dir", "", "none/x", "b/x", "dir/none", "dir/one/x/y"):
            with pytest.raises(FileNotFoundError):
                reader.read_bytes(RepoPath(path))

    def test_files_and_directories_are_told_apart(self, reader: FileReader) -> None:
        for path in FILES:
            assert (reader.is_file(RepoPath(path)), reader.is_dir(RepoPath(path))) == (True, False)
        for path in ("", "dir", "dir/deep", "dir/deep/er", "é x"):
            assert (reader.is_file(RepoPath(path)), reader.is_dir(RepoPath(path))) == (False, True)
        for path in ("none", "none/x", "b/x", "di", "dir/none", "dir/one/x/y"):
            assert (reader.is_file(RepoPath(path)), reader.is_dir(RepoPath(path))) == (False, False)

    def test_directories_are_listed_in_name_order(self, reader: FileReader) -> None:
        root = (("b", False), ("dir", True), ("dir.txt", False), ("params.yaml", False), ("é x", True))
        assert reader.list_dir(RepoPath("")) == root
        assert reader.list_dir(RepoPath("dir")) == (("deep", True), ("one", False))
        assert reader.list_dir(RepoPath("dir/deep")) == (("er", True),)

    def test_listing_what_is_no_directory_is_empty(self, reader: FileReader) -> None:
        for path in ("none", "b", "b/x", "dir/one", "dir/one/x/y"):
            assert reader.list_dir(RepoPath(path)) == ()

    def test_no_files_at_all(self, tmp_path: Path) -> None:
        reader = self.make(tmp_path, {})
        assert reader.list_dir(RepoPath("")) == ()
        assert not reader.is_file(RepoPath("a"))
