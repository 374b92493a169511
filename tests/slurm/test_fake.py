"""The stand-ins of tests/fake_slurm.py print what the real programs do, for the same calls."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_slurm import make_fake
from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.queue.slurm.jobs import Slurm, cancel, ended_jobs, jobs_of_user, max_array_size, submit
from slurm_site import SlurmSite

pytestmark = pytest.mark.timeout(120)
Say = Callable[[str], None]


def story(slurm: Slurm, script: Path) -> list[object]:
    """What happens to an array that is held, as both tell it; ids of jobs and times are left out."""
    said: list[object] = []
    words = ["--hold", "--output=/dev/null", "--comment=offbranch x", str(script)]
    job, cluster = submit(slurm, ["--array=0-2%2", *words])

    def rows() -> list[tuple[str, str, str, str, str, float | None]]:
        found = (row for row in jobs_of_user(slurm).values() if row.job.startswith(f"{job}_"))
        return sorted(
            (row.job.partition("_")[2], row.state, row.reason, row.node, row.comment, row.started_utc) for row in found
        )

    said += [cluster, rows()]
    cancel(slurm, [f"{job}_1", "77_0"])
    said.append(rows())
    cancel(slurm, [f"{job}_0", f"{job}_2"])
    said.append(rows())
    said.append(ended_jobs(slurm, [f"{job}_0"]))
    said.append(max_array_size(slurm))
    try:
        submit(slurm, ["--array=0-1001", *words])
    except OffbranchError as error:
        said.append(error.message)
    return said


def test_both_tell_the_same(slurm: SlurmSite, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\n")
    fake = make_fake(tmp_path / "fake")
    directory = AbsPath(str(tmp_path))
    real = story(Slurm(environment=dict(os.environ), directory=directory), script)
    assert story(Slurm(environment={**os.environ, "PATH": fake.path}, directory=directory), script) == real
    assert real[-1] == "sbatch: Batch job submission failed: Invalid job array specification"


def test_both_refuse_accounts_alike(slurm: SlurmSite, tmp_path: Path) -> None:
    fake = make_fake(tmp_path / "fake")
    texts = []
    for path in (os.environ["PATH"], fake.path):
        env = {**os.environ, "PATH": path}
        done = subprocess.run(["sacct", "--jobs=1"], env=env, capture_output=True, text=True, check=False)
        texts.append((done.returncode, done.stderr))
    assert texts[0] == texts[1]
