"""Edits of TOML keep comments, order and line ends."""

import math
import re
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import OffbranchError
from offbranch.params.changes import Change, Put, Remove, apply_change, copy_of, same_data
from offbranch.params.edit_toml import edit
from offbranch.params.files import parse_text
from params_documents import names

P = "p.toml"
TEXT = '# top\na = 1 # c\n\n[t]\nx = [1, 2,   3]\ns = "q"  # s\n\n[t.sub]\nz = 1.0 # end\n'


def changed(text: str, change: Change) -> str:
    wanted = copy_of(parse_text(text, P))
    apply_change(wanted, change)
    return edit(text, change, wanted, P)


leaves = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8)
toml_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=5
)


@given(
    path=st.sampled_from((("a",), ("t", "x"), ("t", "x", 1), ("t", "s"), ("t", "sub", "z"), ("t", "new"), ("new",))),
    value=toml_values,
)
def test_a_put_gives_the_wanted_data_and_keeps_comments(path: Any, value: Any) -> None:
    new = changed(TEXT, Put(path=path, value=value))
    assert "# top" in new
    if not isinstance(value, dict | list) and path[-1] != "new":
        old_lines, new_lines = TEXT.split("\n"), new.split("\n")
        assert len(old_lines) == len(new_lines)
        differing = [(a, b) for a, b in zip(old_lines, new_lines, strict=True) if a != b]
        assert len(differing) <= 1
        assert all(a.partition("#")[2] == b.rpartition("#")[2] for a, b in differing if "#" in a)


@given(document=st.dictionaries(names, toml_values, min_size=1, max_size=4), value=leaves, data=st.data())
def test_any_document_takes_a_new_value(document: Any, value: Any, data: st.DataObject) -> None:
    text = tomlkit.dumps(document)
    key = data.draw(st.sampled_from([*document, "newkey"]))
    assert same_data(parse_text(changed(text, Put(path=(key,), value=value)), P)[key], value)


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (Put(path=("a",), value=2), "a = 1 # c", "a = 2 # c"),
        (Put(path=("a",), value=math.inf), "a = 1 # c", "a = inf # c"),
        (Put(path=("t", "x", 1), value=9), "2,   3", "9,   3"),
        (Put(path=("t", "x"), value=[3]), "[1, 2,   3]", "[3]"),
        (Put(path=("t", "s"), value="z"), '"q"  # s', '"z"  # s'),
        (Put(path=("b",), value=1), "a = 1 # c\n", "a = 1 # c\nb = 1\n"),
        (Remove(path=("a",)), "a = 1 # c\n", ""),
        (Remove(path=("t", "sub")), "[t.sub]\nz = 1.0 # end\n", ""),
    ],
)
def test_the_layout_stays(change: Change, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert changed(TEXT, change) == TEXT.replace(old, new)


def test_line_ends_stay() -> None:
    windows = TEXT.replace("\n", "\r\n")
    new = changed(windows, Put(path=("t", "new"), value=1))
    assert "new = 1\r\n" in new and "\n" not in new.replace("\r\n", "")


def test_there_is_no_null() -> None:
    with pytest.raises(OffbranchError, match=re.escape("cannot change 'a' in 'p.toml': TOML has no null")):
        changed(TEXT, Put(path=("a",), value=[None]))
