import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError
from offbranch.storage.listing import (
    Listing,
    _plain_pairs,
    diff_listings,
    listing_bytes,
    listing_id,
    make_listing,
    parse_listing,
)

A, B = "9dd4e461268c8034f5c8564e155c67a6", "d41d8cd98f00b204e9800998ecf8427e"
VECTOR = (
    b'[{"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "1"}, '
    b'{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "empty"}, '
    b'{"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "ln"}, '
    b'{"md5": "2fb1c5cf58867b5bbc9a1b145a86f3a0", "relpath": "sub/\\u00e9.txt"}, '
    b'{"md5": "fbade9e36a3f36d3d676c1b808451dd7", "relpath": "we ird/q.txt"}]'
)
PARTS = st.text(st.characters(exclude_characters="/\0\\:", codec="utf-8"), min_size=1, max_size=6).filter(
    lambda part: part not in (".", "..")
)
LISTINGS = st.dictionaries(PARTS, st.sampled_from([A, B]), max_size=8).map(
    lambda files: make_listing([(f"d{i % 3}/{name}", md5) for i, (name, md5) in enumerate(files.items())])
)


def entry(name: object, md5: object = A) -> bytes:
    return json.dumps([{"md5": md5, "relpath": name}]).encode()


def test_the_known_directory_object() -> None:
    listing = parse_listing(VECTOR)
    assert list(listing.entries) == ["1", "empty", "ln", "sub/é.txt", "we ird/q.txt"]
    assert listing_bytes(listing) == VECTOR
    assert listing_id(VECTOR) == "65644d00e3b74d8fd379b7f1fa28ddd9.dir"


def test_the_empty_directory() -> None:
    data = listing_bytes(make_listing([]))
    assert data == b"[]"
    assert listing_id(data) == "d751713988987e9331980363e24189ce.dir"


@given(LISTINGS)
def test_writing_and_reading_agree_with_json(listing: Listing) -> None:
    data = listing_bytes(listing)
    expected = [{"md5": md5, "relpath": name} for name, md5 in sorted(listing.entries.items())]
    assert data == json.dumps(expected, sort_keys=True).encode()
    assert parse_listing(data) == listing


def test_order_and_further_keys_of_other_writers_do_not_matter() -> None:
    data = json.dumps([{"relpath": "b", "md5": B, "size": 0}, {"relpath": "a", "md5": A}]).encode()
    assert list(parse_listing(data).entries.items()) == [("a", A), ("b", B)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "//x",
        "..",
        "../x",
        "a/../x",
        "a/..",
        ".",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "a\0b",
        "\0",
        "C:\\x",
        "c:/x",
        "..\\x",
        "a\\..\\x",
        "\\\\host\\share",
        "\\x",
        "\ud800",
        5,
        None,
        ["a"],
    ],
)
def test_names_that_leave_the_directory_are_refused(name: object) -> None:
    with pytest.raises(BadInputError):
        parse_listing(entry(name))
    good = {"md5": A, "relpath": "ok"}
    with pytest.raises(BadInputError):
        parse_listing(json.dumps([good, {"md5": A, "relpath": name}]).encode())


@pytest.mark.parametrize("name", ["a..b", "...", ".hidden", "a/..b", "a\\b", "ab:c", "\udcff", "line\nbreak", " "])
def test_names_that_only_look_odd_are_fine(name: str) -> None:
    assert list(parse_listing(entry(name)).entries) == [name]


@pytest.mark.parametrize(
    "md5", ["", A[:-1], A + "0", A.upper(), A[:-1] + "\n", A + "\n", A + ".dir", "../../x", 5, None]
)
def test_hashes_that_are_none_are_refused(md5: object) -> None:
    with pytest.raises(BadInputError):
        parse_listing(entry("a", md5))


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), st.sampled_from([A, A[:-1] + '"', "x", A + ".dir"])
)
def test_the_short_way_reads_what_json_reads(name: str, md5: str) -> None:
    for data in (entry(name, md5), json.dumps([{"md5": md5, "relpath": name}, {"md5": B, "relpath": "z"}]).encode()):
        short = _plain_pairs(data)
        assert short is None or short == [(each["relpath"], each["md5"]) for each in json.loads(data)]


@given(st.lists(st.sampled_from(['"', "\\", "}, {", "md5", ": ", A, "relpath", ", ", "a", "\n", "é"]), max_size=14))
def test_a_text_that_json_refuses_is_not_read_the_short_way(words: list[str]) -> None:
    data = ('[{"md5": "' + A + '", "relpath": "' + "".join(words) + '"}]').encode()
    try:
        expected = [(each["relpath"], each["md5"]) for each in json.loads(data)]
    except (ValueError, KeyError, TypeError):
        expected = None
    short = _plain_pairs(data)
    assert short is None or short == expected


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b"[[]]", b'"x"', b"null", b"\xff", b'[{"md5": "x"}]', b"[" * 100_000]
)
def test_what_is_no_directory_object_is_refused(data: bytes) -> None:
    with pytest.raises(BadInputError):
        parse_listing(data)


def test_duplicates_and_conflicts_are_refused() -> None:
    for names in (["a", "a"], ["a", "a/b"], ["a/b/c", "a-b", "a"], ["x/y", "x/y/z/w"]):
        with pytest.raises(BadInputError, match=f"'{min(names, key=len)}'"):
            make_listing([(name, A) for name in names])
    assert len(make_listing([("a", A), ("a.b", A), ("ab/c", A)]).entries) == 3


@given(LISTINGS, LISTINGS)
def test_applying_a_difference_gives_the_new_listing(old: Listing, new: Listing) -> None:
    diff = diff_listings(old, new)
    result = {name: md5 for name, md5 in old.entries.items() if name not in diff.deleted}
    assert result.keys().isdisjoint(diff.added)
    assert result.keys() >= set(diff.modified)
    result |= {name: new.entries[name] for name in (*diff.added, *diff.modified)}
    assert result == dict(new.entries)
    assert all(old.entries[name] != new.entries[name] for name in diff.modified)
