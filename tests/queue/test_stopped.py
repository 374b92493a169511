"""A signal that comes at the worst moment: a task that was stopped has not failed, and one that has failed says so."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.api.queue_slurm_job import fate_of_error
from offbranch.api.queue_work import Crew, work
from offbranch.base.errors import GitError, Interrupted, OffbranchError, StageFailedError
from offbranch.base.undisturbed import is_held_back, undisturbed
from offbranch.experiments import attempt_end, temporary_run
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.underway import Fate
from offbranch.queue.events import TaskFailed, TaskPutBack
from offbranch.queue.shift import Shift
from offbranch.queue.task import TaskState
from offbranch.queue.task_end import TaskEnd
from offbranch.queue.workers import WorkerKind
from projects import DVC_YAML, Recorder, TestProject, make_project
from queue_processes import attempts_of, await_nothing_in, tasks_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "sigpending"), reason="needs masks of signals")


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def carry_out(project: TestProject, *overrides: str, **shift: Any) -> list[TaskEnd]:
    submit(RunRequest(overrides=overrides, name="a"), project.session())
    crew = Crew(kind=WorkerKind.SLURM, into_log=True)
    return list(work(project.session(), Shift(idle_s=0.0, **shift), crew))


def the_attempt(project: TestProject) -> Attempt:
    (attempt,) = attempts_of(project)["a"]
    assert project.git("for-each-ref", "refs/ob/leases") == ""
    await_nothing_in(project.root)
    return attempt


def test_a_signal_while_a_failure_is_recorded_does_not_change_it(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_at_the_end(monkeypatch)
    (end,) = carry_out(project, "fail=3")
    assert (end.state, end.exit_code) == (TaskState.FAILED, 3) and "exited with 3" in end.cause
    attempt = the_attempt(project)
    assert (attempt.state, attempt.exit_code, attempt.stage) == (AttemptState.FAILED, 3, "train")
    assert tasks_of(project).all == ()


def test_a_command_that_the_same_signal_has_ended_has_not_failed(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that ends sends it to one process after the other."""
    project.write(
        "train.sh", "[ -e $DVC_ROOT/second ] || { touch $DVC_ROOT/second; kill -TERM $$; }\n" + project.read("train.sh")
    )
    project.commit("is ended by a signal the first time")
    submit(RunRequest(name="a"), project.session())
    signal_at_the_end(monkeypatch)
    ends = list(work(project.session(), Shift(idle_s=0.0), Crew(kind=WorkerKind.FOREGROUND, into_log=True)))
    assert [end.state for end in ends] == [TaskState.QUEUED, TaskState.SUCCEEDED]
    attempt = the_attempt(project)
    assert (attempt.state, attempt.cause) == (AttemptState.CANCELLED, "stopped by a signal")
    assert set(project.exps()) == {"a"} and tasks_of(project).all == ()


def test_nor_does_one_that_another_thread_has_taken(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        # Like those of compiled code that transfers data: it holds no signal back.
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        raise OffbranchError("it does not work")

    monkeypatch.setattr(temporary_run, "raise_if_failed", fail)
    signal_at_the_end(monkeypatch)
    (end,) = carry_out(project)
    assert end.state is TaskState.FAILED and tasks_of(project).all == ()
    attempt = the_attempt(project)
    assert (attempt.state, attempt.cause) == (AttemptState.FAILED, "it does not work")


def signal_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    end_holders = temporary_run.end_holders

    def signalled(path: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        end_holders(path)

    monkeypatch.setattr(temporary_run, "end_holders", signalled)


@pytest.mark.parametrize("is_over", [True, False])
def test_of_one_that_does_not_listen_its_worker_says_why_it_was_stopped(
    project: TestProject, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    """Its time in SLURM is over, and it is still busy when we have to end it: put back, it would be run for ever."""
    deaf = "trap '' INT TERM; kill -TERM $TEST_WORKER; for i in $(seq 600); do sleep 0.05; done"
    project.write("dvc.yaml", DVC_YAML.replace("sh train.sh", deaf))
    project.commit("stops the worker, and does not listen")
    submit(RunRequest(name="a"), project.session())
    monkeypatch.setenv("TEST_WORKER", str(os.getpid()))
    why = Fate(state=AttemptState.FAILED, cause="its time is over") if is_over else None
    crew = Crew(
        kind=WorkerKind.SLURM, into_log=True, fate=lambda error: why if isinstance(error, Interrupted) else None
    )
    recorder = Recorder()
    with pytest.raises(Interrupted):
        list(work(project.session(recorder), Shift(idle_s=0.0, grace_s=0.2), crew))
    attempt = the_attempt(project)
    expected = (AttemptState.FAILED, "its time is over") if is_over else (AttemptState.CANCELLED, "stopped by SIGTERM")
    assert (attempt.state, attempt.cause) == expected
    assert [task.name for task in tasks_of(project).queued] == ([] if is_over else ["a"])
    assert (len(recorder.of(TaskFailed)), len(recorder.of(TaskPutBack))) == ((1, 0) if is_over else (0, 1))


@pytest.mark.parametrize(
    ("raised", "state", "is_kept"),
    [
        (Interrupted("stopped by SIGTERM"), AttemptState.CANCELLED, True),
        (OffbranchError("it does not work"), AttemptState.FAILED, False),
    ],
)
def test_what_the_child_cannot_record_its_worker_records_alike(
    project: TestProject, monkeypatch: pytest.MonkeyPatch, raised: OffbranchError, state: AttemptState, is_kept: bool
) -> None:
    def fail(*_: Any) -> None:
        raise raised

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(temporary_run, "carry_out_in", lambda *_, **__: fail())
    monkeypatch.setattr(attempt_end, "end_attempt", full)
    if is_kept:
        # Once only: what waits again would be run again.
        shift = work(project.session(), Shift(idle_s=0.0), Crew(kind=WorkerKind.SLURM, into_log=True))
        submit(RunRequest(name="a"), project.session())
        end = next(shift)
        shift.close()
    else:
        (end,) = carry_out(project)
    attempt = the_attempt(project)
    assert (attempt.state, attempt.cause) == (state, raised.message)
    assert end.state is (TaskState.QUEUED if is_kept else TaskState.FAILED)
    assert [task.name for task in tasks_of(project).queued] == (["a"] if is_kept else [])


# What an error means in a job of SLURM

ENDED_BY_SIGNAL = StageFailedError("it was ended by signal 15", stage="train", exit_code_of_command=-15)
SHELL_SAYS_SO = StageFailedError("it exited with 143", stage="train", exit_code_of_command=143)
FAILED = StageFailedError("it exited with 9", stage="train", exit_code_of_command=9)
GIT = GitError("git was ended by signal 15")
REASON = "slurmstepd-vm: error: *** JOB 9 ON vm CANCELLED AT 2026-11-27T16:40:49 DUE TO PREEMPTION ***\n"


@pytest.mark.parametrize("error", [ENDED_BY_SIGNAL, SHELL_SAYS_SO, FAILED, GIT])
@pytest.mark.parametrize("said", ["", REASON])
def test_who_was_signalled_too_has_not_failed(error: BaseException, said: str) -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with undisturbed():
            assert not is_held_back()
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # no other thread of pytest shall take it
            assert is_held_back()
            fate = fate_of_error(error, "7_0", lambda: said, patience_s=0.0)
            assert came == []
        assert came == [signal.SIGTERM] and not is_held_back()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert fate is not None and (fate.state, fate.keeps_task) == (AttemptState.CANCELLED, True)
    assert fate.cause == ("stopped by SLURM: preemption (job 7_0)" if said else "stopped by SIGTERM (job 7_0)")


@pytest.mark.parametrize("error", [ENDED_BY_SIGNAL, SHELL_SAYS_SO, FAILED, GIT])
def test_who_was_not_has_failed_unless_slurm_says_otherwise(error: BaseException) -> None:
    assert fate_of_error(error, "7_0", lambda: "", patience_s=0.0) is None
    fate = fate_of_error(error, "7_0", lambda: REASON, patience_s=0.0)
    assert fate is not None and fate.keeps_task


def test_who_was_interrupted_is_put_back_as_usual_unless_slurm_says_otherwise() -> None:
    assert fate_of_error(Interrupted("stopped by SIGTERM"), "7_0", lambda: "", patience_s=0.0) is None
    over = REASON.replace("PREEMPTION", "TIME LIMIT")
    fate = fate_of_error(Interrupted("stopped by SIGTERM"), "7_0", lambda: over, patience_s=0.0)
    assert fate is not None and (fate.state, fate.keeps_task) == (AttemptState.FAILED, False)
