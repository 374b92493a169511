"""The language of conditions: what it means, what it refuses, and that nothing of Python is reached."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.base.errors import OffbranchError, UsageError
from offbranch.views.where import parse_where
from offbranch.views.where_values import Tags

VALUES = {
    "acc": 0.95,
    "n": 3,
    "opt": "adam",
    "flag": True,
    "off": False,
    "sizes": [8, 16],
    "net.depth": 2,
    "params.yaml:lr": 0.01,
    "eval/m.json:v.z": 5,
    "odd-name": 1,
    "nan": math.nan,
    "tag": Tags(("best", "paper")),
    "half": 0.5,
}


def holds(text: str, values: dict[str, Any] | None = None) -> bool:
    return parse_where(text).holds(VALUES if values is None else values)


@pytest.mark.parametrize(
    "text",
    [
        "acc > 0.9",
        "acc > 0.9 and n < 4",
        "acc < 0.9 or n == 3",
        "not acc < 0.9",
        "not (acc < 0.9 or n != 3)",
        "0.9 < acc < 1",
        "1 <= n <= 3 and 0 < acc",
        "opt == 'adam'",
        'opt == "adam"',
        "opt != 'sgd'",
        "opt in ('adam', 'sgd')",
        "opt in ['adam']",
        "opt not in ('sgd',)",
        "'ada' in opt",
        "8 in sizes",
        "sizes == [8, 16]",
        "net.depth == 2",
        "params.yaml:lr == 0.01",
        "params.yaml:lr<=1e-2",
        "eval/m.json:v.z == 5",
        "`odd-name` == 1",
        "n * 2 + 1 == 7",
        "n - 1 == 2",
        "n-1 == 2",
        "n / 2 > 1.4",
        "n // 2 == 1 and n % 2 == 1 and n ** 2 == 9",
        "-n < 0",
        "flag",
        "flag and not off",
        "flag == true and off == False",
        "tag == 'best'",
        "'paper' in tag",
        "tag != 'other'",
        "not tag == 'other'",
        "half == .5",
        "absent is None",
        "acc is not None",
        "not absent > 1",
        "n > 1 < 3",
        " acc >\n 0.9 ",
        "true",
        "opt > 'aaa'",
        "'x' in ('x', absent)",
    ],
)
def test_what_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "acc > 0.99",
        "absent > 1",
        "absent < 1",
        "absent == 1",
        "absent != 1",
        "1 < absent < 3",
        "absent + 1 > 0",
        "absent",
        "absent in (1, 2)",
        "nan > 0",
        "nan == nan",
        "n / 0 > 1",
        "n % 0 == 0",
        "(0 - n) ** half > 0",
        "10.0 ** 400 > 1",
        "9 ** 9 ** 9 > 1",
        "opt == 3",
        "acc is None",
        "tag == 'other'",
        "tag != 'best'",
        "none_at_all is not None",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acc > 'a'", "compares different types"),
        ("opt < 3", "'adam' < 3 compares different types"),
        ("sizes > 3", "a list > 3"),
        ("opt + 1 == 2", "needs two numbers"),
        ("'a' * 5 == 'aaaaa'", "needs two numbers"),
        ("-opt == 2", "needs a number"),
        ("acc", "neither true nor false"),
        ("acc + 1", "neither true nor false"),
        ("opt == 'a' or 'b'", "'b' is neither true nor false"),
        ("n in 3", "holds nothing to be in"),
        ("3 in opt", "cannot be in the text"),
        ("acc is 3", "only goes with None"),
        ("acc = 1", "'=' means nothing here"),
        ("acc > 1 && n", "'&&' means nothing here"),
        ("acc > 1 || n", "'||' means nothing here"),
        ("!flag", "'!' means nothing here"),
        ("", "it is not a condition"),
        ("acc >", "it is not a condition"),
        ("(acc > 1", "it is not a condition"),
        ("acc > 1 n", "it is not a condition"),
        ("'open", "it is not a condition"),
        ("acc > 1;", "it is not a condition"),
        ("n & 1", "it uses what conditions do not have"),
        ("~n", "it uses what conditions do not have"),
        ("len(opt) > 1", "it uses what conditions do not have"),
        ("opt[0] == 'a'", "it uses what conditions do not have"),
        ("(opt).upper == 'a'", "it uses what conditions do not have"),
        ("__import__('os').system('true')", "it uses what conditions do not have"),
        ("{1: 2}", "it"),
        ("lambda: 1", "it is not a condition"),
        ("[x for x in sizes]", "it is not a condition"),
        ("n if flag else acc", "it is not a condition"),
        ("(n := 3)", "'=' means nothing here"),
        ("...", "it uses what conditions do not have"),
        ("f'{acc}'", "it is not a condition"),
        ("# all", "it is not a condition"),
        ("*n", "it"),
        ("(" * 300 + "n" + ")" * 300 + " > 1", "it is"),
        ("n > 1 or " * 600 + "n > 1", "it is too long"),
    ],
)
def test_what_is_told(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        holds(text)
    assert said in caught.value.message
    assert caught.value.hint


def test_the_names_that_are_used() -> None:
    found = parse_where("acc > 1 and params.yaml:lr < acc or `a b` in ('lr', \"n\") and not x.y.0 is None")
    assert found.names == ("acc", "params.yaml:lr", "a b", "x.y.0")


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_leads_to_anything_but_an_answer_or_an_error_of_ours(text: str) -> None:
    try:
        expression = parse_where(text)
        assert expression.holds(dict.fromkeys(expression.names, 1)) in (True, False)
    except OffbranchError as error:
        assert error.hint


pieces = st.sampled_from(
    "acc n opt sizes absent 'a' 1 0.5 ( ) [ ] , and or not in is None == != < > <= + - * / ** % . : `x` lambda if".split()
)


@settings(deadline=None)
@given(st.lists(pieces, max_size=12).map(" ".join))
def test_neither_does_a_heap_of_its_words(text: str) -> None:
    try:
        assert holds(text) in (True, False)
    except OffbranchError as error:
        assert error.hint


numbers = st.one_of(st.integers(-10, 10), st.floats(-10, 10, allow_nan=False), st.booleans())


@given(numbers, numbers)
def test_numbers_are_compared_as_python_does(a: float, b: float) -> None:
    values = {"a": a, "b": b}
    for sign, expected in (("<", a < b), ("<=", a <= b), ("==", a == b), ("!=", a != b), (">", a > b), (">=", a >= b)):
        assert holds(f"a {sign} b", values) is expected


@given(st.text(st.characters(codec="utf-8", exclude_characters="'\\\0"), max_size=10))
def test_a_text_is_equal_to_itself(text: str) -> None:
    assert holds(f"a == '{text}'", {"a": text})
