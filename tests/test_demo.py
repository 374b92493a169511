"""The example project really trains, and the table shows the numbers that the training wrote."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import pytest

from projects import TestProject


@pytest.mark.timeout(300)
def test_the_demo_runs_and_its_table_is_right(tmp_path: Path) -> None:
    start = TestProject(tmp_path)
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    done = start.ob("demo", "--run", "digits", timeout=280, PATH=path)
    assert done.code == 0, done.err
    project = TestProject(tmp_path / "digits")
    rows = list(csv.DictReader(io.StringIO(project.ob("exp", "show", "--csv").out)))
    by_name = {row["Experiment"] or row["rev"]: row for row in rows}
    assert {"main", "faster", "wider", "too-fast"} <= by_name.keys()
    for name, commit in project.exps().items():
        written = json.loads(project.file_at(commit, "metrics.json"))
        shown = by_name[name]
        assert {key: float(shown[key]) for key in written} == written
        assert f"lr: {shown['train.lr']} " in project.file_at(commit, "params.yaml")
    assert float(by_name["faster"]["accuracy"]) > 0.9
    assert float(by_name["faster"]["accuracy"]) > float(by_name["too-fast"]["accuracy"])
    assert project.ob("status").out == "Data and pipelines are up to date.\n"
    assert "ob exp show" in done.out + done.err
