"""The tests' own SLURM works, and leaves nothing behind."""

import os
import subprocess
from pathlib import Path

import pytest

from slurm_site import SlurmSite

pytestmark = pytest.mark.timeout(120)


def test_an_array_of_jobs_runs(slurm: SlurmSite, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\necho element $SLURM_ARRAY_TASK_ID\nexit $SLURM_ARRAY_TASK_ID\n")
    job = slurm.ask("sbatch", "--parsable", "--array=0-1", f"--output={tmp_path}/%a.out", str(script)).strip()
    ended = {f"{job}_0": "COMPLETED", f"{job}_1": "FAILED"}
    slurm.wait_for("both end", lambda: ended.items() <= slurm.states().items())
    assert [(tmp_path / f"{n}.out").read_text() for n in (0, 1)] == ["element 0\n", "element 1\n"]


def test_another_slurm_of_the_machine_is_not_seen(slurm: SlurmSite) -> None:
    assert str(slurm.conf.parent) in slurm.conf.read_text()
    assert "AuthInfo=socket=" in slurm.conf.read_text()
    done = subprocess.run(["scontrol", "ping"], env=dict(os.environ), capture_output=True, text=True, check=True)
    assert "UP" in done.stdout


def test_processes_of_jobs_are_found_and_ended(slurm: SlurmSite, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    job = slurm.ask("sbatch", "--parsable", "--array=0", f"--output={tmp_path}/out", str(script)).strip()
    slurm.wait_for("it runs", lambda: slurm.states().get(f"{job}_0") == "RUNNING" and slurm.processes())
    assert slurm.step_daemons(slurm.internal_id(f"{job}_0"))
    slurm.clear()
    slurm.wait_for("it is gone", lambda: not slurm.processes())
