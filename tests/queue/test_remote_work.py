"""A task of a shared queue from clone to clone, with a real Git remote: one experiment in the end, whatever is cut."""

import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from offbranch.api import queue_remote_work
from offbranch.api.queue_remote import need_shared_queue
from offbranch.api.queue_remote_work import go_on_for_the_dead, work_on_message
from offbranch.api.session import opened
from offbranch.base.errors import RefusedError
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.experiments.leases import hold_lease
from offbranch.git.ids import CommitId
from offbranch.queue.remote import end as remote_end
from offbranch.queue.remote import keeper as remote_keeper
from offbranch.queue.remote import lease as remote_lease
from offbranch.queue.remote import work as remote_work
from offbranch.queue.remote.bench import Verdict
from offbranch.queue.remote.broker import Message
from offbranch.queue.remote.lease import Owner, clone_id, renew_lease, take_lease
from projects import Recorder, TestProject
from remote_queue import Farm, Hand, make_farm, run_here


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return make_farm(tmp_path / "farm")


def test_a_task_goes_out_and_its_experiment_comes_back(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    assert farm.there("tasks") == [task.task.id]
    worker = farm.clone("w")
    assert Hand(worker).work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": task.task.id}
    assert farm.there("tasks") == farm.there("leases") == farm.there("attempts") == []
    assert worker.git("for-each-ref", "refs/ob") == ""
    assert worker.file_at(worker.exps()["half"], "params.yaml") == "# learning rate\nlr: 0.5\nfail: 0"
    report = farm.sync()
    assert [each.name for each in report.results.experiments] == ["half"]
    assert farm.home.exps() == worker.exps()
    assert farm.home.git("for-each-ref", "refs/ob") == ""


def test_a_worker_that_is_stopped_when_all_is_done_publishes_it(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    assert Hand(farm.clone("w"), is_stopped=True).work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": task.task.id}
    assert farm.there("tasks") == farm.there("leases") == []


def test_the_outputs_are_at_the_data_remote_before_the_experiment_is_seen(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    seen: list[set[str]] = []
    worker = farm.clone("w")
    plain = remote_work.publish_end

    def watch(*args: object) -> object:
        seen.append(farm.place.stored())
        return plain(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote_work, "publish_end", watch)
        Hand(worker).work(task.task.id)
    assert seen[0] == farm.place.stored() != set()
    farm.sync()
    assert farm.home.ob("exp", "pull", "origin", "half").code == 0
    assert farm.home.ob("exp", "apply", "half").code == 0
    assert farm.home.read("model.txt") == "model 0.5\n"


def test_a_message_that_comes_again_does_nothing(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    one, two = farm.clone("one"), farm.clone("two")
    assert Hand(one).work(task.task.id) is Verdict.DONE
    before = farm.place.there()
    for worker in (one, two):
        hand = Hand(worker, before_run=lambda: pytest.fail("it ran again"))
        assert hand.work(task.task.id) is Verdict.DONE
    assert farm.place.there() == before


def test_who_comes_second_leaves_the_task_alone(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    one, two = farm.clone("one"), farm.clone("two")
    answers = []
    other = Hand(two, before_run=lambda: pytest.fail("it ran twice"))
    hand = Hand(one, before_run=lambda: answers.append(other.work(task.task.id)))
    assert hand.work(task.task.id) is Verdict.DONE
    assert answers == [Verdict.DONE]
    assert farm.made() == {"half": task.task.id}


def test_who_was_taken_for_dead_publishes_nothing(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker is cut off after its run; its lease is seen not to change, and the task is given to another."""
    (task,) = farm.queue("lr=0.5", name="half")
    one, two = farm.clone("one"), farm.clone("two")

    def take_over() -> None:
        monkeypatch.setenv("GIT_COMMITTER_DATE", "@1790000000 +0000")  # or both would make the very same commit
        lease = farm.place.there()[f"refs/ob/leases/{task.task.id}"]
        assert Hand(two).work(task.task.id, over=lease) is Verdict.DONE

    hand = Hand(one, after_run=take_over)
    assert hand.work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": task.task.id}
    made = farm.place.there()[next(ref for ref in farm.place.there() if ref.startswith("refs/exps/"))]
    assert two.exps() == {"half": made}
    assert one.exps() == {}
    assert len(attempts_of(one)) == 1
    assert farm.there("attempts") == []


def attempts_of(project: TestProject) -> list[str]:
    return project.git("for-each-ref", "--format=%(refname)", "refs/ob/attempts").split()


def test_a_failure_comes_back_with_its_log(farm: Farm) -> None:
    (task,) = farm.queue("fail=3", name="bad")
    assert Hand(farm.clone("w")).work(task.task.id) is Verdict.DONE
    assert farm.made() == {}
    (attempt,) = farm.there("attempts")
    assert farm.there("logs") == [attempt] and farm.there("tasks") == farm.there("leases") == []
    record = farm.attempt(attempt)
    assert (record["state"], record["exit_code"], record["task_id"]) == ("failed", 3, task.task.id)
    report = farm.sync()
    assert [each.id for each in report.results.attempts] == [attempt]
    shown = farm.home.ob("exp", "show", "--json").out
    assert "bad" in shown
    log = farm.home.root / f".dvc/tmp/ob/runs/{attempt}/output.log"
    assert log.exists()
    assert attempts_of(farm.home) == [f"refs/ob/attempts/{attempt}"]
    # One that is forgotten here does not come again.
    assert farm.home.ob("exp", "remove", "bad").code == 0
    farm.sync()
    assert attempts_of(farm.home) == []


@pytest.mark.parametrize("heard", [True, False], ids=["refused", "done, and the answer lost"])
def test_a_cut_while_it_publishes(farm: Farm, monkeypatch: pytest.MonkeyPatch, heard: bool) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    worker = farm.clone("w")
    plain, cut = remote_end.push_updates, []
    gone = farm.place.base / "gone.git"

    def push(*args: object, **kwargs: object) -> object:
        if not cut:
            if not heard:
                plain(*args, **kwargs)  # type: ignore[arg-type]
            os.rename(farm.place.remote, gone)
            cut.append(True)
        return plain(*args, **kwargs)  # type: ignore[arg-type]

    def nap(wait_s: float) -> None:
        cut.append(True)
        if len(cut) == 4:
            os.rename(gone, farm.place.remote)

    monkeypatch.setattr(remote_end, "push_updates", push)
    hand = Hand(worker, on_nap=nap)
    assert hand.work(task.task.id) is Verdict.DONE
    assert len(cut) == 4
    assert farm.made() == {"half": task.task.id}
    assert farm.there("tasks") == farm.there("leases") == []
    assert worker.git("for-each-ref", "refs/ob") == "" and list(worker.exps()) == ["half"]


class Killed(BaseException):
    pass


def killed() -> None:
    raise Killed


POINTS = {
    "with the lease": ("_fetched", 1),
    "before the data": ("send_results", 1),
    "before the push": ("publish_end", 1),
    "after the push": ("_forget", 1),
}


@pytest.mark.parametrize("same", [True, False], ids=["same clone", "other clone"])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_is_killed(farm: Farm, monkeypatch: pytest.MonkeyPatch, point: str, same: bool) -> None:
    """Whoever gets the message next brings it to its end: at once in the same clone, after a silence elsewhere."""
    (task,) = farm.queue("lr=0.5", name="half")
    one, two = farm.clone("one"), farm.clone("two")
    name, _ = POINTS[point]

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(remote_work, name, die)
        with pytest.raises(Killed):
            Hand(one).work(task.task.id)
    # Its process is gone: what it wrote of itself is that of another.
    patch = pytest.MonkeyPatch()
    patch.setattr(remote_lease, "is_alive", lambda process: False)
    runs: list[str] = []
    try:
        if not same:
            lease = farm.place.there().get(f"refs/ob/leases/{task.task.id}")
            Hand(two, before_run=lambda: runs.append("two")).work(task.task.id, over=lease)
        Hand(one, before_run=lambda: runs.append("one")).work(task.task.id)
    finally:
        patch.undo()
    assert farm.made() == {"half": task.task.id}
    assert farm.there("tasks") == farm.there("leases") == []
    made = next(commit for ref, commit in farm.place.there().items() if ref.startswith("refs/exps/"))
    for worker in (one, two):
        assert worker.git("for-each-ref", "refs/ob/held", "refs/ob/tasks", "refs/ob/sent") == ""
        assert worker.exps() in ({}, {"half": made})
    was_run = point in ("before the data", "before the push", "after the push")
    assert runs == ([] if (same and was_run) or point == "after the push" else ["one"] if same else ["two"])


def test_what_a_killed_worker_left_running_is_awaited(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be about to become an experiment, which nobody would publish if the task were given back meanwhile."""
    (task,) = farm.queue("lr=0.5", name="half")
    one = farm.clone("one")
    with pytest.raises(Killed):
        Hand(one, before_run=killed).work(task.task.id)
    monkeypatch.setattr(remote_lease, "is_alive", lambda process: False)
    monkeypatch.setattr(queue_remote_work, "is_alive", lambda process: False)
    before = farm.place.there()
    with ExitStack() as stack:
        stack.enter_context(hold_lease(AbsPath(str(one.root)), task.task.id))
        assert go_on_for_the_dead(one.session(), sleep=lambda wait_s: None) == ()
        assert farm.place.there() == before
        farm.sync(one)
        assert farm.place.there() == before

        def end(wait_s: float) -> None:
            stack.close()
            assert run_here(one, task.task.id) is not None

        hand = Hand(one, before_run=lambda: pytest.fail("it ran twice"), on_nap=end)
        assert hand.work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": task.task.id}
    assert farm.there("tasks") == farm.there("leases") == []


def test_a_lease_changes_with_each_renewal_and_goes_with_its_holder(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    worker = farm.clone("w")
    with opened(worker.session()) as project:
        shared = need_shared_queue(project, worker.session())
        owner = Owner(clone=clone_id(project.root), ttl_s=60)
        lease = take_lease(shared.place, task.task.id, owner, 0.0, over=None)
        assert lease is not None
        renewed = renew_lease(shared.place, lease)
        assert renewed is not None and renewed.commit != lease.commit and renewed.beat == 1
        assert take_lease(shared.place, task.task.id, Owner(clone="other", ttl_s=60), 0.0, over=lease.commit) is None
        other = take_lease(shared.place, task.task.id, Owner(clone="other", ttl_s=60), 0.0, over=renewed.commit)
        assert other is not None and other.n_lost == 1
        assert renew_lease(shared.place, renewed) is None


def test_data_goes_along(farm: Farm) -> None:
    """What the workspace has of data that a worker lacks is sent with the task, and fetched by who runs it."""
    home = farm.home
    home.git("rm", "-q", "--cached", "data.txt")
    assert home.ob("add", "data.txt").code == 0
    home.commit("data under control")
    home.git("push", "-q", "origin", "main")
    (task,) = farm.queue("lr=0.5", name="half")
    assert len(farm.place.stored()) == 1
    worker = farm.clone("w")
    assert not worker.exists("data.txt")
    assert Hand(worker).work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": task.task.id}


def test_the_first_clone_to_have_the_name_keeps_it(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    other = farm.clone("other")
    assert other.ob("exp", "run", "-q", "-n", "half", "-S", "lr=0.9").code == 0
    assert other.ob("exp", "push", "origin", "half").code == 0
    assert Hand(farm.clone("w")).work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": ""}
    (attempt,) = farm.there("attempts")
    assert "came into being" in str(farm.attempt(attempt)["cause"])
    assert farm.there("tasks") == farm.there("leases") == []


def test_a_task_whose_workers_are_all_lost_fails_in_the_end(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    monkeypatch.setattr(remote_work, "MAX_LOST", 2)
    worker = farm.clone("w")
    with opened(worker.session()) as project:
        shared = need_shared_queue(project, worker.session())
        over = None
        for _ in range(2):
            lease = take_lease(shared.place, task.task.id, Owner(clone="x", ttl_s=60), 0.0, over=over)
            assert lease is not None
            over = lease.commit
    assert over is not None
    hand = Hand(worker, before_run=lambda: pytest.fail("it ran"))
    assert hand.work(task.task.id, over=over) is Verdict.DONE
    (attempt,) = farm.there("attempts")
    assert farm.attempt(attempt)["cause"] == "its worker was lost 2 times"
    assert farm.there("tasks") == farm.there("leases") == []


def test_nothing_of_a_worker_lives_on(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    worker = farm.clone("w")
    before = unburied()  # of other tests
    Hand(worker).work(task.task.id)
    assert unburied() <= before


def unburied() -> set[str]:
    """Returns the ids of children of this process that have ended, and whose end nobody has heard of."""
    children = subprocess.run(["ps", "-o", "stat=,pid=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return {line.split()[1] for line in children.stdout.splitlines() if line.startswith("Z")}


def test_a_poke_makes_the_keeper_look_at_once(farm: Farm) -> None:
    """With the usual lease it looks each ten seconds; one nap is enough if it is poked in it."""
    (task,) = farm.queue("lr=0.5", name="half")
    worker, task_id, naps = farm.clone("w"), task.task.id, list[float]()
    session = worker.session()
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        root = project.root
        lease = take_lease(shared.place, task_id, Owner(clone=clone_id(root), ttl_s=120), 0.0, over=None)
        assert lease is not None
        path = Path(remote_keeper.poke_path(root, task_id))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        os.utime(path, (1, 1))

        def nap(wait_s: float) -> None:
            naps.append(wait_s)
            farm.home.git("push", "-q", "origin", f":refs/ob/tasks/{task_id}")
            remote_keeper.poke(root, task_id)

        remote_keeper.keep(shared.place, root, lease, sleep=nap)
    assert naps == [0.5]


def test_a_git_remote_without_atomic_pushes_is_found_out_before_anything_runs(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    set_atomic = ("--git-dir", str(farm.place.remote), "config", "receive.advertiseAtomic")
    farm.home.git(*set_atomic, "false")
    done = farm.home.ob("exp", "run", "--queue", "-n", "late", "-S", "lr=0.7")
    assert "'late' stays in the queue of this machine" in done.err and "receive.advertiseAtomic true" in done.err
    worker = farm.clone("w")
    with pytest.raises(RefusedError, match="several refs at once"):
        Hand(worker, before_run=lambda: pytest.fail("it ran")).work(task.task.id)
    assert farm.there("leases") == [] and farm.home.git("for-each-ref", "refs/ob/sending") == ""
    farm.home.git(*set_atomic, "true")
    assert farm.home.ob("queue", "sync").code == 1  # there is no broker
    for task_id in farm.there("tasks"):
        Hand(worker).work(task_id)
    assert sorted(farm.made()) == ["half", "late"]


def test_a_task_of_a_later_version_is_left_to_others(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="half")
    text = farm.home.git("log", "-1", "--format=%B", task.commit)
    later = re.sub(r'"version": \d+', '"version": 99', text, count=1)
    commit = farm.home.git("commit-tree", f"{task.commit}^{{tree}}", "-p", f"{task.commit}^", "-m", later)
    farm.home.git("push", "-q", "-f", "origin", f"{commit}:refs/ob/tasks/{task.task.id}")
    said = Recorder()
    message = Message(task_id=task.task.id, task_commit=CommitId(commit))
    assert work_on_message(farm.clone("w").session(said), message) is Verdict.ELSEWHERE
    assert farm.there("leases") == []
    assert "is left to other workers" in said.of(Warned)[-1].text


def test_inputs_come_from_the_data_remote_that_they_name(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    farm = make_farm(tmp_path / "farm", config=f"['remote \"own\"']\n    url = {tmp_path}/own\n")
    home = farm.home
    home.git("rm", "-q", "--cached", "data.txt")
    assert home.ob("add", "data.txt").code == 0
    home.write("data.txt.dvc", home.read("data.txt.dvc").rstrip() + "\n  remote: own\n")
    home.commit("data with a remote of its own")
    home.git("push", "-q", "origin", "main")
    (task,) = farm.queue("lr=0.5", name="half")
    assert Hand(farm.clone("w")).work(task.task.id) is Verdict.DONE
    assert farm.made() == {"half": task.task.id}
