"""The queue here and the one at the Git remote: who may run what, what is sent, what comes back; and what gets lost."""

import itertools
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.memory_broker import MemoryBroker
from offbranch.api.exp import make_launch
from offbranch.api.queue_remote import need_shared_queue, sync_shared
from offbranch.api.queue_remote_changes import tell_changes
from offbranch.api.session import beginning, opened
from offbranch.base.errors import ConflictError
from offbranch.base.records import replace
from offbranch.experiments.leases import hold_lease
from offbranch.experiments.refs import sending_ref
from offbranch.git.ids import CommitId
from offbranch.git.refs import RefUpdate, update_refs
from offbranch.queue.remote.bench import Verdict
from offbranch.queue.remote.lease import Owner, take_lease
from offbranch.queue.remote.place import There
from offbranch.queue.remote.report import SyncReport
from offbranch.queue.remote.send import send_tasks
from offbranch.queue.remote.sweep import Memory, again, plan_sweep
from offbranch.queue.remote.sync import Step, plan_step
from offbranch.queue.store import read_tasks
from offbranch.queue.take import take_task
from offbranch.queue.task import StoredTask, TaskState
from projects import TestProject
from remote_queue import Farm, Hand, make_farm
from sharing import ref_of

A, B, C = (CommitId(each * 40) for each in "abc")


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return make_farm(tmp_path / "farm")


# Decisions


def test_what_has_happened_follows_from_three_things() -> None:
    def step(here: CommitId | None, sent: CommitId | None, there: CommitId | None) -> str:
        return plan_step(here, sent, there).value

    assert step(A, A, A) == "nothing"
    assert step(A, None, None) == "nothing"  # of this machine alone
    assert step(None, None, A) == "bring"
    assert step(A, None, A) == step(B, A, B) == "mark"
    assert step(B, A, A) == "send"
    assert step(A, A, B) == step(C, A, B) == "bring"
    assert step(None, A, A) == "remove"
    assert step(None, A, B) == "bring"  # changed there, which counts
    assert step(A, A, None) == step(B, A, None) == step(None, A, None) == "ended"


@given(st.sampled_from([None, A, B]), st.sampled_from([None, A, B]), st.sampled_from([None, A, B]), st.booleans())
def test_doing_it_once_is_enough(
    here: CommitId | None, sent: CommitId | None, there: CommitId | None, is_sending: bool
) -> None:
    """Whatever the three say, after what is decided nothing is left to do."""
    match plan_step(here, sent, there, is_sending=is_sending):
        case Step.BRING:
            here = sent = there
        case Step.MARK:
            sent = there
        case Step.SEND:
            there = sent = here
        case Step.REMOVE:
            there = sent = None
        case Step.ENDED:
            here = sent = None
        case Step.UNSURE:
            assert here is not None and sent is None and there is None and is_sending
            there = sent = here
    assert plan_step(here, sent, there) is Step.NOTHING


def test_what_a_worker_here_sees_to_is_left_to_it() -> None:
    for each in itertools.product((None, A), repeat=3):
        assert plan_step(*each, is_held=True) is Step.HELD


def test_what_got_lost_is_found_by_a_clock_of_ones_own() -> None:
    there = There(
        tasks={"silent": A, "well": A, "waits": A}, leases={"silent": A, "well": A, "orphan": C}, requests={"x": B}
    )
    first = plan_sweep(there, Memory(), 100, {}, 60)
    assert not (first.silent or first.unheard)
    assert [each.ref for each in first.litter] == ["refs/ob/requests/x"]
    beaten = replace(there, leases={**there.leases, "well": B})
    middle = plan_sweep(beaten, first.memory, 140, {}, 60)
    assert middle.silent == () and middle.unheard == ("waits",)
    last = plan_sweep(beaten, again(middle.memory, ["waits"], 140), 161, {B: 5}, 60)
    assert last.silent == (("silent", A), ("well", B))  # who says 5 s is taken at his word
    assert last.unheard == ()
    assert {each.ref for each in last.litter} == {"refs/ob/leases/orphan", "refs/ob/requests/x"}


@given(st.lists(st.sets(st.sampled_from("abcd")), max_size=6))
def test_only_what_never_changes_is_silent(beats: list[set[str]]) -> None:
    """A lease that is renewed between two looks is never taken for lost."""
    leases, memory, count = dict.fromkeys("abcd", A), Memory(), 0
    for beaten in [set(), *beats]:
        for each in beaten:
            count += 1
            leases[each] = CommitId(f"{count:040x}")
        sweep = plan_sweep(There(tasks=dict.fromkeys("abcd", A), leases=leases), memory, count, {}, 0.5)
        assert not {each for each, _ in sweep.silent} & beaten
        memory, count = sweep.memory, count + 1


# Sending


def test_what_is_sent_is_run_by_no_worker_of_this_machine_alone(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    done = farm.home.ob("exp", "run", "--run-all")
    assert done.code == 0 and farm.home.exps() == {}
    named = farm.home.ob("queue", "start", "half", OFFBRANCH_BROKER="redis://127.0.0.1:1/0")
    assert named.code == 1 and "has been sent" in named.err
    assert farm.there("tasks") == [task.task.id]


def test_what_a_worker_here_has_is_not_sent(farm: Farm) -> None:
    farm.home.git("config", "--unset", "offbranch.broker")
    assert farm.home.ob("exp", "run", "--queue", "-n", "here").code == 0
    farm.home.git("config", "offbranch.broker", "redis://127.0.0.1:1/0")
    session = farm.home.session()
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        (task,) = read_tasks(shared.place.repo, project.root).all
        update_refs(shared.place.repo, [RefUpdate(ref=f"refs/ob/leases/{task.task.id}", new=task.commit, old=None)])
        done = send_tasks(project, shared.place, (task,), {})
        assert not done.tasks and "taken or changed here" in done.unsent[0].error.message
    assert farm.there("tasks") == []


def test_a_task_is_not_taken_here_while_it_is_sent(farm: Farm) -> None:
    """The other way round: who read the task before it was sent fails when he wants to take it."""
    farm.home.git("config", "--unset", "offbranch.broker")
    assert farm.home.ob("exp", "run", "--queue", "-n", "here").code == 0
    session = farm.home.session()
    with opened(session) as project:
        assert project.repo is not None
        (from_before,) = read_tasks(project.repo, project.root).all
        update_refs(project.repo, [RefUpdate(ref=sending_ref(from_before.task.id), new=from_before.commit, old=None)])
    with pytest.raises(ConflictError):
        take(farm.home, from_before)
    assert farm.home.exps() == {}


def take(project: TestProject, stored: StoredTask) -> None:
    """Takes a task as it was read, as a worker does."""
    session = project.session()
    with opened(session) as home, hold_lease(home.root, stored.task.id) as lock, beginning(home):
        assert home.repo is not None
        take_task(home, home.repo, stored, make_launch(session, home, time.time, ()), lock)


def test_a_git_remote_that_is_away_keeps_nothing_from_being_queued(farm: Farm) -> None:
    gone = farm.place.base / "gone.git"
    os.rename(farm.place.remote, gone)
    done = farm.home.ob("exp", "run", "--queue", "-n", "half", "-S", "lr=0.5")
    assert done.code == 0 and "'half' stays in the queue of this machine" in done.err
    assert farm.home.git("for-each-ref", "refs/ob/sending", "refs/ob/sent") == ""
    os.rename(gone, farm.place.remote)
    assert [each.name for each in farm.sync().sent] == ["half"]
    assert len(farm.there("tasks")) == 1


def test_sending_that_is_cut_off_is_made_good(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The push was done, but its answer was lost: the task is there, or has been run already; it is not run twice."""
    (task,) = farm.queue("lr=0.5", name="half")
    ref = f"refs/ob/sent/{task.task.id}"
    farm.home.git("update-ref", f"refs/ob/sending/{task.task.id}", task.commit)
    farm.home.git("update-ref", "-d", ref)
    assert farm.sync().sent == ()
    assert farm.home.git("for-each-ref", "--format=%(refname)", "refs/ob/sent", "refs/ob/sending") == ref
    farm.home.git("update-ref", f"refs/ob/sending/{task.task.id}", task.commit)
    farm.home.git("update-ref", "-d", ref)
    Hand(farm.clone("w")).work(task.task.id)
    report = farm.sync()
    assert report.sent == () and [each.name for each in report.results.experiments] == ["half"]
    assert farm.there("tasks") == [] and farm.home.git("for-each-ref", "refs/ob") == ""


def test_what_cannot_travel_stays_with_its_reason(farm: Farm) -> None:
    farm.home.write("notes.txt", "mine")
    done = farm.home.ob("exp", "run", "--queue", "-n", "half", "-C", "notes.txt")
    assert done.code == 0 and "files that only this workspace has ('notes.txt')" in done.err
    assert farm.there("tasks") == []
    assert farm.home.ob("exp", "run", "--run-all").code == 0
    assert list(farm.home.exps()) == ["half"]


def test_data_without_a_place_to_go_keeps_a_task_here(tmp_path: Path) -> None:
    farm = make_farm(tmp_path / "farm", config="[core]\n    analytics = false\n")
    farm.home.git("rm", "-q", "--cached", "data.txt")
    assert farm.home.ob("add", "data.txt").code == 0
    farm.home.commit("data under control")
    done = farm.home.ob("exp", "run", "--queue", "-n", "half")
    assert done.code == 0 and "needs 'data.txt', and the project has no data remote" in done.err
    assert farm.there("tasks") == []


# Coming and going


def test_everybody_sees_the_same_queue(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    other = farm.clone("other")
    assert farm.sync(other).brought == (task.task.id,)
    assert farm.sync(other).brought == ()
    assert "half" in other.ob("exp", "show", "--json").out
    # Removed by one, it is gone for all.
    assert other.ob("exp", "remove", "half").code == 0
    assert farm.there("tasks") == []
    farm.sync()
    assert farm.home.git("for-each-ref", "refs/ob") == other.git("for-each-ref", "refs/ob") == ""


def test_what_runs_elsewhere_is_shown_as_running_and_cannot_be_removed(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    lease(farm, task.task.id)
    assert farm.sync().n_running == 1
    with opened(farm.home.session()) as project:
        assert project.repo is not None
        (seen,) = read_tasks(project.repo, project.root).all
    assert seen.state is TaskState.RUNNING and seen.is_away
    done = farm.home.ob("exp", "remove", "half")
    assert done.code == 1 and "running" in done.err
    assert farm.there("tasks") == [task.task.id]


def lease(farm: Farm, task_id: str) -> None:
    """Has a worker take a task, that does nothing more."""
    worker = farm.clone(f"worker-{task_id[-6:]}")
    session = worker.session()
    with opened(session) as project:
        place = need_shared_queue(project, session).place
        assert take_lease(place, task_id, Owner(clone="x", ttl_s=60), 0.0, over=None) is not None


def test_results_come_along_with_a_pull(farm: Farm) -> None:
    (good,) = farm.queue("lr=0.5", name="half")
    (bad,) = farm.queue("fail=3", name="bad")
    worker = Hand(farm.clone("w"))
    worker.work(good.task.id)
    worker.work(bad.task.id)
    assert farm.home.ob("exp", "pull", "origin", "half").code == 0
    assert list(farm.home.exps()) == ["half"]
    assert len(farm.home.git("for-each-ref", "refs/ob/attempts").splitlines()) == 1
    assert farm.home.git("for-each-ref", "refs/ob/tasks", "refs/ob/sent") == ""


def test_a_result_does_not_replace_what_is_here(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    Hand(farm.clone("w")).work(task.task.id)
    assert farm.home.ob("exp", "run", "-q", "-n", "other", "-S", "lr=0.9").code == 0
    _, ref = ref_of(farm.home, "other")
    farm.home.git("update-ref", ref.replace("other", "half"), farm.home.exps()["other"])
    before = farm.home.exps()
    done = farm.home.ob("queue", "sync")
    assert "another experiment has this name here" in done.err and farm.home.exps() == before
    assert farm.home.git("for-each-ref", "refs/ob/tasks") == ""


def test_a_change_here_goes_there(farm: Farm) -> None:
    """As hold, release and priority make it: another commit at the ref of the task."""
    (task,) = farm.queue("lr=0.5", name="half")
    message = farm.home.git("log", "-1", "--format=%B", task.commit).replace('"priority": 0', '"priority": 3')
    changed = farm.home.git("commit-tree", f"{task.commit}^{{tree}}", "-p", task.task.spec.baseline, "-m", message)
    farm.home.git("update-ref", task.ref, changed)
    report = tell_changes(farm.home.session())
    assert report is not None and [each.task.priority for each in report.sent] == [3]
    assert farm.place.there()[task.ref] == changed
    assert Hand(farm.clone("w")).work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": task.task.id}


def synced(farm: Farm, broker: MemoryBroker) -> SyncReport:
    session = farm.home.session()
    with opened(session) as project:
        shared = replace(need_shared_queue(project, session), broker=broker)
        return sync_shared(shared, sends=True, announces=True)


def test_workers_are_told_of_what_nobody_told_them(farm: Farm) -> None:
    farm.queue("lr=0.5,0.6", name="t")
    broker = MemoryBroker()
    assert synced(farm, broker).n_announced == 2
    assert synced(farm, broker).n_announced == 0  # enough messages wait
    broker.is_down = True
    report = synced(farm, broker)
    assert report.error is not None and report.n_waiting == 2


def test_experiments_of_others_are_not_taken_for_results(farm: Farm) -> None:
    """One of the same name that did not come from the task is not its result."""
    (task,) = farm.queue("lr=0.5", name="half")
    other = farm.clone("other")
    assert other.ob("exp", "run", "-q", "-n", "half", "-S", "lr=0.9").code == 0
    assert other.ob("exp", "push", "origin", "half").code == 0
    other.git("push", "-q", "origin", f":{task.ref}")
    report = farm.sync()
    assert report.results.experiments == () and report.results.ended == (task.task.id,)
    assert farm.home.exps() == {}


def test_what_is_no_task_is_left_alone(farm: Farm) -> None:
    farm.home.git("push", "-q", "origin", "HEAD:refs/ob/tasks/20260101-000000-abcdef")
    farm.home.git("push", "-q", "origin", "HEAD:refs/ob/attempts/20260101-000000-abcdef")
    report = farm.sync()
    assert report.n_waiting == 0 and report.results.attempts == ()
    assert Hand(farm.clone("w")).work("20260101-000000-abcdef") is Verdict.DONE
    assert farm.there("leases") == []


def test_a_failure_that_is_removed_goes_from_the_git_remote(farm: Farm) -> None:
    (bad,) = farm.queue("fail=3", name="bad")
    (other,) = farm.queue("fail=4", name="other")
    worker = farm.clone("w")
    for each in (bad, other):
        Hand(worker).work(each.task.id)
    farm.sync()
    kept = next(each for each in farm.there("attempts") if farm.attempt(each)["name"] == "other")
    assert farm.home.ob("queue", "remove", "bad").code == 0
    farm.sync()
    assert farm.there("attempts") == farm.there("logs") == [kept]
    colleague = farm.clone("c")
    assert [each.id for each in farm.sync(colleague).results.attempts] == [kept]


def test_a_failure_that_is_removed_where_it_ran_does_not_come_again(farm: Farm) -> None:
    (bad,) = farm.queue("fail=3", name="bad")
    worker = farm.clone("w")
    Hand(worker).work(bad.task.id)
    farm.sync(worker)
    assert worker.ob("exp", "remove", "bad").code == 0
    assert farm.sync(worker).results.attempts == ()
    assert len(farm.there("attempts")) == 1
