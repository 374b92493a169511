import errno
import os
import stat
from pathlib import Path

import pytest

from contracts.object_store import ObjectStoreContract, md5
from offbranch.base.errors import BadInputError, CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.storage import local
from offbranch.storage.hashing import SMALL_SIZE
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import EMPTY_FILE, ObjectId, ObjectStore

A = ObjectId("0cc175b9c0f1b6a831c399e269772661")


class TestLocalCache(ObjectStoreContract):
    def make(self, tmp_path: Path) -> ObjectStore:
        return LocalCache(AbsPath(str(tmp_path / "cache")))


@pytest.fixture
def cache(tmp_path: Path) -> LocalCache:
    return LocalCache(AbsPath(str(tmp_path / "cache")))


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def plant(cache: LocalCache, id: ObjectId, data: bytes, mode: int = 0o444) -> Path:
    file = Path(cache.path_of(id))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(mode)
    return file


def test_the_layout_is_that_of_dvc(cache: LocalCache) -> None:
    id = ObjectId("8ee0c226e53f734074eb6e320beae806")
    assert cache.path_of(id) == f"{cache.root}/files/md5/8e/e0c226e53f734074eb6e320beae806"
    assert cache.path_of(ObjectId(id + ".dir")).endswith("/8e/e0c226e53f734074eb6e320beae806.dir")
    assert cache.legacy_view().path_of(id) == f"{cache.root}/8e/e0c226e53f734074eb6e320beae806"


def test_a_handle_makes_nothing_before_something_is_added(cache: LocalCache) -> None:
    assert not cache.has(A)
    assert not os.path.exists(cache.root)


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077, 0o777])
def test_objects_are_read_only_whatever_the_umask(cache: LocalCache, tmp_path: Path, umask: int) -> None:
    (tmp_path / "small").write_bytes(b"s")
    (tmp_path / "large").write_bytes(b"l" * SMALL_SIZE)
    cache.add_bytes(b"warm up")
    old = os.umask(umask)
    try:
        fresh = LocalCache(cache.root)
        for prefix in ("03", "2a"):  # where the two files go
            os.makedirs(os.path.join(cache.root, "files/md5", prefix), exist_ok=True)
            os.chmod(os.path.join(cache.root, "files/md5", prefix), 0o777)
        ids = [fresh.add_file(AbsPath(str(tmp_path / name))).id for name in ("small", "large")]
    finally:
        os.umask(old)
    assert [mode_of(cache.path_of(id)) for id in ids] == [0o444, 0o444]


def test_a_shared_cache_has_directories_for_the_group(tmp_path: Path) -> None:
    cache = LocalCache(AbsPath(str(tmp_path / "cache")), shared_group=True)
    path = Path(cache.path_of(cache.add_bytes(b"a")))
    assert mode_of(str(path)) == 0o444
    assert [mode_of(str(p)) for p in (path.parents[0], path.parents[1], path.parents[2], path.parents[3])] == [
        0o2775
    ] * 4


def test_a_protected_object_is_trusted_without_reading(cache: LocalCache) -> None:
    plant(cache, A, b"wrong, but nobody looks")
    assert cache.has(A)


def test_an_unprotected_object_is_checked(cache: LocalCache) -> None:
    right = plant(cache, A, b"a", 0o644)
    assert cache.has(A)
    assert mode_of(str(right)) == 0o444
    wrong = plant(cache, md5(b"b"), b"not b", 0o644)
    assert not cache.has(md5(b"b"))
    assert not wrong.exists()


def test_an_empty_object_that_should_not_be_is_not_trusted(cache: LocalCache) -> None:
    """A power cut can leave a renamed file without its content."""
    plant(cache, A, b"")
    assert not cache.has(A)
    plant(cache, EMPTY_FILE, b"")
    assert cache.has(EMPTY_FILE)


def test_verifying_reads_even_what_is_trusted(cache: LocalCache) -> None:
    file = plant(cache, A, b"wrong")
    assert not cache.verify(A)
    assert not file.exists()
    assert not cache.verify(A)
    plant(cache, A, b"a")
    assert cache.verify(A)


def test_adding_repairs_a_wrong_object(cache: LocalCache) -> None:
    plant(cache, A, b"wrong", 0o644)
    cache.add_bytes(b"a")
    assert cache.read_bytes(A) == b"a"


def test_a_present_object_is_not_written_again(cache: LocalCache, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a")
    (tmp_path / "g").write_bytes(b"g" * SMALL_SIZE)
    for name in ("f", "g"):
        inodes = {os.stat(cache.path_of(cache.add_file(AbsPath(str(tmp_path / name))).id)).st_ino for _ in range(2)}
        assert len(inodes) == 1


def test_listings_are_checked_and_remembered(cache: LocalCache) -> None:
    data = b'[{"md5": "0cc175b9c0f1b6a831c399e269772661", "relpath": "x"}]'
    id = ObjectId(md5(data) + ".dir")
    with pytest.raises(MissingDataError):
        cache.listing(id)
    cache.add_bytes(data, id)
    assert cache.listing(id).entries == {"x": A}
    assert cache.listing(id) is cache.listing(id)
    assert not cache.has_all(id)
    cache.add_bytes(b"a")
    assert cache.has_all(id)


def test_a_corrupt_listing_is_removed(cache: LocalCache) -> None:
    id = ObjectId(A + ".dir")
    file = plant(cache, id, b"[]")
    with pytest.raises(CorruptObjectError, match=A):
        cache.listing(id)
    assert not file.exists()


def test_a_listing_that_leads_out_is_refused(cache: LocalCache) -> None:
    data = b'[{"md5": "0cc175b9c0f1b6a831c399e269772661", "relpath": "../x"}]'
    id = cache.add_bytes(data, ObjectId(md5(data) + ".dir"))
    with pytest.raises(BadInputError, match=r"\.\./x"):
        cache.listing(id)


def test_other_files_are_not_objects(cache: LocalCache) -> None:
    id = cache.add_bytes(b"a")
    directory = Path(cache.path_of(id)).parent
    for name in (".ob-tmp-1-ab", "x" * 30, "c175b9c0f1b6a831c399e26977266"):
        (directory / name).touch()
    (directory.parent / ".ob-tmp-2-ab").touch()
    (directory.parent / "unpacked").mkdir()
    assert list(cache.iter_objects()) == [id]


def test_objects_of_dvc_2_are_read_where_they_are(cache: LocalCache, tmp_path: Path) -> None:
    id = ObjectId("dd8c6a395b5dd36c56d23275028f526c")
    legacy = cache.legacy_view()
    file = Path(cache.legacy_view().path_of(id))
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a\r\nb\r\n")
    assert not cache.has(id)
    assert legacy.has(id)
    assert legacy.read_bytes(id) == b"a\r\nb\r\n"
    assert list(legacy.iter_objects()) == [id]
    assert list(cache.iter_objects()) == []
    file.chmod(0o644)
    file.write_bytes(b"other")
    assert not legacy.has(id)


def test_a_directory_that_somebody_removed_is_made_again(cache: LocalCache) -> None:
    path = Path(cache.path_of(cache.add_bytes(b"a")))
    path.unlink()
    path.parent.rmdir()
    assert cache.has(cache.add_bytes(b"a"))


@pytest.mark.parametrize(
    ("code", "word"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EACCES, "permission denied")]
)
@pytest.mark.parametrize("size", [1, SMALL_SIZE])
def test_a_cache_that_cannot_be_written_is_one_clear_error(
    cache: LocalCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, word: str, size: int
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * size)
    os.makedirs(os.path.join(cache.root, "files/md5"))

    def refuse(source: str, dest: str) -> None:
        raise OSError(code, os.strerror(code), dest)

    monkeypatch.setattr(local.os, "replace", refuse)
    for add in (
        lambda: cache.add_file(AbsPath(str(file))),
        lambda: cache.add_files([str(file)], [size], [file.stat().st_mtime_ns]),
    ):
        with pytest.raises(OffbranchError, match=rf"'{cache.root}'.*{word}") as caught:
            add()
        assert "cache.dir" in str(caught.value.hint)
    assert not list(Path(cache.root).rglob(".ob-tmp*"))
    assert list(cache.iter_objects()) == []


def test_a_file_where_a_directory_should_be_is_one_clear_error(cache: LocalCache) -> None:
    Path(cache.root).write_text("a file")
    assert not cache.has(A)
    with pytest.raises(OffbranchError, match="cannot write to the cache"):
        cache.add_bytes(b"a")


def test_a_write_that_takes_only_a_part_is_completed(cache: LocalCache, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(local.os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:7]))
    id = cache.add_bytes(b"0123456789" * 10)
    assert cache.verify(id)


@pytest.mark.parametrize("size", [10, SMALL_SIZE + 10])
def test_a_file_that_changes_while_it_is_stored_is_stored_whole(
    cache: LocalCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"a" * size)
    read, changes = os.read, [b"b" * size]

    def read_and_change(descriptor: int, n: int) -> bytes:
        data = read(descriptor, n)
        if changes:
            file.write_bytes(changes.pop())
            os.utime(file, ns=(1, 1))
        return data

    monkeypatch.setattr(local.os, "read", read_and_change)
    status = file.stat()
    (found,) = cache.add_files([str(file)], [size], [status.st_mtime_ns])
    assert found == md5(b"b" * size)
    assert all(cache.verify(id) for id in cache.iter_objects())


def test_a_file_that_keeps_changing_is_named(
    cache: LocalCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "busy"
    for size in (10, SMALL_SIZE + 10):
        file.write_bytes(b"a" * size)
        read = os.read

        def read_and_grow(descriptor: int, n: int, read: object = read) -> bytes:
            assert callable(read)
            data: bytes = read(descriptor, n)
            with file.open("ab") as out:
                out.write(b"x")
            return data

        with monkeypatch.context() as patch:
            patch.setattr(local.os, "read", read_and_grow)
            with pytest.raises(OffbranchError, match="busy"):
                cache.add_file(AbsPath(str(file)))
    assert not list(Path(cache.root).rglob(".ob-tmp*")) if os.path.exists(cache.root) else True
