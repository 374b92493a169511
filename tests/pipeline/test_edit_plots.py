"""Options of a plot changed in the text of a dvc.yaml: nothing else of it changes."""

import difflib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import NotFoundError, OffbranchError
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.edit_plots import modify_plot_text

TEXT = """\
# the pipeline
stages:
  t:   # a stage
    cmd: cp log.csv st.csv
    plots:
    # curves
    - st.csv:   # of training
        cache: false
        y: loss  # the loss

    - bare.csv   # nothing yet
    - flow.csv: {y: acc}
    - 'quoted: x.csv'
    - one.csv:
        y: acc
    - several.csv: [{y: a}, {y: b}]
  g:
    foreach: [a, b]
    do:
      cmd: echo
      plots:
      - g.csv
      - ${item}.csv
"""


def changed(written: str, *unset: str, stage: str = "t", **changes: Any) -> list[str]:
    """The lines that go and come."""
    new = modify_plot_text(TEXT, stage, written, changes=changes, unset=unset)
    lines = difflib.ndiff(TEXT.splitlines(), new.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_an_option_is_changed_added_and_taken_away() -> None:
    assert changed("st.csv", y="acc") == ["-         y: loss  # the loss", "+         y: acc  # the loss"]
    assert changed("st.csv", title="a: b") == ["+         title: 'a: b'"]
    assert changed("st.csv", "y") == ["-         y: loss  # the loss"]
    assert changed("flow.csv", x="step") == ["-     - flow.csv: {y: acc}", "+     - flow.csv: {y: acc, x: step}"]


def test_a_path_alone_gets_options_below_it() -> None:
    assert changed("bare.csv", x="step", header=False) == [
        "-     - bare.csv   # nothing yet",
        "+     - bare.csv:   # nothing yet",
        "+         x: step",
        "+         header: false",
    ]
    assert changed("quoted: x.csv", y="a") == ["-     - 'quoted: x.csv'", "+     - 'quoted: x.csv':", "+         y: a"]
    assert changed("g.csv", stage="g", y="a") == ["-       - g.csv", "+       - g.csv:", "+           y: a"]


def test_the_last_option_leaves_the_path_alone() -> None:
    assert changed("one.csv", "y") == ["-     - one.csv:", "+     - one.csv", "-         y: acc"]


def test_unset_and_set_of_one_option_sets_it() -> None:
    assert changed("st.csv", "y", y="acc") == ["-         y: loss  # the loss", "+         y: acc  # the loss"]
    assert changed("st.csv", y="loss") == []


def test_what_cannot_be_done_is_told() -> None:
    with pytest.raises(NotFoundError, match=r"'st\.csv' has no 'title' to unset"):
        changed("st.csv", "title")
    with pytest.raises(NotFoundError, match="has no 'title' to unset"):
        changed("bare.csv", "title")
    with pytest.raises(NotFoundError, match=r"made by a template|does not list"):
        changed("a.csv", stage="g", y="x")
    with pytest.raises(OffbranchError, match="several ways"):
        changed("several.csv", y="x")


@given(
    st.sampled_from(["st.csv", "bare.csv", "flow.csv", "one.csv"]),
    st.dictionaries(st.sampled_from(["x", "y", "title", "template"]), st.text(max_size=12), min_size=1),
)
def test_any_text_comes_back(written: str, changes: dict[str, str]) -> None:
    changes = {name: "".join(char for char in text if char.isprintable()) for name, text in changes.items()}
    new = load_yaml(modify_plot_text(TEXT, "t", written, changes=changes, unset=()), "dvc.yaml")
    item = next(each for each in new["stages"]["t"]["plots"] if isinstance(each, dict) and written in each)
    assert {name: item[written][name] for name in changes} == changes
