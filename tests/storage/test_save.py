import json
import os
from pathlib import Path
from typing import Any

import pytest

from offbranch.base.errors import NotFoundError, OffbranchError
from offbranch.base.events import Event, Progressed
from offbranch.base.paths import RepoPath
from offbranch.storage import hashing, local, workspace
from offbranch.storage.hashing import SMALL_SIZE
from offbranch.storage.links import LinkKind, link_kind_of
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.save import save
from storage.bench import OLD_NS, Bench

COPY, HARD, SYM, REF = LinkKind.COPY, LinkKind.HARDLINK, LinkKind.SYMLINK, LinkKind.REFLINK
FILES = {
    "d/1": b"1\n",
    "d/empty": b"",
    "d/sub/\u00e9.txt": b"e\n",
    "d/twice": b"1\n",
    "d/large": b"L" * (SMALL_SIZE + 1),
}


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> object:
        raise AssertionError("content was read")

    monkeypatch.setattr(workspace, "digest_file", fail)
    monkeypatch.setattr(local.LocalCache, "add_files", fail)
    monkeypatch.setattr(local.LocalCache, "add_with_status", fail)
    monkeypatch.setattr(hashing, "open_regular", fail)


def test_a_file(bench: Bench) -> None:
    bench.write({"f": b"a"})
    content = bench.save("f")
    assert content == Content(id=ObjectId("0cc175b9c0f1b6a831c399e269772661"), size=1) == bench.observe("f")
    assert bench.cache().read_bytes(content.id) == b"a"
    assert (bench.root / "f").stat().st_mtime_ns == OLD_NS


def test_a_directory(bench: Bench) -> None:
    bench.write(FILES)
    (bench.root / "d/empty directory").mkdir()
    content = bench.save("d")
    assert (content.size, content.n_files) == (sum(map(len, FILES.values())), 5)
    assert content == bench.observe("d")
    cache = bench.cache()
    document = json.loads(cache.read_bytes(content.id))
    assert [entry["relpath"] for entry in document] == ["1", "empty", "large", "sub/\u00e9.txt", "twice"]
    for entry in document:
        assert cache.read_bytes(entry["md5"]) == FILES[f"d/{entry['relpath']}"]
        assert cache.verify(entry["md5"])
    assert bench.files("d") == {name[2:]: data for name, data in FILES.items()}
    assert bench.temporaries() == []


def test_the_known_vector(bench: Bench) -> None:
    """Made by DVC 3.67.1."""
    bench.write({"e/.gitignore": b"g\n", "e/a": b"a\n", "e/real/r": b"r\n", "e/sub/b": b"b\n", "e/w\\b": b"w\\b\n"})
    content = bench.save("e")
    assert bench.cache().read_bytes(content.id) == (
        b'[{"md5": "f5302386464f953ed581edac03556e55", "relpath": ".gitignore"}, '
        b'{"md5": "60b725f10c9c85c70d97880dfe8191b3", "relpath": "a"}, '
        b'{"md5": "72cfd272ace172fa35026445fbef9b03", "relpath": "real/r"}, '
        b'{"md5": "3b5d5c3712955042212316173ccf37be", "relpath": "sub/b"}, '
        b'{"md5": "d45d1f1af7e06dc1db1783ac29f9fcb3", "relpath": "w\\\\b"}]'
    )


@pytest.mark.parametrize("kinds", [(COPY,), (REF, COPY), (HARD, COPY), (SYM, COPY)])
def test_saving_and_looking_again_read_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kinds: tuple[LinkKind, ...]
) -> None:
    bench.write(FILES | {"f": b"a"})
    first = bench.save("d", *kinds), bench.save("f", *kinds)
    if kinds[0] in (HARD, SYM):
        for file in (bench.cache_root / "files/md5").rglob("*"):
            if file.is_file():  # as if the objects were some milliseconds older
                os.utime(file, ns=(OLD_NS, OLD_NS))
        bench.save("d", *kinds)
        bench.save("f", *kinds)
    forbid_reading(monkeypatch)
    assert (bench.save("d", *kinds), bench.save("f", *kinds)) == first
    assert (bench.observe("d"), bench.observe("f")) == first


def test_an_object_that_got_lost_is_stored_again(bench: Bench) -> None:
    bench.write(FILES | {"f": b"a"})
    contents = {name: bench.save(name) for name in ("d", "f")}
    cache = bench.cache()
    for id in (contents["f"].id, *cache.listing(contents["d"].id).entries.values()):
        os.unlink(cache.path_of(id)) if cache.has(id) else None
    assert {name: bench.save(name) for name in ("d", "f")} == contents
    assert all(bench.cache().has_all(content.id) for content in contents.values())


def test_only_what_changed_is_stored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(FILES)
    bench.save("d")
    bench.write({"d/1": b"changed"})
    add_files, stored = local.LocalCache.add_files, []

    def spy(self: local.LocalCache, paths: list[str], *rest: Any) -> list[str]:
        stored.extend(os.path.basename(path) for path in paths)
        return add_files(self, paths, *rest)

    monkeypatch.setattr(local.LocalCache, "add_files", spy)
    content = bench.save("d")
    assert stored == ["1"]
    assert content == bench.observe("d")


@pytest.mark.parametrize("kind", [HARD, SYM])
def test_files_become_links_to_the_cache(bench: Bench, kind: LinkKind) -> None:
    bench.write(FILES | {"f": b"a", "run.sh": b"#!"})
    (bench.root / "run.sh").chmod(0o755)
    contents = {name: bench.save(name, kind, COPY) for name in ("d", "f", "run.sh")}
    cache = bench.cache(kind)
    assert link_kind_of(bench.path("f"), cache.path_of(contents["f"].id)) is kind
    entries = cache.listing(contents["d"].id).entries
    for name, id in entries.items():
        expected = None if name == "empty" else kind
        assert link_kind_of(bench.path(f"d/{name}"), cache.path_of(id)) is expected
    assert os.access(bench.root / "run.sh", os.X_OK)
    assert not (bench.root / "run.sh").is_symlink()
    assert {name: bench.observe(name) for name in contents} == contents
    assert bench.files("d") == {name[2:]: data for name, data in FILES.items()}
    assert bench.temporaries() == []


def test_without_relink_the_workspace_is_not_touched(bench: Bench) -> None:
    bench.write(FILES)
    (bench.root / "d/ln").symlink_to("1")
    before = {f: f.lstat() for f in (bench.root / "d").rglob("*")}
    bench.save("d", HARD, relink=False)
    assert {f: f.lstat().st_ino for f in (bench.root / "d").rglob("*")} == {f: s.st_ino for f, s in before.items()}


@pytest.mark.parametrize("kinds", [(COPY,), (REF, COPY), (HARD,)])
def test_a_link_of_the_users_own_becomes_a_file(bench: Bench, kinds: tuple[LinkKind, ...]) -> None:
    bench.write({"far": b"content", "d/1": b"1"})
    (bench.root / "d/ln").symlink_to("../far")
    content = bench.save("d", *kinds)
    assert content.n_files == 2
    assert not (bench.root / "d/ln").is_symlink()
    assert (bench.root / "d/ln").read_bytes() == b"content"
    assert bench.observe("d") == content
    assert (bench.root / "far").stat().st_ino != (bench.root / "d/ln").stat().st_ino


def test_what_is_not_there_or_no_file(bench: Bench) -> None:
    with pytest.raises(NotFoundError, match="absent"):
        bench.save("absent")
    (bench.root / "broken").symlink_to("nowhere")
    with pytest.raises(NotFoundError, match="broken"):
        bench.save("broken")
    os.mkfifo(bench.root / "pipe")
    with pytest.raises(OffbranchError, match="a pipe"):
        bench.save("pipe")


def test_the_cache_is_complete_before_the_directory_object_is_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(FILES)
    replace, done = os.replace, []

    def spy(source: str, dest: str) -> None:
        replace(source, dest)
        done.append(dest)

    monkeypatch.setattr(os, "replace", spy)
    bench.save("d", COPY)
    assert [path.endswith(".dir") for path in done] == [False] * 4 + [True]


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_progress_over_many_files(bench: Bench) -> None:
    (bench.root / "d").mkdir()
    for n in range(1500):
        (bench.root / f"d/{n}").touch()
    seen = Recorder()
    save(bench.path("d"), cache=bench.cache(), state=None, ignore=None, rel=RepoPath("d"), relink=False, reporter=seen)
    assert [(e.done, e.total, e.unit) for e in seen.events if isinstance(e, Progressed)] == [
        (1000, 1500, "files"),
        (1500, 1500, "files"),
    ]


def test_the_cache_may_be_a_link_to_another_place(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (bench.root / ".dvc/cache").symlink_to(tmp_path / "disk")
    bench.write({"f": b"a"})
    content = bench.save("f", SYM)
    assert (bench.root / "f").is_symlink()
    assert bench.observe("f") == content


MANY = {**FILES, **{f"d/many/{n}": b"m%d" % n for n in range(400)}}


def test_whether_the_cache_is_complete_is_asked_again_when_it_changed(bench: Bench) -> None:
    bench.write(MANY)
    content = bench.save("d")
    for directory in (bench.cache_root / "files/md5").iterdir():
        os.utime(directory, ns=(OLD_NS, OLD_NS))
    bench.save("d")  # remembers that all is there
    os.unlink(bench.cache().path_of(ObjectId("b026324c6904b2a9cb4b88d6d61c81d1")))
    assert bench.save("d") == content
    assert bench.cache().has_all(content.id)


def test_a_complete_cache_is_not_looked_through_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(MANY)
    content = bench.save("d")
    for directory in (bench.cache_root / "files/md5").iterdir():
        os.utime(directory, ns=(OLD_NS, OLD_NS))
    bench.save("d")

    def fail(*args: object) -> object:
        raise AssertionError("looked through")

    monkeypatch.setattr(local.LocalCache, "has_all", fail)
    assert bench.save("d") == content
