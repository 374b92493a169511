"""What DVC 3.67.1 printed of the sample project, and what we print."""

import json
from pathlib import Path
from typing import Any

import pytest

from offbranch.api.show import exp_diff, exp_list, exp_show, exp_table
from offbranch.base.environ import read_environment
from offbranch.base.paths import AbsPath
from offbranch.experiments.diff_record import DiffOptions
from offbranch.views.csv import render_csv
from offbranch.views.diff_text import diff_to_json, render_diff_text
from offbranch.views.json import render_states
from offbranch.views.listing import ListOptions, render_listing
from offbranch.views.markdown import render_markdown
from offbranch.views.options import ShowOptions
from sample_project import DATA

NOON_OF_2024 = 1704110400.0


def recorded(name: str) -> str:
    return (DATA / name).read_bytes().decode()


def without_messages(value: Any) -> Any:
    """The wording of an error is each tool's own."""
    if isinstance(value, dict):
        return {key: bool(item) if key == "error" else without_messages(item) for key, item in value.items()}
    return [without_messages(item) for item in value] if isinstance(value, list) else value


def csv(root: Path, options: ShowOptions) -> str:
    return render_csv(exp_table(options, start=AbsPath(str(root)), environment=read_environment()))


def test_json(sample: Path) -> None:
    for _ in ("read", "remembered"):
        states = exp_show(ShowOptions(num=3), start=AbsPath(str(sample)), environment=read_environment())
        assert without_messages(json.loads(render_states(states))) == without_messages(
            json.loads(recorded("show.json"))
        )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("show.csv", ShowOptions(num=3)),
        ("show_all.csv", ShowOptions(all_commits=True)),
        ("show_sorted.csv", ShowOptions(sort_by="params.yaml:lr", sort_order="desc", only_changed=True)),
    ],
)
def test_csv(sample: Path, name: str, options: ShowOptions) -> None:
    assert csv(sample, options) == recorded(name)
    assert csv(sample, options) == recorded(name)  # and so from memory


def test_markdown(sample: Path) -> None:
    table = exp_table(ShowOptions(num=2), start=AbsPath(str(sample)), environment=read_environment())
    assert render_markdown(table, now_s=NOON_OF_2024) == recorded("show.md")


def test_list(sample: Path) -> None:
    listing = exp_list(ListOptions(num=2), start=AbsPath(str(sample)), environment=read_environment())
    assert render_listing(listing) == recorded("list.txt")


@pytest.mark.parametrize(("name", "b", "all_values"), [("diff.json", "second", False), ("diff_all.json", "HEAD", True)])
def test_diff_as_json(sample: Path, name: str, b: str, all_values: bool) -> None:
    options = DiffOptions(all_values=all_values)
    diff = exp_diff("first", b, options=options, start=AbsPath(str(sample)), environment=read_environment())
    assert diff_to_json(diff) == json.loads(recorded(name))


def test_diff_as_text(sample: Path) -> None:
    diff = exp_diff("first", "second", start=AbsPath(str(sample)), environment=read_environment())
    # DVC lists files in no particular order.
    # Its difference of 0.3 and 0.2 is 0.09999999999999998; ours says 0.1.
    theirs = recorded("diff.txt").replace("0.09999999999999998", "0.1")
    assert sorted(render_diff_text(diff).splitlines()) == sorted(theirs.splitlines())
