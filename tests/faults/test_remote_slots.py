"""What workers of a shared queue give to tasks: no two have a slot or GPU at a time, whichever process of Celery runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpus import UUIDS, fake_gpus
from offbranch.queue.slots.limits import usable_processors
from projects import TestProject
from remote_queue import Farm, make_farm
from remote_workers import TTL_S, done, left_clean, queue, until
from servers import redis_server
from sharing import md5

pytestmark = [pytest.mark.fault, pytest.mark.timeout(200)]
# Marks slot and GPU as used; fails if somebody else has.
USE = """\
for each in "slot-$OFFBRANCH_SLOT" "gpu-$CUDA_VISIBLE_DEVICES"; do mkdir "$TALLY/$each" || exit 7; done
echo "$OFFBRANCH_SLOT $CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS" >> "$TALLY/seen"
sleep 0.3
for each in "slot-$OFFBRANCH_SLOT" "gpu-$CUDA_VISIBLE_DEVICES"; do rmdir "$TALLY/$each"; done
"""


@pytest.fixture
def tally(tmp_path: Path) -> Path:
    (tmp_path / "tally").mkdir()
    return tmp_path / "tally"


@pytest.fixture
def farm(tmp_path: Path, tally: Path) -> Iterator[Farm]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as redis:
        made = make_farm(tmp_path / "farm", broker=redis.address, ttl_s=TTL_S)
        made.home.write("train.sh", USE + made.home.read("train.sh"))
        made.home.commit("uses what it gets")
        made.home.git("push", "-q", "origin", "main")
        with left_clean(made):
            yield made


def machine(farm: Farm, tally: Path, name: str, n_gpus: int) -> TestProject:
    worker = farm.clone(name)
    worker.env = {"TALLY": str(tally), "PATH": fake_gpus(tally.parent / f"bin-{name}", n_gpus)}
    return worker


def begin(worker: TestProject, *words: str) -> None:
    done_ = worker.ob("queue", "start", *words)
    assert done_.code == 0, done_.err


def seen(tally: Path) -> set[str]:
    return set((tally / "seen").read_text().splitlines())


def test_gpus_are_shared_out_among_the_processes_of_a_worker(farm: Farm, tally: Path) -> None:
    worker = machine(farm, tally, "one", 2)
    names = queue(farm, 6)
    begin(worker, "--gpus", "all")
    (record,) = worker.ob("queue", "slots", "--json").json["workers"]
    assert len(record["slots"]) == 2
    until(farm, done(farm, names))
    assert farm.there("attempts") == []
    assert {line.split()[1] for line in seen(tally)} == {UUIDS[0], UUIDS[1]} or {
        line.split()[1] for line in seen(tally)
    } == {"0", "1"}
    assert {line.split()[0] for line in seen(tally)} == {"1", "2"}


def test_a_task_goes_to_the_worker_that_has_what_it_needs(farm: Farm, tally: Path) -> None:
    poor, rich = machine(farm, tally, "poor", 0), machine(farm, tally, "rich", 1)
    (name,) = queue(farm, 1, "--resources", "gpus=1")
    begin(poor)
    log = next(poor.root.glob(".dvc/tmp/ob/queue/workers/*.log"))
    until(farm, lambda: f"'{name}' is left to other workers: it needs 1 GPU" in log.read_text())
    assert farm.there("leases") == []
    begin(rich)
    until(farm, done(farm, [name]))
    assert farm.there("attempts") == []


def test_processors_are_shared_out(farm: Farm, tally: Path) -> None:
    """Two slots, and one processor for both: one task at a time."""
    worker = machine(farm, tally, "one", 0)
    names = queue(farm, 3)
    begin(worker, "-j", "2", "--cpus", "1")
    until(farm, done(farm, names))
    assert farm.there("attempts") == []  # all of them had the GPU named ''
    assert {line.split()[-1] for line in seen(tally)} == {"1"}


def test_outputs_of_others_come_by_themselves(farm: Farm, tally: Path) -> None:
    watcher, rich = machine(farm, tally, "watcher", 0), machine(farm, tally, "rich", 1)
    (name,) = queue(farm, 1, "--resources", "gpus=1")
    begin(watcher, "--auto")
    begin(rich)
    until(farm, done(farm, [name]))
    model = md5("model 0.1\n")
    path = watcher.root / f".dvc/cache/files/md5/{model[:2]}/{model[2:]}"
    until(farm, path.exists)
    assert list(watcher.exps()) == [name]


def test_a_task_that_fails_is_tried_again(farm: Farm, tally: Path) -> None:
    farm.home.write(
        "train.sh", '[ -e "$TALLY/once" ] || { touch "$TALLY/once"; exit 3; }\n' + farm.home.read("train.sh")
    )
    farm.home.commit("fails at first")
    farm.home.git("push", "-q", "origin", "main")
    (name,) = queue(farm, 1, "--retries", "1")
    begin(machine(farm, tally, "one", 0))
    until(farm, done(farm, [name]))
    (attempt,) = farm.there("attempts")
    assert farm.attempt(attempt)["exit_code"] == 3


def test_the_program_of_celery_is_a_worker(farm: Farm, tally: Path) -> None:
    worker = machine(farm, tally, "one", 0)
    names = queue(farm, 2, "--resources", f"cpus={len(usable_processors())}")
    command = (sys.executable, "-m", "celery", "-A", "offbranch.api.queue_celery", "worker", "-c", "2")
    with (tally / "log").open("wb") as log:
        program = subprocess.Popen(command, cwd=worker.root, env={**os.environ, **worker.env}, stdout=log, stderr=log)
    try:
        until(farm, done(farm, names))
    finally:
        program.terminate()
        program.wait()
    assert farm.there("attempts") == []  # one after the other, for each needed all processors
