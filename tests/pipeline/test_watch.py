"""What who watches commands is told: each stage that runs, before and after, and nothing of the others."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from offbranch.api.session import opened
from offbranch.base.events import NullReporter
from offbranch.experiments.loading import load
from offbranch.experiments.workbench import make_workbench
from offbranch.pipeline.execute import ExecuteOptions, RunResult, execute
from offbranch.pipeline.runner import SubprocessRunner
from offbranch.pipeline.select import SelectOptions, select_stages
from offbranch.pipeline.stage import LockedStage, Stage
from projects import TestProject, make_project

FILES = {
    "in.txt": "1\n",
    "params.yaml": "lr: 1\n",
    "dvc.yaml": """\
stages:
  a: {deps: [in.txt], params: [lr], outs: [a.txt], cmd: 'echo $WATCHED > a.txt'}
  b: {deps: [a.txt], outs: [b.txt], cmd: ['false', 'touch b.txt']}
""",
}


class Watcher:
    """Notes what it is told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[tuple[str, str, bool]] = []
        self.described: dict[str, LockedStage] = {}

    def began(self, stage: Stage, described: LockedStage) -> Mapping[str, str]:
        self.told.append(("began", stage.address, self._is_there(stage)))
        self.described[stage.address] = described
        return {"WATCHED": stage.address}

    def ended(self, stage: Stage) -> None:
        self.told.append(("ended", stage.address, self._is_there(stage)))

    def recorded(self, stage: Stage) -> None:
        self.told.append(("recorded", stage.address, self._is_there(stage) and (self.root / "dvc.lock").exists()))

    def _is_there(self, stage: Stage) -> bool:
        return any((self.root / out.written).exists() for out in stage.outs)


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", FILES)


def carry_out(project: TestProject, watcher: Watcher, jobs: int = 1) -> RunResult:
    with opened(project.session()) as opened_project:
        pipelines = load(opened_project)
        selection = select_stages(pipelines, (), SelectOptions())
        runner = SubprocessRunner(env=project.session().environment.all)
        bench = make_workbench(opened_project, runner=runner, reporter=NullReporter(), watcher=watcher)
        options = ExecuteOptions(jobs=jobs)
        return execute(selection.stages, pipelines.locks, options, bench, parents=selection.parents)


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_stage_that_runs_is_told_of_before_and_after(project: TestProject, jobs: int) -> None:
    watcher = Watcher(project.root)
    result = carry_out(project, watcher, jobs)
    assert watcher.told == [
        ("began", "a", False),
        ("ended", "a", True),
        ("recorded", "a", True),
        ("began", "b", False),
        ("ended", "b", False),
    ]
    assert project.read("a.txt") == "a\n"
    assert [item.written for item in watcher.described["a"].deps] == ["in.txt"]
    assert result.error is not None and "'b' failed" in result.error.message


def test_what_is_up_to_date_is_not_told_of(project: TestProject) -> None:
    carry_out(project, Watcher(project.root))
    again = Watcher(project.root)
    carry_out(project, again)
    assert [told[:2] for told in again.told] == [("began", "b"), ("ended", "b")]
