"""Tasks that were begun before and made checkpoints go on from the newest; those that start over do not."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asking import chain, mark, output_at, training
from offbranch.base.processes import ProcessInfo
from offbranch.experiments.experiment import Attempt, AttemptState, ExperimentSpec, Where
from offbranch.git.ids import CommitId, TreeId
from offbranch.pipeline.options import ExecuteOptions, RunOptions, SelectOptions
from offbranch.queue.task import StoredTask, Task
from projects import SOURCE, TestProject
from queue_processes import await_that

EVERY = "--keep-checkpoints=all"
# Adds a line to its model at each step; at some steps it ends in some manner, once for each.
SCRIPT = """
import signal
lines = open("model.bin").read().splitlines() if os.environ.get("DVCLIVE_RESUME") else []
lr = open("params.yaml").read().split()[1]
stops = json.loads(os.environ.get("STOPS", "{}"))
log = open(os.environ["RUNS"], "a") if "RUNS" in os.environ else sys.stderr


def killer_of_ob():
    pid = os.getppid()
    while "offbranch" not in open(f"/proc/{pid}/cmdline").read() and "ob" != open(f"/proc/{pid}/comm").read().strip():
        pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    return pid


began = len(lines)
print(f"from {began}", file=log, flush=True)
for step in range(began, 5):
    lines.append(f"step {step} lr {lr}")
    open("model.bin", "w").write("".join(f"{line}\\n" for line in lines))
    metrics(acc=step)
    assert ask(step)["is_taken"]
    how = stops.get(str(step))
    if how:
        while state()["made"] <= step - began:
            time.sleep(0.01)
        if how == "lose":
            os.kill(killer_of_ob(), signal.SIGKILL)
            time.sleep(60)
        if how == "wait":
            print("waits", file=log, flush=True)
            time.sleep(60)
        sys.exit(3)
"""
LINES = "".join(f"step {step} lr {{lr}}\n" for step in range(5))


def prepared(tmp_path: Path, *args: str) -> TestProject:
    project = training(tmp_path / "p", SCRIPT)
    project.env["RUNS"] = str(tmp_path / "runs")
    done = project.ob("exp", "run", "--queue", "-n", "x", EVERY, *args)
    assert done.code == 0, done.err
    return project


def began(project: TestProject) -> list[str]:
    return Path(project.env["RUNS"]).read_text().splitlines()


def check(project: TestProject, lr: int = 1, name: str = "x") -> None:
    commits = chain(project, name)
    assert [(mark(project, each) or {}).get("number") for each in commits] == [1, 2, 3, 4, 5, None]
    assert (output_at(project, commits[-1]) or b"").decode() == LINES.format(lr=lr)
    assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == ""


def test_one_whose_worker_was_lost(tmp_path: Path) -> None:
    project = prepared(tmp_path)
    project.ob("exp", "run", "--run-all", STOPS=json.dumps({"1": "lose", "3": "lose"}))
    project.ob("exp", "run", "--run-all")
    assert began(project) == ["from 0", "from 2", "from 4"]
    check(project)


@pytest.mark.parametrize("forced", [(), ("-f",)])
def test_one_that_failed_and_may_again(tmp_path: Path, forced: tuple[str, ...]) -> None:
    project = training(tmp_path / "p", SCRIPT)
    if forced:
        assert project.ob("exp", "run", "--temp", "-n", "x", EVERY).code == 0
    project.env["RUNS"] = str(tmp_path / "runs")
    done = project.ob("exp", "run", "--queue", "-n", "x", "-S", "lr=2", EVERY, "--retries", "1", *forced)
    assert done.code == 0, done.err
    done = project.ob("exp", "run", "--run-all", STOPS=json.dumps({"2": "fail"}))
    assert done.code == 0, done.err
    assert began(project) == ["from 0", "from 3"]
    check(project, lr=2)


@pytest.mark.parametrize("forced", [(), ("-f",)])
@pytest.mark.parametrize("over", [(), ("--reset",)])
def test_one_that_is_queued_again(tmp_path: Path, forced: tuple[str, ...], over: tuple[str, ...]) -> None:
    project = training(tmp_path / "p", SCRIPT)
    if forced:
        assert project.ob("exp", "run", "--temp", "-n", "x", EVERY).code == 0
    project.env["RUNS"] = str(tmp_path / "runs")
    done = project.ob("exp", "run", "--queue", "-n", "x", "-S", "lr=2", EVERY, *forced)
    assert done.code == 0, done.err
    assert project.ob("exp", "run", "--run-all", STOPS=json.dumps({"2": "fail"})).code == 1
    done = project.ob("queue", "retry", "x", *over)
    assert done.code == 0, done.err
    done = project.ob("exp", "run", "--run-all", STOPS=json.dumps({"3": "fail"}))
    assert done.code == 1, done.err
    done = project.ob("queue", "retry", "x")
    assert done.code == 0, done.err
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.err
    assert began(project) == ["from 0", "from 0" if over else "from 3", "from 4"]
    check(project, lr=2)


def test_one_that_is_queued_to_go_on(tmp_path: Path) -> None:
    project = training(tmp_path / "p", SCRIPT)
    project.env["RUNS"] = str(tmp_path / "runs")
    assert project.ob("exp", "run", "-n", "x", EVERY, STOPS=json.dumps({"2": "fail"})).code == 1
    done = project.ob("exp", "run", "--resume", "x", "--queue", EVERY)
    assert done.code == 0, done.err
    assert "goes on with 'x' from checkpoint 3" in done.err
    done = project.ob("exp", "run", "--resume", "x@1", "--queue", EVERY, "-n", "s", "-S", "lr=5,6")
    assert done.code == 1, done.err  # it waits
    assert "waits in the queue" in done.err
    done = project.ob("exp", "run", "--run-all", STOPS=json.dumps({"3": "fail"}))
    assert done.code == 1, done.err
    assert project.ob("queue", "retry", "x").code == 0
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.err
    check(project)
    done = project.ob("exp", "run", "--resume", "x@1", "--queue", EVERY, "-n", "s", "-S", "lr=5,6")
    assert done.code == 0, done.err
    assert "2 new experiments go on from checkpoint 1 (step 0) of 'x': -S changes its parameters" in done.err
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.err
    assert began(project) == ["from 0", "from 3", "from 4", "from 1", "from 1"]
    for lr in (5, 6):
        commits = chain(project, f"s-{lr - 4}")
        assert commits[0] == chain(project, "x")[0]
        assert (output_at(project, commits[-1]) or b"").decode() == "step 0 lr 1\n" + LINES.format(lr=lr)[12:]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_one_whose_worker_was_stopped(tmp_path: Path, how: signal.Signals) -> None:
    project = prepared(tmp_path)
    env = {**os.environ, **project.env, "PYTHONPATH": str(SOURCE), "STOPS": json.dumps({"2": "wait"})}
    command = [sys.executable, "-m", "offbranch", "exp", "run", "--run-all"]
    with subprocess.Popen(command, cwd=project.root, env=env, start_new_session=True, stderr=subprocess.PIPE) as worker:
        await_that(lambda: "waits" in Path(project.env["RUNS"]).read_text() if began_yet(project) else False)
        os.killpg(worker.pid, how)
        worker.communicate(timeout=60)
    assert project.git("for-each-ref", "--format=%(refname)", "refs/ob/tasks") != ""
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.err
    assert began(project) == ["from 0", "waits", "from 3"]
    check(project)


def began_yet(project: TestProject) -> bool:
    return Path(project.env["RUNS"]).exists()


def test_losses_count_only_since_something_was_gained() -> None:
    spec = ExperimentSpec(name="x", baseline=CommitId("b" * 40))
    task = Task(
        id="t", spec=spec, options=RunOptions(select=SelectOptions(), execute=ExecuteOptions()), created_utc=0, order=1
    )

    def attempt(state: AttemptState, resumed: int, checkpoint: int) -> Attempt:
        ids = [CommitId(f"{n:040}") if n else None for n in (resumed, checkpoint)]
        return Attempt(
            id="a", name="x", baseline=spec.baseline, where=Where.QUEUE, state=state, root="", log="", started_utc=0,
            process=ProcessInfo(pid=1, started="", host="", command=""), resumed=ids[0], checkpoint=ids[1],
        )  # fmt: skip

    def n_lost(*attempts: Attempt) -> int:
        tree = TreeId("c" * 40)
        return StoredTask(task=task, ref="", commit=spec.baseline, tree=tree, attempts=attempts).n_lost

    lost, stopped = AttemptState.INTERRUPTED, AttemptState.CANCELLED
    assert n_lost(*(attempt(lost, 0, 0) for _ in range(3))) == 3
    assert n_lost(attempt(lost, 2, 2), attempt(stopped, 2, 2), attempt(lost, 1, 2), attempt(lost, 1, 1)) == 1
    assert n_lost(attempt(lost, 2, 5)) == 0
