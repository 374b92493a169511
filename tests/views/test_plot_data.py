"""Files as points: formats, numbers, and what is told about files that are wrong."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError
from offbranch.views.plot_data import is_picture, read_points


def points(text: str, path: str = "a.csv", *, header: bool = True) -> list[dict[str, Any]]:
    return [dict(row) for row in read_points(text.encode(), path, header=header).rows]


def test_numbers_of_csv_are_numbers() -> None:
    assert points("step,loss,e\n0,1.5,1e-3\n1,-2.,+.5\n") == [
        {"step": 0, "loss": 1.5, "e": 0.001},
        {"step": 1, "loss": -2.0, "e": 0.5},
    ]


def test_a_column_is_of_one_kind() -> None:
    assert points("class,n\n1,1\ncat,2\n") == [{"class": "1", "n": 1}, {"class": "cat", "n": 2}]
    assert points("zip\n007\n123\n") == [{"zip": "007"}, {"zip": "123"}]


def test_what_is_missing_or_no_number_is_null() -> None:
    assert points("a,b\n1,nan\n,2\n3\n") == [{"a": 1, "b": None}, {"a": None, "b": 2}, {"a": 3, "b": None}]
    assert points("a,b\nnan,inf\n") == [{"a": "nan", "b": "inf"}]
    assert points('[{"a": NaN, "b": {"c": Infinity}}]', "a.json") == [{"a": None, "b": {"c": None}}]


def test_integers_beyond_what_a_float_holds_do_not_crash() -> None:
    assert points("a\n123456789012345678901234567890\n1e999\n") == [{"a": 1.2345678901234568e29}, {"a": None}]


def test_without_a_header_fields_are_numbered() -> None:
    assert points("0,1\n1,0.5\n", header=False) == [{"0": 0, "1": 1}, {"0": 1, "1": 0.5}]


def test_quotes_tabs_byte_order_marks_and_line_ends() -> None:
    assert points('\ufeff"a, b",c\r\n"x ""y""",1\r\n') == [{"a, b": 'x "y"', "c": 1}]
    assert points("a\tb\n1\t2\n", "x.TSV") == [{"a": 1, "b": 2}]
    assert points('a,b\n"two\nlines",1\n') == [{"a": "two\nlines", "b": 1}]


@pytest.mark.parametrize("path", ["a.json", "a.yaml", "a.yml"])
def test_the_first_list_of_maps_is_found_at_any_depth(path: str) -> None:
    text = json.dumps(
        {"meta": [1], "deep": {"train": [{"loss": 1.5}, {"loss": 1}]}, "z": [{"q": 7}], "w": [{"loss": 9}]}
    )
    found = read_points(text.encode(), path)
    assert found.rows == ({"loss": 1.5, "q": 7}, {"loss": 1})
    assert found.last == "loss"
    assert found.fields == ("loss", "q")


@pytest.mark.parametrize(
    ("path", "text"), [("a.json", "[]"), ("a.json", "[1, 2]"), ("a.yaml", "a: 1"), ("a.csv", ""), ("a.csv", "a,b\n")]
)
def test_no_points_are_no_error(path: str, text: str) -> None:
    assert read_points(text.encode(), path).rows == ()


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("a.csv", "a,b\n1,2\n1,2,3\n", "a.csv:3: this row has 3 cells, the first one has 2"),
        ("a.csv", "a,a\n1,2\n", "a.csv:1: two columns are called 'a'"),
        ("a.json", '{\n"a": }', "a.json:2: not valid JSON: expecting value"),
        ("a.json", "[" * 100_000, "a.json"),
        ("a.yaml", "a: [", "a.yaml"),
        ("a.txt", "hello", "a.txt: a plot cannot be made from this kind of file"),
        ("noending", "", "noending: a plot cannot be made"),
    ],
)
def test_a_file_that_is_wrong_is_named(path: str, text: str, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        read_points(text.encode(), path)
    assert message in caught.value.message


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(BadInputError, match=r"a\.csv"):
        read_points(b"a,b\n\xff\xfe\n", "a.csv")


@pytest.mark.parametrize(("path", "is_one"), [("a.PNG", True), ("b/c.jpeg", True), ("x.svg", True), ("png", False)])
def test_images_go_by_their_ending(path: str, is_one: bool) -> None:
    assert is_picture(path) is is_one


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_comes_back(values: list[float]) -> None:
    found = points("v\n" + "".join(f"{value!r}\n" for value in values))
    assert all(math.isclose(row["v"], value, rel_tol=0, abs_tol=0) for row, value in zip(found, values, strict=True))
