"""Differences of nested values, and the strict comparison that edits are proved with."""

import math
from typing import Any

from hypothesis import given

from offbranch.params.changes import copy_of, same_data
from offbranch.params.diff import ValueChange, diff_values
from offbranch.params.lookup import MISSING, look_up
from params_documents import values


def test_changes_are_found_key_by_key() -> None:
    old = {"a": 1, "b": {"c": 0.5, "d": "x"}, "gone": True, "same": [1], "list": [1, 2]}
    new = {"fresh": None, "b": {"c": 0.75, "d": 2}, "a": 3, "same": [1.0], "list": [1, 3]}
    assert diff_values(old, new) == (
        ValueChange(key="a", old=1, new=3, difference=2),
        ValueChange(key="b.c", old=0.5, new=0.75, difference=0.25),
        ValueChange(key="b.d", old="x", new=2, difference=None),
        ValueChange(key="gone", old=True, new=MISSING, difference=None),
        ValueChange(key="list", old=[1, 2], new=[1, 3], difference=None),
        ValueChange(key="fresh", old=MISSING, new=None, difference=None),
    )


def test_values_that_are_equal_for_the_pipeline_are_no_change() -> None:
    assert diff_values({"a": 1, "b": True, "n": math.nan}, {"a": 1.0, "b": 1, "n": math.nan}) == ()


def test_a_whole_side_may_be_missing() -> None:
    assert [(each.key, each.old, each.new) for each in diff_values(MISSING, {"a": 1})] == [("a", MISSING, 1)]
    assert [(each.key, each.old, each.new) for each in diff_values({"a": 1}, MISSING)] == [("a", 1, MISSING)]
    assert [(each.key, each.difference) for each in diff_values(0.5, 0.75)] == [("", 0.25)]


def test_true_and_false_count_as_one_and_zero_as_in_dvc() -> None:
    assert diff_values({"a": True}, {"a": 3})[0].difference == 2
    assert diff_values({"a": True}, {"a": False})[0].difference == -1
    assert diff_values({"a": True}, {"a": "x"})[0].difference is None


@given(old=values, new=values)
def test_each_change_is_one(old: Any, new: Any) -> None:
    left, right = {"k": old}, {"k": new}
    assert diff_values(left, left) == ()
    for change in diff_values(left, right):
        assert change.old is MISSING or same_data(look_up(left, change.key), change.old)
        assert change.new is MISSING or same_data(look_up(right, change.key), change.new)
    assert {each.key for each in diff_values(left, right)} == {each.key for each in diff_values(right, left)}


@given(a=values, b=values)
def test_same_data_is_stricter_than_equality(a: Any, b: Any) -> None:
    assert same_data(a, copy_of(a))
    assert same_data(a, b) == same_data(b, a)


def test_types_and_signs_count() -> None:
    assert not same_data(1, 1.0) and not same_data(1, True) and not same_data({1: 0}, {True: 0})
    assert not same_data([1], [1, 1]) and not same_data({"a": 1}, {"b": 1}) and not same_data(0.0, -0.0)
    assert same_data({"a": 1, "b": [math.nan]}, {"b": [math.nan], "a": 1})
