import os
from collections.abc import Sequence

import pytest

from offbranch.base.paths import RepoPath
from offbranch.storage import workspace
from offbranch.storage.hashing import digest_file
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.workspace import list_directory
from storage.bench import OLD_NS, Bench

A = "0cc175b9c0f1b6a831c399e269772661"


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """Names of the files that were hashed, as they are."""
    found: list[str] = []

    def spy(path: str) -> tuple[str, os.stat_result]:
        found.append(os.path.basename(path))
        return digest_file(path)

    monkeypatch.setattr(workspace, "digest_file", spy)
    return found


def test_nothing_a_file_a_directory(bench: Bench) -> None:
    assert bench.observe("f") is None
    bench.write({"f": b"a", "d/1": b"a"})
    assert bench.observe("f") == Content(id=ObjectId(A), size=1)
    assert bench.observe("f/below") is None
    (bench.root / "f").chmod(0o744)
    assert bench.observe("f") == Content(id=ObjectId(A), size=1, is_executable=True)
    found = bench.observe("d")
    assert found is not None
    assert (found.size, found.n_files, found.is_executable) == (1, 1, False)
    (bench.root / "empty").mkdir()
    assert bench.observe("empty") == Content(id=ObjectId("d751713988987e9331980363e24189ce.dir"), size=0, n_files=0)


def test_the_known_directory(bench: Bench) -> None:
    bench.write({"d/sub/é.txt": b"\xc3\xa9\n", "d/we ird/q.txt": b"q\n", "d/1": b"1\n", "d/empty": b""})
    (bench.root / "d/ln").symlink_to("1")
    with bench.state() as state:
        listing = list_directory(bench.path("d"), state=state, ignore=bench.ignore, rel=RepoPath("d"))
    assert list(listing.entries) == ["1", "empty", "ln", "sub/é.txt", "we ird/q.txt"]
    assert listing.entries["1"] == listing.entries["ln"] == "b026324c6904b2a9cb4b88d6d61c81d1"


def test_links_are_followed_and_a_link_to_nothing_is_nothing(bench: Bench) -> None:
    bench.write({"f": b"a"})
    (bench.root / "link").symlink_to("f")
    (bench.root / "broken").symlink_to("nowhere")
    assert bench.observe("link") == bench.observe("f")
    assert bench.observe("broken") is None


def test_what_did_not_change_is_not_read_again(bench: Bench, read_files: list[str]) -> None:
    bench.write({"f": b"a", "d/1": b"a", "d/s/2": b"b"})
    first = bench.observe("f"), bench.observe("d")
    assert sorted(read_files) == ["1", "2", "f"]
    read_files.clear()
    assert (bench.observe("f"), bench.observe("d")) == first
    assert read_files == []


def test_of_a_directory_only_what_changed_is_read_again(bench: Bench, read_files: list[str]) -> None:
    bench.write({f"d/{name}": b"a" for name in "abcdef"})
    first = bench.observe("d")
    read_files.clear()
    bench.write({"d/b": b"changed", "d/new": b"x"})
    (bench.root / "d/c").unlink()
    (bench.root / "d/d").rename(bench.root / "d/renamed")
    second = bench.observe("d")
    assert sorted(read_files) == ["b", "new", "renamed"]
    assert second is not None
    assert second != first
    with bench.state() as state:
        listing = list_directory(bench.path("d"), state=state, ignore=bench.ignore, rel=RepoPath("d"))
    assert sorted(listing.entries) == ["a", "b", "e", "f", "new", "renamed"]


def test_a_file_written_just_now_is_read_again(bench: Bench, read_files: list[str]) -> None:
    bench.write({"f": b"a", "d/1": b"a"}, old=False)
    bench.write({"d/old": b"a"})
    now_ns = (bench.root / "f").stat().st_mtime_ns
    for _ in range(2):
        with bench.state() as state:
            state.now_ns = lambda: now_ns + 1_000_000
            workspace.observe(bench.path("f"), state=state, ignore=None, rel=RepoPath("f"))
            workspace.observe(bench.path("d"), state=state, ignore=None, rel=RepoPath("d"))
    assert sorted(read_files) == ["1", "1", "f", "f", "old"]


def test_a_change_within_the_tick_of_the_clock_is_seen(bench: Bench) -> None:
    """The second content has the same size and, on a coarse clock, the same time stamp as the first."""
    bench.write({"f": b"a"}, old=False)
    status = (bench.root / "f").stat()
    with bench.state() as state:
        state.now_ns = lambda: status.st_mtime_ns
        workspace.observe(bench.path("f"), state=state, ignore=None, rel=RepoPath("f"))
    bench.write({"f": b"b"}, old=False)
    os.utime(bench.path("f"), ns=(status.st_mtime_ns, status.st_mtime_ns))
    found = bench.observe("f")
    assert found is not None
    assert found.id != A


def test_a_change_whose_time_was_set_back_is_seen(bench: Bench) -> None:
    bench.write({"f": b"a", "d/f": b"a"})
    before = bench.observe("f"), bench.observe("d")
    bench.write({"f": b"b", "d/f": b"b"})
    assert os.stat(bench.path("f")).st_mtime_ns == OLD_NS
    after = bench.observe("f"), bench.observe("d")
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_without_a_database(bench: Bench) -> None:
    bench.write({"f": b"a", "d/1": b"a"})
    for name in ("f", "d"):
        found = workspace.observe(bench.path(name), state=None, ignore=None, rel=RepoPath(name))
        assert found == bench.observe(name)
