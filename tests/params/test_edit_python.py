"""Edits of Python change a literal and nothing else of the code."""

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import OffbranchError
from offbranch.params.changes import Change, Put, Remove, apply_change, copy_of
from offbranch.params.edit_python import edit
from offbranch.params.files import parse_text
from params_documents import names, texts

P = "p.py"
TEXT = """\
import os

A = 1  # é
É = {"k": (1, 2), "s": "x"}  # cömment
T = (1, 2)
x, y = 1, 2
z = w = 3
S = {1, 2}

class K:
    B: int = 3

    def __init__(self):
        self.z = "q"
        self.u = [1,
                  2]

if __name__ == "__main__":
    print(A)
"""


def changed(text: str, change: Change) -> str:
    wanted = copy_of(parse_text(text, P))
    apply_change(wanted, change)
    return edit(text, change, wanted, P)


python_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
PLACES = "A É.k.0 É.s É.new T T.1 T.2 y K.B K.z K.u.1 K.new new S".split()
places: st.SearchStrategy[Any] = st.sampled_from(
    tuple(tuple(int(step) if step.isdigit() else step for step in key.split(".")) for key in PLACES)
)


@given(path=places, value=python_values)
def test_a_put_keeps_all_other_lines(path: Any, value: Any) -> None:
    new = changed(TEXT, Put(path=path, value=value))
    kept = [line for line in TEXT.split("\n") if line in new.split("\n")]
    assert len(kept) >= len(TEXT.split("\n")) - 1


@given(names=st.lists(names, min_size=1, max_size=4, unique=True), value=python_values, data=st.data())
def test_any_assignments_take_a_new_value(names: list[str], value: Any, data: st.DataObject) -> None:
    olds = [data.draw(python_values) for _ in names]
    # In capitals, so that none is a keyword of the language or the `inf` replaced below.
    names = [name.upper() for name in names]
    text = "".join(f"{name} = {old!r}  # é {name}\n" for name, old in zip(names, olds, strict=True))
    text = re.sub(r"\binf\b", "1e999", text)
    path = (data.draw(st.sampled_from(sorted(parse_text(text, P)))),)
    new = changed(text, Put(path=path, value=value))
    assert [line.rpartition("#")[2] for line in new.split("\n")] == [
        line.rpartition("#")[2] for line in text.split("\n")
    ]


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (Put(path=("A",), value=-2.5), "A = 1  #", "A = -2.5  #"),
        (Put(path=("A",), value=-math.inf), "A = 1  #", "A = -1e999  #"),
        (Put(path=("É", "k", 0), value="a"), "(1, 2), ", "('a', 2), "),
        (Put(path=("É", "s"), value="a'b"), '"x"}', '"a\'b"}'),
        (Put(path=("É", "n"), value=[1]), '"x"}', "\"x\", 'n': [1]}"),
        (Put(path=("T",), value=[7]), "T = (1, 2)", "T = (7,)"),
        (Put(path=("S",), value=[7]), "S = {1, 2}", "S = {7}"),
        (Put(path=("y",), value=5), "x, y = 1, 2", "x, y = 1, 5"),
        (Put(path=("K", "B"), value=4), "B: int = 3", "B: int = 4"),
        (Put(path=("K", "z"), value="w"), '"q"', '"w"'),
        (Put(path=("K", "new"), value=1), "B: int = 3\n", "B: int = 3\n    new = 1\n"),
        (Put(path=("new",), value=1), "S = {1, 2}\n", "S = {1, 2}\nnew = 1\n"),
        (Remove(path=("A",)), "A = 1  # é\n", ""),
        (Remove(path=("É", "k")), '"k": (1, 2), ', ""),
        (Remove(path=("K", "B")), "    B: int = 3\n", ""),
        (Remove(path=("K", "u")), "        self.u = [1,\n                  2]\n", ""),
    ],
)
def test_the_code_stays(change: Change, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert changed(TEXT, change) == TEXT.replace(old, new)


def test_removing_all_of_a_class_or_every_assignment_of_a_name() -> None:
    assert changed("class K:\n    a = 1\nb = 2\n", Remove(path=("K",))) == "b = 2\n"
    assert changed("a = 1\nb = 2\na = 3\n", Remove(path=("a",))) == "b = 2\n"
    kept = "class K:\n    class L:\n        pass\n    b = 1\n"
    assert changed("class K:\n    class L:\n        a = 1\n    b = 1\n", Remove(path=("K", "L"))) != kept


@pytest.mark.parametrize(
    "change",
    [
        Put(path=("z",), value=1),
        Put(path=("A",), value=math.nan),
        Put(path=("not a name",), value=1),
        Put(path=("K",), value=1),
        Remove(path=("x",)),
    ],
)
def test_what_has_no_literal_of_its_own_is_refused(change: Change) -> None:
    with pytest.raises(OffbranchError, match=r"in 'p\.py': no literal of its own can stand there"):
        changed(TEXT, change)
