"""What has become of each task: one row for one task, true also after workers were killed."""

from pathlib import Path

import pytest

from git_repos import opened
from offbranch.base.errors import NotFoundError
from offbranch.base.locks import hold_lock
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.experiment import AttemptState
from offbranch.experiments.leases import beat, lease_path
from offbranch.queue.standing import read_status
from offbranch.queue.status import QueueStatus, TaskStatus, choose_tasks, find_tasks, time_of_id
from offbranch.queue.workers import SlotUse, Worker, WorkerKind, registered
from projects import make_project
from queue_histories import ELSEWHERE, MadeHistory


@pytest.fixture
def made(tmp_path: Path) -> MadeHistory:
    return MadeHistory(make_project(tmp_path / "p"))


def status(made: MadeHistory) -> QueueStatus:
    made.flush()
    return read_status(opened(made.project.root), made.root)


def only(made: MadeHistory) -> TaskStatus:
    (task,) = status(made).tasks
    return task


def test_an_empty_queue(made: MadeHistory) -> None:
    assert status(made) == QueueStatus()


def test_the_order_of_the_list(made: MadeHistory) -> None:
    for name in ("good", "bad", "stopped", "waits", "runs"):
        (task,) = made.queue(name)
        match name:
            case "good":
                made.succeed(name, task)
            case "bad":
                made.fail(name, task)
            case "stopped":
                made.drop(task)
                made.write(made.attempt(name, task, AttemptState.CANCELLED, cause="cancelled by 'ob queue kill'"))
            case "runs":
                made.write(made.attempt(name, task, AttemptState.RUNNING, process=this_process()), lease=True)
    found = status(made).tasks
    assert [(task.name, task.state) for task in found] == [
        ("runs", "running"),
        ("waits", "queued"),
        ("bad", "failed"),
        ("stopped", "cancelled"),
        ("good", "succeeded"),
    ]
    assert [task.cause for task in found[2:]] == [
        "stage 'train' failed: 'sh train.sh' exited with 3",
        "cancelled by 'ob queue kill'",
        "",
    ]
    assert found[4].experiment == made.project.exps()["good"] and found[4].last is not None


def test_a_lease_whose_worker_is_dead_is_no_lease(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.write(made.attempt("t", task, AttemptState.INTERRUPTED))
    made.write(made.attempt("t", task, AttemptState.RUNNING), lease=True)
    found = only(made)
    assert (found.state, found.n_lost, found.standing) == ("queued", 2, None)
    assert found.cause == "lost 2 times: the process that ran it was killed"


def test_a_command_that_outlived_its_worker(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.write(made.attempt("t", task, AttemptState.RUNNING), lease=True)
    with hold_lock(lease_path(made.root, task[0])):
        found = only(made)
        assert found.state == "running" and found.standing is not None and found.standing.is_orphan
        assert (found.n_lost, found.cause) == (0, "its worker is gone, its command still runs")
    assert only(made).state == "queued"


def test_a_worker_on_another_machine_counts_as_long_as_it_is_heard_of(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.write(made.attempt("t", task, AttemptState.RUNNING, process=ELSEWHERE), lease=True)
    assert only(made).state == "queued"
    path = Path(lease_path(made.root, task[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    beat(made.root, task[0])
    found = only(made)
    assert found.state == "running" and found.standing is not None and not found.standing.is_orphan


def test_one_that_failed_and_is_tried_again(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.fail("t", task, keeps=True)
    found = only(made)
    assert (found.state, found.n_failed) == ("queued", 1)
    assert found.cause == "failed once: stage 'train' failed: 'sh train.sh' exited with 3"
    commit = made.succeed("t", task)
    found = only(made)
    assert (found.state, found.experiment, found.cause, len(found.attempts)) == ("succeeded", commit, "", 2)


def test_only_attempts_of_this_round_count(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.fail("t", task, keeps=True, task_round=0)
    found = only(made)
    assert (found.n_failed, found.cause, len(found.attempts)) == (0, "", 1)


def test_an_experiment_without_a_record_of_its_attempt(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.succeed("t", task, record=False)
    found = only(made)
    assert (found.name, found.state, found.rev, found.attempts) == ("t", "succeeded", None, ())
    assert found.created_utc == time_of_id(task[0])


def test_one_that_cannot_be_read(made: MadeHistory) -> None:
    made.project.git("update-ref", "refs/ob/tasks/strange", made.head)
    found = only(made)
    assert (found.id, found.state) == ("strange", "queued") and found.cause.startswith("cannot be read: ")


def test_a_failure_that_nothing_could_be_written_about(made: MadeHistory) -> None:
    """Its commit still says that it runs, only the record on disk says more."""
    (task,) = made.queue("t")
    written = made.write(made.attempt("t", task, AttemptState.RUNNING), record=False)
    made.drop(task)
    assert (only(made).state, only(made).cause) == ("failed", "the process that ran it was killed")
    made.write(replace(written, state=AttemptState.FAILED, cause="no space left", ended_utc=1.0))
    assert (only(made).state, only(made).cause) == ("failed", "no space left")


def test_workers_are_counted_by_their_slots(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.write(made.attempt("t", task, AttemptState.RUNNING, process=this_process()), lease=True)
    slots = (SlotUse(number=1, label="one", task_id=task[0]), SlotUse(number=2, label="two"))
    worker = Worker(id="w", process=this_process(), started_utc=1.0, kind=WorkerKind.BACKGROUND, slots=slots, log=None)
    with registered(made.root, worker):
        found = status(made)
        assert (found.n_active, found.n_idle) == (1, 1)
        standing = found.tasks[0].standing
        assert standing is not None and (standing.worker, standing.slot) == ("w", "one")
    found = status(made)
    assert (found.n_active, found.n_idle, found.tasks[0].state) == (0, 0, "running")


def test_what_a_name_stands_for(made: MadeHistory) -> None:
    first, second = made.queue("P", 2)
    (again,) = made.queue("other")
    attempt = made.fail("P-1", first)
    found = status(made)

    def ids(text: str) -> list[str]:
        return [task.id for task in find_tasks(found.tasks, text)]

    assert (
        ids("P-2") == ids(second[0]) == ids(second[1][:7].upper()) == ids(f"refs/ob/tasks/{second[0]}") == [second[0]]
    )
    assert ids("P-1") == ids(attempt.id) == [first[0]]
    assert ids("P-*") == [second[0], first[0]] and ids("*") == [again[0], second[0], first[0]]
    assert ids("P") == ids("") == ids(second[1][:3]) == []
    assert [task.name for task in choose_tasks(found, ("other", "P-1"))] == ["other", "P-1"]
    with pytest.raises(NotFoundError, match="'P-3' is not a valid queued experiment name") as raised:
        choose_tasks(found, ("P-1", "P-3"))
    assert raised.value.hint is not None and "'P-1'" in raised.value.hint
    with pytest.raises(NotFoundError) as raised:
        choose_tasks(found, ("nothing-like-it",))
    assert raised.value.hint == "ob queue status lists the tasks there are"


@pytest.mark.parametrize(
    ("task_id", "time_s"),
    [
        ("19700101-000000-000abc", 0.0),
        ("20000229-115959-3e8abc-01", 951825599 + 1.0),
        ("20240229-000000-001abc", 1709164800.001),
        ("21000301-000000-000abc", 4107542400.0),
        ("20241301-000000-000abc", None),
        ("of-somebody-else", None),
        ("", None),
    ],
)
def test_the_time_of_an_id(task_id: str, time_s: float | None) -> None:
    assert time_of_id(task_id) == time_s
