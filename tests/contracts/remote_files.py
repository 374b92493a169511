"""What every `RemoteFiles` must do. Subclass it, and give `make`; where `can_list` is false, listing must be refused."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offbranch.base.errors import MissingDataError, RemoteError
from offbranch.base.paths import AbsPath
from offbranch.storage.remote_files import RemoteFile, RemoteFiles

ODD = ("a b/ü é.txt", "per%20cent/+plus&and=.bin", "deep/er/than/that", "#hash/q?uestion")


class RemoteFilesContract(ABC):
    @abstractmethod
    def make(self, tmp_path: Path) -> RemoteFiles:
        """Returns an empty place, not made on the server yet where that is possible."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> Iterator[RemoteFiles]:
        made = self.make(tmp_path)
        yield made
        made.close()

    def test_an_empty_place_has_nothing(self, files: RemoteFiles) -> None:
        assert files.find("a") is None
        assert files.find("a/b/c") is None
        lists(files, "", [])
        lists(files, "a", [])
        for read in (files.read, lambda key: files.download(key, lambda data: None)):
            with pytest.raises(MissingDataError, match="'a/b'"):
                read("a/b")

    def test_bytes_come_back(self, files: RemoteFiles) -> None:
        for key, data in (("empty", b""), ("files/md5/ab/cd", b"x"), ("big", bytes(range(256)) * 10_000)):
            made = files.write(key, data)
            assert (made.key, made.size) == (key, len(data))
            found = files.find(key)
            assert found is not None
            assert (found.key, found.size) == (key, len(data))
            assert files.read(key) == data
            assert downloaded(files, key) == data
        lists(files, "", ["big", "empty", "files/md5/ab/cd"])
        lists(files, "files", ["files/md5/ab/cd"])
        lists(files, "files/md5", ["files/md5/ab/cd"])
        lists(files, "files/md", [])
        if files.can_list:
            assert keys(files, "big") in ([], ["big"])  # an object store cannot tell a directory from a file

    def test_a_directory_is_no_file(self, files: RemoteFiles) -> None:
        files.write("d/f", b"x")
        assert files.find("d") is None
        with pytest.raises(MissingDataError):
            files.read("d")

    def test_a_file_is_uploaded_and_left_alone(self, files: RemoteFiles, tmp_path: Path) -> None:
        for size in (0, 1, 300_000, 12_000_000):
            source = tmp_path / "source"
            source.write_bytes(b"ab\n" * (size // 3) + b"x" * (size % 3))
            source.chmod(0o444)
            sent: list[int] = []
            assert files.upload(AbsPath(str(source)), f"up/{size}", on_bytes=sent.append).size == size
            assert sum(sent) == size
            assert downloaded(files, f"up/{size}") == source.read_bytes()
            source.unlink()

    def test_writing_again_replaces(self, files: RemoteFiles) -> None:
        files.write("a", b"one")
        first = files.find("a")
        files.write("a", b"three")
        assert files.read("a") == b"three"
        second = files.find("a")
        assert first is not None and second is not None
        assert second.size == 5
        assert first.etag is None or first.etag != second.etag

    def test_odd_names(self, files: RemoteFiles) -> None:
        for key in ODD:
            files.write(key, key.encode())
        lists(files, "", sorted(ODD))
        assert {key: files.read(key).decode() for key in ODD} == {key: key for key in ODD}
        lists(files, "a b", [ODD[0]])

    def test_removing(self, files: RemoteFiles) -> None:
        for key in ("a", "b/c", "b/d"):
            files.write(key, b"x")
        files.remove(["b/c", "a", "never/was"])
        lists(files, "", ["b/d"])
        assert files.find("a") is None
        files.remove([])

    def test_threads(self, files: RemoteFiles, tmp_path: Path) -> None:
        names = [f"d{n % 4}/{n}" for n in range(40)]
        started = threading.Barrier(8, timeout=30)

        def work(n: int) -> None:
            if n < 8:
                started.wait()
            source = tmp_path / str(n)
            source.write_bytes(names[n].encode() * n)
            files.upload(AbsPath(str(source)), names[n])
            assert files.read(names[n]) == names[n].encode() * n

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(40)))
        lists(files, "", sorted(names))


def lists(files: RemoteFiles, prefix: str, expected: list[str]) -> None:
    """Checks what is below a directory, or that listing is refused."""
    if files.can_list:
        assert keys(files, prefix) == expected
    else:
        with pytest.raises(RemoteError, match="cannot be listed"):
            list(files.iter_files(prefix))


def keys(files: RemoteFiles, prefix: str) -> list[str]:
    found: list[RemoteFile] = list(files.iter_files(prefix))
    assert all(file.size is not None for file in found)
    return sorted(file.key for file in found)


def downloaded(files: RemoteFiles, key: str) -> bytes:
    parts: list[bytes] = []
    files.download(key, parts.append)
    return b"".join(parts)
