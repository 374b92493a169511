"""Edits of YAML: the data becomes what was wanted, and the rest of the text stays."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import OffbranchError
from offbranch.base.yaml_ruamel import read
from offbranch.params.changes import Change, Put, Remove, apply_change, copy_of, same_data, value_at
from offbranch.params.edit_yaml import edit
from offbranch.params.edit_yaml_marks import edit_by_marks
from offbranch.params.files import parse_text
from params_documents import paths_of, scalars, values, yaml_texts

P = "params.yaml"


def changed(text: str, change: Change) -> str:
    wanted = copy_of(parse_text(text, P))
    apply_change(wanted, change)
    return edit(text, change, wanted, P)


def put(text: str, *path: Any, value: Any) -> str:
    return changed(text, Put(path=path, value=value))


def remove(text: str, *path: Any) -> str:
    return changed(text, Remove(path=path))


@given(text=yaml_texts(), data=st.data())
def test_a_put_gives_the_wanted_data_for_every_reader(text: str, data: st.DataObject) -> None:
    before = parse_text(text, P)
    change = Put(path=data.draw(st.sampled_from(paths_of(before))), value=data.draw(values))
    wanted = copy_of(before)
    apply_change(wanted, change)
    assert same_data(read(edit(text, change, wanted, P), P), wanted)


@given(text=yaml_texts(), value=scalars, data=st.data())
def test_a_scalar_for_a_scalar_changes_nothing_around_it(text: str, value: Any, data: st.DataObject) -> None:
    before = parse_text(text, P)
    places = [path for path in paths_of(before) if not isinstance(value_at(before, path), dict | list)]
    if not places:
        return
    path = data.draw(st.sampled_from(places))
    old_value = value_at(before, path)
    new = put(text, *path, value=value)
    if isinstance(old_value, str) and "\n" in old_value:
        return
    old_lines, new_lines = text.split("\n"), new.split("\n")
    assert len(old_lines) == len(new_lines)
    differing = [(a, b) for a, b in zip(old_lines, new_lines, strict=True) if a != b]
    assert len(differing) <= 1
    for a, b in differing:
        assert re.findall(r"\s#.*", a)[-1:] == re.findall(r"\s#.*", b)[-1:] or "#" in str(value)


@given(text=yaml_texts(), value=values, data=st.data())
def test_a_new_key_leaves_all_lines_but_flow_ones(text: str, value: Any, data: st.DataObject) -> None:
    before = parse_text(text, P)
    maps = [(), *(path for path in paths_of(before) if isinstance(value_at(before, path), dict))]
    path = data.draw(st.sampled_from(maps))
    new = put(text, *path, "newkey", value=value)
    assert read(new, P).keys() >= before.keys()
    lost = [line for line in text.split("\n") if line.strip() and line not in new.split("\n")]
    assert len(lost) <= 1 and all("{" in line or line == text.split("\n")[-1] for line in lost)


@given(text=yaml_texts(), data=st.data())
def test_a_removal_gives_the_wanted_data(text: str, data: st.DataObject) -> None:
    before = parse_text(text, P)
    change = Remove(path=data.draw(st.sampled_from(paths_of(before))))
    wanted = copy_of(before)
    apply_change(wanted, change)
    assert same_data(read(edit(text, change, wanted, P), P) or {}, wanted)


@given(text=yaml_texts(), value=scalars, data=st.data())
def test_lines_and_marks_agree(text: str, value: Any, data: st.DataObject) -> None:
    before = parse_text(text, P)
    change = Put(path=data.draw(st.sampled_from(paths_of(before))), value=value)
    wanted = copy_of(before)
    apply_change(wanted, change)
    by_marks = edit_by_marks(text, change, wanted)
    assert by_marks is not None and same_data(parse_text(by_marks, P), wanted)


TEXT = """\
# head
lr: 0.001        # step
name: "abc"  # q
train:
    lr: 1e-3 # inner
    # about layers
    layers:
      - 1
      - a: 2   # x
        b: 3
    flow: {a: 1, b: [1, 2,  3]} # fl
    empty: # nothing
    nul: null
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("lr",), 1e-05, "lr: 0.001        # step", "lr: 1.0e-05        # step"),
        (("lr",), float("inf"), "lr: 0.001 ", "lr: .inf "),
        (("lr",), "1e5", "lr: 0.001 ", "lr: '1e5' "),
        (("lr",), "yes", "lr: 0.001 ", "lr: 'yes' "),
        (("lr",), [1, "a"], "lr: 0.001 ", "lr: [1, a] "),
        (("lr",), {"a": {"b": None}}, "lr: 0.001 ", "lr: {a: {b: null}} "),
        (("name",), "x: 'y'", '"abc"  # q', "\"x: 'y'\"  # q"),
        (("train", "lr"), 2, "lr: 1e-3 # inner", "lr: 2 # inner"),
        (("train", "layers", 0), 9, "- 1\n", "- 9\n"),
        (("train", "layers", 1, "a"), 9, "- a: 2   # x", "- a: 9   # x"),
        (("train", "layers"), [7, 8], "- 1\n      - a: 2   # x\n        b: 3\n", "- 7\n      - 8\n"),
        (("train", "layers"), 5, "layers:\n      - 1\n      - a: 2   # x\n        b: 3\n", "layers: 5\n"),
        (("train", "flow", "b", 1), "z", "[1, 2,  3]", "[1, z,  3]"),
        (("train", "flow", "c"), 4, "[1, 2,  3]}", "[1, 2,  3], c: 4}"),
        (("train", "empty"), 5, "empty: # nothing", "empty: 5 # nothing"),
        (("train", "new"), 5, "    nul: null\n", "    nul: null\n    new: 5\n"),
        (("train", "new"), {"a": {"b": 1}}, "nul: null\n", "nul: null\n    new:\n      a:\n        b: 1\n"),
        (("new",), 5, "    nul: null\n", "    nul: null\nnew: 5\n"),
    ],
)
def test_only_the_value_is_rewritten(path: tuple[Any, ...], value: Any, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert put(TEXT, *path, value=value) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (("lr",), "lr: 0.001        # step\n", ""),
        (("train", "layers", 0), "      - 1\n", ""),
        (("train", "layers", 1, "a"), "- a: 2   # x\n        b: 3", "- b: 3"),
        (("train", "layers", 1, "b"), "        b: 3\n", ""),
        (("train", "flow", "a"), "{a: 1, b:", "{b:"),
        (("train", "flow", "b"), ", b: [1, 2,  3]}", "}"),
    ],
)
def test_a_removal_takes_just_the_entry(path: tuple[Any, ...], old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert remove(TEXT, *path) == TEXT.replace(old, new)


def test_a_map_left_empty_is_written_as_such() -> None:
    assert remove("a:  # c\n  b: 1 # d\nc: 2\n", "a", "b") == "a: {}  # c\nc: 2\n"
    assert remove("# c\na: 1\n", "a") == "# c\n{}\n"


def test_line_ends_stay() -> None:
    assert put("a: 1\r\nb:\r\n  c: 2\r\n", "b", "c", value=3) == "a: 1\r\nb:\r\n  c: 3\r\n"
    assert put("a: 1\r\n", "b", value={"c": 1}) == "a: 1\r\nb:\r\n  c: 1\r\n"
    assert put("a: 1\nb:\n  c: 2", "b", "d", value=3) == "a: 1\nb:\n  c: 2\n  d: 3"
    assert put("b:\n  c: 2\na: 1", "b", "d", value=3) == "b:\n  c: 2\n  d: 3\na: 1"


ALIASES = "seed: &seed 1\nbase: &base {x: 1, y: {z: 2}}\nder:\n  <<: *base\n  w: *seed\nref: *base\n"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("ref", "x"), 8, ALIASES.replace("ref: *base", "ref: {x: 8, y: {z: 2}}")),
        (("der", "x"), 8, ALIASES.replace("w: *seed\n", "w: *seed\n  x: 8\n")),
        (("der", "w"), 8, ALIASES.replace("*seed", "8")),
        (("seed",), 8, ALIASES.replace("&seed 1", "&seed 8").replace("*seed", "1")),
        (("ref",), 8, ALIASES.replace("ref: *base", "ref: 8")),
    ],
)
def test_what_an_alias_shares_stays_as_it_was(path: tuple[Any, ...], value: Any, expected: str) -> None:
    assert put(ALIASES, *path, value=value) == expected


def test_a_key_that_only_a_merge_brings_cannot_be_removed() -> None:
    with pytest.raises(OffbranchError, match=re.escape("cannot remove 'der.x' in 'params.yaml'")):
        remove(ALIASES, "der", "x")


def test_odd_keys() -> None:
    assert put("1: a\n'2': b\n", 1, value="c") == "1: c\n'2': b\n"
    assert put("1: a\n'2': b\n", "2", value="c") == "1: a\n'2': c\n"
    assert put("a b: 1\n", "a b", value=2) == "a b: 2\n"
    assert put('"k:x": 1\n', "k:x", value=2) == '"k:x": 2\n'
    assert put("a: 1\n", "5", value=2) == "a: 1\n'5': 2\n"
