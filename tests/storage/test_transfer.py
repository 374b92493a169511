"""Moving objects: what arrives is whole and right, what cannot arrive is named, and the rest arrives all the same."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.memory_files import MemoryFiles
from offbranch.base.errors import CorruptObjectError, Interrupted, MissingDataError, OffbranchError, RemoteError
from offbranch.base.paths import AbsPath
from offbranch.storage import retry
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.remote_files import RemoteFile
from offbranch.storage.remote_store import RemoteStore, Store, present_in
from offbranch.storage.state import StateDb
from offbranch.storage.transfer import fetch_objects, push_objects
from offbranch.storage.transfer_plan import Ends, Transferred, Wanted, plan_push, users_of
from projects import Recorder

BIG = b"0123456789abcdef" * 200_000  # 3.2 MB: hashed on its own way
MIDDLE = b"x" * 100_000


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", 0.0)


@pytest.fixture(params=["server", "directory"])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ends]:
    is_server = request.param == "server"
    store: Store = RemoteStore(MemoryFiles(), jobs=3) if is_server else LocalCache(AbsPath(str(tmp_path / "store")))
    with StateDb(AbsPath(str(tmp_path / "state.db"))) as state:
        yield Ends(cache=cache_at(tmp_path / "cache"), store=store, state=state, reporter=Recorder())


def cache_at(path: Path) -> LocalCache:
    return LocalCache(AbsPath(str(path)))


def add_directory(cache: LocalCache, files: dict[str, bytes], *, without: str | None = None) -> ObjectId:
    """Stores files and their list in a cache; one of the files may be left out."""
    ids = {name: cache.add_bytes(data) for name, data in files.items()}
    data = listing_bytes(make_listing(ids.items()))
    id = listing_id(data)
    cache.add_listing(data, id)
    if without is not None:
        os.unlink(cache.path_of(ids[without]))
    return id


def spoil(path: str) -> None:
    """Flips a bit in the middle, keeping mode, size and time stamp: what a bad disk does."""
    before = os.stat(path)
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)
        file.seek(before.st_size // 2)
        file.write(bytes([byte[0] ^ 1]))
    os.chmod(path, before.st_mode & 0o777)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def push(ends: Ends, *wanted: Wanted) -> Transferred:
    return push_objects(plan_push(wanted, ends), ends)


def at_remote(ends: Ends) -> set[ObjectId]:
    return set(ends.store.iter_objects())


def put_at_remote(ends: Ends, id: ObjectId, data: bytes) -> None:
    """Puts bytes under a name they may not fit."""
    if isinstance(ends.store, RemoteStore):
        ends.store.files.write(ends.store.key_of(id), data)
    else:
        ends.store.write_object(id, data)


FILES = {"a": b"a\n", "sub/b": b"b\n", "sub/empty": b"", "middle": MIDDLE, "big": BIG}


def test_everything_is_there_and_back(ends: Ends, tmp_path: Path) -> None:
    id = add_directory(ends.cache, FILES)
    done = push(ends, Wanted(id=id, path="d"))
    assert (done.n_objects, done.missing, done.failed) == (6, (), {})
    assert at_remote(ends) == set(ends.cache.iter_objects())
    other = Ends(cache=cache_at(tmp_path / "other"), store=ends.store, state=ends.state, reporter=Recorder())
    got = fetch_objects([Wanted(id=id, path="d")], other)
    assert (got.n_objects, got.is_complete) == (6, True)
    assert other.cache.has_all(id)
    for object_id in ends.cache.iter_objects():
        assert other.cache.read_bytes(object_id) == ends.cache.read_bytes(object_id)
        assert os.stat(other.cache.path_of(object_id)).st_mode & 0o777 == 0o444
    assert sorted(os.listdir(os.path.join(other.cache.root, "files/md5"))) == sorted(
        {object_id[:2] for object_id in ends.cache.iter_objects()}
    ), "nothing unfinished is left"


def test_a_second_time_nothing_is_moved(ends: Ends) -> None:
    id = add_directory(ends.cache, FILES)
    push(ends, Wanted(id=id, path="d"))
    plan = plan_push([Wanted(id=id, path="d")], ends)
    assert (plan.files, plan.directories, plan.missing, plan.n_present) == ((), (), (), 6)
    assert push(ends, Wanted(id=id, path="d")).n_objects == 0
    assert fetch_objects([Wanted(id=id, path="d")], ends).n_objects == 0


def test_a_part_of_a_directory(ends: Ends, tmp_path: Path) -> None:
    id = add_directory(ends.cache, FILES)
    push(ends, Wanted(id=id, path="d"))
    other = Ends(cache=cache_at(tmp_path / "other"), store=ends.store, state=ends.state, reporter=Recorder())
    got = fetch_objects([Wanted(id=id, path="d", inner=("sub", "a"))], other)
    assert got.n_objects == 4
    wanted = {ends.cache.listing(id).entries[name] for name in ("a", "sub/b", "sub/empty")}
    assert set(other.cache.iter_objects()) == {*wanted, id}
    assert not other.cache.has_all(id)


def test_a_missing_file_keeps_its_list_back_and_nothing_else(ends: Ends) -> None:
    id = add_directory(ends.cache, {"a": b"a\n", "b": b"b\n"}, without="b")
    lone = ends.cache.add_bytes(b"lone")
    absent = ends.cache.listing(id).entries["b"]
    done = push(ends, Wanted(id=id, path="d"), Wanted(id=lone, path="f"), Wanted(id=ObjectId("0" * 32), path="g"))
    assert set(done.missing) == {absent, ObjectId("0" * 32)}
    assert at_remote(ends) == {lone, ends.cache.listing(id).entries["a"]}
    assert users_of(done.missing, [Wanted(id=id, path="d"), Wanted(id=ObjectId("0" * 32), path="g")], ends.cache) == {
        absent: ("d/b",),
        ObjectId("0" * 32): ("g",),
    }


@pytest.mark.parametrize("name", ["a", "middle", "big"])
def test_what_is_corrupt_here_is_not_sent(name: str, ends: Ends) -> None:
    id = add_directory(ends.cache, FILES)
    bad = ends.cache.listing(id).entries[name]
    spoil(ends.cache.path_of(bad))
    done = push(ends, Wanted(id=id, path="d"))
    assert list(done.failed) == [bad]
    assert isinstance(done.failed[bad], CorruptObjectError)
    assert done.n_objects == 4
    assert at_remote(ends) == set(ends.cache.iter_objects()) - {bad, id}


def test_a_corrupt_list_does_not_keep_the_rest_back(ends: Ends) -> None:
    bad, good = add_directory(ends.cache, {"a": b"a\n"}), add_directory(ends.cache, {"b": b"b\n"})
    spoil(ends.cache.path_of(bad))
    done = push(ends, Wanted(id=bad, path="bad"), Wanted(id=good, path="good"))
    assert list(done.failed) == [bad]
    assert isinstance(done.failed[bad], CorruptObjectError)
    assert at_remote(ends) == {good, *ends.cache.listing(good).entries.values()}


@pytest.mark.parametrize("n_others", [0, 200])
def test_an_object_that_was_cut_to_nothing_there_is_sent_again(n_others: int, ends: Ends) -> None:
    files = {**FILES, **{f"other/{n}": b"%d" % n for n in range(n_others)}}
    id = add_directory(ends.cache, files)
    push(ends, Wanted(id=id, path="d"))
    for name in ("a", "big"):
        put_at_remote(ends, ends.cache.listing(id).entries[name], b"")
    put_at_remote(ends, id, b"")
    assert push(ends, Wanted(id=id, path="d")).n_objects == 3
    assert push(ends, Wanted(id=id, path="d")).n_objects == 0
    assert ends.store.read_bytes(ends.cache.listing(id).entries["a"]) == b"a\n"


@pytest.mark.parametrize("name", ["a", "middle", "big"])
def test_what_is_corrupt_there_is_not_taken(name: str, ends: Ends, tmp_path: Path) -> None:
    id = add_directory(ends.cache, FILES)
    push(ends, Wanted(id=id, path="d"))
    bad = ends.cache.listing(id).entries[name]
    put_at_remote(ends, bad, FILES[name][:-1] + b"?")
    other = Ends(cache=cache_at(tmp_path / "other"), store=ends.store, state=ends.state, reporter=Recorder())
    got = fetch_objects([Wanted(id=id, path="d")], other)
    assert list(got.failed) == [bad]
    assert isinstance(got.failed[bad], CorruptObjectError)
    assert set(other.cache.iter_objects()) == set(ends.cache.iter_objects()) - {bad}
    ends.store.add_bytes(FILES[name]) if not isinstance(ends.store, LocalCache) else None
    put_at_remote(ends, bad, FILES[name])
    assert fetch_objects([Wanted(id=id, path="d")], other).n_objects == 1
    assert other.cache.has_all(id)


@pytest.mark.parametrize("data", [b"[]", b"not json", b'[{"md5": "x", "relpath": "../../up"}]'])
def test_a_list_that_is_not_what_its_name_says_is_refused(data: bytes, ends: Ends) -> None:
    id = ObjectId("1" * 32 + ".dir")
    put_at_remote(ends, id, data)
    got = fetch_objects([Wanted(id=id, path="d")], ends)
    assert isinstance(got.failed[id], CorruptObjectError)
    assert not ends.cache.has(id)


def test_a_list_that_leads_out_of_its_directory_is_refused(ends: Ends) -> None:
    data = b'[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "../up"}]'
    id = listing_id(data)
    put_at_remote(ends, id, data)
    got = fetch_objects([Wanted(id=id, path="d")], ends)
    assert "not a path inside" in got.failed[id].message
    assert not ends.cache.has(id)


def test_what_is_nowhere_is_named(ends: Ends) -> None:
    file, directory = ObjectId("0" * 32), ObjectId("0" * 32 + ".dir")
    got = fetch_objects([Wanted(id=file, path="f"), Wanted(id=directory, path="d")], ends)
    assert (got.n_objects, set(got.missing), got.failed) == (0, {file, directory}, {})


def test_a_large_object_is_hashed_once(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    id = ends.cache.add_bytes(BIG)
    path = ends.cache.path_of(id)
    os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    push(ends, Wanted(id=id, path="f"))
    spoil_nothing = os.stat(path)
    assert ends.state is not None
    if isinstance(ends.store, LocalCache):
        os.unlink(ends.store.path_of(id))
        monkeypatch.setattr("offbranch.storage.copy_objects._hash_open", lambda _: pytest.fail("hashed again"))
        assert push(ends, Wanted(id=id, path="f")).n_objects == 1
    assert os.stat(path).st_mtime_ns == spoil_nothing.st_mtime_ns


@given(
    here=st.sets(st.integers(0, 9)),
    there=st.sets(st.integers(0, 9)),
    wanted=st.lists(st.sets(st.integers(0, 9), min_size=1), max_size=4),
)
def test_after_a_push_the_remote_has_all_that_was_to_be_had(
    here: set[int], there: set[int], wanted: list[set[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("t")
    cache, source = cache_at(place / "cache"), cache_at(place / "source")
    files = MemoryFiles()
    ends = Ends(cache=cache, store=RemoteStore(files, jobs=2), state=None, reporter=Recorder())
    content = {n: source.add_bytes(b"%d" % n) for n in range(10)}
    for n in here:
        cache.add_bytes(b"%d" % n)
    for n in there:
        ends.store.add_bytes(b"%d" % n)
    tops = []
    for group in wanted:
        data = listing_bytes(make_listing((str(n), content[n]) for n in group))
        cache.add_listing(data, listing_id(data))
        tops.append(Wanted(id=listing_id(data), path="d"))
    done = push(ends, *tops)
    meant = set().union(*wanted) if wanted else set()
    assert set(done.missing) == {content[n] for n in meant - here - there}
    now = at_remote(ends)
    assert {content[n] for n in (meant & here) | there} == {id for id in now if not id.endswith(".dir")}
    for top in tops:  # a list is there just when all of its files are
        assert (top.id in now) == set(cache.listing(top.id).entries.values()).issubset(now)


# Servers that fail


def server(tmp_path: Path) -> tuple[Ends, MemoryFiles]:
    files = MemoryFiles()
    return Ends(
        cache=cache_at(tmp_path / "c"), store=RemoteStore(files, jobs=2), state=None, reporter=Recorder()
    ), files


def failing(times: int, *, is_transient: bool, only: str = "") -> Callable[[str, str], None]:
    left = [times]

    def fail(name: str, key: str) -> None:
        if left[0] and (not only or name == only):
            left[0] -= 1
            raise RemoteError("the line is cut", is_transient=is_transient)

    return fail


def test_what_fails_by_chance_is_tried_again(tmp_path: Path) -> None:
    ends, files = server(tmp_path)
    id = add_directory(ends.cache, FILES)
    files.on_call = failing(4, is_transient=True)
    assert push(ends, Wanted(id=id, path="d")).is_complete
    files.on_call = failing(4, is_transient=True)
    other = Ends(cache=cache_at(tmp_path / "other"), store=ends.store, state=None, reporter=Recorder())
    assert fetch_objects([Wanted(id=id, path="d")], other).is_complete
    assert other.cache.has_all(id)


def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    ends, files = server(tmp_path)
    ids = [ends.cache.add_bytes(b"%d" % n) for n in range(3)]
    files.on_call = failing(1, is_transient=False, only="write")
    done = push(ends, *(Wanted(id=id, path="f") for id in ids))
    assert len(done.failed) == 1
    assert len([call for call in files.calls if call[0] == "write"]) == 3
    assert push(ends, *(Wanted(id=id, path="f") for id in ids)).n_objects == 1


def test_a_remote_that_refuses_everything_is_given_up(tmp_path: Path) -> None:
    ends, files = server(tmp_path)
    ids = [ends.cache.add_bytes(b"%d" % n) for n in range(200)]
    files.on_call = failing(10_000, is_transient=False, only="write")
    with pytest.raises(RemoteError, match="the line is cut"):
        push(ends, *(Wanted(id=id, path="f") for id in ids))
    assert len([call for call in files.calls if call[0] == "write"]) < 60


def test_a_mistake_of_ours_in_a_thread_comes_out(tmp_path: Path) -> None:
    ends, files = server(tmp_path)
    id = ends.cache.add_bytes(b"x")

    def fail(name: str, key: str) -> None:
        if name == "write":
            raise ZeroDivisionError

    files.on_call = fail
    with pytest.raises(ZeroDivisionError):
        push(ends, Wanted(id=id, path="f"))


def test_an_iteration_may_be_ended_by_one_of_its_own_threads() -> None:
    """As the garbage collector does it, which runs in any thread."""
    ended: list[BaseException | None] = []
    go = threading.Event()

    def action(n: int) -> int:
        if n == 1:
            go.wait(30)
            try:
                running.close()
            except (RuntimeError, ValueError) as error:
                ended.append(error)
            else:
                ended.append(None)
            closed.set()
        return n

    closed = threading.Event()
    stop = Stop()
    running = run_parallel(action, [0, 1, 2], jobs=2, stop=stop)
    assert next(running) == (0, 0)
    go.set()
    assert closed.wait(30)
    assert ended == [None]
    assert stop.is_set()


def test_an_interrupted_push_is_finished_by_the_next(tmp_path: Path) -> None:
    ends, files = server(tmp_path)
    id = add_directory(ends.cache, {str(n): b"%d" % n for n in range(50)})
    sent = []

    def interrupt(name: str, key: str) -> None:
        if name == "write":
            sent.append(key)
            if len(sent) == 20:
                raise KeyboardInterrupt

    files.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        push(ends, Wanted(id=id, path="d"))
    assert id not in at_remote(ends)
    before = set(files.content)
    files.on_call = lambda name, key: None
    files.calls.clear()
    assert push(ends, Wanted(id=id, path="d")).is_complete
    assert before.isdisjoint(key for name, key in files.calls if name == "write")
    assert id in at_remote(ends)


def test_threads_that_are_told_to_stop_do(tmp_path: Path) -> None:
    ends, files = server(tmp_path)
    id = add_directory(ends.cache, FILES)
    push(ends, Wanted(id=id, path="d"))
    other = Ends(cache=cache_at(tmp_path / "other"), store=ends.store, state=None, reporter=Recorder())

    def stop(name: str, key: str) -> None:
        if name == "download":
            raise Interrupted("stopped")

    files.on_call = stop
    with pytest.raises(Interrupted):
        fetch_objects([Wanted(id=id, path="d")], other)
    assert [id for id in other.cache.iter_objects() if not id.endswith(".dir")] == []


def test_one_listing_answers_for_many(tmp_path: Path) -> None:
    ends, files = server(tmp_path)
    ids = [ends.cache.add_bytes(b"%d" % n) for n in range(150)]
    push(ends, *(Wanted(id=id, path="f") for id in ids))
    files.calls.clear()
    assert present_in(ends.store, ids) == frozenset(ids)
    assert files.calls == [("iter_files", "files/md5")]
    files.can_list = False
    files.calls.clear()
    assert present_in(ends.store, ids) == frozenset(ids)
    assert sorted({name for name, _ in files.calls}) == ["find"]


def test_an_error_tells_which_missing_data_error(tmp_path: Path) -> None:
    ends, _ = server(tmp_path)
    with pytest.raises(MissingDataError):
        ends.store.read_bytes(ObjectId("0" * 32))


def test_a_file_that_is_written_to_while_it_is_sent_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_text("before")

    class Slow(MemoryFiles):
        def upload(self, source: AbsPath, key: str, *, on_bytes: Callable[[int], object] | None = None) -> RemoteFile:
            Path(source).write_text("afterwards")
            return super().upload(source, key, on_bytes=on_bytes)

    files = Slow()
    with pytest.raises(OffbranchError, match="changes while it is read"):
        RemoteStore(files).add_file(AbsPath(str(source)))
    assert list(files.iter_files("")) == []
