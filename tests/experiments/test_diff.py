"""Comparing two revisions."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.api.exp import RunRequest, run
from offbranch.api.show import exp_diff
from offbranch.base.environ import read_environment
from offbranch.base.errors import BadInputError, NotFoundError
from offbranch.base.paths import AbsPath
from offbranch.experiments.diff import diff_entries
from offbranch.experiments.diff_record import Change, DiffOptions, ExperimentDiff
from offbranch.views.diff_text import diff_to_json, render_diff_markdown, render_diff_text
from projects import TestProject, make_project


def diff(project: TestProject, *revs: str, **more: Any) -> ExperimentDiff:
    return exp_diff(
        *revs, options=DiffOptions(**more), start=AbsPath(str(project.root)), environment=read_environment()
    )


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    run(RunRequest(name="one", overrides=("lr=0.5",)), made.session(), rng=random.Random(1))
    return made


def test_head_and_the_workspace_unless_given(project: TestProject) -> None:
    found = diff(project)
    assert (found.old_name, found.new_name) == ("HEAD", "workspace")
    assert diff_to_json(found) == {
        "metrics": {"metrics.json": {"acc": {"old": None, "new": 0.5}}},
        "params": {"params.yaml": {"lr": {"old": 0.1, "new": 0.5, "diff": 0.4}}},
    }
    assert diff_to_json(diff(project, "one")) == {"metrics": {}, "params": {}}
    assert render_diff_text(diff(project, "one")) == ""
    assert diff(project, "one").is_empty
    # For a page, a table without rows says that nothing differs.
    assert render_diff_markdown(diff(project, "one")) == (
        "| Path   | Metric   | one   | workspace   | Change   |\n"
        "|--------|----------|-------|-------------|----------|\n"
        "\n\n"
        "| Path   | Param   | one   | workspace   | Change   |\n"
        "|--------|---------|-------|-------------|----------|\n"
        "\n"
    )


def test_text_and_markdown(project: TestProject) -> None:
    assert render_diff_text(diff(project, "main", "one")) == (
        "Path          Metric    main    one    Change\n"
        "metrics.json  acc       -       0.5    diff not supported\n"
        "\n"
        "Path         Param    main    one    Change\n"
        "params.yaml  lr       0.1     0.5    0.4\n"
    )
    assert render_diff_text(diff(project, "one", "main"), no_path=True, precision=1).splitlines()[-1] == (
        "lr       0.5    0.1     -0.4"
    )
    assert render_diff_text(diff(project, "one", "workspace"), precision=0) == ""
    project.write("params.yaml", "lr: 0.3333333\nfail: 0\n")
    assert render_diff_text(diff(project, "one"), no_path=True, precision=0).splitlines()[-1] == (
        "lr       0.5    0.3          -0.2"
    )
    assert render_diff_markdown(diff(project, "main", "one")).splitlines()[5] == (
        "| Path        | Param   | main   | one   | Change   |"
    )


def test_all_values_and_dependencies_only(project: TestProject) -> None:
    project.write("params.yaml", "lr: 0.5\nfail: 0\nfree: 1\n")
    assert diff_to_json(diff(project, "one", param_deps=True))["params"] == {}
    assert diff_to_json(diff(project, "one"))["params"] == {"params.yaml": {"free": {"old": None, "new": 1}}}
    everything = diff_to_json(diff(project, "one", all_values=True))
    assert everything["metrics"] == {"metrics.json": {"acc": {"old": 0.5, "new": 0.5, "diff": 0.0}}}
    assert everything["params"]["params.yaml"].keys() == {"fail", "free", "lr"}


def test_what_cannot_be_compared(project: TestProject) -> None:
    with pytest.raises(NotFoundError, match="'onne'") as unknown:
        diff(project, "onne")
    assert unknown.value.hint == "did you mean 'one'?"
    project.write("dvc.yaml", "stages: [\n")
    with pytest.raises(BadInputError):
        diff(project)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.text(max_size=2)
    | st.lists(st.integers(), max_size=2)
)
trees = st.dictionaries(
    st.sampled_from(("a", "b", "c")),
    st.recursive(leaves, lambda x: st.dictionaries(st.sampled_from(("x", "y")), x, max_size=2)),
    max_size=3,
)


@settings(deadline=None)
@given(trees)
def test_nothing_differs_from_itself(data: dict[str, Any]) -> None:
    entries = {"f": {"data": data}}
    assert diff_entries(entries, entries, all_values=False) == {}
    assert diff_entries({}, {"f": {"error": {}}}, all_values=True) == {}


@settings(deadline=None)
@given(trees, trees)
def test_all_values_contain_the_changes_and_names_are_sorted(old: dict[str, Any], new: dict[str, Any]) -> None:
    some = diff_entries({"f": {"data": old}}, {"f": {"data": new}}, all_values=False).get("f", {})
    everything = diff_entries({"f": {"data": old}}, {"f": {"data": new}}, all_values=True).get("f", {})
    assert some.keys() <= everything.keys()
    assert list(everything) == sorted(everything)
    for change in everything.values():
        assert not isinstance(change.old, list)
        assert not isinstance(change.new, list)


def test_lists_are_texts_and_numbers_have_a_difference() -> None:
    old = {"f": {"data": {"l": [1], "n": 1, "t": "a", "e": {}}}, "gone": {"data": {"x": 1}}}
    new = {"f": {"data": {"l": [1, 2], "n": 2.5, "t": "b", "e": {}}}}
    assert diff_entries(old, new, all_values=False) == {
        "f": {
            "l": Change(old="[1]", new="[1, 2]", difference=None),
            "n": Change(old=1, new=2.5, difference=1.5),
            "t": Change(old="a", new="b", difference=None),
        },
        "gone": {"x": Change(old=1, new=None, difference=None)},
    }
