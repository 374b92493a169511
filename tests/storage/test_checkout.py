import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError, ConflictError, MissingDataError
from offbranch.base.events import Event, Progressed
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage import local, workspace
from offbranch.storage.checkout import apply_checkout, plan_checkout
from offbranch.storage.links import LinkKind, link_kind_of
from offbranch.storage.listing import Listing, listing_bytes, listing_id, make_listing
from offbranch.storage.objects import ObjectId
from storage.bench import Bench

COPY, HARD, SYM, REF = LinkKind.COPY, LinkKind.HARDLINK, LinkKind.SYMLINK, LinkKind.REFLINK
ONE = {"1": b"1", "same": b"=", "empty": b"", "s/2": b"2", "gone/deep/3": b"3"}
TWO = {"1": b"one", "same": b"=", "empty": b"", "s/2": b"2", "new/4": b"4"}


def stored(bench: Bench, files: dict[str, bytes], *kinds: LinkKind) -> ObjectId:
    """Adds a directory to the cache without leaving it in the workspace."""
    cache = bench.cache(*kinds)
    listing = make_listing([(name, cache.add_bytes(data)) for name, data in files.items()])
    data = listing_bytes(listing)
    return cache.add_bytes(data, listing_id(data))


def planted(bench: Bench, entries: dict[str, ObjectId]) -> ObjectId:
    """Adds a directory object that nobody checked."""
    data = listing_bytes(Listing(entries=entries))
    return bench.cache().add_bytes(data, listing_id(data))


@pytest.mark.parametrize("kinds", [(COPY,), (REF, COPY), (HARD, COPY), (SYM, COPY)])
def test_from_one_directory_to_another_and_back(bench: Bench, kinds: tuple[LinkKind, ...]) -> None:
    one, two = stored(bench, ONE), stored(bench, TWO)
    bench.checkout("d", one, *kinds)
    assert bench.files("d") == ONE
    plan = bench.plan("d", two, *kinds)
    assert [name for name, _ in plan.add] == ["new/4"]
    assert [name for name, _ in plan.modify] == ["1"]
    assert plan.delete == ("gone/deep/3",)
    assert sorted(plan.keep) == ["empty", "s/2", "same"]
    assert (plan.unsaved, plan.missing, plan.blocked, plan.is_noop) == ((), (), None, False)
    bench.apply(plan, *kinds)
    assert bench.files("d") == TWO
    assert not (bench.root / "d/gone").exists()
    bench.checkout("d", one, *kinds)
    assert bench.files("d") == ONE
    found = bench.observe("d")
    assert found is not None
    assert found.id == one
    assert bench.temporaries() == []


@pytest.mark.parametrize("kinds", [(COPY,), (SYM,)])
def test_after_a_checkout_nothing_is_read_and_nothing_to_do(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kinds: tuple[LinkKind, ...]
) -> None:
    directory, file = stored(bench, ONE), bench.cache().add_bytes(b"file")
    for path in (bench.cache_root / "files/md5").rglob("*"):
        if path.is_file():
            os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    bench.write({"d/1": b"1"})
    bench.checkout("d", directory, *kinds)
    bench.checkout("f", file, *kinds)

    def fail(path: str) -> object:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(workspace, "digest_file", fail)
    monkeypatch.setattr(local.LocalCache, "listing", fail)
    assert bench.plan("d", directory).is_noop
    assert bench.plan("f", file).is_noop
    found = bench.observe("d"), bench.observe("f")
    assert [content.id for content in found if content is not None] == [directory, file]


def test_a_change_right_after_a_checkout_is_seen(bench: Bench) -> None:
    directory = stored(bench, ONE)
    bench.checkout("d", directory)
    (bench.root / "d/1").write_bytes(b"!")
    assert [name for name, _ in bench.plan("d", directory).modify] == ["1"]


def test_files(bench: Bench) -> None:
    cache = bench.cache()
    a, b = cache.add_bytes(b"a"), cache.add_bytes(b"b")
    bench.checkout("s/f", a)
    assert (bench.root / "s/f").read_bytes() == b"a"
    plan = bench.plan("s/f", b)
    assert (plan.add, plan.modify, plan.delete) == ((), (("", b),), ())
    bench.apply(plan)
    assert (bench.root / "s/f").read_bytes() == b"b"
    bench.checkout("s/f", None)
    assert not (bench.root / "s/f").exists()
    assert bench.plan("s/f", None).is_noop


def test_the_executable_bit(bench: Bench) -> None:
    id = bench.cache().add_bytes(b"#!")
    for executable in (True, False):
        plan = bench.plan("run", id, executable=executable)
        assert not plan.is_noop
        bench.apply(plan)
        assert os.access(bench.root / "run", os.X_OK) is executable
        assert bench.plan("run", id, executable=executable).is_noop


def test_a_file_becomes_a_directory_and_back(bench: Bench) -> None:
    file, directory = bench.cache().add_bytes(b"a"), stored(bench, ONE)
    for _ in range(2):
        bench.checkout("x", file)
        assert (bench.root / "x").read_bytes() == b"a"
        bench.checkout("x", directory)
        assert bench.files("x") == ONE
    bench.checkout("x", None)
    assert not (bench.root / "x").exists()


def test_inside_too(bench: Bench) -> None:
    one, two = stored(bench, {"a": b"a", "b/c/d": b"d"}), stored(bench, {"a/b": b"b", "b": b"file"})
    for id, files in ((one, {"a": b"a", "b/c/d": b"d"}), (two, {"a/b": b"b", "b": b"file"})) * 2:
        bench.checkout("d", id)
        assert bench.files("d") == files


def test_an_empty_directory_object(bench: Bench) -> None:
    id = stored(bench, {})
    bench.checkout("d", id)
    assert (bench.root / "d").is_dir()
    assert bench.plan("d", id).is_noop
    bench.write({"d/f": b"f"})
    bench.checkout("d", id, force=True)
    assert bench.files("d") == {}


def test_unsaved_data_is_not_lost_without_force(bench: Bench) -> None:
    one = stored(bench, ONE)
    bench.checkout("d", one)
    bench.write({"d/1": b"my edit", "d/mine": b"mine", "d/known": b"2"})
    plan = bench.plan("d", one)
    assert plan.unsaved == ("1", "mine")
    assert plan.delete == ("known", "mine")
    with pytest.raises(ConflictError, match=r"d/1' and 1 more"):
        bench.apply(plan)
    assert bench.files("d") == ONE | {"1": b"my edit", "mine": b"mine", "known": b"2"}
    bench.apply(plan, force=True)
    assert bench.files("d") == ONE
    bench.write({"f": b"mine"})
    with pytest.raises(ConflictError, match="f'"):
        bench.checkout("f", None)
    with pytest.raises(ConflictError, match="f'"):
        bench.checkout("f", one)
    assert (bench.root / "f").read_bytes() == b"mine"


def test_missing_objects_are_found_before_anything_is_done(bench: Bench) -> None:
    one = stored(bench, ONE)
    cache = bench.cache()
    lost = cache.listing(one).entries["s/2"]
    os.unlink(cache.path_of(lost))
    plan = bench.plan("d", one)
    assert plan.missing == (lost,)
    with pytest.raises(MissingDataError, match=lost):
        bench.apply(plan)
    assert not (bench.root / "d").exists()
    bench.apply(plan, allow_missing=True)
    assert bench.files("d") == {name: data for name, data in ONE.items() if name != "s/2"}
    assert bench.plan("d", one).missing == (lost,)
    assert bench.plan("d", ObjectId("0" * 32 + ".dir")).missing == (ObjectId("0" * 32 + ".dir"),)
    bench.apply(bench.plan("d", ObjectId("0" * 32 + ".dir")), allow_missing=True)
    assert len(bench.files("d")) == 4


def test_what_is_there_already_need_not_be_in_the_cache(bench: Bench) -> None:
    one = stored(bench, ONE)
    bench.checkout("d", one)
    cache = bench.cache()
    for id in cache.listing(one).entries.values():
        Path(cache.path_of(id)).unlink(missing_ok=True)
    os.unlink(bench.database)
    assert bench.plan("d", one).is_noop


def test_ignored_files_stay_and_are_not_counted(bench: Bench) -> None:
    (bench.root / ".dvcignore").write_text("*.tmp\n")
    one = stored(bench, ONE)
    bench.write({"d/s/x.tmp": b"x", "d/gone/y.tmp": b"y"})
    bench.checkout("d", one)
    bench.checkout("d", stored(bench, TWO))
    assert bench.files("d") == TWO | {"s/x.tmp": b"x", "gone/y.tmp": b"y"}
    bench.checkout("d", None)
    assert bench.files("d") == {"s/x.tmp": b"x", "gone/y.tmp": b"y"}
    with pytest.raises(ConflictError):
        bench.checkout("d", bench.cache().add_bytes(b"a file"))


def test_an_ignored_file_in_the_place_of_a_recorded_one_is_not_lost(bench: Bench) -> None:
    one = stored(bench, {"x.tmp": b"recorded", "y": b"y"})
    (bench.root / ".dvcignore").write_text("*.tmp\n")
    bench.write({"d/x.tmp": b"mine", "d/y": b"y"})
    plan = bench.plan("d", one)
    assert plan.unsaved == ("x.tmp",)
    with pytest.raises(ConflictError):
        bench.apply(plan)
    assert (bench.root / "d/x.tmp").read_bytes() == b"mine"


def test_nothing_is_written_through_a_link_above(bench: Bench, tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (bench.root / "data").symlink_to(far)
    for id in (stored(bench, ONE), bench.cache().add_bytes(b"a")):
        plan = bench.plan("data/x", id)
        assert plan.blocked == f"{bench.root}/data"
        with pytest.raises(ConflictError, match="symbolic link"):
            bench.apply(plan, force=True)
    assert list(far.iterdir()) == []


def test_nothing_is_written_through_the_path_itself_or_a_link_inside(bench: Bench, tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "keep").write_text("keep")
    one = stored(bench, ONE)
    (bench.root / "d").symlink_to(far)
    for wanted in (one, None):
        with pytest.raises(ConflictError, match="symbolic link"):
            bench.checkout("d", wanted, force=True)
    (bench.root / "d").unlink()
    (bench.root / "d").mkdir()
    (bench.root / "d/s").symlink_to(far)
    with pytest.raises(ConflictError, match=r"d/s' is a symbolic link"):
        bench.checkout("d", one, force=True)
    assert [f.name for f in far.iterdir()] == ["keep"]


def test_a_link_to_a_file_is_replaced_not_followed(bench: Bench) -> None:
    bench.write({"far": b"mine"})
    (bench.root / "f").symlink_to("far")
    (bench.root / "broken").symlink_to("nowhere")
    id = bench.cache().add_bytes(b"a")
    for name in ("f", "broken"):
        bench.checkout(name, id, force=True)
        assert not (bench.root / name).is_symlink()
        assert (bench.root / name).read_bytes() == b"a"
    (bench.root / "broken directory").symlink_to("nowhere")
    bench.checkout("broken directory", stored(bench, ONE))
    assert (bench.root / "far").read_bytes() == b"mine"
    assert not (bench.root / "nowhere").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/../../evil", ".git/hooks/pre-commit", "s/.GIT/config", ".dvc/config"]
)
def test_a_listing_cannot_plant_files_elsewhere(bench: Bench, name: str) -> None:
    id = planted(bench, {name: bench.cache().add_bytes(b"evil")})
    with pytest.raises(BadInputError):
        bench.checkout("d", id, force=True)
    assert not (bench.root / "d").exists()


def test_relinking_makes_every_file_again(bench: Bench) -> None:
    one = stored(bench, ONE)
    bench.checkout("d", one, COPY)
    assert bench.plan("d", one, HARD).is_noop
    plan = bench.plan("d", one, HARD, relink=True)
    assert sorted(name for name, _ in plan.relink) == sorted(ONE)
    bench.apply(plan, HARD)
    cache = bench.cache()
    kinds = {
        name: link_kind_of(bench.path(f"d/{name}"), cache.path_of(id))
        for name, id in cache.listing(one).entries.items()
    }
    assert kinds == {name: None if name == "empty" else HARD for name in ONE}
    bench.apply(bench.plan("d", one, COPY, relink=True), COPY)
    (bench.root / "d/1").write_bytes(b"own file again")
    assert cache.read_bytes(cache.listing(one).entries["1"]) == b"1"


def test_a_linked_file_is_recognised_without_reading(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    id = bench.cache().add_bytes(b"a")
    bench.checkout("f", id, HARD)
    Path(bench.database).unlink(missing_ok=True)

    def fail(path: str) -> object:
        raise AssertionError("content was read")

    monkeypatch.setattr(workspace, "digest_file", fail)
    assert bench.plan("f", id).is_noop


def test_leftovers_of_a_killed_checkout_are_removed(bench: Bench) -> None:
    one = stored(bench, ONE)
    bench.checkout("d", one)
    bench.write({"d/s/.ob-tmp-1-ab": b"half"})
    plan = bench.plan("d", one)
    assert plan.leftovers == ("s/.ob-tmp-1-ab",)
    bench.apply(plan)
    assert bench.temporaries() == []
    assert bench.files("d") == ONE


def test_planning_changes_nothing(bench: Bench) -> None:
    one = stored(bench, ONE)
    bench.write({"d/1": b"x", "d/y": b"y"})
    before = {p: p.lstat() for p in bench.root.rglob("*") if "tmp" not in p.parts}
    bench.plan("d", one)
    assert {
        p: p.lstat() for p in bench.root.rglob("*") if "tmp" not in p.parts and p.name != "tmp"
    }.keys() == before.keys()
    assert bench.files("d") == {"1": b"x", "y": b"y"}


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_progress_over_many_files(bench: Bench) -> None:
    id = stored(bench, {f"{n}": b"" for n in range(1200)})
    seen = Recorder()
    apply_checkout(bench.plan("d", id), cache=bench.cache(), state=None, ignore=None, reporter=seen)
    assert [(e.done, e.total) for e in seen.events if isinstance(e, Progressed)] == [(1000, 1200), (1200, 1200)]
    assert len(bench.files("d")) == 1200


NAMES = st.sampled_from(["a", "b", "c", "a/x", "a/y", "b/x/z", "c/d/e", "a/x/q"])
TREES = st.dictionaries(NAMES, st.sampled_from([b"", b"1", b"22"]), max_size=5).filter(
    lambda tree: not any(q.startswith(p + "/") for p in tree for q in tree)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(before=TREES, wanted=TREES, kind=st.sampled_from([COPY, HARD, SYM]))
def test_any_directory_becomes_any_other(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, bytes], wanted: dict[str, bytes], kind: LinkKind
) -> None:
    bench = Bench(tmp_path_factory.mktemp("w"))
    (bench.root / ".dvc").mkdir()
    (bench.root / "d").mkdir()
    bench.write({f"d/{name}": data for name, data in before.items()})
    id = stored(bench, wanted)
    plan = bench.plan("d", id, kind)
    assert not plan.missing
    bench.apply(plan, kind, force=True)
    assert bench.files("d") == wanted
    again = bench.plan("d", id, kind)
    assert again.is_noop


def test_an_external_place_may_be_behind_a_link(bench: Bench, tmp_path: Path) -> None:
    id = stored(bench, ONE)
    (tmp_path / "disk").mkdir()
    (tmp_path / "elsewhere").symlink_to("disk")
    path = AbsPath(str(tmp_path / "elsewhere/d"))
    cache = bench.cache()
    plan = plan_checkout(path, id, cache=cache, state=None, ignore=None, rel=RepoPath(path))
    apply_checkout(plan, cache=cache, state=None, ignore=None)
    assert (tmp_path / "elsewhere/d/s/2").read_bytes() == b"2"
