"""Freezing: one key set or removed, every other byte kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import NotFoundError
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.freeze import with_frozen_data, with_frozen_stage

PIPELINE = """\
# top
stages:
  # first
  a:   # the a
    cmd: echo > x   # cmd
    outs: [x]

  # flow
  b: {cmd: echo > y, outs: [y]}
  g:
    foreach: [u, v]
    do:
      cmd: echo > ${item}
  m:
    matrix: {x: [1, 2]}
    cmd: echo > m${item.x}
  f:
    cmd: echo > f
    frozen: true  # why
    outs: [f]
"""
DATA = "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: d\n"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a", "    outs: [x]\n", "    outs: [x]\n    frozen: true\n"),
        ("b", "outs: [y]}", "outs: [y], frozen: true}"),
        ("g", "      cmd: echo > ${item}\n", "      cmd: echo > ${item}\n      frozen: true\n"),
        ("m", "    cmd: echo > m${item.x}\n", "    cmd: echo > m${item.x}\n    frozen: true\n"),
    ],
)
def test_a_stage_is_frozen_and_let_go(name: str, before: str, after: str) -> None:
    frozen = with_frozen_stage(PIPELINE, name, frozen=True, path="dvc.yaml")
    assert frozen == PIPELINE.replace(before, after)
    assert with_frozen_stage(frozen, name, frozen=True, path="dvc.yaml") == frozen
    assert with_frozen_stage(frozen, name, frozen=False, path="dvc.yaml") == PIPELINE


def test_what_is_frozen_or_not_already_stays_and_false_counts_as_not() -> None:
    assert with_frozen_stage(PIPELINE, "f", frozen=True, path="dvc.yaml") == PIPELINE
    assert with_frozen_stage(PIPELINE, "f", frozen=False, path="dvc.yaml") == PIPELINE.replace(
        "    frozen: true  # why\n", ""
    )
    text = "stages:\n  a:\n    cmd: x\n    frozen: false\n"
    assert with_frozen_stage(text, "a", frozen=False, path="dvc.yaml") == text
    assert with_frozen_stage(text, "a", frozen=True, path="dvc.yaml") == text.replace("false", "true")


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(NotFoundError) as caught:
        with_frozen_stage(PIPELINE, "aa", frozen=True, path="dvc.yaml")
    assert "'a'" in str(caught.value.hint)


@pytest.mark.parametrize("text", [DATA, f"# head\n{DATA}# tail\n", f"desc: d # x\n{DATA}meta: {{a: 1}}\n"])
def test_a_data_file_is_frozen_and_let_go(text: str) -> None:
    frozen = with_frozen_data(text, frozen=True, path="d.dvc")
    assert frozen == f"{text}frozen: true\n"
    assert with_frozen_data(frozen, frozen=True, path="d.dvc") == frozen
    assert with_frozen_data(frozen, frozen=False, path="d.dvc") == text


def test_a_data_file_in_another_style() -> None:
    text = "{outs: [{md5: 0123456789abcdef0123456789abcdef, path: d}]}\n"
    frozen = with_frozen_data(text, frozen=True, path="d.dvc")
    assert load_yaml(frozen, "d.dvc") == {**load_yaml(text, "d.dvc"), "frozen": True}
    assert load_yaml(with_frozen_data(frozen, frozen=False, path="d.dvc"), "d.dvc") == load_yaml(text, "d.dvc")


@given(st.permutations(["frozen: true\n", "md5: abc\n", "wdir: w\n", "outs:\n- path: d\n", "meta:\n  frozen: true\n"]))
def test_only_the_key_at_the_top_goes(parts: list[str]) -> None:
    text = "".join(parts)
    assert with_frozen_data(text, frozen=False, path="d.dvc") == text.replace("frozen: true\n", "", 1) or (
        # Where the line of `meta` comes first, it is not the one.
        parts.index("meta:\n  frozen: true\n") < parts.index("frozen: true\n")
        and with_frozen_data(text, frozen=False, path="d.dvc") == "".join(p for p in parts if p != "frozen: true\n")
    )
