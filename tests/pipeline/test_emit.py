"""The emitter must write, byte for byte, what ruamel.yaml's round-trip writer (and so DVC) writes."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offbranch.base.yaml_ruamel import dump, read
from offbranch.pipeline import emit
from offbranch.pipeline.emit import render

WORDS = [
    "a", "python", "train.py", "--lr", "0.1", "1e10", "yes", "true", "null", "~", "x:y", "x: y", "#c", "a#b", "-", "- a",
    "?", "é", "日本", "'", "it's", '"q"', "[1]", "{a}", "&x", "*", "!t", "%", "@", "`", "|", ">", "1_000", "0o17",
    "2001-01-01", "12:30", "..", ".", "/long/path/to/some/file/which/is/long.csv", "a" * 90, "b" * 40, " ", "   ", "=",
    "<<", "---", "...", "x:", "😀", "\t", "\n", "5d02e4d2354eae28589766cca211477d", "1e1234", "000", "-1", ",", "${y}",
]  # fmt: skip
words = st.sampled_from(WORDS)
texts = st.one_of(
    words,
    st.text(max_size=10),
    st.builds(lambda parts, sep: sep.join(parts), st.lists(words, max_size=25), st.sampled_from([" ", " ", "  ", ""])),
)
values = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(words | st.integers(0, 9), children, max_size=3),
    max_leaves=8,
)


def by_ruamel(value: Any, indent: int) -> str:
    for _ in range(indent // 2):
        value = {"x": value}
    return "".join(dump(value).splitlines(keepends=True)[indent // 2 :])


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(texts | words, values, min_size=1, max_size=3), st.sampled_from([0, 2, 4]))
@example({"a": [None, [None], {"k": None}]}, 4)
@example({"k" * 58: 10**25}, 2)
@example({"cmd": "true " + "x" * 100 + " yy " + "z" * 100}, 4)
def test_writes_what_ruamel_writes(value: dict[Any, Any], indent: int) -> None:
    try:
        written = "".join(emit._mapping(value, indent))
    except emit._Unsure:
        return
    assert written == by_ruamel(value, indent)


# Not every character: ruamel.yaml itself does not read back some line breaks that it writes.
ordinary = st.text("abé日'\"#:- \n[]{},0.1e~", max_size=8)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(ordinary, st.lists(ordinary | words | st.integers() | st.none(), max_size=4) | ordinary, min_size=1)
)
def test_reads_back(value: dict[str, Any]) -> None:
    assert read(render(value), "f.yaml") == value


def test_usual_entries_do_not_need_ruamel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(value: Any, indent: int) -> str:
        raise AssertionError

    monkeypatch.setattr(emit, "_by_ruamel", refuse)
    text = render({"cmd": "python train.py", "deps": [{"path": "a b.csv", "md5": "0" * 31 + "a"}], "n": [1, 0.5, None]})
    assert text == (f"cmd: python train.py\ndeps:\n- path: a b.csv\n  md5: {'0' * 31}a\nn:\n- 1\n- 0.5\n- \n")


def test_shared_values_do_not_become_aliases() -> None:
    shared = ["it's: x"]
    assert "&" not in render({"a": shared, "b": shared})
