"""Items that list their files with versions: read, kept and written."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.records import replace
from offbranch.pipeline.datafile import parse_data_file, update_datafile_text
from offbranch.pipeline.lockfile import entry_mapping, parse_lock, update_lock_text
from offbranch.pipeline.stage import LockedItem
from offbranch.pipeline.versions import (
    Version,
    keep_listing,
    kept,
    kept_if_same,
    look_into,
    read_files,
    versions_of,
    with_versions,
)
from offbranch.storage.listing import Listing, listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId

A, B = "60b725f10c9c85c70d97880dfe8191b3", "3b5d5c3712955042212316173ccf37be"
DATA = f"""\
outs:
- hash: md5
  path: d
  files:
  - relpath: a
    md5: {A}
    size: 2
    cloud:
      r:
        etag: {A}
        version_id: '17'
  - relpath: sub/b
    md5: {B}
    size: 3
"""
names = st.lists(
    st.text("abcé ", min_size=1, max_size=4).map(str.strip).filter(bool), unique=True, min_size=1, max_size=6
)


def item_of(text: str) -> LockedItem:
    return parse_data_file(text, RepoPath("d.dvc"))[1].outs[0]


def listing() -> Listing:
    return make_listing((("a", A), ("sub/b", B)))


def test_the_hash_of_the_directory_is_that_of_its_listing() -> None:
    item = item_of(DATA)
    assert item.md5 == listing_id(listing_bytes(listing()))
    assert (item.size, item.n_files, item.hash_name) == (5, 2, "md5")
    assert versions_of(item, "r", listing()) == {"a": Version(id="17", etag=A)}
    assert versions_of(item, "other", listing()) == {}


def test_what_is_read_is_written_byte_for_byte() -> None:
    assert update_datafile_text(DATA, "d.dvc", {"d": item_of(DATA)}) == DATA
    body = DATA.removeprefix("outs:\n").replace("- hash: md5\n  path: d\n", "- path: d\n  hash: md5\n")
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    lock = f"schema: '2.0'\nstages:\n  t:\n    cmd: x\n    outs:\n{indented}"
    assert update_lock_text(lock, parse_lock(lock, "dvc.lock")) == lock


def test_a_list_without_sizes_has_no_size() -> None:
    item = item_of(DATA.replace("    size: 3\n", ""))
    assert (item.size, item.n_files) == (None, 2)


def test_files_that_have_other_hashes_make_no_directory_object() -> None:
    text = "outs:\n- path: d\n  files:\n  - relpath: a\n    etag: x\n    size: 1\n"
    assert item_of(text).md5 is None
    assert update_datafile_text(text, "d.dvc", {"d": item_of(text)}).count("etag: x") == 1


@pytest.mark.parametrize(
    "files", ["text", ["text"], [{"md5": A}], [{"relpath": 1, "md5": A}], [{"relpath": "a", "md5": "x"}]]
)
def test_malformed_lists_are_refused(files: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|object id"):
        read_files(LockedItem(written="d", extra={"files": files}))


@given(names, st.data())
def test_versions_come_back_and_only_where_the_content_stayed(found: list[str], data: st.DataObject) -> None:
    before = make_listing((name, A) for name in found)
    item = LockedItem(written="d", md5=listing_id(listing_bytes(before)), n_files=len(found))
    versions = {name: Version(id=f"v{n}", etag="e") for n, name in enumerate(found)}
    sent = data.draw(st.sets(st.sampled_from(found)))
    recorded = with_versions(item, "r", {name: versions[name] for name in sent}, before, lambda name: (2, False))
    assert versions_of(recorded, "r", before) == {name: versions[name] for name in sent}
    again = with_versions(recorded, "r", {name: versions[name] for name in found}, before, lambda name: None)
    assert versions_of(again, "r", before) == versions
    mapping = dict(recorded.extra)
    assert read_files(LockedItem(written="d", extra=mapping)).md5 == item.md5


def test_a_changed_directory_keeps_the_versions_of_the_other_files(tmp_path: Path) -> None:
    cache = LocalCache(AbsPath(str(tmp_path / "cache")))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_text("four")
    (tmp_path / "sub" / "b").chmod(0o755)
    new_listing = make_listing((("a", A), ("sub/b", "0" * 32)))
    data = listing_bytes(new_listing)
    new = LockedItem(written="d", md5=listing_id(data), size=6, n_files=2)
    old = item_of(DATA)
    # Without the list nothing can be said of the files.
    assert kept(old, new, cache, look_into(AbsPath(str(tmp_path)))) == new
    cache.add_listing(data, listing_id(data))
    files = kept(old, new, cache, look_into(AbsPath(str(tmp_path)))).extra["files"]
    assert files[0] == old.extra["files"][0]
    assert files[1] == {"relpath": "sub/b", "md5": "0" * 32, "size": 4, "isexec": True}


def test_a_file_keeps_its_version_only_while_it_is_the_same() -> None:
    old = LockedItem(written="c", md5=A, extra={"cloud": {"r": {"version_id": "1"}}})
    assert kept_if_same(old, LockedItem(written="c", md5=A)) == old
    assert kept_if_same(old, LockedItem(written="c", md5=B)).extra == {}
    assert kept_if_same(None, LockedItem(written="c", md5=B)).extra == {}
    text = f"outs:\n- md5: {A}\n  path: c\n  cloud:\n    r:\n      version_id: '1'\n"
    assert "cloud" not in update_datafile_text(text, "c.dvc", {"c": replace(old, md5=B, extra={})})


def test_a_directory_that_becomes_a_file_is_recorded_as_one() -> None:
    text = update_datafile_text(DATA, "d.dvc", {"d": LockedItem(written="d", md5=A, size=2)})
    assert text == f"outs:\n- hash: md5\n  path: d\n  md5: {A}\n  size: 2\n"


def test_the_directory_object_is_put_into_the_cache_where_that_can_be_written(tmp_path: Path) -> None:
    cache = LocalCache(AbsPath(str(tmp_path / "cache")))
    item = item_of(DATA)
    keep_listing(item, cache)
    assert cache.listing(ObjectId(item.md5 or "")) == listing()
    (tmp_path / "file").write_text("in the way")
    other = LocalCache(AbsPath(str(tmp_path / "file")))
    keep_listing(item, other)
    assert not other.has(ObjectId(item.md5 or ""))


def test_an_entry_of_the_run_cache_names_the_directory() -> None:
    lock = "schema: '2.0'\nstages:\n  t:\n    outs:\n    - path: d\n      hash: md5\n      files: []\n"
    entry = parse_lock(lock, "dvc.lock")["t"]
    assert entry.outs[0].md5 == "d751713988987e9331980363e24189ce.dir"
    assert entry_mapping(entry)["outs"] == [{"path": "d", "hash": "md5", "files": []}]


@pytest.mark.parametrize("files", [[3], [{"md5": "0" * 32}], [{"relpath": "a", "md5": 3}]])
def test_malformed_lists_are_refused_beside_the_hash_of_the_directory_too(files: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_files(LockedItem(written="d", md5=f"{'0' * 32}.dir", extra={"files": files}))


def test_a_list_of_other_files_than_the_hash_names_is_not_put_under_its_name(tmp_path: Path) -> None:
    cache = LocalCache(AbsPath(str(tmp_path)))
    wrong = ObjectId(f"{'0' * 32}.dir")
    keep_listing(LockedItem(written="d", md5=wrong, extra={"files": [{"relpath": "a", "md5": "0" * 32}]}), cache)
    assert list(cache.iter_objects()) == []
