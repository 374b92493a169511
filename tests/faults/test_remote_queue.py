"""A shared queue with real brokers and workers in clones of their own: whatever dies, is cut or comes twice, each task makes
exactly one experiment, with its data, and nothing is left over.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from offbranch.api.queue_remote import need_shared_queue
from offbranch.api.session import opened
from offbranch.queue.remote.broker import Message
from offbranch.queue.store import read_tasks
from remote_queue import Farm, make_farm
from remote_workers import (
    TTL_S,
    check,
    done,
    end,
    is_there,
    kill_one_of_ours,
    left_clean,
    processes,
    queue,
    slow,
    start,
    until,
)
from servers import RedisServer, rabbitmq_server, redis_server, s3_server

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def farm(tmp_path: Path, redis: RedisServer) -> Iterator[Farm]:
    made = make_farm(tmp_path / "farm", broker=redis.address, ttl_s=TTL_S)
    slow(made.home)
    with left_clean(made):
        yield made


def test_two_machines_share_the_work(farm: Farm) -> None:
    slow(farm.home, 2)
    names = queue(farm, 6)
    workers = [farm.clone("one"), farm.clone("two")]
    for worker in workers:
        start(worker)
    until(farm, done(farm, names))
    check(farm, names)
    assert all(worker.exps() for worker in workers)
    for worker in workers:
        assert worker.ob("queue", "stop").code == 0
    until(farm, lambda: not processes(farm.place.base))
    for worker in workers:
        farm.sync(worker)  # the other may have ended a task after its last look
        assert worker.git("for-each-ref", "refs/ob") == ""


def test_workers_are_killed(farm: Farm) -> None:
    """Any process of ours may die at any moment: a worker, a process of its pool, who looks around, who keeps a lease, a task.

    (A command of a stage or of Git that is killed is a failure of its task, and told as one.)
    """
    slow(farm.home, 2)
    names = queue(farm, 9)
    workers = [farm.clone("one"), farm.clone("two")]
    rng = random.Random(5)
    killed = 0

    def kill_one() -> None:
        nonlocal killed
        for worker in workers:
            if not is_there(worker):
                start(worker)
        killed += killed < 30 and kill_one_of_ours(farm.place.base, rng)
        time.sleep(rng.random() * 0.6)

    until(farm, done(farm, names), kill_one)
    assert killed > 5
    check(farm, names)


def test_a_whole_machine_is_lost(farm: Farm) -> None:
    """Its tasks are given to the other when its leases have not changed for long enough; nobody there says a word."""
    names = queue(farm, 4)
    lost = farm.clone("one")
    start(lost)
    until(farm, lambda: len(farm.there("leases")) == 2)
    for pid in processes(lost.root):
        end(pid, signal.SIGSTOP)
    for pid in processes(lost.root):
        end(pid, signal.SIGKILL)
    left = farm.there("leases")
    assert left
    start(farm.clone("two"))
    until(farm, done(farm, names))
    check(farm, names)


def test_a_machine_that_was_only_asleep_publishes_nothing(farm: Farm) -> None:
    (name,) = queue(farm, 1)[:1]
    sleepy = farm.clone("one")
    start(sleepy)
    until(farm, lambda: len(farm.there("leases")) == 1)
    asleep = processes(sleepy.root)
    for pid in asleep:
        end(pid, signal.SIGSTOP)
    start(farm.clone("two"))
    until(farm, done(farm, [name]))
    made = farm.place.there()
    for pid in asleep:
        end(pid, signal.SIGCONT)
    until(farm, lambda: sleepy.git("for-each-ref", "refs/ob/held") == "")
    assert {ref: at for ref, at in farm.place.there().items() if "/exps/" in ref} == {
        ref: at for ref, at in made.items() if "/exps/" in ref
    }
    check(farm, [name])


@pytest.mark.parametrize("forgets", [False, True], ids=["keeps its messages", "forgets them"])
def test_the_broker_is_started_again(farm: Farm, redis: RedisServer, forgets: bool) -> None:
    names = queue(farm, 6)
    start(farm.clone("one"))
    until(farm, lambda: len(farm.made()) >= 1)
    redis.stop(kill=True)
    redis.start(forgets=forgets)
    until(farm, done(farm, names))
    check(farm, names)


def test_a_broker_that_is_down_loses_no_task(farm: Farm, redis: RedisServer) -> None:
    redis.stop()
    done_ = farm.home.ob("exp", "run", "--queue", "-n", "t", "-S", "lr=0.1,0.2", "--json")
    assert done_.code == 0 and "workers could not be told" in done_.err
    names = [each["name"] for each in done_.json]
    assert len(farm.there("tasks")) == 2
    redis.start()
    start(farm.clone("one"))
    until(farm, done(farm, names))
    check(farm, names)


def test_a_worker_stops_though_the_broker_is_down(farm: Farm, redis: RedisServer) -> None:
    worker = farm.clone("one")
    start(worker)
    until(farm, lambda: "worker:     ob-" in farm.home.ob("queue", "config").out)
    redis.stop()
    assert worker.ob("queue", "stop").code == 0
    until(farm, lambda: not processes(farm.place.base))


def test_messages_come_several_times(farm: Farm) -> None:
    names = queue(farm, 5)
    session = farm.home.session()
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        tasks = read_tasks(shared.place.repo, project.root).all
        messages = [Message(task_id=each.task.id, task_commit=each.commit) for each in tasks]
        shared.broker.send(messages * 3)
    for name in ("one", "two"):
        start(farm.clone(name))
    until(farm, done(farm, names))
    until(farm, lambda: shared.broker.n_waiting() == 0)
    check(farm, names)


def test_the_git_remote_is_away_while_tasks_run(farm: Farm) -> None:
    names = queue(farm, 4)
    worker = farm.clone("one")
    start(worker)
    until(farm, lambda: len(worker.git("for-each-ref", "refs/ob/leases").splitlines()) == 2)
    gone = farm.place.base / "gone.git"
    os.rename(farm.place.remote, gone)
    until(farm, lambda: len(worker.exps()) >= 2)
    time.sleep(TTL_S)
    os.rename(gone, farm.place.remote)
    until(farm, done(farm, names))
    check(farm, names)
    assert farm.there("attempts") == []


def test_a_failure_comes_back_and_can_be_read(farm: Farm) -> None:
    done_ = farm.home.ob("exp", "run", "--queue", "-n", "bad", "-S", "fail=4")
    assert done_.code == 0, done_.err
    start(farm.clone("one"))
    until(farm, lambda: farm.there("attempts") != [] and farm.there("tasks") == [])
    assert farm.home.ob("queue", "sync").code == 0
    (attempt,) = farm.there("attempts")
    assert "training" in (farm.home.root / f".dvc/tmp/ob/runs/{attempt}/output.log").read_text()
    assert farm.attempt(attempt)["exit_code"] == 4


def test_a_task_that_runs_elsewhere_is_killed(farm: Farm) -> None:
    farm.home.write("train.sh", "echo training\nsleep 60\n")
    farm.home.commit("slow")
    farm.home.git("push", "-q", "origin", "main")
    assert farm.home.ob("exp", "run", "--queue", "-n", "long").code == 0
    worker = farm.clone("one")
    start(worker)
    until(farm, lambda: worker.git("for-each-ref", "refs/ob/leases") != "")
    assert farm.home.ob("queue", "sync").code == 0
    ended = farm.home.ob("queue", "kill", "long")
    assert ended.code == 0 and "long has been killed." in ended.out, ended.err
    assert farm.there("tasks") == farm.there("leases") == farm.there("requests") == []
    (attempt,) = farm.there("attempts")
    assert farm.attempt(attempt)["state"] == "cancelled"
    assert farm.home.git("for-each-ref", "refs/ob/tasks") == ""


def test_stopping_with_kill_ends_what_runs(farm: Farm) -> None:
    farm.home.write("train.sh", "sleep 60\n")
    farm.home.commit("slow")
    farm.home.git("push", "-q", "origin", "main")
    assert farm.home.ob("exp", "run", "--queue", "-n", "long").code == 0
    worker = farm.clone("one")
    start(worker)
    until(farm, lambda: worker.git("for-each-ref", "refs/ob/leases") != "")
    assert worker.ob("queue", "stop", "--kill").code == 0
    until(farm, lambda: not processes(farm.place.base))
    assert farm.there("tasks") == farm.there("leases") == []
    (attempt,) = farm.there("attempts")
    assert farm.attempt(attempt)["state"] == "cancelled"


def test_with_a_data_remote_of_s3(tmp_path: Path, redis: RedisServer) -> None:
    with s3_server() as server:
        bucket = server.bucket()
        options = "".join(f"    {name} = {value}\n" for name, value in server.options.items())
        config = f"[core]\n    remote = s\n['remote \"s\"']\n    url = s3://{bucket}/store\n{options}"
        farm = make_farm(tmp_path / "farm", broker=redis.address, ttl_s=TTL_S, config=config)
        with left_clean(farm):
            home = farm.home
            home.git("rm", "-q", "--cached", "data.txt")
            assert home.ob("add", "data.txt").code == 0
            home.commit("data under control")
            home.git("push", "-q", "origin", "main")
            names = queue(farm, 2)
            worker = farm.clone("one")
            start(worker)
            until(farm, done(farm, names))
            assert not worker.exists("data.txt")
            other = farm.clone("two")
            assert other.ob("exp", "pull", "origin", "t-1").code == 0
            assert other.ob("exp", "apply", "t-1").code == 0
            assert other.read("model.txt") == "model 0.1\n"


def test_with_rabbitmq(tmp_path: Path) -> None:
    (tmp_path / "rabbitmq").mkdir()
    with rabbitmq_server(tmp_path / "rabbitmq") as server:
        farm = make_farm(tmp_path / "farm", broker=server.address, ttl_s=TTL_S)
        with left_clean(farm):
            slow(farm.home)
            names = queue(farm, 4)
            shown = farm.home.ob("queue", "config")
            assert "messages:   4 waiting" in shown.out and "guest:***@" in shown.out, shown.err
            one = farm.clone("one")
            start(one)
            until(farm, lambda: bool(farm.there("leases")))
            for pid in processes(one.root):
                end(pid, signal.SIGKILL)
            start(farm.clone("two"))
            until(farm, done(farm, names))
            check(farm, names)
