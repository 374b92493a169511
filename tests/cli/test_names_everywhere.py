"""Commands that take revisions take queued tasks and failed attempts by their names, too, and claim no results of them."""

import json
from pathlib import Path

import pytest

from projects import TestProject, make_project

YAML = """\
stages:
  train:
    cmd: sh train.sh
    deps: [train.sh]
    params: [lr, fail]
    metrics:
    - m.json: {cache: false}
    - kept.json: {cache: false}
    plots:
    - log.csv: {cache: false}
    - kept.csv: {cache: false}
"""
TRAIN = """\
lr=$(sed -n 's/lr: //p' params.yaml)
echo "{\\"acc\\": $lr}" > m.json
printf "step,loss\\n0,$lr\\n1,$lr\\n" > log.csv
grep -q 'fail: true' params.yaml && exit 1
echo '{"f1": 1}' > kept.json
printf 'step,loss\\n0,5\\n1,5\\n' > kept.csv
"""


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    """HEAD of lr 1, a failed attempt `broke` of lr 2 that wrote half of its files, and a queued task `later` of lr 3."""
    made = make_project(tmp_path / "p", {"dvc.yaml": YAML, "train.sh": TRAIN, "params.yaml": "lr: 1\nfail: false\n"})
    assert made.ob("repro").code == 0
    made.commit("base")
    assert made.ob("exp", "run", "--temp", "-n", "broke", "-S", "lr=2", "-S", "fail=true").code == 1
    assert made.ob("exp", "run", "--queue", "-n", "later", "-S", "lr=3").code == 0
    return made


def shown(project: TestProject, *words: str) -> object:
    ran = project.ob(*words)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_parameters(project: TestProject) -> None:
    for name, lr in (("broke", 2), ("later", 3)):
        found = shown(project, "params", "diff", "HEAD", name, "--json")
        assert found["params.yaml"]["lr"]["new"] == lr  # type: ignore[index]
        found = shown(project, "params", "show", "--rev", name, "--json")
        assert found[name]["data"]["params.yaml"]["data"]["lr"] == lr  # type: ignore[index]
    assert project.ob("params", "diff", "later").out.splitlines()[0].split() == ["Path", "Param", "later", "workspace"]


def test_metrics_are_only_those_that_were_written(project: TestProject) -> None:
    found = shown(project, "metrics", "show", "--rev", "broke", "--rev", "later", "--json")
    assert found["broke"]["data"] == {"m.json": {"data": {"acc": 2}}}  # type: ignore[index]
    assert not found["later"].get("data")  # type: ignore[index]
    found = shown(project, "metrics", "diff", "HEAD", "broke", "--json")
    assert found["m.json"]["acc"] == {"old": 1, "new": 2, "diff": 1}  # type: ignore[index]


def test_plots_are_only_those_that_were_written(project: TestProject) -> None:
    ran = project.ob("plots", "diff", "broke", "later", "HEAD", "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert [each["revisions"] for each in found["data"]["log.csv"]] == [["broke", "HEAD"]]
    assert [each["revisions"] for each in found["data"]["kept.csv"]] == [["HEAD"]]
    assert {(each["rev"], each["type"]) for each in found["errors"]} == {
        ("broke", "FileNotFoundError"),
        ("later", "NotRunError"),
    }
    assert "warning: it is queued, and there is nothing to draw before it has run (in later)" in ran.err
    attempt = project.ob("exp", "show", "--json").out
    assert "broke" in attempt


def test_reports(project: TestProject) -> None:
    found = shown(project, "report", "broke", "later", "--json")
    rows = {row["name"]: [cell["value"] for cell in row["new"]] for row in found["metrics"]}  # type: ignore[index]
    assert rows == {"acc": [2, None], "f1": [None, None]}
    assert found["notes"] == ["'later' is queued: it has no metrics before it has run"]  # type: ignore[index]
    rows = {row["name"]: [cell["value"] for cell in row["new"]] for row in found["params"]}  # type: ignore[index]
    assert rows["lr"] == [2, 3]
