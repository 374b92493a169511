"""Lock files: those DVC 3.67.1 wrote are read and written back byte for byte."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.lockfile import (
    entry_mapping,
    parse_entry,
    parse_lock,
    render_entry_document,
    render_lock_entry,
    update_lock_text,
)
from offbranch.pipeline.stage import LockedItem, LockedStage

GOLDEN = sorted((Path(__file__).parent / "data").glob("*.lock"))
MD5 = "5d02e4d2354eae28589766cca211477d"
ENTRY = LockedStage(
    command="python train.py",
    deps=(LockedItem(written="data.csv", md5=MD5, size=9),),
    params={"params.yaml": {"train.epochs": 3, "lr": 0.1}},
    outs=(
        LockedItem(written="m", md5=f"{MD5}.dir", size=37, n_files=2),
        LockedItem(written="b", md5=MD5, is_executable=True),
    ),
)
ENTRY_TEXT = f"""\
  train:
    cmd: python train.py
    deps:
    - path: data.csv
      hash: md5
      md5: {MD5}
      size: 9
    params:
      params.yaml:
        lr: 0.1
        train.epochs: 3
    outs:
    - path: b
      hash: md5
      md5: {MD5}
      isexec: true
    - path: m
      hash: md5
      md5: {MD5}.dir
      size: 37
      nfiles: 2
"""
HEAD = "schema: '2.0'\nstages:\n"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_writes_what_dvc_wrote(path: Path) -> None:
    text = path.read_text()
    entries = parse_lock(text, path.name)
    assert entries
    assert update_lock_text(None, entries) == text


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_updating_with_the_same_changes_nothing(path: Path) -> None:
    text = path.read_text()
    entries = parse_lock(text, path.name)
    for name, entry in entries.items():
        assert update_lock_text(text, {name: entry}) == text
        rest = parse_lock(update_lock_text(text, {name: None}), "dvc.lock")
        assert rest == {other: kept for other, kept in entries.items() if other != name}
    assert update_lock_text(text, dict.fromkeys(entries)) == "schema: '2.0'\nstages: {}\n"


def test_render_lock_entry() -> None:
    assert render_lock_entry("train", ENTRY) == ENTRY_TEXT


def test_a_new_file() -> None:
    assert update_lock_text(None, {"train": ENTRY}) == HEAD + ENTRY_TEXT
    assert update_lock_text("stages: {}\nschema: '2.0'\n", {"train": ENTRY}).endswith("stages:\n" + ENTRY_TEXT)


def test_order_of_params_files() -> None:
    entry = LockedStage(
        command="x", params={"../params.yaml": {"a": 1}, "b.yaml": {"z": 1, "a": 2}, "params.yaml": {"x": 0}}
    )
    mapping = entry_mapping(entry)
    assert list(mapping["params"]) == ["params.yaml", "../params.yaml", "b.yaml"]
    assert list(mapping["params"]["b.yaml"]) == ["a", "z"]


def test_entries_keep_their_place_and_text() -> None:
    other = "  other:   # a comment\n    cmd:   spaced   \n"
    text = HEAD + other + ENTRY_TEXT + "  last:\n    cmd: c\n"
    changed = LockedStage(command="python train.py --fast")
    updated = update_lock_text(text, {"train": changed})
    assert updated == HEAD + other + "  train:\n    cmd: python train.py --fast\n  last:\n    cmd: c\n"
    assert update_lock_text(text, {"new": changed}) == text + "  new:\n    cmd: python train.py --fast\n"


DATASETS = "datasets:\n- name: d\n  url: s3://b\n  type: url\n"


@pytest.mark.parametrize("before", [True, False])
def test_other_sections_stay(before: bool) -> None:
    text = f"schema: '2.0'\n{DATASETS if before else ''}stages:\n{ENTRY_TEXT}{'' if before else DATASETS}"
    updated = update_lock_text(text, {"train": LockedStage(command="x"), "b": LockedStage(command="y")})
    document = load_yaml(updated, "dvc.lock")
    assert document == {
        "schema": "2.0",
        "datasets": [{"name": "d", "url": "s3://b", "type": "url"}],
        "stages": {"train": {"cmd": "x"}, "b": {"cmd": "y"}},
    }
    assert DATASETS in updated


@pytest.mark.parametrize(
    "text",
    [
        "schema: '2.0'\nstages: {train: {cmd: a}, other: {cmd: b}}\n",
        "schema: '2.0'\nstages:\n    train:\n        cmd: a\n    other:\n        cmd: b\n",
        "schema: '2.0'\r\nstages:\r\n  train:\r\n    cmd: a\r\n  other:\r\n    cmd: b\r\n",
        "{schema: '2.0', stages: {train: {cmd: a}, other: {cmd: b}}}",
        "---\nschema: '2.0'\nstages:\n  train:\n    cmd: a\n  \"other\":\n    cmd: b\n",
        "schema: '2.0'\nstages:\n train:\n  cmd: a\n other:\n  cmd: b\n",
        "schema: '2.0'\nstages:\n  # first\n  train:\n    cmd: a\n  other: {cmd: b}\n",
    ],
)
def test_unusual_styles_are_written_anew(text: str) -> None:
    updated = update_lock_text(text, {"train": LockedStage(command="new")})
    assert parse_lock(updated, "dvc.lock") == {
        "train": LockedStage(command="new"),
        "other": LockedStage(command="b"),
    }


names = st.sampled_from(["a", "b c", "123", "g@1", "g@x y/z", "g@a: b", "yes", "null", "1e5", "é", "it's", "#x", "a:b"])
entries = st.builds(
    LockedStage,
    command=st.sampled_from(["x", "a: b", "it's: 'x'", "l1\nl2\n", "w " * 60]) | st.just(("a", "b")),
    params=st.dictionaries(
        st.sampled_from(["params.yaml", "../p.yaml"]),
        st.dictionaries(
            st.text("abc.", min_size=1, max_size=3),
            st.none() | st.integers() | st.text("abé'\"#: -\n", max_size=5),
            min_size=1,
        ),
        max_size=2,
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(names, entries, min_size=1, max_size=4), st.dictionaries(names, st.none() | entries, max_size=3))
def test_updating_means_what_a_dict_update_means(
    before: dict[str, LockedStage], changes: dict[str, LockedStage | None]
) -> None:
    text = update_lock_text(None, before)
    expected = {name: entry for name, entry in {**before, **changes}.items() if entry is not None}
    updated = update_lock_text(text, changes)
    assert parse_lock(updated, "dvc.lock") == expected
    assert updated == update_lock_text(None, expected) or not expected


def test_entry_document_round_trip() -> None:
    text = render_entry_document(ENTRY)
    assert text.startswith("cmd: python train.py\ndeps:\n- path: data.csv\n  hash: md5\n")
    parsed = parse_entry(text, "runs/x")
    assert entry_mapping(parsed) == entry_mapping(ENTRY)


def test_entries_of_dvc_2_and_of_other_hashes_are_kept() -> None:
    text = (
        f"{HEAD}  a:\n    cmd: x\n    deps:\n    - path: d\n      md5: {MD5}\n      size: 3\n"
        f"    - path: s3://b/k\n      etag: abc\n      size: 4\n      version_id: v1\n"
    )
    entry = parse_lock(text, "dvc.lock")["a"]
    assert entry.deps[0].hash_name is None
    assert entry.deps[1].extra == {"etag": "abc", "version_id": "v1"}
    assert load_yaml(update_lock_text(None, {"a": entry}), "f") == load_yaml(text, "f")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("[]", None, None),
        ("stages: {}\n", None, None),
        ("schema: '1.0'\nstages: {}\n", "schema", 1),
        ("schema: '2.0'\nstages: []\n", "stages", 2),
        (f"{HEAD}  a: x\n", "stages.a", 3),
        (f"{HEAD}  a:\n    cmd: 3\n", "stages.a.cmd", 4),
        (f"{HEAD}  a:\n    deps: x\n", "stages.a.deps", 4),
        (f"{HEAD}  a:\n    outs:\n    - md5: x\n", "stages.a.outs[0]", 5),
        (f"{HEAD}  a:\n    outs:\n    - path: x\n      md5: 123\n", "stages.a.outs[0].md5", 6),
        (f"{HEAD}  a:\n    outs:\n    - path: x\n      md5: ../../../x\n", "stages.a.outs[0].md5", 6),
        (f"{HEAD}  a:\n    deps:\n    - path: x\n      md5: ab\n", "stages.a.deps[0].md5", 6),
        (f"{HEAD}  a:\n    outs:\n    - path: x\n      size: big\n", "stages.a.outs[0].size", 6),
        (f"{HEAD}  a:\n    params: [x]\n", "stages.a.params", 4),
        (f"{HEAD}  a:\n    params:\n      p.yaml: 3\n", "stages.a.params.p.yaml", 5),
    ],
)
def test_malformed_files_name_the_place(text: str, key: str | None, line: int | None) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_lock(text, "dvc.lock")
    assert caught.value.line == line
    if key is not None:
        assert caught.value.key == key
