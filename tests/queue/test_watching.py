"""Watching the queue and waiting for it: nothing is missed, and nothing is read while nothing happens."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from git_repos import opened
from offbranch.api.queue_look import QueueView, queue_status, queue_wait, watch_queue
from offbranch.base.errors import NotFoundError
from offbranch.base.events import Warned
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.attempts import write_record
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.git.command import run_git
from offbranch.queue import pulse
from offbranch.queue.pulse import Seen, has_changed, remember
from offbranch.queue.standing import read_status
from offbranch.queue.workers import WORKERS_DIR
from projects import Recorder, TestProject, make_project
from queue_histories import MadeHistory


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


@pytest.fixture
def made(project: TestProject) -> MadeHistory:
    return MadeHistory(project)


def running(made: MadeHistory, name: str, task: tuple[str, str]) -> Attempt:
    attempt = made.write(made.attempt(name, task, AttemptState.RUNNING, process=this_process()), lease=True)
    made.flush()
    return attempt


def acting(*steps: Callable[[], object]) -> Callable[[float], None]:
    """Does one thing at each sleep; after the last one it is over."""
    rest = list(steps)

    def sleep(_: float) -> None:
        if not rest:
            raise TimeoutError("nothing more happens")
        rest.pop(0)()

    return sleep


def seen(made: MadeHistory) -> Seen:
    """What is seen of files that have not been changed for long."""
    repo = opened(made.project.root)
    status = read_status(repo, made.root)
    git_dir = made.project.root / ".git"
    workers = made.project.root / WORKERS_DIR
    for path in (git_dir / "packed-refs", workers, *(Path(each) for each, _, _ in os.walk(git_dir / "refs"))):
        if path.exists():
            os.utime(path, (1, 1))
    return remember(repo, made.root, status, (), began_ns=time.time_ns())


# Changes that files show


def test_each_change_is_seen(made: MadeHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = opened(made.project.root)
    (task, other) = made.queue("Q", 2)
    attempt = running(made, "Q-1", task)

    def hold() -> None:
        made.project.git("update-ref", f"refs/ob/tasks/{other[0]}", made.commit("another\n", parents=(made.head,)))

    def fail() -> None:
        made.fail("Q-2", other)
        made.flush()

    def pack() -> None:
        made.project.git("pack-refs", "--all")

    def release() -> None:
        made.project.git("update-ref", "-d", f"refs/ob/leases/{task[0]}")

    for change in (hold, fail, pack, release, lambda: made.queue("more")):
        before = seen(made)
        assert not has_changed(repo, made.root, before)
        change()
        assert has_changed(repo, made.root, before), change
    assert attempt.commit is not None


def test_what_was_written_a_moment_ago_is_looked_at_again(made: MadeHistory) -> None:
    repo = opened(made.project.root)
    made.queue("t")
    status = read_status(repo, made.root)
    fresh = remember(repo, made.root, status, (), began_ns=time.time_ns() - 10**10)
    assert has_changed(repo, made.root, fresh)


def test_the_last_task_that_goes_while_the_queue_is_read(made: MadeHistory) -> None:
    """Git removes the directories of refs with their last file, so they themselves say nothing any more."""
    repo = opened(made.project.root)
    (task,) = made.queue("t")
    began_ns = time.time_ns()
    status = read_status(repo, made.root)
    made.drop(task)
    made.flush()
    assert not (made.project.root / ".git/refs/ob/tasks").exists()
    assert has_changed(repo, made.root, remember(repo, made.root, status, (), began_ns=began_ns))


def test_a_process_that_dies_is_seen(made: MadeHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = opened(made.project.root)
    (task,) = made.queue("t")
    running(made, "t", task)
    before = seen(made)
    assert not has_changed(repo, made.root, before)
    monkeypatch.setattr(pulse, "is_alive", lambda process: False)
    assert has_changed(repo, made.root, before)


def test_idle_looks_ask_no_git(made: MadeHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    made.queue("t")
    asked: list[str] = []
    monkeypatch.setattr("offbranch.git.repository.run_git", lambda *a, **k: asked.append(str(a)) or run_git(*a, **k))
    for young in ("refs", "refs/ob", "refs/ob/tasks"):
        os.utime(made.project.root / ".git" / young, (1, 1))
    with pytest.raises(TimeoutError):
        queue_wait((), made.project.session(), sleep=acting(*[lambda: None] * 20), clock=lambda: 0.0)
    assert len(asked) == 1, "once for the beginning"


# Watching


def test_views_come_as_things_change(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    steps = [
        lambda: running(made, "t", task),
        lambda: (made.succeed("t", task, record=False), made.flush()),
        lambda: made.queue("u"),
    ]
    views = views_until_quiet(watch_queue((), made.project.session(), sleep=acting(*steps)))
    assert [[(task.name, task.state) for task in view.tasks] for view in views] == [
        [("t", "queued")],
        [("t", "running")],
        [("t", "succeeded")],
        [("u", "queued"), ("t", "succeeded")],
    ]


def views_until_quiet(views: Iterator[QueueView]) -> list[QueueView]:
    found: list[QueueView] = []
    with pytest.raises(TimeoutError):
        for view in views:
            found.append(view)
    return found


def test_live_metrics_of_what_runs(made: MadeHistory, tmp_path: Path) -> None:
    (task,) = made.queue("t")
    attempt = running(made, "t", task)
    copy = make_project(tmp_path / "copy")

    def measure(text: str) -> Callable[[], object]:
        return lambda: copy.write("metrics.json", text)

    steps = [
        lambda: write_record(made.root, replace(attempt, root=str(copy.root))),
        measure('{"acc": 0.5}'),
        measure('{"acc": 0.7'),
        measure('{"acc": 0.75, "deep": {"loss": 1}}'),
    ]
    views = views_until_quiet(watch_queue(("t",), made.project.session(), sleep=acting(*steps)))
    data = [each.metrics[task[0]].get("metrics.json", {}).get("data") for each in views]
    assert [each for n, each in enumerate(data) if n == 0 or each != data[n - 1]] == [
        None,
        {"acc": 0.5},
        {"acc": 0.75, "deep": {"loss": 1}},
    ]


def test_metrics_of_a_copy_that_is_not_made_yet_are_not_those_of_the_workspace(made: MadeHistory) -> None:
    made.project.write("metrics.json", '{"acc": 99}')
    (task,) = made.queue("t")
    running(made, "t", task)
    assert queue_status((), made.project.session()).metrics == {task[0]: {}}
    shown = made.project.ob("exp", "show", "--json").json[1]["experiments"][0]
    assert shown["executor"]["state"] == "running" and shown["revs"][0]["data"]["metrics"] == {}


def test_metrics_and_records_of_what_failed(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.project.write("metrics.json", '{"acc": 0.25}')
    made.project.git("add", "-f", "metrics.json")
    made.tree = made.project.git("write-tree")
    made.fail("t", task)
    made.flush()
    view = queue_status((), made.project.session(), in_full=True)
    assert view.metrics[task[0]] == {"metrics.json": {"data": {"acc": 0.25}}}
    assert view.tasks[0].about["retries"] == 0
    assert queue_status((), made.project.session(), in_full=True) == view, "from memory"


def test_a_name_that_stands_for_nothing(made: MadeHistory) -> None:
    made.queue("train")
    for action in (
        lambda: queue_status(("tarin",), made.project.session()),
        lambda: next(watch_queue(("tarin",), made.project.session())),
        lambda: queue_wait(("tarin",), made.project.session()),
    ):
        with pytest.raises(NotFoundError, match="'tarin' is not a valid queued experiment name"):
            action()


# Waiting


def test_it_returns_at_once_when_all_has_ended(made: MadeHistory) -> None:
    assert queue_wait((), made.project.session(), sleep=acting()).all_succeeded
    (good, bad) = made.queue("Q", 2)
    made.succeed("Q-1", good)
    made.fail("Q-2", bad)
    made.flush()
    waited = queue_wait((), made.project.session(), sleep=acting())
    assert not waited.all_succeeded and [task.name for task in waited.tasks] == ["Q-2", "Q-1"]
    assert queue_wait(("Q-1",), made.project.session(), sleep=acting()).all_succeeded


def test_it_returns_when_the_last_one_ends(made: MadeHistory) -> None:
    (first, second) = made.queue("Q", 2)
    steps = [
        lambda: (made.succeed("Q-1", first), made.flush()),
        lambda: None,
        lambda: (made.fail("Q-2", second, keeps=True), made.flush()),
        lambda: (made.succeed("Q-2", second), made.flush()),
    ]
    waited = queue_wait((), made.project.session(), sleep=acting(*steps))
    assert waited.all_succeeded and {task.name for task in waited.tasks} == {"Q-1", "Q-2"}


def test_what_is_removed_meanwhile_has_not_succeeded(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    waited = queue_wait(("t",), made.project.session(), sleep=acting(lambda: (made.drop(task), made.flush())))
    assert (waited.removed, waited.all_succeeded, waited.has_timed_out) == (("t",), False, False)


def test_patience_ends(made: MadeHistory) -> None:
    made.queue("t")
    now = iter(range(100))
    waited = queue_wait((), made.project.session(), timeout_s=5, clock=lambda: float(next(now)), sleep=lambda _: None)
    assert waited.has_timed_out and not waited.all_succeeded
    assert queue_wait((), made.project.session(), timeout_s=0, sleep=acting()).has_timed_out


def test_of_several_of_one_name_the_newest_is_meant(made: MadeHistory) -> None:
    (old,) = made.queue("t")
    made.project.git("commit", "-q", "--allow-empty", "-m", "next")
    (new,) = made.queue("t")
    made.fail("t", old)
    made.succeed("t", new)
    made.flush()
    assert queue_wait(("t",), made.project.session(), sleep=acting()).all_succeeded
    assert not queue_wait((old[0],), made.project.session(), sleep=acting()).all_succeeded
    assert not queue_wait(("t", old[0]), made.project.session(), sleep=acting()).all_succeeded


def test_one_that_cannot_be_read_is_not_waited_for(made: MadeHistory) -> None:
    made.project.git("update-ref", "refs/ob/tasks/strange", made.head)
    assert not queue_wait(("strange",), made.project.session(), sleep=acting()).all_succeeded
    assert queue_wait((), made.project.session(), sleep=acting()).all_succeeded
    ended = made.project.ob("queue", "wait", "strange")
    assert ended.code == 1 and ended.out.startswith("strange: Queued  cannot be read: ")


def test_a_held_task_is_waited_for_only_by_name(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    message = made.project.git("log", "-1", "--format=%B", task[1]).replace('"is_held": false', '"is_held": true')
    made.project.git("update-ref", f"refs/ob/tasks/{task[0]}", made.commit(message, parents=(made.head,)))
    recorder = Recorder()
    assert queue_wait((), made.project.session(recorder), sleep=acting()).all_succeeded and not recorder.of(Warned)
    assert queue_wait(("t",), made.project.session(recorder), timeout_s=0, sleep=acting()).has_timed_out
    assert [(each.text, each.hint) for each in recorder.of(Warned)] == [("'t' is held", "ob queue release t")]


def test_nobody_who_works_is_worth_a_word(made: MadeHistory) -> None:
    made.queue("t")
    recorder = Recorder()
    queue_wait((), made.project.session(recorder), timeout_s=0, sleep=acting())
    assert [(each.text, each.hint) for each in recorder.of(Warned)] == [
        ("no worker runs what is queued", "ob queue start")
    ]
