"""A temporary run: nothing of it shows in the workspace."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from git_repos import state_of_user
from offbranch.api.data import add
from offbranch.api.exp import RunReport, RunRequest, run
from offbranch.base.errors import NotFoundError, StageFailedError
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.experiments.attempts import read_records
from projects import SOURCE, Recorder, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def temp_run(project: TestProject, *overrides: str, recorder: Recorder | None = None, **more: object) -> RunReport:
    request = RunRequest(overrides=overrides, temporary=True, **more)  # type: ignore[arg-type]
    return run(request, project.session(recorder), rng=random.Random(1))


def files(project: TestProject) -> dict[str, bytes]:
    return {
        str(path.relative_to(project.root)): path.read_bytes()
        for path in project.root.rglob("*")
        if path.is_file() and not str(path.relative_to(project.root)).startswith((".git/", ".dvc/tmp", ".dvc/cache"))
    }


def test_the_workspace_is_untouched_and_the_experiment_complete(project: TestProject) -> None:
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.write("train.sh", project.read("train.sh") + "# edit\n")
    project.write("untracked.txt", "mine\n")
    before = (files(project), state_of_user(project.root)[:2], project.git("status", "--porcelain"))
    temp_run(project, "lr=0.4", name="away")
    assert (files(project), state_of_user(project.root)[:2], project.git("status", "--porcelain")) == before
    commit = project.exps()["away"]
    assert json.loads(project.file_at(commit, "metrics.json")) == {"acc": 0.4}
    assert project.file_at(commit, "train.sh").endswith("# edit")
    assert project.file_at(commit, "staged.txt") == "staged"
    assert "untracked.txt" not in project.git("ls-tree", "-r", "--name-only", commit)
    assert ".dvc/config.local" not in project.git("ls-tree", "-r", "--name-only", commit)
    assert project.git("rev-parse", f"{commit}^") == project.git("rev-parse", "HEAD")


def test_it_sees_changed_data_of_the_workspace_without_touching_its_dvc_file(project: TestProject) -> None:
    project.write("data.bin", "one\n")
    add(["data.bin"], project.session())
    project.write("dvc.yaml", project.read("dvc.yaml").replace("- data.txt", "- data.bin"))
    project.write("train.sh", 'cat data.bin > model.txt; echo "{}" > metrics.json\n')
    project.commit("data")
    project.write("data.bin", "two\n")
    recorded = project.read("data.bin.dvc")
    temp_run(project, name="new-data")
    assert project.read("data.bin.dvc") == recorded
    commit = project.exps()["new-data"]
    assert project.file_at(commit, "data.bin.dvc") != recorded.rstrip("\n")
    assert "c193497a1a06b2c72230e6146ff47080" in project.file_at(commit, "data.bin.dvc")


def test_untracked_paths_are_there_only_if_copied(project: TestProject) -> None:
    project.write("train.sh", 'cat extra/more.txt > model.txt && echo "{}" > metrics.json\n')
    project.commit("reads an untracked file")
    project.write("extra/more.txt", "extra\n")
    with pytest.raises(StageFailedError):
        temp_run(project, name="without")
    recorder = Recorder()
    temp_run(project, name="with", copy_paths=("extra",), recorder=recorder)
    assert "with" in project.exps()
    assert any("extra/more.txt" in warning.text for warning in recorder.of(Warned))
    with pytest.raises(NotFoundError, match="does not exist"):
        temp_run(project, name="wrong", copy_paths=("nosuch",))


def test_a_parameter_file_that_is_new_is_part_of_it(project: TestProject) -> None:
    recorder = Recorder()
    temp_run(project, "lr=0.4", "./new.json:+a=1", name="new", recorder=recorder)
    assert json.loads(project.file_at(project.exps()["new"], "new.json")) == {"a": 1}
    assert recorder.of(Warned) == []


def test_a_failure_is_recorded_with_its_log(project: TestProject) -> None:
    project.write("train.sh", "echo before the end; exit 4\n")
    project.commit("fails")
    with pytest.raises(StageFailedError):
        temp_run(project, "lr=0.6", name="bad")
    (record,) = read_records(AbsPath(str(project.root)))
    assert (record.exit_code, record.where.value) == (4, "tempdir")
    assert (project.root / record.log).read_text() == "before the end\n"
    assert project.file_at(record.commit or "", "params.yaml").startswith("# learning rate\nlr: 0.6")


def test_the_copy_is_used_again_and_clean(project: TestProject) -> None:
    project.write("train.sh", 'ls > model.txt; echo "{}" > metrics.json; echo x > litter\n')
    project.commit("lists")
    temp_run(project, "lr=0.2", name="one")
    temp_run(project, "lr=0.3", name="two")
    copies = list((project.root / ".dvc/tmp/ob/copies").glob("slot-*/"))
    assert len([path for path in copies if path.is_dir()]) == 1
    assert "litter" not in [path.name for path in copies[0].iterdir()]


WAITS = """\
if [ $DVC_EXP_NAME = one ]; then other=two; else other=one; fi
touch ../$DVC_EXP_NAME
for i in $(seq 1200); do [ -e ../$other ] && break; sleep 0.1; done
[ -e ../$other ] && cp params.yaml model.txt && echo "{}" > metrics.json
"""


def test_the_project_is_free_while_a_temporary_run_goes_on(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two copies run at once, each until it sees the other, and the user works on."""
    monkeypatch.setenv("OFFBRANCH_LOCK_WAIT", "30")
    project.write("train.sh", WAITS)
    project.commit("waits for the other")
    project.write("other.bin", "data\n")
    command = [sys.executable, "-m", "offbranch", "exp", "run", "--temp", "-n"]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    both = [
        subprocess.Popen([*command, name, "-S", f"lr={lr}"], cwd=project.root, env=env)
        for name, lr in (("one", "1"), ("two", "2"))
    ]
    try:
        assert add(["other.bin"], project.session())
    finally:
        codes = [process.wait() for process in both]
    assert codes == [0, 0]
    assert set(project.exps()) == {"one", "two"}
