"""Columns of what is known, compared with a plain map."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from offbranch.storage.manifest import Manifest, decode_manifest, encode_manifest, make_manifest
from offbranch.storage.scan import Scan

NOW = 1_700_000_000_123_456_789
OLD = NOW - 10**10 - 1
FILES = st.dictionaries(
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=4),
    st.tuples(st.sampled_from(["a" * 32, "b" * 32]), st.tuples(*[st.integers(0, 3)] * 4)),
    max_size=6,
)
Files = dict[str, tuple[str, tuple[int, int, int, int]]]


def manifest_of(files: Files) -> Manifest:
    numbers = array("q", [number for _, stamp in files.values() for number in stamp])
    return Manifest(names=list(files), numbers=numbers, md5s="".join(md5 for md5, _ in files.values()))


@given(FILES)
def test_bytes_and_back(files: Files) -> None:
    again = decode_manifest(encode_manifest(manifest_of(files)))
    assert again.as_map() == files
    assert list(again.names) == list(files)


@given(FILES, FILES)
def test_a_file_is_known_when_name_and_stamp_are_the_same(known: Files, asked: Files) -> None:
    wanted = manifest_of(asked)
    for files in (known, asked, {**known, **asked}, dict(reversed(asked.items()))):
        found = manifest_of(files).find(wanted.names, wanted.numbers)
        assert found == [
            files[name][0] if name in files and files[name][1] == stamp else None for name, (_, stamp) in asked.items()
        ]


@given(st.lists(st.tuples(st.sampled_from([None, "a" * 32]), st.sampled_from([OLD, NOW])), max_size=6))
def test_what_may_have_changed_unseen_is_left_out(files: list[tuple[str | None, int]]) -> None:
    names = [f"f{n}" for n in range(len(files))]
    numbers = array("q", [number for _, mtime_ns in files for number in (1, mtime_ns, 2, 3)])
    scan = Scan(
        names=names,
        groups=[("", 0)],
        numbers=numbers,
        links=(),
        temporaries=(),
        linked_directories=(),
        fingerprint=b"",
    )
    made = make_manifest(scan, [md5 for md5, _ in files], observed_ns=NOW)
    assert made.as_map() == {
        name: (md5, (1, mtime_ns, 2, 3))
        for name, (md5, mtime_ns) in zip(names, files, strict=True)
        if md5 is not None and mtime_ns == OLD
    }
