"""Changing what waits: other terms, out of the queue, into it again. One transaction each; what runs is never touched."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from git_repos import opened
from offbranch.api.exp import RunRequest, make_launch
from offbranch.api.exp_keep import remove as exp_remove
from offbranch.api.exp_keep import rename
from offbranch.api.queue import submit
from offbranch.api.queue_change import (
    ALL_TO_REMOVE,
    ALL_TO_RETRY,
    change_terms,
    hold,
    release,
    remove,
    retry,
    set_priority,
)
from offbranch.api.queue_run_all import run_all
from offbranch.api.session import opened as opened_project
from offbranch.base.errors import ConflictError, NotFoundError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.leases import hold_lease
from offbranch.experiments.remove import Removal
from offbranch.git.many_commits import write_commits
from offbranch.queue import store
from offbranch.queue.chosen import TaskChoice, read_known
from offbranch.queue.store import read_tasks
from offbranch.queue.take import run_taken, take_task
from offbranch.queue.task import StoredTask, TaskState
from offbranch.queue.terms import Terms
from projects import TestProject, make_project
from queue_histories import MadeHistory

QUEUED = TaskChoice(states=frozenset((TaskState.QUEUED,)))
EVERYTHING = TaskChoice(states=ALL_TO_REMOVE)


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def queue(project: TestProject, *overrides: str, terms: Terms | None = None, **more: Any) -> None:
    request = RunRequest(overrides=overrides, **more)
    submit(request, project.session(), terms=terms or Terms(), rng=random.Random(1))


def waiting(project: TestProject) -> list[StoredTask]:
    return list(read_tasks(opened(project.root), AbsPath(str(project.root))).all)


def names(project: TestProject) -> list[str]:
    return [each.name for each in waiting(project)]


def attempts(project: TestProject) -> tuple[Attempt, ...]:
    return list_attempts(opened(project.root), AbsPath(str(project.root)))


def named(*texts: str) -> TaskChoice:
    return TaskChoice(names=texts)


def drain(project: TestProject) -> list[str]:
    return [end.name for end in run_all(project.session())]


@contextmanager
def running(project: TestProject, name: str) -> Iterator[None]:
    """A task in the hands of somebody who lives: this process."""
    session = project.session()
    with opened_project(session) as it:
        repo = opened(project.root)
        (stored,) = (each for each in waiting(project) if each.name == name)
        with hold_lease(it.root, stored.task.id) as lock:
            taken = take_task(it, repo, stored, make_launch(session, it, lambda: 1000.0, ()), lock)
            yield
            run_taken(taken)


def test_terms_are_what_was_given_when_it_was_queued(project: TestProject) -> None:
    queue(project, "lr=0.2", name="a", terms=Terms(priority=3, is_held=True, timeout_s=60, retries=2))
    (task,) = (each.task for each in waiting(project))
    assert (task.priority, task.is_held, task.timeout_s, task.retries) == (3, True, 60, 2)


def test_held_ones_wait_and_released_ones_run(project: TestProject) -> None:
    queue(project, "lr=0.2,0.3", name="P")
    done = hold(named("P-1"), project.session())
    assert [each.name for each in done.tasks] == ["P-1"] and drain(project) == ["P-2"]
    assert names(project) == ["P-1"]
    again = hold(QUEUED, project.session())
    assert again.tasks == () and [each.name for each in again.same] == ["P-1"]
    assert [each.name for each in release(QUEUED, project.session()).tasks] == ["P-1"]
    assert drain(project) == ["P-1"] and set(project.exps()) == {"P-1", "P-2"}


def test_a_higher_priority_goes_first(project: TestProject) -> None:
    queue(project, "lr=0.2,0.3,0.4", name="P")
    set_priority(5, named("P-3"), project.session())
    set_priority(-5, named("P-1"), project.session())
    assert drain(project) == ["P-3", "P-2", "P-1"]


def test_new_terms_keep_everything_else_of_the_task(project: TestProject) -> None:
    queue(project, "lr=0.2", name="a", message="why")
    (before,) = waiting(project)
    queued_utc = int(before.task.created_utc)  # the clock of Git may be in the next second already
    change_terms(named("a"), Terms(timeout_s=30), project.session())
    (after,) = waiting(project)
    assert after.commit != before.commit and after.tree == before.tree and after.ref == before.ref
    assert after.task.spec == before.task.spec and after.task.timeout_s == 30
    assert project.git("log", "-1", "--format=%ct %at %an", after.commit) == f"{queued_utc} {queued_utc} Ann Dev"
    assert project.git("rev-parse", f"{after.commit}^") == after.task.spec.baseline


@pytest.mark.parametrize("how", ["name", "id", "ref", "commit", "short", "upper", "pattern"])
def test_every_way_to_name_a_task(project: TestProject, how: str) -> None:
    queue(project, "lr=0.2", name="first")
    queue(project, "lr=0.3", name="other")
    one = next(each for each in waiting(project) if each.name == "first")
    texts = {
        "name": "first",
        "id": one.task.id,
        "ref": one.ref,
        "commit": one.commit,
        "short": one.commit[:7],
        "upper": one.commit[:7].upper(),
        "pattern": "f?rs*",
    }
    assert [each.name for each in hold(named(texts[how]), project.session()).tasks] == ["first"]


def test_one_unknown_name_and_nothing_happens(project: TestProject) -> None:
    queue(project, "lr=0.2,0.3", name="P")
    for act in (hold, release, remove, retry):
        with pytest.raises(NotFoundError, match="'P-9' is not a valid experiment name") as caught:
            act(named("P-1", "P-9"), project.session())
        assert caught.value.hint is not None and "P-" in caught.value.hint
    assert [each.task.is_held for each in waiting(project)] == [False, False]


def test_a_name_of_several_baselines_is_told(project: TestProject) -> None:
    queue(project, "lr=0.2", name="same")
    project.write("data.txt", "more\n")
    project.commit("second")
    queue(project, "lr=0.3", name="same")
    for act in (hold, remove):
        with pytest.raises(UsageError, match="'same' stands for several tasks, of different baselines") as caught:
            act(named("same"), project.session())
        assert caught.value.hint is not None and all(each.task.id in caught.value.hint for each in waiting(project))
    remove(named(waiting(project)[0].task.id), project.session())
    assert len(waiting(project)) == 1


def test_what_runs_is_refused_by_name_and_left_out_otherwise(project: TestProject) -> None:
    queue(project, "lr=0.2,0.3", name="P")
    with running(project, "P-1"):
        refs = project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases")
        for act in (hold, release, remove, retry):
            with pytest.raises(ConflictError, match="running") as caught:
                act(named("P-1", "P-2"), project.session())
            assert caught.value.hint
        assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == refs
        with pytest.raises(ConflictError, match="running"):
            exp_remove(Removal(names=("P-1",)), project.session())
        held = hold(named("P-*"), project.session())
        assert [each.name for each in held.tasks] == ["P-2"] and [each.name for each in held.running] == ["P-1"]
        gone = remove(EVERYTHING, project.session())
        assert [each.name for each in gone.tasks] == ["P-2"] and names(project) == ["P-1"]
    assert set(project.exps()) == {"P-1"}


def test_what_is_taken_between_reading_and_writing_is_not_changed(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the look at the lease the ref of a running task would be rewritten under it."""
    queue(project, "lr=0.2,0.3", name="P")
    taken: list[Any] = []

    def write_late(repo: Any, drafts: Any) -> Any:
        commits = write_commits(repo, drafts)
        if not taken:
            taken.append(running(project, "P-1"))
            taken[0].__enter__()
        return commits

    monkeypatch.setattr(store, "write_commits", write_late)
    monkeypatch.setattr("offbranch.api.queue_change.beginning", lambda project: opened_nothing())
    done = hold(named("P-*"), project.session())
    assert [each.name for each in done.tasks] == ["P-2"] and [each.name for each in done.running] == ["P-1"]
    taken[0].__exit__(None, None, None)
    assert set(project.exps()) == {"P-1"} and names(project) == ["P-2"]


@contextmanager
def opened_nothing() -> Iterator[None]:
    yield


def test_removing_takes_attempts_and_logs_along(project: TestProject) -> None:
    queue(project, "fail=3,4", name="F")
    drain(project)
    assert len(attempts(project)) == 2
    runs = project.root / ".dvc/tmp/ob/runs"
    assert len(list(runs.iterdir())) == 2
    assert [each.name for each in remove(named("F-1"), project.session(), dry=True).tasks] == ["F-1"]
    assert len(attempts(project)) == 2
    gone = remove(TaskChoice(states=frozenset((TaskState.FAILED,))), project.session())
    assert [(each.name, each.state) for each in gone.tasks] == [("F-1", TaskState.FAILED), ("F-2", TaskState.FAILED)]
    assert attempts(project) == () and list(runs.iterdir()) == []
    assert project.git("for-each-ref", "refs/ob") == ""


def test_removing_what_succeeded_leaves_its_experiment(project: TestProject) -> None:
    queue(project, "lr=0.2,0.3", name="P")
    drain(project)
    exps = project.exps()
    gone = remove(named("P-1"), project.session())
    assert [(each.name, each.state) for each in gone.tasks] == [("P-1", TaskState.SUCCEEDED)] and project.exps() == exps
    root = AbsPath(str(project.root))
    known = read_known(opened(project.root), root, with_succeeded=True)
    assert [each.name for each in known.tasks] == ["P-2"]
    assert [each.name for each in remove(EVERYTHING, project.session()).tasks] == ["P-2"]
    assert remove(EVERYTHING, project.session()).tasks == () and project.exps() == exps


def test_both_ways_to_remove_leave_the_same(project: TestProject) -> None:
    """A task with an attempt of an earlier round: neither leaves that behind as if it had failed."""
    for by_queue in (True, False):
        queue(project, "fail=3", name="F")
        drain(project)
        retry(named("F"), project.session())
        assert names(project) == ["F"] and len(attempts(project)) == 1
        task_id = waiting(project)[0].task.id
        if by_queue:
            remove(named(task_id), project.session())
        else:
            exp_remove(Removal(names=(task_id,)), project.session())
        assert names(project) == [] and attempts(project) == ()
        assert project.git("for-each-ref", "refs/ob") == ""


def test_exp_remove_takes_patterns_of_queued_and_failed_ones(project: TestProject) -> None:
    queue(project, "fail=3", name="P-bad")
    drain(project)
    queue(project, "lr=0.2,0.3", name="P")
    queue(project, "lr=0.4", name="other")
    done = exp_remove(Removal(names=("P-*",)), project.session())
    assert sorted(done.names) == ["P-1", "P-2", "P-bad"]
    assert names(project) == ["other"] and attempts(project) == ()


def test_a_failed_task_is_queued_again_as_it_was(project: TestProject) -> None:
    queue(project, "fail=3", name="F", message="why", terms=Terms(priority=2, retries=0))
    (before,) = waiting(project)
    drain(project)
    project.write("train.sh", "exit 9\n")
    (again,) = retry(named("F"), project.session()).stored
    (after,) = waiting(project)
    assert after.commit == again.commit and after.task.id == before.task.id and after.tree == before.tree
    assert after.task.round == 2 and after.task.spec == before.task.spec and after.task.priority == 2
    assert after.attempts == () and len(attempts(project)) == 1
    drain(project)
    assert [each.task_round for each in attempts(project)] == [2, 1]
    (third,) = retry(named(attempts(project)[1].id), project.session(), terms=Terms(is_held=True, priority=0)).tasks
    assert (third.round, third.is_held, third.priority) == (3, True, 0)


def test_retry_outlives_a_git_gc(project: TestProject) -> None:
    queue(project, "fail=3", name="F")
    drain(project)
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")
    assert [each.spec.name for each in retry(TaskChoice(states=ALL_TO_RETRY), project.session()).tasks] == ["F"]
    project.git("fsck", "--strict")


def test_what_cannot_be_queued_again(project: TestProject) -> None:
    queue(project, "lr=0.2", name="good")
    queue(project, "fail=3", name="bad")
    with pytest.raises(ConflictError, match="'good' is waiting in the queue already"):
        retry(named("good"), project.session())
    drain(project)
    with pytest.raises(ConflictError, match="'good' has succeeded"):
        retry(named("good"), project.session())
    rename("good", "bad", project.session())
    with pytest.raises(ConflictError, match="is called 'bad' now"):
        retry(named("bad"), project.session())
    left = retry(TaskChoice(states=ALL_TO_RETRY), project.session())
    assert left.tasks == () and [each.name for each in left.left_out] == ["bad"]
    assert names(project) == []


def test_two_failures_of_one_name_are_queued_again_once(project: TestProject) -> None:
    queue(project, "fail=3", name="F")
    drain(project)
    queue(project, "fail=4", name="F")
    drain(project)
    done = retry(named("F"), project.session())
    assert [each.spec.overrides for each in done.tasks] == [("fail=4",)]
    assert [each.name for each in done.left_out] == ["F"]


def test_of_several_that_are_called_the_same_the_one_that_can_be_changed_is_meant(project: TestProject) -> None:
    queue(project, "fail=3", name="F")
    drain(project)
    queue(project, "fail=0", name="F")
    assert [each.task.spec.overrides for each in hold(named("F"), project.session()).tasks] == [("fail=0",)]
    assert [each.state.value for each in remove(named("F"), project.session()).tasks] == ["failed", "queued"]


def test_changes_of_what_has_ended_say_what_to_do(project: TestProject) -> None:
    queue(project, "fail=3", name="F")
    drain(project)
    with pytest.raises(ConflictError, match="'F' has ended") as caught:
        hold(named("F"), project.session())
    assert caught.value.hint == "queue it again: ob queue retry F"


def test_names_or_states_but_not_both(project: TestProject) -> None:
    for choice in (TaskChoice(), TaskChoice(names=("a",), states=ALL_TO_REMOVE)):
        for act in (remove, retry):
            with pytest.raises(UsageError, match="either names of tasks, or states"):
                act(choice, project.session())


def test_a_lease_that_a_dead_worker_left_goes_with_the_task(project: TestProject) -> None:
    queue(project, "lr=0.2", name="a")
    (task,) = waiting(project)
    lease = f"refs/ob/leases/{task.task.id}"
    project.git("update-ref", lease, project.git("rev-parse", "HEAD"))
    assert hold(named("a"), project.session()).tasks
    remove(named("a"), project.session())
    assert project.git("for-each-ref", "refs/ob") == ""


def test_refs_that_are_no_tasks_go_with_all(project: TestProject) -> None:
    project.git("update-ref", "refs/ob/tasks/odd", project.git("rev-parse", "HEAD"))
    assert remove(TaskChoice(states=frozenset((TaskState.FAILED,))), project.session()).unreadable == ()
    assert [each.ref for each in remove(EVERYTHING, project.session()).unreadable] == ["refs/ob/tasks/odd"]
    assert project.git("for-each-ref", "refs/ob") == ""


def test_a_thousand_at_once_are_one_transaction(project: TestProject) -> None:
    queue(project, "lr=range(1,1001)", name="P")
    assert len(hold(QUEUED, project.session()).tasks) == 1000
    assert all(each.task.is_held for each in waiting(project))
    assert len(set_priority(1, named("P-1*"), project.session()).tasks) == 112
    assert len(remove(EVERYTHING, project.session()).tasks) == 1000
    assert waiting(project) == []
    project.git("fsck", "--strict", "--no-dangling")


def test_one_that_succeeded_after_a_failure_is_not_among_those_that_failed(project: TestProject) -> None:
    made = MadeHistory(project)
    (task,) = made.queue("good")
    made.fail("good", task, keeps=True)
    made.succeed("good", task)
    made.flush()
    failed = TaskChoice(states=frozenset((TaskState.FAILED,)))
    assert remove(failed, project.session()).tasks == () and len(attempts(project)) == 1
    done = retry(failed, project.session())
    assert (done.tasks, done.left_out) == ((), ())
    assert [each.name for each in remove(named("good"), project.session()).tasks] == ["good"]
    assert attempts(project) == () and list(project.exps()) == ["good"]
