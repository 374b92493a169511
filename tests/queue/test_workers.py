"""Workers in the background: started, stopped, and what they do about tasks that fail, hang, or shall end."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from git_repos import opened, state_of_user
from offbranch.api import queue_manner, queue_work
from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.api.queue_ending import stop_workers
from offbranch.api.queue_manner import Manner
from offbranch.api.queue_work import Crew, carry_out, carry_out_stored, run_one, work
from offbranch.api.session import need_git
from offbranch.api.session import opened as opened_project
from offbranch.base.errors import ConflictError, GitError, Interrupted, OffbranchError
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.experiments.experiment import AttemptState
from offbranch.git.refs import list_refs, update_refs
from offbranch.queue.events import TaskBegan, TaskLost
from offbranch.queue.shift import Shift
from offbranch.queue.store import drop_task, read_tasks
from offbranch.queue.supervisor import Supervisor
from offbranch.queue.task import TaskState
from offbranch.queue.task_end import TaskEnd
from offbranch.queue.workers import WorkerKind
from projects import SOURCE, Recorder, TestProject, make_project
from queue_processes import (
    attempts_of,
    await_end,
    await_no_workers,
    await_nothing_in,
    await_that,
    below,
    change_tasks,
    log_of,
    tasks_of,
    workers_of,
    working_in,
)

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")

WAITS = "touch {place}/$DVC_EXP_NAME; for i in $(seq 2400); do [ -e {place}/go ] && break; sleep 0.05; done\n"


@pytest.fixture
def project(tmp_path: Path) -> Any:
    made = make_project(tmp_path / "p")
    yield made
    for worker in workers_of(made):
        os.kill(worker.process.pid, signal.SIGTERM)
    await_no_workers(made)
    await_nothing_in(made.root)


def queue(project: TestProject, *overrides: str, **more: Any) -> None:
    submit(RunRequest(overrides=overrides, **more), project.session())


def waits(project: TestProject, tmp_path: Path, before: str = "", after: str = "") -> Path:
    """Makes the stage wait for a file; it leaves a mark with its name."""
    text = before + WAITS.format(place=tmp_path) + after
    project.write("train.sh", text + project.read("train.sh"))
    project.commit("waits")
    return tmp_path


def drain(project: TestProject, recorder: Recorder | None = None, **shift: Any) -> list[TaskEnd]:
    given: dict[str, Any] = {"idle_s": 0.0, "apart": True, **shift}
    return list(work(project.session(recorder), Shift(**given), Crew(kind=WorkerKind.FOREGROUND, into_log=True)))


def pids_in(directory: Path) -> set[int]:
    return {int(line.split()[0]) for line in working_in(directory)}


def states(project: TestProject, name: str) -> list[AttemptState]:
    return [attempt.true_state for attempt in attempts_of(project)[name]]


def test_it_runs_what_is_queued_and_what_comes_later(project: TestProject) -> None:
    project.write("train.sh", 'echo "slot $OFFBRANCH_SLOT, $MINE"\n' + project.read("train.sh"))
    project.commit("says where")
    queue(project, "lr=1,2", name="P")
    before = state_of_user(project.root)[:2], project.git("status", "--porcelain")
    # Without --keep those that have nothing to do for ten seconds end, which a slow machine may take for one command.
    started = project.ob("queue", "start", "--keep", "-j", "2", MINE="kept")
    assert (started.code, started.out) == (0, "Started '2' new experiments task queue workers.\n"), started.err
    again = project.ob("queue", "start", "--keep", "-j", "2", "--json")
    assert again.json == {"started": 0, "worker": None, "log": None}
    third = project.ob("queue", "start", "--keep", "-j", "3", MINE="kept")
    assert third.out == "Started '1' new experiments task queue worker.\n"
    await_end(project)
    queue(project, "lr=3", name="late")
    await_end(project)
    assert set(project.exps()) == {"P-1", "P-2", "late"} and attempts_of(project) == {}
    first, second = workers_of(project)
    assert ([len(worker.slots) for worker in (first, second)], first.kind) == ([2, 1], WorkerKind.BACKGROUND)
    both = [project.root / (each.log or "") for each in (first, second)]
    await_that(lambda: any("'P-1' succeeded: experiment" in log.read_text() for log in both), "they tell of it")
    logs = [path.read_text() for path in (project.root / ".dvc/tmp/ob/runs").glob("*/output.log")]
    assert len(logs) == 3 and all("Running stage 'train':" in log and ", kept\n" in log for log in logs)
    assert (state_of_user(project.root)[:2], project.git("status", "--porcelain")) == before
    assert project.ob("queue", "stop").out == "Queue workers will stop after running tasks finish.\n"
    await_no_workers(project)
    assert project.ob("queue", "stop").out == "No queue workers are running.\n"
    assert list((project.root / ".dvc/tmp/ob/queue/workers").glob("*.json")) == []


def test_stop_lets_the_running_one_end_and_takes_no_other(project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    queue(project, "lr=1,2", name="P")
    project.ob("queue", "start")
    await_that((place / "P-1").exists, "P-1 begins")
    assert project.ob("queue", "stop").code == 0
    await_that(lambda: workers_of(project)[0].stopping, "the worker has understood")
    assert [task.state for task in tasks_of(project).all] == [TaskState.RUNNING, TaskState.QUEUED]
    (place / "go").touch()
    await_no_workers(project)
    assert set(project.exps()) == {"P-1"} and [task.name for task in tasks_of(project).queued] == ["P-2"]


def test_stop_and_kill_cancels_what_runs(project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    queue(project, "lr=1,2", name="P")
    project.ob("queue", "start")
    await_that((place / "P-1").exists, "P-1 begins")
    stopped = project.ob("queue", "stop", "--kill")
    assert (stopped.code, stopped.out) == (0, "Queue workers have been stopped.\n")
    assert workers_of(project) == ()
    await_nothing_in(project.root)
    assert states(project, "P-1") == [AttemptState.CANCELLED]
    assert [task.name for task in tasks_of(project).queued] == ["P-2"]


def test_stop_and_kill_does_not_say_that_one_has_ended_which_stands_still(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.ob("queue", "start", "--keep")
    (worker,) = workers_of(project)
    os.kill(worker.process.pid, signal.SIGSTOP)
    monkeypatch.setattr("offbranch.api.queue_ending.GRACE_S", -4.5)
    with pytest.raises(OffbranchError, match=f"did not end: process {worker.process.pid}"):
        stop_workers(project.session(), kill=True)
    os.kill(worker.process.pid, signal.SIGCONT)
    await_no_workers(project)


@pytest.mark.parametrize("force", [False, True])
def test_kill_takes_a_running_task_out_and_keeps_what_it_had(force: bool, project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path, before="echo '{\"acc\": 7}' > metrics.json; echo said\n")
    queue(project, "lr=1,2", name="P")
    queue(project, "lr=5", name="wait")
    project.ob("queue", "start", "-j", "2")
    await_that(lambda: (place / "P-1").exists() and (place / "P-2").exists(), "both begin")
    for name, why in (("nosuch", "did you mean"), ("wait", "it waits in the queue")):
        refused = project.ob("queue", "kill", "P-1", name)
        assert refused.code == 1 and f"'{name}' is not a valid running experiment name" in refused.err
        assert name == "nosuch" or why in refused.err
    killed = project.ob("queue", "kill", *(["--force"] if force else []), "P-1")
    assert (killed.code, killed.out) == (0, "P-1 has been killed.\n"), killed.err
    (attempt,) = attempts_of(project)["P-1"]
    assert (attempt.state, attempt.cause) == (AttemptState.CANCELLED, "stopped by 'ob queue kill'")
    assert project.file_at(attempt.commit or "", "metrics.json") == '{"acc": 7}' and "said" in log_of(
        project, attempt.id
    )
    assert [task.name for task in tasks_of(project).all] == ["P-2", "wait"]
    (place / "go").touch()
    await_end(project)
    assert set(project.exps()) == {"P-2", "wait"}
    assert list((project.root / ".dvc/tmp/ob/queue/requests").glob("*")) == []


def test_one_that_does_not_listen_is_killed_after_a_while(project: TestProject) -> None:
    project.write("train.sh", "trap '' INT TERM\necho begun\nfor i in $(seq 2400); do sleep 0.05; done\n")
    project.commit("deaf")
    queue(project, name="deaf")
    change_tasks(project, timeout_s=0.3)
    (end,) = drain(project, grace_s=0.2)
    assert (end.state, end.cause) == (TaskState.FAILED, "it took longer than 0.3 s")
    (attempt,) = attempts_of(project)["deaf"]
    assert (attempt.state, attempt.cause) == (AttemptState.FAILED, end.cause)
    assert tasks_of(project).all == ()
    await_nothing_in(project.root)
    assert project.git("for-each-ref", "refs/ob/leases") == ""


def test_one_that_takes_too_long_fails_and_may_be_tried_again(
    project: TestProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(project, tmp_path, before=f"[ -e {tmp_path}/second ] && exec touch {tmp_path}/go; touch {tmp_path}/second\n")
    queue(project, name="slow")
    change_tasks(project, timeout_s=600, retries=1)
    recorder = Recorder()

    def clock() -> float:  # as soon as the first attempt waits, hours have gone by
        return time.monotonic() + 10_000 * (recorder.of(TaskBegan) != [] and (tmp_path / "second").exists())

    monkeypatch.setattr(queue_work, "Supervisor", partial(Supervisor, clock=clock))
    ends = drain(project, recorder)
    assert [end.state for end in ends] == [TaskState.QUEUED, TaskState.FAILED]
    assert ends[0].cause == "it took longer than 600 s" and "model.txt" in ends[1].cause
    assert states(project, "slow") == [AttemptState.FAILED, AttemptState.FAILED]
    assert tasks_of(project).all == ()


def test_a_failure_is_repeated_as_often_as_was_asked(project: TestProject, tmp_path: Path) -> None:
    count = f"echo x >> {tmp_path}/n; [ $(wc -l < {tmp_path}/n) -ge 3 ] || exit 4\n"
    project.write("train.sh", count + project.read("train.sh"))
    project.commit("works the third time")
    queue(project, name="third")
    change_tasks(project, retries=2)
    ends = drain(project)
    assert [(end.state, end.exit_code) for end in ends] == [
        (TaskState.QUEUED, 4),
        (TaskState.QUEUED, 4),
        (TaskState.SUCCEEDED, None),
    ]
    assert set(project.exps()) == {"third"} and len(attempts_of(project)["third"]) == 2
    queue(project, "fail=6", name="never")
    change_tasks(project, retries=1)
    shown = project.ob("exp", "run", "--run-all", "--json")
    assert shown.code == 1 and [each["state"] for each in shown.json] == ["queued", "failed"]
    assert "'never' is run again" in shown.err


def test_a_lost_child_is_run_again_but_not_for_ever(
    project: TestProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offbranch.api.queue_carry.MAX_LOST", 3)
    # Above the script are a shell, and the child of the worker.
    project.write("train.sh", "echo here; kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 30\n")
    project.commit("kills who runs it")
    queue(project, name="mad")
    recorder = Recorder()
    ends = drain(project, recorder)
    assert [(end.state, end.cause[:23]) for end in ends] == [(TaskState.FAILED, "its worker was lost 20 ")]
    assert len(recorder.of(TaskLost)) == 3
    gone = [(attempt.state, attempt.cause) for attempt in attempts_of(project)["mad"]]
    assert {state for state, _ in gone} <= {AttemptState.INTERRUPTED, AttemptState.FAILED}
    assert tasks_of(project).all == ()
    await_nothing_in(project.root)
    assert all("here" in log_of(project, attempt.id) for attempt in attempts_of(project)["mad"])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_worker_that_ends_gives_back_what_runs(how: signal.Signals, project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    queue(project, "lr=1,2,3", name="P")
    project.ob("queue", "start", "-j", "2")
    await_that(lambda: (place / "P-1").exists() and (place / "P-2").exists(), "both begin")
    (worker,) = workers_of(project)
    os.kill(worker.process.pid, how)
    await_nothing_in(project.root)
    assert [task.name for task in tasks_of(project).queued] == ["P-1", "P-2", "P-3"]
    assert states(project, "P-1") == states(project, "P-2") == [AttemptState.CANCELLED]
    assert project.git("for-each-ref", "refs/ob/leases") == "" and workers_of(project) == ()
    (place / "go").touch()
    assert project.ob("queue", "start").code == 0
    await_end(project)
    assert set(project.exps()) == {"P-1", "P-2", "P-3"}


def test_commands_that_outlived_all_are_ended_before_their_task_is_run_again(
    project: TestProject, tmp_path: Path
) -> None:
    place = waits(project, tmp_path, before="echo '{\"acc\": 5}' > metrics.json\n", after=f"touch {tmp_path}/went-on\n")
    queue(project, "lr=1", name="P")
    project.ob("queue", "start")
    await_that((place / "P").exists, "it begins")
    (worker,) = workers_of(project)
    child = worker.slots[0].pid
    assert child is not None
    orphans = set(below(child))
    os.kill(worker.process.pid, signal.SIGSTOP)
    os.kill(child, signal.SIGKILL)
    os.kill(worker.process.pid, signal.SIGKILL)
    assert pids_in(project.root) & orphans
    assert tasks_of(project).all[0].state is TaskState.RUNNING, "its command goes on, so it counts as running"
    refused = project.ob("gc", "-w", "-f")
    assert refused.code == 11 and "'P' runs" in refused.err, refused
    (place / "P").unlink()
    project.ob("queue", "start")
    await_that((place / "P").exists, "it begins again")
    assert not pids_in(project.root) & orphans
    (place / "go").touch()
    await_end(project)
    assert set(project.exps()) == {"P"} and (place / "went-on").exists()
    (lost,) = attempts_of(project)["P"]
    assert lost.state is AttemptState.INTERRUPTED
    assert project.file_at(lost.commit or "", "metrics.json") == '{"acc": 5}', "what it had measured is kept"


def test_what_nobody_supervises_can_be_killed_too(project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    queue(project, "lr=1", name="P")
    project.ob("queue", "start")
    await_that((place / "P").exists, "it begins")
    (worker,) = workers_of(project)
    child = worker.slots[0].pid
    assert child is not None
    os.kill(worker.process.pid, signal.SIGSTOP)
    os.kill(child, signal.SIGKILL)
    os.kill(worker.process.pid, signal.SIGKILL)
    assert project.ob("queue", "kill", "P").out == "P has been killed.\n"
    assert states(project, "P") == [AttemptState.CANCELLED] and tasks_of(project).all == ()


def test_only_these(project: TestProject, tmp_path: Path) -> None:
    queue(project, "lr=1,2,3", name="P")
    unknown = project.ob("queue", "start", "P-1", "P-4")
    assert unknown.code == 1 and "no task 'P-4' waits in the queue" in unknown.err and "did you mean" in unknown.err
    assert project.ob("queue", "start", "P-3", "P-1", "--json").json["started"] == 1
    await_no_workers(project)
    assert set(project.exps()) == {"P-1", "P-3"} and [task.name for task in tasks_of(project).queued] == ["P-2"]
    change_tasks(project, is_held=True)
    held = project.ob("queue", "start", "P-2")
    assert held.code == 1 and "'P-2' is held" in held.err and "ob queue release P-2" in held.err
    assert project.ob("queue", "start", "--keep", "P-2").code == 2
    assert project.ob("queue", "start", "-j", "0").code == 2


def test_order_is_by_priority_and_held_ones_are_left_alone(project: TestProject) -> None:
    queue(project, "lr=1,2", name="low")
    queue(project, "lr=3,4", name="high")
    for stored in tasks_of(project).queued:
        if stored.name.startswith("high"):
            change_tasks_of(project, stored.name, priority=5)
    change_tasks_of(project, "low-1", is_held=True)
    assert [end.name for end in drain(project)] == ["high-1", "high-2", "low-2"]
    assert [task.name for task in tasks_of(project).queued] == ["low-1"]


def test_one_that_is_lost_again_and_again_lets_the_others_go_first(project: TestProject, tmp_path: Path) -> None:
    kills = (
        f"echo $DVC_EXP_NAME >> {tmp_path}/ran; [ $DVC_EXP_NAME = P-2 ] || kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)\n"
    )
    project.write("train.sh", kills + project.read("train.sh"))
    project.commit("kills who runs it")
    queue(project, "lr=1,2", name="P")
    drain(project)
    ran = (tmp_path / "ran").read_text().split()
    assert ran[:5] == ["P-1", "P-1", "P-1", "P-2", "P-1"] and len(ran) == 21
    assert set(project.exps()) == {"P-2"}


def change_tasks_of(project: TestProject, name: str, **changes: Any) -> None:
    change_tasks(project, lambda stored: stored.name == name, **changes)


def test_in_the_foreground(project: TestProject) -> None:
    queue(project, "fail=0,3", name="P")
    ended = project.ob("queue", "start", "--foreground", "P-1", "P-2", "--json")
    assert ended.code == 1 and [each["state"] for each in ended.json] == ["succeeded", "failed"]
    assert "Running stage 'train':" in ended.err
    queue(project, "lr=5", name="Q")
    said = project.ob("queue", "start", "--foreground", "Q")
    assert said.code == 0 and "Ran experiment(s): Q" in said.out


def test_one_task_by_its_id(project: TestProject) -> None:
    queue(project, "lr=1,2", name="P")
    first, second = tasks_of(project).queued
    recorder = Recorder()
    ended = run_one(project.session(recorder), first.task.id, slot_env={"MINE": "1"}, kind=WorkerKind.SLURM)
    assert ended is not None and ended.experiment is not None and ended.name == "P-1"
    assert run_one(project.session(), first.task.id) is None
    here = carry_out(project.session(), second.task.id)
    assert here is not None and here.state is TaskState.SUCCEEDED and set(project.exps()) == {"P-1", "P-2"}
    assert carry_out(project.session(), second.task.id) is None


def test_a_worker_without_tasks_ends_and_one_that_stays_can_be_stopped(project: TestProject) -> None:
    assert drain(project, idle_s=0.1) == []
    assert project.ob("queue", "start", "--keep").code == 0
    assert project.ob("exp", "run", "--queue", "-n", "P").code == 0
    await_end(project)
    assert set(project.exps()) == {"P"} and len(workers_of(project)) == 1


def test_a_mistake_in_a_child_is_the_end_of_its_task_only(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(project, "lr=1,2", name="P")
    calls: list[int] = []

    def stumble(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("offbranch.api.queue_carry.run_taken", stumble)
    ends = drain(project)
    assert [(end.state, end.cause) for end in ends] == [(TaskState.FAILED, "a mistake of ours")] * 2
    assert calls == [], "it happened in children"


def test_trouble_in_looking_passes_or_ends_the_worker(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(project, "lr=1,2", name="P")
    calls: list[int] = []

    def list_refs_or_die(*args: Any) -> Any:
        calls.append(1)
        if len(calls) in (1, 2, 4):
            raise GitError("'git for-each-ref' failed: ended by signal 9")
        return list_refs(*args)

    monkeypatch.setattr("offbranch.queue.trouble._PAUSE_S", 0.01)
    monkeypatch.setattr("offbranch.queue.history.list_refs", list_refs_or_die)
    recorder = Recorder()
    assert [end.state for end in drain(project, recorder)] == [TaskState.SUCCEEDED] * 2
    assert len([each for each in recorder.of(Warned) if "signal 9" in each.text]) == 3
    queue(project, name="Q")
    monkeypatch.setattr("offbranch.queue.history.list_refs", lambda *_: list_refs_or_die(calls.clear()))
    with pytest.raises(GitError):
        drain(project)


def test_no_room_for_another_process_is_waited_for(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(project, "lr=1,2", name="P")
    fork, calls = os.fork, []

    def fork_later() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr("offbranch.queue.trouble._PAUSE_S", 0.01)
    monkeypatch.setattr(os, "fork", fork_later)
    assert [end.state for end in drain(project)] == [TaskState.SUCCEEDED] * 2


def test_a_child_that_is_killed_after_it_has_published_has_succeeded(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(project, name="P")
    monkeypatch.setattr("offbranch.api.queue_carry.push_new", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    recorder = Recorder()
    (end,) = drain(project, recorder)
    assert end.state is TaskState.SUCCEEDED and end.experiment is not None
    assert end.experiment.commit == project.exps()["P"] and recorder.of(TaskLost) == []
    assert list((project.root / ".dvc/tmp/ob/queue/leases").iterdir()) == []


def test_the_user_goes_on_meanwhile(project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    queue(project, "lr=7,8", name="P")
    head = project.git("rev-parse", "HEAD")
    project.ob("queue", "start", "-j", "2")
    await_that(lambda: (place / "P-1").exists() and (place / "P-2").exists(), "both begin")
    project.write("train.sh", project.read("train.sh").partition("\n")[2])
    project.write("data.txt", "other\n")
    mine = project.ob("exp", "run", "-n", "mine", "-S", "lr=3")
    assert mine.code == 0, mine.err
    project.git("add", "-A")
    project.git("commit", "-qm", "mine")
    project.git("checkout", "-q", "-b", "side", head)
    project.write("side.txt", "x\n")
    project.commit("side")
    project.git("rebase", "-q", "main")
    before = state_of_user(project.root)[:2], project.git("status", "--porcelain")
    (place / "go").touch()
    await_end(project)
    assert (state_of_user(project.root)[:2], project.git("status", "--porcelain")) == before
    exps = project.exps()
    assert set(exps) == {"P-1", "P-2", "mine"}
    assert project.git("rev-parse", f"{exps['P-1']}^") == head
    assert [project.file_at(exps[f"P-{n}"], "metrics.json") for n in (1, 2)] == ['{"acc": 7}', '{"acc": 8}']
    assert project.file_at(exps["P-1"], "data.txt") == "hello"


def test_data_is_not_removed_while_a_task_runs(project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    queue(project, name="P")
    project.ob("queue", "start", "--keep")
    await_that((place / "P").exists, "it begins")
    refused = project.ob("gc", "-w", "-f")
    assert refused.code == 11 and "the experiment 'P' runs" in refused.err, refused
    refused = project.ob("destroy", "-f")
    assert refused.code == 11 and "'P' runs" in refused.err and "would be deleted" in refused.err, refused
    (place / "go").touch()
    await_end(project)
    await_that(lambda: workers_of(project)[0].slots[0].task_id is None, "the slot is free")
    assert project.ob("gc", "-w", "-f").code == 0, "a worker that only waits is no hindrance"
    assert len(workers_of(project)) == 1


def test_nothing_of_it_is_started_twice_at_once(project: TestProject) -> None:
    queue(project, "lr=range(1,7)", name="P")
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    words = [sys.executable, "-m", "offbranch", "queue", "start", "-j", "2", "--json"]
    many = [subprocess.Popen(words, cwd=project.root, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    started = [json.loads(each.communicate(timeout=60)[0])["started"] for each in many]
    assert sorted(started) == [0, 0, 0, 2]
    await_end(project)
    assert len(project.exps()) == 6 and attempts_of(project) == {}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_says_so_and_puts_back(how: signal.Signals, project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    # What waits is a process of its own below the shell that gets the signal.
    project.write("train.sh", f"sh -c '{WAITS.format(place=tmp_path).strip()}'; echo went on\n")
    project.commit("waits below")
    queue(project, "lr=1", name="P")
    words = [sys.executable, "-m", "offbranch", "queue", "start", "--foreground"]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    running = subprocess.Popen(
        words, cwd=project.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    await_that((place / "P").exists, "it begins")
    running.send_signal(how)
    running.wait(timeout=60)
    await_nothing_in(project.root)
    err = running.communicate()[1]
    assert running.returncode == 130 and b"'P' was stopped and waits in the queue again" in err, err
    assert b"failed" not in err, "it has only been stopped"
    assert [task.name for task in tasks_of(project).queued] == ["P"] and states(project, "P") == [
        AttemptState.CANCELLED
    ]


def test_one_that_does_not_listen_has_been_stopped_with_its_worker_and_was_not_lost(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("train.sh", "trap '' INT TERM\nkill -TERM $TEST_WORKER\nfor i in $(seq 2400); do sleep 0.05; done\n")
    project.commit("stops the worker, and does not listen")
    queue(project, name="deaf")
    monkeypatch.setenv("TEST_WORKER", str(os.getpid()))
    recorder = Recorder()
    with pytest.raises(Interrupted):
        drain(project, recorder, grace_s=0.2)
    assert recorder.of(TaskLost) == []
    (attempt,) = attempts_of(project)["deaf"]
    assert (attempt.state, attempt.cause) == (AttemptState.CANCELLED, "stopped by SIGTERM")
    assert [task.n_lost for task in tasks_of(project).queued] == [0]
    await_nothing_in(project.root)


@pytest.mark.parametrize("is_gone", [True, False])
def test_force_ends_what_no_worker_looks_after_and_does_not_listen(
    is_gone: bool, project: TestProject, tmp_path: Path
) -> None:
    waits(project, tmp_path, before="trap '' INT TERM\n")
    queue(project, "lr=1", name="P")
    project.ob("queue", "start")
    await_that((tmp_path / "P").exists, "it begins")
    (worker,) = workers_of(project)
    os.kill(worker.process.pid, signal.SIGKILL if is_gone else signal.SIGSTOP)
    assert project.ob("queue", "kill", "--force", "P").out == "P has been killed.\n"
    await_that(lambda: len(working_in(project.root)) == (0 if is_gone else 1), "only the worker is left, if any")
    assert states(project, "P") == [AttemptState.CANCELLED] and tasks_of(project).all == ()
    if not is_gone:
        os.kill(worker.process.pid, signal.SIGCONT)
        await_that(lambda: workers_of(project)[0].slots[0].task_id is None, "it has seen that its child is gone")
        assert states(project, "P") == [AttemptState.CANCELLED], "and has let its end alone"
    assert list((project.root / ".dvc/tmp/ob/queue/requests").glob("*")) == []


def test_what_a_command_leaves_behind_does_not_write_into_the_next_experiment(
    project: TestProject, tmp_path: Path
) -> None:
    """A daemon in a session of its own, which ends with nobody."""
    late = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo late > late.txt; touch {tmp_path}/late"
    project.write("train.sh", f'[ "$DVC_EXP_NAME" = P-2 ] || setsid sh -c "{late}" &\n' + project.read("train.sh"))
    project.commit("leaves a daemon")
    queue(project, "lr=1,2", name="P")
    assert [end.state for end in drain(project)] == [TaskState.SUCCEEDED] * 2
    copies = project.root / ".dvc/tmp/ob/copies"
    assert sorted(path.name for path in copies.glob("slot-?")) == ["slot-1", "slot-2"], "the second has another copy"
    (tmp_path / "go").touch()
    await_that((tmp_path / "late").exists, "the daemon goes on")
    await_nothing_in(project.root)
    queue(project, "lr=3", name="P-2", force=True)
    assert [end.state for end in drain(project)] == [TaskState.SUCCEEDED]
    assert not (copies / "slot-1/late.txt").exists() and (copies / "slot-1.tidy").exists()


def test_one_that_has_been_begun_since_it_was_read_is_not_removed(project: TestProject, tmp_path: Path) -> None:
    place = waits(project, tmp_path)
    queue(project, "lr=1", name="P")
    seen = tasks_of(project).queued
    project.ob("queue", "start")
    await_that((place / "P").exists, "it begins")
    with pytest.raises(ConflictError):
        update_refs(opened(project.root), [update for each in seen for update in drop_task(each)])
    (place / "go").touch()
    await_end(project)
    assert set(project.exps()) == {"P"} and attempts_of(project) == {}


def test_the_lease_of_one_that_runs_is_left_alone_whatever_becomes_of_its_task(
    project: TestProject, tmp_path: Path
) -> None:
    place = waits(project, tmp_path)
    queue(project, "lr=1,2", name="P")
    project.ob("queue", "start", "-j", "2")
    await_that(lambda: (place / "P-1").exists() and (place / "P-2").exists(), "both begin")
    first = tasks_of(project).all[0]
    project.git("update-ref", "-d", first.ref)
    queue(project, "lr=3", name="another")  # makes workers look
    assert project.ob("queue", "start", "-j", "3").code == 0
    await_that((place / "another").exists, "it begins")
    assert f"refs/ob/leases/{first.task.id}" in project.git("for-each-ref", "refs/ob/leases")
    (place / "go").touch()
    await_end(project)
    assert set(project.exps()) == {"P-1", "P-2", "another"} and attempts_of(project) == {}


def test_who_comes_too_late_for_a_task_leaves_nothing(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(project, "lr=1", name="P")
    with opened_project(project.session()) as it:
        (stored,) = read_tasks(need_git(it), it.root).queued
    drain(project)
    runs = project.root / ".dvc/tmp/ob/runs"
    before = sorted(path.name for path in runs.iterdir())
    opened_logs: list[Path] = []

    def print_into(path: AbsPath) -> None:
        Path(path).parent.mkdir()
        Path(path).touch()
        opened_logs.append(Path(path))

    monkeypatch.setattr(queue_manner, "_print_into", print_into)
    assert carry_out_stored(stored, Manner(session=project.session(), into_log=True)) is None
    assert len(opened_logs) == 1 and sorted(path.name for path in runs.iterdir()) == before
    assert set(project.exps()) == {"P"}
