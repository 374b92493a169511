"""Objects of DVC 2 in the layout of DVC 3: names, contents, modes, and what is left out."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbranch.base.events import Event, NullReporter, Warned
from offbranch.base.paths import AbsPath
from offbranch.storage.hashing import hash_text_normalised
from offbranch.storage.local import LocalCache
from offbranch.storage.migrate import apply_migration, plan_migration
from offbranch.storage.objects import ObjectId
from offbranch.storage.state import StateDb


class Told:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.texts.append(event.text)


def put(cache: LocalCache, data: bytes, name: str | None = None) -> ObjectId:
    """Stores bytes as DVC 2 did; the name is the hash of the text with LF."""
    scratch = Path(cache.root) / "scratch"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    scratch.write_bytes(data)
    id = ObjectId(name or hash_text_normalised(str(scratch)))
    path = Path(cache.legacy_view().path_of(id))
    path.parent.mkdir(exist_ok=True)
    scratch.chmod(0o444)
    scratch.replace(path)
    return id


def put_listing(cache: LocalCache, entries: dict[str, str]) -> ObjectId:
    listing = [{"md5": md5, "relpath": name} for name, md5 in sorted(entries.items())]
    data = json.dumps(listing, sort_keys=True).encode()
    return put(cache, data, hashlib.md5(data).hexdigest() + ".dir")


def migrate(cache: LocalCache, told: Told | None = None) -> int:
    with StateDb(AbsPath(cache.root + ".db")) as state:
        migration = plan_migration(cache, state=state, reporter=told or NullReporter())
        apply_migration(migration, cache)
        return migration.n_new


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=20) | st.sampled_from([b"a\r\nb", b"a\nb", b""])))
def test_every_object_has_the_md5_of_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    cache = LocalCache(AbsPath(str(tmp_path_factory.mktemp("c") / "cache")))
    # Two texts that differ in line ends only have one name in DVC 2; whichever came last is what it holds.
    ids = {name: put(cache, data) for name, data in files.items()}
    held = {name: Path(cache.legacy_view().path_of(id)).read_bytes() for name, id in ids.items()}
    directory = put_listing(cache, ids)
    migrate(cache)
    for data in held.values():
        assert Path(cache.path_of(ObjectId(hashlib.md5(data).hexdigest()))).read_bytes() == data
    listing = [{"md5": hashlib.md5(held[name]).hexdigest(), "relpath": name} for name in sorted(ids)]
    data = json.dumps(listing, sort_keys=True).encode()
    assert cache.read_bytes(ObjectId(hashlib.md5(data).hexdigest() + ".dir")) == data
    assert all(cache.has_all(id) for id in cache.iter_objects())
    assert os.path.exists(cache.legacy_view().path_of(directory))
    assert migrate(LocalCache(cache.root)) == 0


def test_unsound_objects_are_left_out(tmp_path: Path) -> None:
    cache, told = LocalCache(AbsPath(str(tmp_path / "cache"))), Told()
    wrong = put(cache, b"not that", "0" * 32)
    broken = put(cache, b"[]", "1" * 32 + ".dir")
    missing = put_listing(cache, {"x": "2" * 32})
    with_wrong = put_listing(cache, {"x": wrong})
    sound = put(cache, b"sound")
    assert migrate(cache, told) == 1
    assert list(cache.iter_objects()) == [sound]
    assert all(any(id in text for text in told.texts) for id in (wrong, broken, missing, with_wrong))
    assert all(os.path.exists(cache.legacy_view().path_of(id)) for id in (wrong, broken, missing, with_wrong))


def test_without_hard_links_the_objects_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = LocalCache(AbsPath(str(tmp_path / "cache")))
    id = put(cache, b"a\r\nb")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert migrate(cache) == 1
    new = ObjectId(hashlib.md5(b"a\r\nb").hexdigest())
    assert cache.read_bytes(new) == b"a\r\nb" and os.stat(cache.path_of(new)).st_mode & 0o777 == 0o444
    assert os.stat(cache.legacy_view().path_of(id)).st_nlink == 1
