"""Workers, children and commands of tasks killed at random moments: each task becomes one experiment, and a right one."""

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from git_repos import state_of_user
from killing import check_git, litter, wrong_objects
from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.base.environ import SOAK
from projects import DVC_YAML, TestProject, make_project
from queue_processes import (
    attempts_of,
    await_end,
    await_no_workers,
    below,
    change_tasks,
    program_of,
    tasks_of,
    workers_of,
    working_in,
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


def victims(project: TestProject) -> dict[str, list[int]]:
    """Kind -> processes that may be killed."""
    found: dict[str, list[int]] = {"worker": [], "child": [], "command": []}
    for worker in workers_of(project):
        found["worker"].append(worker.process.pid)
        for pid in below(worker.process.pid):
            program = program_of(pid)
            if program in ("sh", "sleep"):
                found["command"].append(pid)
            elif program.startswith("python"):
                found["child"].append(pid)
    return found


def kill_some(project: TestProject, rng: random.Random, n_kills: int, n_jobs: int) -> "Counter[str]":
    hit: Counter[str] = Counter()
    while sum(hit[kind] for kind in ("worker", "child", "command")) < n_kills:
        if not tasks_of(project).all:
            break
        if not workers_of(project):
            started = project.ob("queue", "start", "-j", str(n_jobs))
            assert started.code == 0, started.err
            hit["start"] += 1
        time.sleep(rng.uniform(0.0, 0.2))
        there = victims(project)
        kinds = [kind for kind in ("worker", "child", "child", "command", "command") if there[kind]]
        if not kinds:
            continue
        kind = rng.choice(kinds)
        try:
            os.kill(rng.choice(there[kind]), signal.SIGKILL)
        except ProcessLookupError:
            continue
        hit[kind] += 1
    return hit


@pytest.mark.parametrize("seed", [1])
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
    exps = project.exps()
    assert set(exps) == {f"T-{n}" for n in range(1, n_tasks + 1)}
    for name, commit in exps.items():
        lr = name.removeprefix("T-")
        assert json.loads(project.file_at(commit, "metrics.json")) == {"acc": int(lr)}
        assert f"lr: {lr}\n" in project.file_at(commit, "params.yaml")
    assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == ""
    assert (state_of_user(project.root)[:2], project.git("status", "--porcelain")) == before
    assert working_in(project.root) == []
    assert [str(path) for path in (project.root / ".git").rglob("*.lock")] == []
    for kind in ("leases", "requests"):
        directory = project.root / ".dvc/tmp/ob/queue" / kind
        assert sorted(path.name for path in directory.glob("*")) == [], kind
    assert litter(project) == [] and wrong_objects(project) == []
    check_git(project)
    assert project.ob("exp", "run", "--temp", "-n", "after", "-S", "lr=99").code == 0, "the copies are sound"
