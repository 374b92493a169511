"""Workers, children, Git and commands of tasks killed at random moments: each task becomes one experiment, and a right one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from git_repos import opened, state_of_user
from killing import check_git, litter, wrong_objects
from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.base.environ import SOAK
from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo, host_name
from offbranch.base.records import as_dict
from offbranch.experiments.attempts import begin_leased, log_of
from offbranch.experiments.experiment import Attempt, AttemptState, Where
from offbranch.queue.requests import Request, RequestKind, write_request
from offbranch.queue.workers import SlotUse, Worker, WorkerKind, write_worker
from projects import DVC_YAML, SOURCE, TestProject, make_project
from queue_processes import (
    attempts_of,
    await_end,
    await_no_workers,
    await_nothing_in,
    below,
    change_tasks,
    program_of,
    tasks_of,
    workers_of,
)

pytestmark = [
    pytest.mark.fault,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc"),
]

SLOW = """\
while IFS=': ' read -r k v; do case $k in lr) lr=$v;; esac; done < params.yaml
echo begin $lr >> {place}/ran
sleep {pause}; sleep {pause}
echo "{{\\"acc\\": $lr}}" > metrics.json
sleep 0.1
echo "model $lr" > model.txt
"""
N_TASKS = 40
N_KILLS = int(os.environ.get(SOAK, "0"))


def soak_project(tmp_path: Path, n_tasks: int) -> TestProject:
    project = make_project(
        tmp_path / "p",
        {
            "data.txt": "hello\n",
            "train.sh": SLOW.format(place=tmp_path, pause=0.4 if N_KILLS else 0.15),
            "params.yaml": "lr: 0\nfail: 0\n",
            "dvc.yaml": DVC_YAML,
        },
    )
    submit(RunRequest(overrides=(f"lr=range(1,{n_tasks + 1})",), name="T"), project.session())
    change_tasks(project, retries=1000)  # a command that is killed is a failure
    return project


def changes_refs(pid: int) -> bool:
    """Tells of a Git whether, killed, it may leave `packed-refs.lock`: the user's, so it blocks all until he removes it."""
    try:
        return b"update-ref" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def victims(project: TestProject) -> dict[str, list[int]]:
    """Kind -> processes that may be killed."""
    found: dict[str, list[int]] = {"worker": [], "child": [], "command": [], "git": []}
    for worker in workers_of(project):
        found["worker"].append(worker.process.pid)
        for pid in below(worker.process.pid):
            program = program_of(pid)
            if program in ("sh", "sleep"):
                found["command"].append(pid)
            elif program.startswith("git") and not changes_refs(pid):
                found["git"].append(pid)
            elif program.startswith("python"):
                found["child"].append(pid)
    return found


def kill_some(project: TestProject, rng: random.Random, n_kills: int, n_jobs: int) -> "Counter[str]":
    hit: Counter[str] = Counter()
    while hit.total() - hit["start"] < n_kills:
        if not tasks_of(project).all:
            break
        if not workers_of(project):
            started = project.ob("queue", "start", "-j", str(n_jobs))
            assert started.code == 0, started.err
            hit["start"] += 1
        time.sleep(rng.uniform(0.0, 0.2))
        there = victims(project)
        # Git is seldom there, so it is taken more often when it is.
        often = {"worker": 1, "child": 2, "command": 2, "git": 4}
        kinds = [kind for kind, n in often.items() for _ in range(n) if there[kind]]
        if not kinds:
            continue
        kind = rng.choice(kinds)
        try:
            os.kill(rng.choice(there[kind]), signal.SIGKILL)
        except ProcessLookupError:
            continue
        hit[kind] += 1
    return hit


@pytest.mark.parametrize("seed", [1, 2] if N_KILLS else [1])
def test_each_task_becomes_one_experiment_whoever_is_killed(tmp_path: Path, seed: int) -> None:
    n_tasks = N_TASKS if N_KILLS else 8
    project = soak_project(tmp_path, n_tasks)
    project.write("train.sh", project.read("train.sh") + "# edited\n")
    project.git("add", "train.sh")
    project.write("notes.txt", "mine\n")
    before = state_of_user(project.root)[:2], project.git("status", "--porcelain")
    began = time.monotonic()
    hit = kill_some(project, random.Random(seed), N_KILLS or 16, 4)
    while tasks_of(project).all:
        project.ob("queue", "start", "-j", "4")
        await_end(project, timeout=120)
    took = time.monotonic() - began
    lost = sum(len(each) for each in attempts_of(project).values())
    print(json.dumps({"kills": hit, "seconds": round(took, 1), "attempts that were lost": lost}))
    project.ob("queue", "stop", "--kill")
    await_no_workers(project)
    await_nothing_in(project.root)
    exps = project.exps()
    assert set(exps) == {f"T-{n}" for n in range(1, n_tasks + 1)}
    for name, commit in exps.items():
        lr = name.removeprefix("T-")
        assert json.loads(project.file_at(commit, "metrics.json")) == {"acc": int(lr)}
        assert f"lr: {lr}\n" in project.file_at(commit, "params.yaml")
    assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == ""
    assert (state_of_user(project.root)[:2], project.git("status", "--porcelain")) == before
    for lock in (project.root / ".git/refs/ob").rglob("*.lock"):  # of Gits that were killed: gone once they are old
        os.utime(lock, (time.time() - 60,) * 2)
    assert project.ob("exp", "run", "--run-all").code == 0
    assert [str(path) for path in (project.root / ".git").rglob("*.lock")] == []
    assert project.ob("exp", "clean").code == 0, "who was killed at the very end may leave a trace"
    for kind in ("leases", "requests"):
        directory = project.root / ".dvc/tmp/ob/queue" / kind
        assert sorted(path.name for path in directory.glob("*")) == [], kind
    assert litter(project) == [] and wrong_objects(project) == []
    check_git(project)
    assert project.ob("exp", "run", "--temp", "-n", "after", "-S", "lr=99").code == 0, "the copies are sound"


def client(project: TestProject, number: int) -> "subprocess.Popen[str]":
    """One of many who use the queue at the same time: adds, looks, holds, releases, removes, starts."""
    ob = f"{sys.executable} -m offbranch"
    name = f"C{number}"
    script = {
        0: f"{ob} exp run -q --queue -n {name} -S lr={number} && {ob} exp show --json > /dev/null",
        1: f"{ob} exp run -q --queue -n {name} -S lr={number}; {ob} exp remove {name} || test $? = 1",
        2: f"{ob} exp show --csv > /dev/null && {ob} queue hold 'C*' || test $? = 1; "
        f"{ob} queue status --json > /dev/null && {ob} exp show --queued --json > /dev/null && {ob} queue release --all",
        3: f"{ob} queue start -j 2 && {ob} exp run -q --queue -n {name} -S lr={number}",
        4: f"{ob} exp run -q --queue -n {name} -S lr={number},1{number} && {ob} queue remove {name}-1 || test $? = 1",
    }[number % 5]
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "OFFBRANCH_LOCK_WAIT": "120"}
    return subprocess.Popen(
        ["sh", "-c", script], cwd=project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_many_who_add_look_and_remove_at_once(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    assert project.ob("queue", "start", "-j", "2").code == 0
    clients = [client(project, number) for number in range(50)]
    said = [each.communicate(timeout=600)[0] for each in clients]
    codes = {each.returncode for each in clients}
    assert codes == {0}, [(each.returncode, text) for each, text in zip(clients, said, strict=True) if each.returncode]
    assert not any("Traceback" in text or "mistake of ob" in text for text in said)
    assert project.ob("queue", "release", "--all").code == 0
    project.ob("queue", "start", "-j", "2")
    await_end(project, timeout=300)
    exps = project.exps()
    kept = {f"C{n}" for n in range(50) if n % 5 in (0, 3)} | {f"C{n}-2" for n in range(50) if n % 5 == 4}
    assert kept <= set(exps), "what nobody removed has become an experiment"
    assert attempts_of(project) == {}
    for name in kept:
        lr = name.removeprefix("C").removesuffix("-2")
        expected = int(f"1{lr}" if name.endswith("-2") else lr)
        assert json.loads(project.file_at(exps[name], "metrics.json")) == {"acc": expected}
    project.ob("queue", "stop")
    await_no_workers(project)
    check_git(project)


def test_after_a_reboot_nothing_counts_as_running(tmp_path: Path) -> None:
    """All files of a worker and a task are as they were when everything died; their process ids are those of others now."""
    project = make_project(tmp_path / "p")
    submit(RunRequest(overrides=("lr=1",), name="P"), project.session())
    repo, root = opened(project.root), AbsPath(str(project.root))
    (stored,) = tasks_of(project).queued
    before = ProcessInfo(pid=os.getpid(), started="1", host=host_name(), command="ob queue start")
    attempt = Attempt(
        id="20200101-000000-abcdef",
        name="P",
        baseline=stored.task.spec.baseline,
        where=Where.QUEUE,
        state=AttemptState.RUNNING,
        process=before,
        root=f"{root}/.dvc/tmp/ob/copies/slot-1",
        log=log_of("20200101-000000-abcdef"),
        started_utc=1.0,
        task_id=stored.task.id,
        task_commit=stored.commit,
    )
    begin_leased(repo, root, attempt, stored.tree, None)
    worker = Worker(
        id="20200101-000000-aaaaaa",
        process=before,
        started_utc=1.0,
        kind=WorkerKind.BACKGROUND,
        slots=(SlotUse(number=1, label="1", task_id=stored.task.id, attempt_id=attempt.id, name="P", pid=os.getpid()),),
    )
    os.makedirs(project.root / ".dvc/tmp/ob/queue/workers")
    write_worker(root, worker)
    for name in ("workers/20200101-000000-aaaaaa.lock", f"leases/{stored.task.id}.lock", "begin.lock"):
        project.write(f".dvc/tmp/ob/queue/{name}", json.dumps(as_dict(before)))
    wish = Request(kind=RequestKind.KILL, attempt_id=attempt.id, by=before, at_utc=1.0, force=True)
    write_request(root, stored.task.id, wish)
    assert workers_of(project) == () and [task.name for task in tasks_of(project).queued] == ["P"]
    assert "not a valid running experiment name" in project.ob("queue", "kill", "P").err
    assert project.ob("queue", "start", "--json").json["started"] == 1
    await_end(project)
    assert set(project.exps()) == {"P"}
    (lost,) = attempts_of(project)["P"]
    assert (lost.id, lost.state) == (attempt.id, AttemptState.INTERRUPTED)
    assert [worker.id for worker in workers_of(project)] != [worker.id]
    project.ob("queue", "stop")
    await_no_workers(project)
    assert list((project.root / ".dvc/tmp/ob/queue/requests").iterdir()) == []


def test_locks_that_a_killed_git_left_do_not_stop_the_queue_for_ever(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    submit(RunRequest(overrides=("lr=1",), name="P"), project.session())
    (stored,) = tasks_of(project).queued
    for ref in (stored.ref, f"refs/ob/leases/{stored.task.id}"):
        lock = project.write(f".git/{ref}.lock", "")
        os.utime(lock, (time.time() - 3600,) * 2)
    assert project.ob("exp", "run", "--run-all").code == 0
    assert set(project.exps()) == {"P"} and project.git("for-each-ref", "refs/ob") == ""
    assert [str(path) for path in (project.root / ".git/refs").rglob("*.lock")] == []


@pytest.mark.parametrize("which", ["published", "failed"])
def test_an_end_that_was_cut_off_is_finished_and_not_repeated(tmp_path: Path, which: str) -> None:
    """Git changes one ref after the other: killed in between, the experiment is there and the task too."""
    project = make_project(tmp_path / "p")
    submit(RunRequest(overrides=("fail=3" if which == "failed" else "lr=1",), name="P"), project.session())
    (stored,) = tasks_of(project).queued
    assert project.ob("exp", "run", "--run-all").code == (1 if which == "failed" else 0)
    exps, ended = project.exps(), attempts_of(project)
    project.git("update-ref", stored.ref, stored.commit)
    project.git("update-ref", f"refs/ob/leases/{stored.task.id}", stored.commit)
    again = project.ob("exp", "run", "--run-all", "--json")
    assert [each["state"] for each in again.json] == ["failed" if which == "failed" else "succeeded"]
    assert project.exps() == exps and attempts_of(project) == ended
    assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == ""
    project.git("update-ref", f"refs/ob/leases/{stored.task.id}", stored.commit)
    assert project.ob("exp", "run", "--run-all").code == 0
    assert project.git("for-each-ref", "refs/ob/leases") == "", "a lease of no task is removed"
