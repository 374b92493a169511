"""A task in SLURM that is stopped in one manner after the other goes on from its newest checkpoint each time."""

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from asking import chain, mark, output_at, training
from projects import TestProject
from slurm_site import SlurmSite

pytestmark = pytest.mark.timeout(300)

# Waits after a step as long as a file says so.
SCRIPT = """
root = os.environ["DVC_ROOT"]
began = len(open("model.bin").read().splitlines()) if os.environ.get("DVCLIVE_RESUME") else 0
print(f"from {began}", file=open(f"{root}/runs", "a"), flush=True)
for step in range(began, 5):
    open("model.bin", "a").write(f"step {step}\\n")
    metrics(acc=step)
    assert ask(step)["is_taken"]
    while os.path.exists(f"{root}/stop-{step}"):
        time.sleep(0.05)
"""
# As slurmstepd says it (SLURM 22.05); a real limit takes a minute and a half.
TIME_IS_OVER = "slurmstepd: error: *** JOB {job} ON vm CANCELLED AT 2026-11-27T23:00:00 DUE TO TIME LIMIT ***\n"


def kill(pids: list[int], how: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def is_at(project: TestProject, number: int) -> bool:
    return bool(project.exps()) and len(chain(project, "x")) == number


def task_of(project: TestProject) -> tuple[str, list[str]]:
    (project.root / ".dvc/tmp/ob/queue/slurm/answer").unlink(missing_ok=True)
    (task,) = project.ob("queue", "status", "--json").json["tasks"]
    return task["state"], [each["state"] for each in task["attempts"]]


def start(project: TestProject) -> str:
    done = project.ob("queue", "start", "--slurm", "--json")
    assert done.code == 0, done.err
    return f"{done.json['jobs'][0]['job_id']}_0"


def test_requeued_lost_and_out_of_time(tmp_path: Path, slurm: SlurmSite) -> None:
    project = training(tmp_path / "p", SCRIPT, {".gitignore": "/stop-*\n/runs\n/model.bin\n"})
    assert project.ob("exp", "run", "--queue", "-n", "x", "--keep-checkpoints", "all").code == 0
    for step in (1, 2, 3):
        project.write(f"stop-{step}", "")
    element = start(project)
    slurm.wait_for("checkpoint 2", lambda: is_at(project, 2))
    slurm.ask("scontrol", "requeue", element)
    slurm.wait_for("it waits again", lambda: slurm.states()[element] == "PENDING")
    assert task_of(project) == ("queued", ["cancelled"])
    slurm.wait_for("checkpoint 3", lambda: (slurm.hurry(), is_at(project, 3))[1])
    kill([*slurm.step_daemons(slurm.internal_id(element)), *slurm.processes()], signal.SIGKILL)
    slurm.wait_for("it is lost", lambda: task_of(project)[0] == "queued")
    element = start(project)
    slurm.wait_for("checkpoint 4", lambda: is_at(project, 4))
    (output,) = (
        path for path in (project.root / ".dvc/tmp/ob/queue/slurm").glob("*-0.out") if says(path, project, element)
    )
    with output.open("a") as file:
        file.write(TIME_IS_OVER.format(job=element))
    kill(slurm.processes(slurm.internal_id(element)), signal.SIGTERM)
    slurm.wait_for("it waits again", lambda: slurm.states()[element] == "PENDING")
    assert task_of(project) == ("queued", ["cancelled", "lost", "cancelled"])
    slurm.wait_for("it ends", lambda: (slurm.hurry(), task_of(project)[0] == "succeeded")[1])
    assert (project.root / "runs").read_text().split() == ["from", "0", "from", "2", "from", "3", "from", "4"]
    commits = chain(project, "x")
    assert [(mark(project, each) or {}).get("number") for each in commits] == [1, 2, 3, 4, 5, None]
    assert output_at(project, commits[-1]) == b"".join(b"step %d\n" % step for step in range(5))


def says(output: Path, project: TestProject, element: str) -> bool:
    """Whether an output is that of an element."""
    record = json.loads(output.with_name(output.name.replace("-0.out", ".json")).read_text())
    return bool(record["job_id"] == element.partition("_")[0])
