"""Text forms of one table, kept as golden files, and the cells they are made of."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_files import check_golden
from offbranch.views.cells import created_text, value_text
from offbranch.views.csv import render_csv
from offbranch.views.markdown import grid, render_markdown
from offbranch.views.options import ShowOptions
from offbranch.views.select import select
from offbranch.views.table import Column, Kind, Mark, Row, Table, make_table
from offbranch.views.terminal import render_terminal
from offbranch.views.text import render_text

NOW = 1700000000.0  # 2023-11-14 22:13:20 UTC


def data(time: str | None, params: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "timestamp": time,
        "params": {"params.yaml": {"data": params}},
        "metrics": {"metrics.json": metrics},
        "deps": {"train.py": {"hash": "0123456789abcdef0123456789abcdef"}},
    }


def state(rev: str, name: str | None, shown: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {"rev": rev, "name": name, "data": shown, "error": None, "experiments": None, **more}


@pytest.fixture
def table() -> Table:
    executor = {"state": "failed", "name": "workspace", "local": {"log": "/p/run.log", "returncode": 3}}
    failed = data("2023-11-13T09:05:00", {"lr": 0.5, "text": "a|b"}, {"error": {"type": "E", "msg": "m"}})
    ranges = [
        {
            "revs": [
                state("a" * 40, "wide", data("2023-11-14T08:00:00", {"lr": 1e-7}, {"data": {"acc": 0.123456789}}))
            ],
            "executor": None,
            "name": "wide",
        },
        {
            "revs": [state("b" * 40, "bad", failed, error={"msg": "'train' failed", "type": ""})],
            "executor": executor,
            "name": "bad",
        },
    ]
    base = data(
        "2023-11-12T00:30:00", {"lr": 0.1, "layers": [8, 0.123456789, "x"], "text": "a\nb"}, {"data": {"acc": 2.0}}
    )
    return make_table(
        [
            state("workspace", None, data(None, {"lr": 0.1}, {"data": {}})),
            state("c" * 40, "main", base, experiments=ranges),
        ]
    )


def test_text(table: Table) -> None:
    check_golden("views/table.txt", render_text(table, now_s=NOW))
    check_golden("views/table_precise.txt", render_text(table, precision=8, now_s=NOW))


def test_csv(table: Table) -> None:
    check_golden("views/table.csv", render_csv(table))


def test_markdown(table: Table) -> None:
    check_golden("views/table.md", render_markdown(table, now_s=NOW))


def test_terminal(table: Table) -> None:
    check_golden("views/table_terminal.txt", render_terminal(table, now_s=NOW))
    check_golden("views/table_plain.txt", render_terminal(table, now_s=NOW, color=False))


@pytest.fixture
def labelled() -> Table:
    """Experiments with tags and a long note, one of them below a baseline that was rewritten, one of one that is missing."""

    def experiment(name: str, acc: float, **more: Any) -> dict[str, Any]:
        shown = data("2023-11-14T08:00:00", {"lr": 0.1}, {"data": {"acc": acc}})
        return {"revs": [state(name * 40, name, shown, **more)], "executor": None, "name": name}

    base = data("2023-11-12T00:30:00", {"lr": 0.1}, {"data": {"acc": 0.5}})
    gone = {"rewritten": True, "reason": "rewritten", "subject": "tune it", "replaced_by": "d" * 40}
    missing = {"rewritten": True, "reason": "missing", "subject": None, "replaced_by": None}
    note = "good, but it took\ntwo days and needs a machine with a large memory"
    tagged = {"tags": ["best", "v1"], "note": ""}
    return make_table(
        [
            state("workspace", None, data(None, {"lr": 0.1}, {"data": {}})),
            {
                **state("c" * 40, "main", base),
                "experiments": [experiment("a", 0.9, labels=tagged), experiment("9", 0.8)],
            },
            {
                **state("e" * 40, None, base, **gone),
                "experiments": [experiment("b", 0.8, labels={"tags": [], "note": note})],
            },
            {**state("f" * 40, None, None, **missing), "experiments": [experiment("0", 0.7)]},
        ]
    )


def test_labels_and_lost_baselines(labelled: Table) -> None:
    check_golden("views/labelled.txt", render_text(labelled, now_s=NOW))
    check_golden("views/labelled_terminal.txt", render_terminal(labelled, now_s=NOW))
    check_golden("views/labelled.md", render_markdown(labelled, now_s=NOW))
    check_golden("views/labelled.csv", render_csv(labelled))
    check_golden("views/labelled_sorted.txt", render_text(select(labelled, ShowOptions(sort_by="acc")), now_s=NOW))


def test_a_parameter_with_the_name_of_a_label_column() -> None:
    shown = data("2023-11-14T08:00:00", {"Tags": 1, "Note": 2}, {"data": {}})
    plain = make_table([state("c" * 40, "main", shown)])
    assert [column.title for column in plain.columns if column.kind is Kind.PARAM] == ["Tags", "Note"]
    tip = state("a" * 40, "a", shown, labels={"tags": ["t"], "note": ""})
    ranges = [{"revs": [tip], "executor": None, "name": "a"}]
    made = make_table([{**state("c" * 40, "main", shown), "experiments": ranges}])
    assert [column.title for column in made.columns if column.kind is Kind.PARAM] == [
        "params.yaml:Tags",
        "params.yaml:Note",
    ]


def test_csv_is_rounded_only_where_that_is_asked_for(table: Table) -> None:
    assert "0.123456789" in render_csv(table)
    assert "0.12," in render_csv(table, precision=2)


def one_cell(*values: Any) -> Table:
    columns = tuple(Column(title=title, kind=Kind.PARAM, path="p", name=title) for title in ("a", "b"))
    return Table(columns=columns, rows=tuple(Row(typ="branch_commit", cells=(value, "|")) for value in values))


def test_a_terminal_gets_no_codes_from_values() -> None:
    drawn = render_terminal(one_cell("\x1b[2Jgone\x07", "a\tb"), now_s=NOW, color=False)
    assert "\x1b" not in drawn
    assert "\x07" not in drawn
    assert "\t" not in drawn
    assert "[2Jgone" in drawn


def test_columns_stand_below_each_other_whatever_the_letters() -> None:
    drawn = render_terminal(one_cell("abcd", "日本", "e\u0301xyz", "größ"), now_s=NOW, color=False)
    lines = drawn.splitlines()[1:]
    assert [line.index("|") for line in lines] == [lines[0].index("|"), *(lines[0].index("|") + n for n in (-2, 1, 0))]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123456.789, "1.2346e+05"),
        (3.0, "3"),
        (3, "3"),
        (1e-7, "1e-07"),
        (True, "True"),
        (float("nan"), "nan"),
        ([1, 0.123456789, "a", [2.5]], "[1, 0.12346, 'a', [2.5]]"),
        (Mark.MISSING, "-"),
        (Mark.ERROR, "!"),
        ("text", "text"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert value_text(value, 5) == text


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("2023-11-14T00:05:59", "12:05 AM"),
        ("2023-11-14T12:00:00", "12:00 PM"),
        ("2023-11-14T18:11:28", "06:11 PM"),
        ("2023-11-13T18:11:28", "Nov 13, 2023"),
        ("2022-01-05T00:00:00", "Jan 05, 2022"),
        (Mark.MISSING, "-"),
    ],
)
def test_created(timestamp: Any, text: str) -> None:
    assert created_text(timestamp, NOW) == text


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_csv_is_read_back(rows: list[tuple[str, str]]) -> None:
    columns = tuple(Column(title=title, kind=Kind.PARAM, path="p", name=title) for title in ("a", 'b,"c'))
    made = Table(columns=columns, rows=tuple(Row(typ="baseline", cells=row) for row in rows))
    read = list(csv.reader(io.StringIO(render_csv(made), newline=""), strict=True))
    assert read == [["a", 'b,"c'], *map(list, rows)]


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_a_markdown_row_is_one_line_with_its_cells(rows: list[tuple[str, str]]) -> None:
    lines = grid(("a", "b"), rows).split("\n")
    assert len(lines) == len(rows) + 4
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines[:-2])
