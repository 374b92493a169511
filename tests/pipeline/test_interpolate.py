"""`${}`: what each expression becomes. The expected texts are what DVC 3.67.1 prints for the same files."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.pipeline.interpolate import (
    Context,
    InterpolationError,
    ParsingOptions,
    fill,
    fill_command,
    fill_whole,
    has_expression,
)

VALUES: dict[str, Any] = {
    "lr": 0.1, "small": 1e-5, "a-b": 5, "x y": 6, "lst": [1, 2], "d": {"e": 3, "0": 7}, "n": None, "flag": True,
    "s": "it's", "esc": r"\${lr}", "tmpl": "${lr}", "nested": {"in": {"deep": 1}},
    "opts": {
        "a": 1, "b": {"c": "x y", "t": True, "f": False}, "l": [1, "two", 3, "x y", True, None], "n": None, "s": "",
        "e": [], "m": {},
    },
}  # fmt: skip
CONTEXT = Context(values=VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X ${ lr } Y", "X 0.1 Y"),
        ("${a-b}.", "5."),
        ("${x y}.", "6."),
        ("${lst[0]} ${lst.1} ${lst[-1]}", "1 2 2"),
        ("${d[e]} ${d.0} ${d[0]} ${ d . e } ${d [e]}", "3 7 7 3 3"),
        ("${n}x", "Nonex"),
        ("<${flag}>", "<true>"),
        ("<${small}>", "<1e-05>"),
        (r"\${lr} ${lr}", "${lr} 0.1"),
        (r"\${lr}", "${lr}"),
        (r"\\${lr}.", r"\${lr}."),
        ("${esc} ${tmpl}", "${lr} ${lr}"),
        ("${lr", "${lr"),
        ("$${lr} ${lr}}", "$0.1 0.1}"),
        ("no expression", "no expression"),
    ],
)
def test_inside_a_text(text: str, expected: str) -> None:
    assert fill(text, CONTEXT) == expected
    assert fill_command(text, CONTEXT) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("${lr}", 0.1), ("${flag}", True), ("${n}", None), ("${s}", "it's"), ("${esc}", r"\${lr}")]
)
def test_a_whole_text_keeps_the_type(text: str, expected: object) -> None:
    assert fill(text, CONTEXT) is expected or fill(text, CONTEXT) == expected


def test_nested_values_and_keys() -> None:
    assert fill({"k${lr}": ["${flag}", {"x": "${d.e}"}], "n": 3}, CONTEXT) == {"k0.1": [True, {"x": 3}], "n": 3}


@pytest.mark.parametrize(
    ("text", "word", "hint"),
    [
        ("${LR}", "'LR' is not defined", "'lr'"),
        ("${nope}", "'nope' is not defined", "params.yaml"),
        ("${d.nope}", "'d.nope' is not defined", ""),
        ("${d['e']}", "is not defined", ""),
        ("${lr.x}", "'lr.x' is not defined", ""),
        ("${lst[5]}", "'lst.5' is not defined", ""),
        ("${deep}", "'deep' is not defined", "'nested.in.deep'"),
        ("${nested.im.deep}", "'nested.im.deep' is not defined", "nested.in"),
        ("${}", "not an expression", "${train.lr}"),
        ("${d.}", "not an expression", ""),
        ("${a..b}", "not an expression", ""),
        ("${lst}", "is a list", "foreach"),
        ("${d}", "is a mapping", "cmd"),
        ("x ${d} y", "is a mapping", "cmd"),
    ],
)
def test_refused(text: str, word: str, hint: str) -> None:
    with pytest.raises(InterpolationError) as caught:
        fill(text, CONTEXT)
    assert word in caught.value.reason
    assert hint in (caught.value.hint or "")


def test_a_map_in_a_command_becomes_options() -> None:
    expected = "--a 1 --b.c 'x y' --b.t --l 1 two 3 'x y' True None --n None --s ''"
    assert fill_command("echo ${opts}", CONTEXT) == f"echo {expected}"
    assert fill_command("${opts}", CONTEXT) == expected


def test_parsing_options() -> None:
    context = Context(values=VALUES, options=ParsingOptions(bool="boolean_optional", list="append"))
    assert fill_command("${opts.b}", context) == "--c 'x y' --t --no-f"
    assert fill_command("${m}", Context(values={"m": {"l": [1, "a b"]}}, options=context.options)) == "--l 1 --l 'a b'"


@pytest.mark.parametrize("value", [{"l": [[1]]}, {"l": [{"a": 1}]}])
def test_a_list_inside_a_list_is_refused_in_a_command(value: object) -> None:
    with pytest.raises(InterpolationError, match="'l'"):
        fill_command("x ${v}", Context(values={"v": value}))
    with pytest.raises(InterpolationError, match="is a list"):
        fill_command("x ${lst}", CONTEXT)


def test_fill_whole_returns_lists_and_maps() -> None:
    assert fill_whole("${lst}", CONTEXT) == [1, 2]
    assert fill_whole("${d}", CONTEXT) == VALUES["d"]
    assert fill_whole("x${lr}", CONTEXT) == "x0.1"


@given(st.text("ab$\\ .[]", max_size=20))
def test_text_without_an_expression_stays(text: str) -> None:
    assert fill(text, CONTEXT) == text


def test_has_expression() -> None:
    assert has_expression({"a": [{"b": "x${y}"}]})
    assert has_expression({"${k}": 1})
    assert not has_expression({"a": ["$x", "{y}"]})
