"""Running what is queued: every task ends as an experiment or as an attempt, and none is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from git_repos import opened, state_of_user
from offbranch.api.exp import RunRequest, run
from offbranch.api.queue import submit
from offbranch.api.queue_run_all import TaskEnd, run_all
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.pipeline.options import ExecuteOptions, PlanOptions
from offbranch.queue.store import read_tasks
from projects import SOURCE, Recorder, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def queue(project: TestProject, *overrides: str, **more: Any) -> None:
    submit(RunRequest(overrides=overrides, **more), project.session())


def drain(project: TestProject, recorder: Recorder | None = None) -> list[TaskEnd]:
    return list(run_all(project.session(recorder)))


def waiting(project: TestProject) -> list[str]:
    return [each.name for each in read_tasks(opened(project.root), AbsPath(str(project.root))).queued]


def attempts(project: TestProject) -> tuple[Attempt, ...]:
    return list_attempts(opened(project.root), AbsPath(str(project.root)))


def start(project: TestProject, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "offbranch", *words],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OFFBRANCH_LOCK_WAIT": "30"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def await_file(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not come")


def test_each_becomes_an_experiment_and_leaves_the_queue(project: TestProject) -> None:
    queue(project, "lr=0.2,0.3", name="P", message="mine")
    before = state_of_user(project.root)[:2], project.git("status", "--porcelain")
    ends = drain(project)
    assert [(end.name, end.cause) for end in ends] == [("P-1", ""), ("P-2", "")]
    assert (state_of_user(project.root)[:2], project.git("status", "--porcelain")) == before
    exps = project.exps()
    assert set(exps) == {"P-1", "P-2"} and waiting(project) == [] and attempts(project) == ()
    assert project.file_at(exps["P-2"], "metrics.json") == '{"acc": 0.3}'
    assert project.file_at(exps["P-1"], "params.yaml").splitlines()[:2] == ["# learning rate", "lr: 0.2"]
    assert project.git("log", "-1", "--format=%B", exps["P-1"]) == "mine"
    assert project.git("rev-parse", f"{exps['P-1']}^") == project.git("rev-parse", "HEAD")
    assert drain(project) == []


def test_they_run_on_the_files_of_when_they_were_queued(project: TestProject) -> None:
    head = project.git("rev-parse", "HEAD")
    queue(project, "lr=0.2", name="then")
    project.write("train.sh", "exit 9\n")
    project.write("params.yaml", "lr: 8\nfail: 1\n")
    project.commit("breaks everything")
    (end,) = drain(project)
    assert end.cause == "" and end.experiment is not None and end.experiment.baseline == head
    assert project.file_at(project.exps()["then"], "metrics.json") == '{"acc": 0.2}'


def test_a_failure_is_recorded_and_the_next_one_runs(project: TestProject) -> None:
    queue(project, "fail=3,0,4", name="F")
    ends = drain(project)
    assert [end.exit_code for end in ends] == [3, None, 4]
    assert [end.cause == "" for end in ends] == [False, True, False] and "exited with 3" in ends[0].cause
    assert set(project.exps()) == {"F-2"} and waiting(project) == []
    failed = {attempt.name: attempt for attempt in attempts(project)}
    assert {name: (a.state, a.exit_code, a.where.value) for name, a in failed.items()} == {
        "F-1": (AttemptState.FAILED, 3, "dvc-task"),
        "F-3": (AttemptState.FAILED, 4, "dvc-task"),
    }
    assert failed["F-1"].id == ends[0].attempt_id and failed["F-1"].task_id == ends[0].id
    assert project.file_at(failed["F-1"].commit or "", "metrics.json") == '{"acc": 0.1}'


def test_what_was_set_when_it_was_queued_holds(project: TestProject) -> None:
    project.write("train.sh", project.read("train.sh") + "cat extra.txt >> model.txt; date +%N >> model.txt\n")
    project.write(".gitignore", "/extra.txt\n")
    project.commit("reads what Git ignores")
    project.write("extra.txt", "from the workspace\n")
    options = ExecuteOptions(plan=PlanOptions(force=True))
    queue(project, "lr=0.2", name="forced", copy_paths=("extra.txt",), force=True, execute=options, targets=("train",))
    queue(project, "lr=0.2", name="again", copy_paths=("extra.txt",), force=True, execute=options)
    assert [end.cause for end in drain(project)] == ["", ""]
    locks = {project.file_at(commit, "dvc.lock") for commit in project.exps().values()}
    assert len(locks) == 2, "with -f the run-cache is not asked"


def test_a_path_that_has_gone_is_a_failure_of_its_own(project: TestProject) -> None:
    project.write(".gitignore", "/extra.txt\n")
    project.write("extra.txt", "x\n")
    queue(project, name="lacks", copy_paths=("extra.txt",))
    queue(project, name="fine")
    (project.root / "extra.txt").unlink()
    ends = drain(project)
    assert "extra.txt': it does not exist" in ends[0].cause and ends[1].cause == ""
    assert [(a.name, a.state) for a in attempts(project)] == [("lacks", AttemptState.FAILED)]
    assert waiting(project) == []


def test_a_name_that_was_taken_meanwhile(project: TestProject) -> None:
    queue(project, "lr=0.2", name="same")
    queue(project, "lr=0.3", name="other")
    refused = project.ob("exp", "run", "--temp", "-n", "same", "-S", "lr=0.9")
    assert refused.code == 1
    assert "a task 'same' waits in the queue" in refused.err
    assert project.ob("exp", "run", "--temp", "-f", "-n", "same", "-S", "lr=0.9").code == 0
    kept = project.exps()["same"]
    ends = drain(project)
    assert "came into being" in ends[0].cause and ends[1].cause == ""
    assert project.exps()["same"] == kept and [a.name for a in attempts(project)] == ["same"]
    queue(project, "lr=0.4", name="same", force=True)
    assert [end.cause for end in drain(project)] == [""] and project.exps()["same"] != kept


def test_what_cannot_be_read_is_left_and_told(project: TestProject) -> None:
    queue(project, "lr=0.2", name="good")
    project.git("update-ref", "refs/ob/tasks/strange", project.git("rev-parse", "HEAD"))
    recorder = Recorder()
    assert [end.name for end in drain(project, recorder)] == ["good"]
    assert next(w.text for w in recorder.of(Warned) if "strange" in w.text).startswith(
        "'refs/ob/tasks/strange' is left"
    )
    assert project.ob("exp", "remove", "--queue").code == 0
    assert project.git("for-each-ref", "refs/ob") == ""


WAITS = "touch {mark}; for i in $(seq 2400); do [ -e {go} ] && break; sleep 0.05; done\n"


def with_waiting_stage(project: TestProject, tmp_path: Path) -> tuple[Path, Path]:
    mark, go = tmp_path / "mark", tmp_path / "go"
    project.write("train.sh", WAITS.format(mark=mark, go=go) + project.read("train.sh"))
    project.commit("waits")
    return mark, go


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_it_waits_in_the_queue_again(how: signal.Signals, project: TestProject, tmp_path: Path) -> None:
    mark, go = with_waiting_stage(project, tmp_path)
    queue(project, "lr=0.2,0.3", name="P")
    running = start(project, "exp", "run", "--run-all")
    await_file(mark)
    assert waiting(project) == ["P-2"], "one that runs does not wait"
    os.killpg(running.pid, how)
    _, err = running.communicate(timeout=60)
    assert running.returncode == (-9 if how is signal.SIGKILL else 130), err
    assert how is signal.SIGKILL or "'P-1' was stopped and waits in the queue again" in err
    assert waiting(project) == ["P-1", "P-2"] and project.exps() == {}
    go.touch()
    assert [end.cause for end in drain(project)] == ["", ""]
    assert set(project.exps()) == {"P-1", "P-2"} and waiting(project) == []
    ended = AttemptState.INTERRUPTED if how is signal.SIGKILL else AttemptState.CANCELLED
    assert [(a.name, a.state) for a in attempts(project)] == [("P-1", ended)]


def test_one_that_runs_is_neither_taken_twice_nor_removed(project: TestProject, tmp_path: Path) -> None:
    mark, go = with_waiting_stage(project, tmp_path)
    queue(project, "lr=0.2", name="P")
    running = start(project, "exp", "run", "--run-all")
    await_file(mark)
    assert drain(project) == []
    removed = project.ob("exp", "remove", "P")
    assert removed.code == 1 and "'P' is running" in removed.err
    assert project.ob("exp", "remove", "--queue").out == "No experiments to remove.\n"
    taken = project.ob("exp", "run", "--queue", "-f", "-n", "P")
    assert taken.code == 1 and "'P' is running at this moment" in taken.err
    states = {
        each["name"]: each["executor"]["state"] for each in project.ob("exp", "show", "--json").json[1]["experiments"]
    }
    assert states == {"P": "running"}
    assert project.ob("exp", "show", "--queued", "--json").json[1]["experiments"] is not None
    go.touch()
    assert running.wait(timeout=60) == 0
    running.communicate()
    assert set(project.exps()) == {"P"}


def test_two_at_once_share_the_queue(project: TestProject) -> None:
    queue(project, "lr=range(1,9)", name="P")
    both = [start(project, "exp", "run", "--run-all", "--json") for _ in range(2)]
    ended = [each.communicate(timeout=120) for each in both]
    assert [each.returncode for each in both] == [0, 0], ended
    assert len(project.exps()) == 8 and waiting(project) == [] and attempts(project) == ()


MEETS = """\
touch {place}/$DVC_EXP_NAME
for i in $(seq 2400); do [ -e {place}/P-1 ] && [ -e {place}/P-2 ] && [ -e {place}/P-3 ] && break; sleep 0.05; done
[ -e {place}/P-3 ] || exit 8
"""


def test_several_at_a_time(project: TestProject, tmp_path: Path) -> None:
    """Three wait for each other, so they can only end if they run at once."""
    project.write("train.sh", MEETS.format(place=tmp_path) + project.read("train.sh"))
    project.commit("meets")
    queue(project, "fail=0,0,0,5,0", name="P")
    ended = project.ob("exp", "run", "--run-all", "-j", "3", "--json")
    assert ended.code == 1, ended.err
    found = {each["name"]: (each["state"], each["exit_code"]) for each in ended.json}
    assert found == {f"P-{n}": ("succeeded", None) for n in (1, 2, 3, 5)} | {"P-4": ("failed", 5)}
    assert {each["rev"] for each in ended.json} == {*project.exps().values(), None}
    lines = ended.err.splitlines()
    begun = {line.partition(" | ")[2]: line.partition(" | ")[0] for line in lines if "Reproducing" in line}
    assert {begun[f"Reproducing experiment 'P-{n}'"] for n in (1, 2, 3)} == {"P-1", "P-2", "P-3"}, lines
    assert waiting(project) == [] and [a.name for a in attempts(project)] == ["P-4"]
    assert project.ob("exp", "run", "--run-all", "-j", "3").out == "No experiments in the queue.\n"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_several_at_a_time_are_stopped_together(how: signal.Signals, project: TestProject, tmp_path: Path) -> None:
    place = tmp_path / "marks"
    place.mkdir()
    project.write("train.sh", f"touch {place}/$DVC_EXP_NAME; for i in $(seq 2400); do sleep 0.05; done\n")
    project.commit("waits")
    queue(project, "lr=1,2,3", name="P")
    running = start(project, "exp", "run", "--run-all", "-j", "2")
    for name in ("P-1", "P-2"):
        await_file(place / name)
    os.killpg(running.pid, how)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert waiting(project) == ["P-1", "P-2", "P-3"] and project.exps() == {}
    assert {a.state for a in attempts(project)} == {AttemptState.CANCELLED}


def test_it_does_not_wait_for_whoever_holds_the_project(project: TestProject, tmp_path: Path) -> None:
    queue(project, "lr=0.2", name="P")
    mark, go = with_waiting_stage(project, tmp_path)
    holder = start(project, "exp", "run", "-n", "now")
    await_file(mark)
    assert [end.cause for end in drain(project)] == [""]
    assert set(project.exps()) == {"P"} and holder.poll() is None
    go.touch()
    assert holder.wait(timeout=60) == 0
    holder.communicate()
    assert set(project.exps()) == {"now", "P"}


def test_a_name_that_waits_is_not_made_up(project: TestProject) -> None:
    first = run(RunRequest(temporary=True), project.session(), rng=random.Random(5)).experiment
    assert first is not None
    project.git("update-ref", "-d", first.ref)
    queue(project, name=first.name)
    second = run(RunRequest(temporary=True), project.session(), rng=random.Random(5)).experiment
    assert second is not None and second.name != first.name


def test_several_at_a_time_say_as_much_as_was_asked_for(project: TestProject) -> None:
    queue(project, "lr=2,3", name="P")
    quiet = project.ob("exp", "run", "--run-all", "-j", "2", "-q")
    assert quiet.code == 0 and "Reproducing" not in quiet.err and sorted(project.exps()) == ["P-1", "P-2"]
    project.write("data.txt", "other\n")
    queue(project, "lr=4,5", name="Q")
    loud = project.ob("exp", "run", "--run-all", "-j", "2", "-v")
    assert "Q-1 | 'train' took" in loud.out, loud
