"""Workers and tasks of two projects are killed again and again; no two commands ever use the same GPU, and all tasks are done.

Whether a GPU is used is told by a lock of the commands' own, which no kill can leave behind.
"""

import os
import random
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gpus import fake_gpus
from projects import TestProject, make_project
from queue_processes import workers_of

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("flock") is None, reason="needs the program flock"
)
N_KILLS = int(os.environ.get("OFFBRANCH_SOAK", "12"))
N_TASKS = 4 + N_KILLS // 4
USE = """\
exec 9>> "$TALLY/use-$CUDA_VISIBLE_DEVICES"
flock -n 9 || echo "$CUDA_VISIBLE_DEVICES" >> "$TALLY/shared"
touch "$TALLY/ran"
sleep 0.2
"""


def processes(project: TestProject) -> list[int]:
    """Process ids of the workers of a project, and of their children."""
    slots = [slot for worker in workers_of(project) for slot in worker.slots]
    return [worker.process.pid for worker in workers_of(project)] + [slot.pid for slot in slots if slot.pid]


def n_done(project: TestProject) -> int:
    return len(project.exps())


@pytest.mark.timeout(600)
def test_killed_at_any_moment_nobody_shares(tmp_path: Path) -> None:
    rng, path, tally = random.Random(5), fake_gpus(tmp_path / "bin", 2), tmp_path / "tally"
    tally.mkdir()
    pipeline = "stages:\n  train:\n    cmd: sh use.sh\n    params: [lr]\n"
    projects = [
        make_project(tmp_path / name, {"dvc.yaml": pipeline, "use.sh": USE, "params.yaml": "lr: 0\n"})
        for name in ("one", "other")
    ]
    for project in projects:
        project.env = {"PATH": path, "TALLY": str(tally)}
        assert project.ob("exp", "run", "--queue", "-n", "q", "-S", f"lr=range(0,{N_TASKS})").code == 0
    n_killed = 0
    for _ in range(N_KILLS + 600):
        for project in projects:
            if n_done(project) < N_TASKS:
                assert project.ob("queue", "start", "--gpus", "all").code == 0
        if all(n_done(project) == N_TASKS for project in projects):
            break
        time.sleep(rng.random() * 0.4)
        victims = [pid for project in projects for pid in processes(project)]
        if n_killed < N_KILLS and victims:
            n_killed += 1
            with suppress(ProcessLookupError):
                os.kill(rng.choice(victims), signal.SIGKILL)
    assert (tally / "ran").exists()
    assert not (tally / "shared").exists()
    assert [sorted(project.exps()) for project in projects] == [sorted(f"q-{n}" for n in range(1, N_TASKS + 1))] * 2
    for project in projects:
        project.ob("queue", "stop", "--kill")
