"""What `gc` removes from a store: exactly what is not kept, lists before files, whatever cuts it short."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.memory_files import MemoryFiles
from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.storage import gc as gc_module
from offbranch.storage.fsck import Condition, check_object, check_objects
from offbranch.storage.gc import (
    apply_gc,
    close_over,
    iter_sized,
    old_temporaries,
    plan_gc,
    read_list,
    remove_temporaries_of,
)
from offbranch.storage.listing import Listing, listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_store import RemoteStore
from offbranch.storage.set_aside import KEPT_DAYS, iter_set_aside, old_set_aside, set_aside

DAY_NS = 24 * 3600 * 1_000_000_000


@pytest.fixture
def cache(tmp_path: Path) -> LocalCache:
    return LocalCache(AbsPath(str(tmp_path / "cache")))


def add_directory(cache: LocalCache, files: dict[str, bytes]) -> ObjectId:
    data = listing_bytes(make_listing((name, cache.add_bytes(content)) for name, content in files.items()))
    cache.add_listing(data, listing_id(data))
    return listing_id(data)


def ids(count: int) -> list[ObjectId]:
    return [ObjectId(f"{number:032x}") for number in range(count)]


FILES = ids(12)
DIRECTORIES = [ObjectId(f"{number + 100:032x}.dir") for number in range(5)]


@given(
    lists=st.dictionaries(st.sampled_from(DIRECTORIES), st.lists(st.sampled_from(FILES), max_size=5)),
    tops=st.sets(st.sampled_from([*FILES, *DIRECTORIES])),
    present=st.sets(st.sampled_from([*FILES, *DIRECTORIES])),
    cut=st.integers(0, 20),
)
def test_everything_used_is_kept_and_everything_else_goes(
    lists: dict[ObjectId, list[ObjectId]], tops: set[ObjectId], present: set[ObjectId], cut: int
) -> None:
    known = {
        id: Listing(entries={str(number): member for number, member in enumerate(members)})
        for id, members in lists.items()
    }
    closure = close_over(tops, known)
    used = tops | {member for top in tops if top in lists for member in lists[top]}
    plan = plan_gc(((id, 1) for id in present), closure.ids)
    assert closure.ids == used
    assert closure.unlisted == {top for top in tops if is_directory(top) and top not in lists}
    assert present - set(plan.ids) == present & used
    assert set(plan.ids) == present - used
    assert plan.size_bytes == len(plan.ids) and plan.n_kept == len(present & used)
    # Cut short anywhere, a list that was complete and is still there has all its files.
    left = present - set(plan.ids[:cut])
    for id in left:
        if id in lists and set(lists[id]) <= present:
            assert set(lists[id]) <= left


def test_removes_here(cache: LocalCache, tmp_path: Path) -> None:
    kept = add_directory(cache, {"a": b"1", "b": b"22"})
    gone = add_directory(cache, {"b": b"22", "c": b"333"})
    listing = read_list(cache, kept)
    assert listing is not None
    before, _ = cache.fingerprint()
    plan = plan_gc(iter_sized(cache), close_over([kept], {kept: listing}).ids)
    assert plan.directories == (gone,) and len(plan.files) == 1
    assert plan.size_bytes == 3 + os.path.getsize(cache.path_of(gone))
    told: list[int] = []
    apply_gc(plan, cache, tell=told.append)
    fresh = LocalCache(cache.root)
    assert fresh.has_all(kept) and not fresh.has(gone)
    assert told[-1] == 2 and len(list(fresh.iter_objects())) == 3
    assert fresh.fingerprint()[0] != before
    apply_gc(plan, cache)  # once more: nothing is there any more


def test_an_object_linked_into_a_workspace_frees_nothing(cache: LocalCache, tmp_path: Path) -> None:
    id = cache.add_bytes(b"shared")
    os.link(cache.path_of(id), tmp_path / "file")
    assert list(iter_sized(cache)) == [(id, 0)]


def test_removes_at_a_remote_lists_first(cache: LocalCache) -> None:
    files = MemoryFiles()
    store = RemoteStore(files)
    directory = add_directory(cache, {"a": b"1"})
    data = cache.read_bytes(directory)
    store.add_bytes(b"1")
    store.add_bytes(data, directory)
    assert dict(iter_sized(store))[directory] == len(data)
    removed: list[str] = []
    remove = files.remove
    files.remove = lambda keys: remove(removed.extend(keys := list(keys)) or keys)  # type: ignore[method-assign, func-returns-value]
    apply_gc(plan_gc(iter_sized(store), ()), store)
    assert [key.endswith(".dir") for key in removed] == [True, False]
    assert list(store.iter_objects()) == []


def test_a_killed_removal_leaves_whole_directories(cache: LocalCache, monkeypatch: pytest.MonkeyPatch) -> None:
    directories = [add_directory(cache, {"a": bytes([n]), "b": bytes([n, n])}) for n in range(4)]
    plan = plan_gc(iter_sized(cache), ())
    remove, left = gc_module.remove_file, [len(plan.ids)]

    def fails_in_the_middle(path: AbsPath) -> None:
        left[0] -= 1
        if left[0] < 6:
            raise OSError(5, "Input/output error")
        remove(path)

    monkeypatch.setattr(gc_module, "remove_file", fails_in_the_middle)
    with pytest.raises(OffbranchError, match=r"cannot remove '.*': input/output error"):
        apply_gc(plan, cache)
    fresh = LocalCache(cache.root)
    assert all(not fresh.has(id) or fresh.has_all(id) for id in directories)


def test_unfinished_files_of_dead_processes(cache: LocalCache) -> None:
    cache.add_bytes(b"x")
    top = Path(cache.root) / "files" / "md5"
    names = {".ob-tmp-99999999-aa": True, f".ob-tmp-{os.getpid()}-bb": False, "other": False}
    for name in names:
        (top / name).write_bytes(b"half")
    now_ns = time.time_ns()
    assert old_temporaries(cache, now_ns=now_ns) == ()
    found = old_temporaries(cache, now_ns=now_ns + 2 * DAY_NS)
    assert [os.path.basename(path) for path in found] == [name for name, is_old in names.items() if is_old]


def test_what_a_dead_process_left_can_be_removed_at_once(cache: LocalCache) -> None:
    id = cache.add_bytes(b"x")
    top = Path(cache.root) / "files" / "md5"
    for name in (".ob-tmp-99999999-aa", ".ob-tmp-9999999-aa", f".ob-tmp-{os.getpid()}-bb"):
        (top / name).write_bytes(b"half")
    (top / id[:2] / ".ob-tmp-99999999-cc").write_bytes(b"half")
    assert remove_temporaries_of(cache, os.getpid()) == 0
    assert remove_temporaries_of(cache, 99999999) == 2
    assert sorted(path.name for path in top.glob(".ob*")) == sorted([".ob-tmp-9999999-aa", f".ob-tmp-{os.getpid()}-bb"])
    assert cache.has(id)


def test_reading_a_list_removes_nothing(cache: LocalCache) -> None:
    directory = add_directory(cache, {"a": b"1"})
    path = Path(cache.path_of(directory))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    assert read_list(cache, directory) is None and path.exists()
    assert read_list(cache, ObjectId("0" * 32 + ".dir")) is None


def test_set_aside(cache: LocalCache) -> None:
    now_ns = time.time_ns()
    for _ in range(2):
        id = cache.add_bytes(b"x")
        set_aside(cache.root, cache.path_of(id), id)
    names = [os.path.basename(path) for path, _ in iter_set_aside(cache.root)]
    assert names == [f"{id}-1", f"{id}-2"]
    assert old_set_aside(cache.root, now_ns=now_ns) == ()
    assert len(old_set_aside(cache.root, now_ns=now_ns + (KEPT_DAYS + 1) * DAY_NS)) == 2
    with pytest.raises(OffbranchError, match="cannot move"):
        set_aside(cache.root, cache.path_of(id), id)


def test_conditions_of_objects(cache: LocalCache) -> None:
    large = cache.add_bytes(b"z" * 3_000_000)
    rotten = cache.add_bytes(b"y" * 3_000_000)
    small, writable, empty = cache.add_bytes(b"1"), cache.add_bytes(b"2"), cache.add_bytes(b"")
    directory = add_directory(cache, {"a": b"1"})
    Path(cache.path_of(writable)).chmod(0o644)
    Path(cache.path_of(rotten)).chmod(0o644)
    with open(cache.path_of(rotten), "rb+") as file:
        file.seek(2_000_000)
        file.write(b"Y")
    Path(cache.path_of(rotten)).chmod(0o444)
    missing = ObjectId("0" * 32)
    told: list[int] = []
    wanted = [large, rotten, small, writable, empty, directory, missing]
    found = {one.id: one.condition for one in check_objects(cache, wanted, jobs=2, tell=told.append)}
    assert found == {
        large: Condition.SOUND,
        rotten: Condition.CORRUPT,
        small: Condition.SOUND,
        writable: Condition.WRITABLE,
        empty: Condition.SOUND,
        directory: Condition.SOUND,
        missing: Condition.MISSING,
    }
    assert told[-1] == len(wanted)
    assert all(os.path.exists(cache.path_of(id)) for id in wanted if id != missing)  # nothing was removed


def test_objects_that_are_something_else(cache: LocalCache) -> None:
    id = ObjectId("a" * 32)
    os.makedirs(cache.path_of(id))
    assert check_object(cache, id).condition is Condition.CORRUPT
    data = b'{"no": "list"}'
    odd = listing_id(data)
    cache.add_bytes(data, odd)
    assert check_object(cache, odd).condition is Condition.MALFORMED


def test_objects_of_dvc_2(cache: LocalCache) -> None:
    data = b"a\r\nb\r\n"
    id = ObjectId("dd8c6a395b5dd36c56d23275028f526c")
    path = Path(cache.legacy_view().path_of(id))
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    path.chmod(0o444)
    assert check_object(cache.legacy_view(), id).condition is Condition.SOUND
    path.chmod(0o644)
    path.write_bytes(data + b"c")
    assert check_object(cache.legacy_view(), id).condition is Condition.CORRUPT
