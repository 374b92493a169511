"""`--pull` from a data remote: what is missing comes back, what is corrupt does not."""

import os
import shutil
from pathlib import Path

import pytest

from offbranch.api.data import add
from offbranch.api.pipeline import ReproRequest, repro
from offbranch.base.errors import MissingDataError
from offbranch.base.events import Warned
from offbranch.pipeline.execute import RunResult
from offbranch.pipeline.options import ExecuteOptions
from projects import Recorder, TestProject, make_project

FILES = {
    "dvc.yaml": "stages:\n  a:\n    cmd: cat data/x > a.txt; echo ran >> ran\n    deps: [data]\n    outs: [a.txt]\n",
}


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    """A project whose content is only in its remote."""
    made = make_project(
        tmp_path / "p", FILES, config="[core]\n    remote = Store\n['remote \"store\"']\n    url = ../../store\n"
    )
    made.write("data/x", "x\n")
    made.write("data/sub/y", "y\n")
    add(["data"], made.session())
    assert repro(ReproRequest(), made.session()).error is None
    shutil.copytree(made.root / ".dvc/cache", tmp_path / "store")
    for path in (".dvc/cache", "data"):
        shutil.rmtree(made.root / path)
    for path in ("a.txt", "ran"):
        os.unlink(made.root / path)
    return made


def pulled(project: TestProject, recorder: Recorder) -> RunResult:
    return repro(ReproRequest(execute=ExecuteOptions(pull=True)), project.session(recorder))


def test_missing_data_and_outputs_come_from_the_remote(project: TestProject) -> None:
    assert isinstance(repro(ReproRequest(), project.session()).error, MissingDataError)
    result = pulled(project, Recorder())
    assert result.error is None
    assert [done.action.value for done in result.stages] == ["checkout", "checkout"]
    assert (project.read("data/sub/y"), project.read("a.txt")) == ("y\n", "x\n")
    assert not project.exists("ran")


def test_a_corrupt_object_is_told_and_not_taken(project: TestProject, tmp_path: Path) -> None:
    for path in (tmp_path / "store/files/md5").rglob("*"):
        if path.is_file() and path.read_bytes() == b"y\n":
            path.chmod(0o644)
            path.write_bytes(b"z\n")
    recorder = Recorder()
    result = pulled(project, recorder)
    assert isinstance(result.error, MissingDataError)
    assert any("is corrupt" in warning.text for warning in recorder.of(Warned))
    assert not project.exists("data")


@pytest.mark.parametrize(
    ("config", "message"),
    [("", "no data remote"), ("[core]\nremote = s\n['remote \"s\"']\nurl = ftp://b/k\n", "unknown scheme")],
)
def test_without_a_reachable_remote_it_says_so(project: TestProject, config: str, message: str) -> None:
    project.write(".dvc/config", config)
    recorder = Recorder()
    assert pulled(project, recorder).error is not None
    assert any(message in warning.text for warning in recorder.of(Warned))


def test_a_run_of_another_clone_is_taken_with_its_outputs(project: TestProject) -> None:
    """The remote has the run-cache, this clone neither lock file nor cache: nothing needs to run."""
    project.ob("checkout", "data")
    os.unlink(project.root / "dvc.lock")
    result = pulled(project, Recorder())
    assert result.error is None
    assert [done.action.value for done in result.stages] == ["checkout", "restore"]
    assert project.read("a.txt") == "x\n"
    assert not project.exists("ran")
    assert project.exists("dvc.lock")
