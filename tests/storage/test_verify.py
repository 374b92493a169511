"""A cache object that is not what its name says is never written into the workspace."""

import os
from pathlib import Path

import pytest

from offbranch.base.errors import CorruptObjectError, OffbranchError
from offbranch.storage import verify
from offbranch.storage.hashing import SMALL_SIZE
from offbranch.storage.links import LinkKind
from offbranch.storage.objects import ObjectId
from offbranch.storage.verify import is_sound, record_sound
from storage.bench import OLD_NS, Bench
from storage.test_checkout import stored

COPY, HARD, SYM, REF = LinkKind.COPY, LinkKind.HARDLINK, LinkKind.SYMLINK, LinkKind.REFLINK
KINDS = [(COPY,), (REF, COPY), (HARD, COPY), (SYM, COPY)]
SIZES = [3, 1 << 16, (1 << 16) + 1, SMALL_SIZE, SMALL_SIZE + 7]


def flip(bench: Bench, id: ObjectId, *, at: int = -1) -> Path:
    """Changes one bit of an object, which stays read-only."""
    path = Path(bench.cache().path_of(id))
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kinds", KINDS)
def test_a_flipped_bit_is_found_and_the_rest_is_done(bench: Bench, kinds: tuple[LinkKind, ...], size: int) -> None:
    bad = b"b" * size
    id = stored(bench, {"bad": bad, "good": b"good", "s/too": bad}, *kinds)
    (object_id,) = {e for name, e in bench.cache().listing(id).entries.items() if name == "bad"}
    path = flip(bench, object_id)
    with pytest.raises(CorruptObjectError, match="needed by 'd/bad'") as caught:
        bench.checkout("d", id, *kinds)
    assert bench.files("d") == {"good": b"good"}
    assert caught.value.objects == (object_id,) and object_id in caught.value.message
    assert "ob fetch" in str(caught.value.hint)
    assert not path.exists() and not bench.temporaries()
    bench.cache(*kinds).add_bytes(bad)
    bench.checkout("d", id, *kinds)
    assert bench.files("d") == {"bad": bad, "good": b"good", "s/too": bad}


@pytest.mark.parametrize("kinds", KINDS)
def test_a_file_keeps_its_content_when_the_new_one_is_corrupt(bench: Bench, kinds: tuple[LinkKind, ...]) -> None:
    old, new = bench.cache().add_bytes(b"old"), bench.cache().add_bytes(b"new")
    bench.checkout("f", old, *kinds)
    flip(bench, new)
    with pytest.raises(CorruptObjectError, match="needed by 'f'"):
        bench.checkout("f", new, *kinds)
    assert (bench.root / "f").read_bytes() == b"old"


@pytest.mark.parametrize("size", [3, SMALL_SIZE + 1])
@pytest.mark.parametrize("kind", [HARD, SYM])
def test_a_link_to_an_object_that_became_corrupt_is_seen(bench: Bench, kind: LinkKind, size: int) -> None:
    id = bench.cache().add_bytes(b"x" * size)
    bench.checkout("f", id, kind)
    flip(bench, id)
    with pytest.raises(OffbranchError):
        bench.checkout("f", id, kind)
    with pytest.raises(OffbranchError):
        bench.checkout("f", id, kind, force=True)
    assert bench.plan("f", id, kind).missing == (id,)


def test_a_large_object_is_hashed_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = verify.hash_file
    monkeypatch.setattr(verify, "hash_file", lambda path: hashed.append(path) or real(path))
    data = b"L" * (SMALL_SIZE + 1)
    bench.write({"f": data})
    id = bench.save("f", COPY).id
    for _ in range(2):
        os.unlink(bench.root / "f")
        bench.checkout("f", id, COPY)
    assert hashed == []  # it was hashed when it was added
    os.unlink(bench.database)
    os.utime(bench.cache().path_of(id), ns=(OLD_NS, OLD_NS))
    for _ in range(2):
        os.unlink(bench.root / "f")
        bench.checkout("f", id, COPY)
    assert hashed == [bench.cache().path_of(id)]


@pytest.mark.parametrize("kind", [HARD, SYM, COPY])
def test_an_object_is_not_hashed_again_because_links_come_and_go(
    bench: Bench, kind: LinkKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write({"f": b"L" * (SMALL_SIZE + 1)})
    id = bench.save("f", kind).id
    monkeypatch.setattr(verify, "hash_file", lambda path: pytest.fail(f"'{path}' was read"))
    for _ in range(3):
        os.unlink(bench.root / "f")
        bench.checkout("f", id, kind)


def test_what_was_found_sound_counts_only_as_long_as_the_stamp_stays(bench: Bench) -> None:
    data = b"L" * (SMALL_SIZE + 1)
    id = bench.cache().add_bytes(data)
    path = bench.cache().path_of(id)
    os.utime(path, ns=(OLD_NS, OLD_NS))
    with bench.state() as state:
        record_sound(bench.cache(), id, state=state)
        assert is_sound(bench.cache(), id, state=state)
    flip(bench, id)
    os.utime(path, ns=(OLD_NS, OLD_NS))  # the ctime still tells
    with bench.state() as state:
        cache = bench.cache()
        assert not is_sound(cache, id, state=state)
        assert cache.corrupt == {id}
        assert not os.path.exists(path)
        assert not is_sound(cache, id, state=state)  # not there


def test_an_object_that_may_not_be_moved_is_named_and_not_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    id = bench.cache().add_bytes(b"shared")
    path = flip(bench, id)
    real = os.rename

    def rename(source: str, target: str) -> None:
        if str(source) == str(path):
            raise PermissionError(13, "Permission denied", source)
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(CorruptObjectError, match=f"cannot be moved: '{path}'"):
        bench.checkout("f", id, COPY)
    assert path.exists() and not (bench.root / "f").exists()


def test_a_directory_object_is_checked_too(bench: Bench) -> None:
    id = stored(bench, {"a": b"a"})
    flip(bench, id, at=10)
    with pytest.raises(CorruptObjectError, match="corrupt"):
        bench.plan("d", id)
    assert not bench.cache().has(id)


@pytest.mark.parametrize("kind", [HARD, SYM])
def test_adding_a_file_does_not_link_it_to_a_corrupt_object(bench: Bench, kind: LinkKind) -> None:
    id = bench.cache().add_bytes(b"precious")
    flip(bench, id)
    bench.write({"f": b"precious", "d/f": b"precious"})
    assert bench.save("f", kind).id == id
    flip(bench, id)
    bench.save("d", kind)
    assert bench.files("d") == {"f": b"precious"}
    assert Path(bench.cache().path_of(id)).read_bytes() == b"precious"


def test_the_legacy_hash_is_used_for_objects_of_dvc_2(bench: Bench) -> None:
    id = ObjectId("dd8c6a395b5dd36c56d23275028f526c")
    legacy = bench.cache().legacy_view()
    path = Path(legacy.path_of(id))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a\r\nb\r\n")
    path.chmod(0o444)
    assert is_sound(legacy, id, state=None)
    path.chmod(0o644)
    path.write_bytes(b"other")
    path.chmod(0o444)
    assert not is_sound(legacy, id, state=None)
    assert not path.exists()
