"""Choosing columns and sorting: no row is lost, and every option does what it says."""

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.base.errors import NotFoundError, UsageError
from offbranch.views.options import ShowOptions
from offbranch.views.select import select, sort_rows
from offbranch.views.table import BASELINE, Kind, Mark, Table, make_table


def state(rev: str, values: dict[str, Any], experiments: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    data = {
        "rev": rev,
        "timestamp": None if rev == "workspace" else "2024-01-01T10:00:00",
        "params": {"params.yaml": {"data": values}},
        "metrics": {"m.json": {"data": {"acc": values.get("acc", 0)}}},
        "deps": {},
        "outs": {},
        "meta": {},
    }
    return {"rev": rev, "name": None, "data": data, "error": None, "experiments": experiments}


def experiment(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"revs": [{**state(name * 10, values), "name": name}], "executor": None, "name": name}


def table_of(*values: dict[str, Any]) -> Table:
    ranges = [experiment(f"e{n}", each) for n, each in enumerate(values)]
    return make_table([state("workspace", {"lr": 0}), state("b" * 40, {"lr": 0, "acc": 9}, ranges)])


def column(table: Table, title: str) -> list[Any]:
    position = [each.title for each in table.columns].index(title)
    return [row.cells[position] for row in table.rows]


def titles(table: Table) -> list[str]:
    return [each.title for each in table.columns if each.kind is not Kind.FIXED]


cells = st.one_of(st.none(), st.integers(-5, 5), st.floats(), st.booleans(), st.text(max_size=3), st.just([1]))


@settings(deadline=None)
@given(st.lists(cells, max_size=8), st.lists(cells, max_size=8), st.booleans())
def test_sorting_keeps_every_row_below_its_baseline(a: list[Any], b: list[Any], descending: bool) -> None:
    first = [experiment(f"a{n}", {"lr": value}) for n, value in enumerate(a)]
    second = [experiment(f"b{n}", {"lr": value}) for n, value in enumerate(b)]
    made = make_table([state("1" * 40, {"lr": 1}, first), state("2" * 40, {"lr": 1}, second)])
    done = sort_rows(made, "lr", descending=descending)
    assert len(done.rows) == len(made.rows)
    groups: list[list[Any]] = []
    for row, name in zip(done.rows, column(done, "Experiment"), strict=True):
        if row.typ == BASELINE:
            groups.append([])
        else:
            groups[-1].append(name)
    assert Counter(groups[0]) == Counter(each["name"] for each in first)
    assert Counter(groups[1]) == Counter(each["name"] for each in second)
    assert [row.typ for row in done.rows].count("branch_base") == sum(1 for each in (a, b) if each)
    assert [row.typ for row in done.rows] == column(done, "typ")


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=8), st.booleans())
def test_sorted_values_are_in_order_and_missing_ones_last(values: list[float], descending: bool) -> None:
    done = sort_rows(table_of({}, *({"lr": value} for value in values)), "lr", descending=descending)
    shown = column(done, "lr")[2:]
    numbers = [value for value in shown if isinstance(value, float) and not math.isnan(value)]
    assert numbers == sorted(numbers, reverse=descending)
    assert all(value is Mark.MISSING or math.isnan(value) for value in shown[len(numbers) :])


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(("lr", "n", "x.y")), cells, max_size=3), max_size=5),
    st.booleans(),
    st.sampled_from(("", "l", ".", "n|x")),
    st.sampled_from(("", "lr", "acc")),
)
def test_selecting_keeps_every_row_and_says_which_is_which(
    values: list[dict[str, Any]], only_changed: bool, drop: str, keep: str
) -> None:
    made = table_of(*values)
    options = ShowOptions(
        only_changed=only_changed, drop=(drop,) if drop else (), keep=(keep,) if keep else (), sort_by="lr"
    )
    done = select(made, options)
    assert len(done.rows) == len(made.rows)
    assert Counter(column(done, "Experiment")) == Counter(column(made, "Experiment"))
    assert all(len(row.cells) == len(done.columns) for row in done.rows)


def test_patterns_match_at_the_start_and_keep_wins() -> None:
    made = table_of({"lr": 1, "net.lr": 2, "net.depth": 3})
    assert titles(select(made, ShowOptions(drop=("lr",)))) == [
        "m.json:acc",
        "params.yaml:acc",
        "net.lr",
        "net.depth",
    ]
    assert titles(select(made, ShowOptions(drop=("net", ".*acc"), keep=(".*depth",)))) == ["lr", "net.depth"]


def test_only_changed() -> None:
    made = table_of({"lr": 0, "n": 1}, {"lr": 0, "n": 2})
    assert titles(select(made, ShowOptions(only_changed=True))) == ["m.json:acc", "params.yaml:acc", "n"]


def test_true_is_a_change_of_one() -> None:
    made = table_of({"lr": 0}, {"lr": False})
    assert "lr" in titles(select(made, ShowOptions(only_changed=True)))


def test_included_columns() -> None:
    made = table_of({"lr": 1, "net.depth": 2, "net.width": 3, "network": 4})
    assert titles(select(made, ShowOptions(include_params=("net",)))) == ["m.json:acc", "net.depth", "net.width"]
    chosen = select(made, ShowOptions(include_params=("params.yaml:lr, network",), include_metrics=("acc",)))
    assert titles(chosen) == ["m.json:acc", "lr", "network"]
    for wanted in (ShowOptions(include_params=("netwrk",)), ShowOptions(include_params=("lr", "netwrk"))):
        with pytest.raises(NotFoundError, match="there is no parameter 'netwrk'") as unknown:
            select(made, wanted)
        assert unknown.value.hint == "did you mean 'network'?"
    with pytest.raises(NotFoundError, match="there is no metric 'lr'"):
        select(made, ShowOptions(include_metrics=("lr",)))


def test_where_nothing_is_measured_yet_no_metric_is_missed() -> None:
    states = [{"rev": "workspace", "name": None, "data": None, "error": None, "experiments": None}]
    chosen = select(make_table(states), ShowOptions(include_params=("lr",), include_metrics=("acc",)))
    assert titles(chosen) == []


def test_the_sort_column_must_be_one() -> None:
    made = table_of({"lr": 1, "acc": 2})
    with pytest.raises(NotFoundError, match="unknown sort column 'lrr'") as unknown:
        select(made, ShowOptions(sort_by="lrr"))
    assert unknown.value.hint == "did you mean 'lr'?"
    with pytest.raises(UsageError, match="ambiguous sort column 'acc'") as ambiguous:
        select(made, ShowOptions(sort_by="acc"))
    assert ambiguous.value.hint == "give one of m.json:acc, params.yaml:acc"
    assert select(made, ShowOptions(sort_by="m.json:acc")).rows
    with pytest.raises(NotFoundError):
        select(made, ShowOptions(sort_by="Created"))


def test_a_malformed_pattern() -> None:
    with pytest.raises(UsageError, match=r"'\*' is not a regular expression"):
        select(table_of(), ShowOptions(drop=("*",)))
