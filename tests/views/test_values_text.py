"""The parameters and metrics of revisions as text, Markdown, CSV and JSON; what DVC 3.67.1 printed of the sample project."""

import json
from pathlib import Path

import pytest

from offbranch.api.params import (
    ValuesDiffRequest,
    ValuesRequest,
    diff_metrics,
    diff_params,
    show_metrics,
    show_params,
)
from offbranch.api.session import make_session
from offbranch.experiments.diff_record import Change
from offbranch.experiments.values import Kind, RevisionValues
from offbranch.experiments.values_revisions import Revisions, ValuesDiff
from offbranch.views.values_text import (
    changes_to_json,
    diff_table,
    digits_of,
    problems_of,
    render_values_csv,
    render_values_markdown,
    render_values_text,
    values_table,
    values_to_json,
)
from sample_project import DATA

METRICS, PARAMS = Kind.METRICS, Kind.PARAMS


def recorded(name: str) -> str:
    return (DATA / name).read_text("utf-8")


def test_metrics_show_as_dvc(sample: Path) -> None:
    found = show_metrics(ValuesRequest(revisions=Revisions(all_tags=True)), make_session(str(sample)))
    assert values_to_json(found) == json.loads(recorded("metrics_show.json"))
    table = values_table(found, digits=digits_of(METRICS, None))
    assert [line.rstrip() for line in recorded("metrics_show.txt").splitlines()] == render_values_text(
        table
    ).splitlines()


def test_targets_as_dvc(sample: Path) -> None:
    found = show_metrics(ValuesRequest(targets=("eval", "more")), make_session(str(sample)))
    assert render_values_markdown(values_table(found, digits=5)) == recorded("metrics_show.md")


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("metrics_diff.json", ValuesDiffRequest(old="v1", new="second")),
        ("metrics_diff_all.json", ValuesDiffRequest(old="v1", all_values=True)),
        ("params_diff.json", ValuesDiffRequest(old="v1", new="second")),
        ("params_diff_deps.json", ValuesDiffRequest(old="first", new="second", deps=True, all_values=True)),
    ],
)
def test_diff_as_dvc(sample: Path, name: str, request_: ValuesDiffRequest) -> None:
    diff = diff_metrics if name.startswith("metrics") else diff_params
    found = diff(request_, make_session(str(sample)))
    assert changes_to_json(found.changes) == json.loads(recorded(name))


def test_tables_of_differences_as_dvc(sample: Path) -> None:
    session = make_session(str(sample))
    metrics = diff_metrics(ValuesDiffRequest(old="first", new="second", targets=("metrics.json",)), session)
    assert render_values_text(diff_table(metrics, METRICS, digits=3)) == recorded("metrics_diff.txt")
    request = ValuesDiffRequest(old="first", new="second", targets=("params.yaml",), all_values=True)
    params = diff_params(request, session)
    assert render_values_markdown(diff_table(params, PARAMS, digits=None)) == recorded("params_diff.md")


VALUES = RevisionValues(
    name="", files={"a.json": {"data": {"x": 0.1234567, "l": [1, 2], "s": "a, b|c"}}, "b.json": {"data": 3}}
)


def test_one_column_for_each_name_and_one_row_for_each_file() -> None:
    table = values_table([VALUES], digits=3)
    assert render_values_text(table) == (
        "Path        l       s       x\na.json  -   [1, 2]  a, b|c  0.123\nb.json  3   -       -       -\n"
    )
    assert render_values_csv(table) == 'Path,,l,s,x\r\na.json,,"[1, 2]","a, b|c",0.1234567\r\nb.json,3,,,\r\n'
    assert "a, b\\|c" in render_values_markdown(table)


def test_nothing_is_no_table() -> None:
    table = values_table([RevisionValues(name="", files={})], digits=None)
    assert render_values_text(table) == ""
    assert render_values_markdown(table) == "| Path   |\n|--------|\n\n"
    assert render_values_csv(table) == "Path\r\n"


def test_the_change_of_what_is_no_number_and_no_path() -> None:
    changes = {"m.json": {"": Change(old="a", new=None, difference=None), "n": Change(old=1, new=3, difference=2)}}
    empty = RevisionValues(name="A", files={})
    diff = ValuesDiff(old=empty, new=RevisionValues(name="B", files={}), changes=changes)
    assert render_values_text(diff_table(diff, METRICS, digits=5, no_path=True)) == (
        "Metric    A    B    Change\n          a    -    -\nn         1    3    2\n"
    )
    assert (
        render_values_csv(diff_table(diff, PARAMS, digits=None)) == "Path,Param,A,B\r\nm.json,,a,\r\nm.json,n,1,3\r\n"
    )


@pytest.mark.parametrize(
    ("kind", "given", "digits"), [(METRICS, None, 5), (METRICS, 0, 5), (PARAMS, None, None), (PARAMS, 2, 2)]
)
def test_places_after_the_point(kind: Kind, given: int | None, digits: int | None) -> None:
    assert digits_of(kind, given) == digits


def test_what_could_not_be_read_is_told(sample: Path) -> None:
    (sample / "top.json").write_text("{")
    (sample / "other.yaml").unlink()
    session = make_session(str(sample))
    metrics = show_metrics(ValuesRequest(), session)
    assert [text for each in metrics for text in problems_of(each)] == [
        "cannot read 'top.json': top.json:1: not valid JSON: expecting property name enclosed in double quotes"
    ]
    assert "metrics.json" in metrics[0].files
    params = show_params(ValuesRequest(), session)
    assert ["other.yaml" in text for each in params for text in problems_of(each)] == [True]
