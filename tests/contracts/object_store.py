"""What every `ObjectStore` must do. Subclass it, and give `make`."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.storage.objects import EMPTY_FILE, ObjectId, ObjectStore

ABSENT = ObjectId("0" * 32)


def md5(data: bytes) -> ObjectId:
    return ObjectId(hashlib.md5(data).hexdigest())


class ObjectStoreContract(ABC):
    @abstractmethod
    def make(self, tmp_path: Path) -> ObjectStore:
        """Returns an empty store."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return self.make(tmp_path)

    def test_an_empty_store_has_nothing(self, store: ObjectStore) -> None:
        assert not store.has(ABSENT)
        assert store.has_many([ABSENT, EMPTY_FILE]) == frozenset()
        assert list(store.iter_objects()) == []
        with pytest.raises(MissingDataError):
            store.read_bytes(ABSENT)

    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
        deadline=None,
        max_examples=25,
    )
    @given(data=st.binary(max_size=2000))
    def test_bytes_come_back_under_their_hash(self, store: ObjectStore, data: bytes) -> None:
        id = store.add_bytes(data)
        assert id == md5(data)
        assert store.has(id)
        assert store.read_bytes(id) == data

    def test_adding_twice_is_adding_once(self, store: ObjectStore) -> None:
        assert store.add_bytes(b"x") == store.add_bytes(b"x")
        assert list(store.iter_objects()) == [md5(b"x")]

    def test_a_directory_object_is_another_object_than_its_file(self, store: ObjectStore) -> None:
        id = ObjectId(md5(b"[]") + ".dir")
        assert store.add_bytes(b"[]", id) == id
        assert store.has(id)
        assert not store.has(md5(b"[]"))
        assert store.read_bytes(id) == b"[]"
        assert list(store.iter_objects()) == [id]

    def test_bytes_that_are_not_what_the_id_says_are_refused(self, store: ObjectStore) -> None:
        for id in (ABSENT, ObjectId(ABSENT + ".dir")):
            with pytest.raises(CorruptObjectError):
                store.add_bytes(b"x", id)
        assert list(store.iter_objects()) == []

    def test_a_file_is_stored_and_left_alone(self, store: ObjectStore, tmp_path: Path) -> None:
        for size in (0, 1, 70_000, 3_000_001):
            file = tmp_path / f"{size}.bin"
            file.write_bytes(b"ab\n" * (size // 3) + b"x" * (size % 3))
            content = store.add_file(AbsPath(str(file)))
            assert (content.id, content.size) == (md5(file.read_bytes()), size)
            assert (content.n_files, content.is_executable) == (None, False)
            assert store.read_bytes(content.id) == file.read_bytes()

    def test_an_executable_file_is_known_as_such(self, store: ObjectStore, tmp_path: Path) -> None:
        file = tmp_path / "run.sh"
        file.write_bytes(b"#!/bin/sh\n")
        file.chmod(0o755)
        assert store.add_file(AbsPath(str(file))).is_executable

    def test_what_is_no_file_cannot_be_stored(self, store: ObjectStore, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "absent"):
            with pytest.raises(OffbranchError, match=path.name):
                store.add_file(AbsPath(str(path)))

    def test_has_many_returns_just_those_that_are_there(self, store: ObjectStore) -> None:
        ids = [store.add_bytes(bytes([n])) for n in range(5)]
        assert store.has_many(iter([*ids[1:], ABSENT])) == frozenset(ids[1:])
        assert sorted(store.iter_objects()) == sorted(ids)
