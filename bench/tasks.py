"""Measures the queue: enqueueing, draining, the first start, status, and what an idle worker costs.

CPU seconds are those of the whole process tree, detached workers included: this process adopts them (Linux). The real DVC is
measured beside it where it is installed, for what it has. Standard library only.
"""

import argparse
import ctypes
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from run import Place, experiments, small

_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_WORKERS_LINGER_S = 40


@dataclass
class Cost:
    """What something took.

    Attributes:
        cpu_s: Of the command, its children and the workers that it left.
        wall_s: Until it had come to its end, which is not always that of the command.
    """

    cpu_s: float
    wall_s: float


def adopt_orphans() -> None:
    """Makes detached workers ours when who started them has ended, so that their time is counted."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextmanager
def project(tool: list[str], build: Callable[[Place], None] = small) -> Iterator[Place]:
    """Gives a project in a directory of its own, a small one if nothing else is said."""
    with tempfile.TemporaryDirectory(prefix="ob-bench-") as base:
        place = Place(Path(base) / "project", Path(base) / "home", tool)
        place.root.mkdir(parents=True)
        place.home.mkdir()
        build(place)
        yield place


def cost_of(place: Place, args: list[str], until: Callable[[], bool] | None = None) -> Cost:
    """Runs a command and, if it leaves workers, waits for them."""
    before, begun = _cpu_of_children(), time.monotonic()
    place.run(*args)
    while until is not None and not until():
        time.sleep(0.005)
        _reap()
    wall_s = time.monotonic() - begun
    deadline = time.monotonic() + _WORKERS_LINGER_S
    while _reap() and time.monotonic() < deadline:
        time.sleep(0.1)
    return Cost(cpu_s=_cpu_of_children() - before, wall_s=wall_s)


def sweep(n: int, first: int = 1) -> list[str]:
    """Returns the command that queues a sweep of n trials."""
    return ["exp", "run", "--queue", "-S", "lr=" + ",".join(f"0.{100000 + first + i}" for i in range(n))]


def n_experiments(place: Place) -> int:
    """Returns how many experiments there are."""
    done = subprocess.run(
        ["git", "for-each-ref", "--format=x", "refs/exps/??/*/*"],
        cwd=place.root,
        env=place.env,
        capture_output=True,
        check=True,
    )
    return len(done.stdout.split())


def enqueue_one(tool: list[str], *, build: Callable[[Place], None] = small, n_tasks: int = 0) -> dict[str, float]:
    """Queues one task, beside what is in the project, and beside others that wait."""
    with project(tool, build) as place:
        if n_tasks:
            place.run(*sweep(n_tasks, 1000))
        costs = [cost_of(place, sweep(1, number)) for number in range(1, 7)][1:]
    return {"cpu_s": statistics.median(cost.cpu_s for cost in costs)}


def enqueue_sweep(tool: list[str], n: int) -> dict[str, float]:
    with project(tool) as place:
        return {"cpu_s": cost_of(place, sweep(n)).cpu_s}


def drain(tool: list[str], n: int, args: list[str]) -> dict[str, float]:
    """Runs n trivial tasks."""
    with project(tool) as place:
        place.run(*sweep(n))
        cost = cost_of(place, args, lambda: n_experiments(place) >= n)
        return {"cpu_s_per_task": cost.cpu_s / n, "wall_s_per_task": cost.wall_s / n}


def first_start(tool: list[str]) -> dict[str, float]:
    """Tells how long after `queue start` the command of the first task runs."""
    walls = []
    for _ in range(3):
        with project(tool) as place:
            mark = place.root.parent / "started"
            script = place.root / "train.sh"
            script.write_text(f"test -e {mark} || : > {mark}\n" + script.read_text())
            place.run(*sweep(1))
            begun = time.time()
            cost_of(place, ["queue", "start"], lambda mark=mark: mark.exists())
            walls.append(mark.stat().st_mtime - begun)
    return {"wall_s": statistics.median(walls)}


def status(tool: list[str], n: int) -> dict[str, float]:
    with project(tool) as place:
        place.run(*sweep(n))
        costs = [cost_of(place, ["queue", "status"]) for _ in range(6)]
        cold = [cost_of(without_index(place), ["queue", "status"]) for _ in range(5)]
    return {
        "cpu_s_first": costs[0].cpu_s,
        "cpu_s": statistics.median(cost.cpu_s for cost in costs[1:]),
        "cpu_s_without_index": statistics.median(cost.cpu_s for cost in cold),
    }


def without_index(place: Place) -> Place:
    """Removes what is remembered of the queue."""
    for path in (place.root / ".dvc/tmp/ob/queue").glob("index.sqlite*"):
        path.unlink()
    return place


def idle_worker(tool: list[str], seconds: float) -> dict[str, float]:
    """Tells what a worker costs that has run a task and waits for the next."""
    with project(tool) as place:
        place.run(*sweep(1))
        place.run("queue", "start", "--keep")
        while not n_experiments(place):
            time.sleep(0.05)
        time.sleep(2)
        pids = [pid for pid in _children() if not _is_zombie(pid)]
        before = sum(_ticks(pid) for pid in pids)
        time.sleep(seconds)
        used_s = (sum(_ticks(pid) for pid in pids) - before) * _TICK_S
        memory = sum(_resident_bytes(pid) for pid in pids)
        place.run("queue", "stop")
        deadline = time.monotonic() + _WORKERS_LINGER_S
        while _reap() and time.monotonic() < deadline:
            time.sleep(0.1)
    return {"processes": len(pids), "rss_mb": memory / 1e6, "cpu_percent": 100 * used_s / seconds}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> bool:
    """Collects children that have ended; tells whether there are others."""
    with suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
    return False


def _children() -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            if int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(name))
    return found


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=float, default=30, metavar="S", help="seconds to watch an idle worker")
    parser.add_argument("--case", action="append", default=[], metavar="TEXT", help="only cases whose name has this")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    adopt_orphans()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    dvc = os.environ.get("OFFBRANCH_TEST_DVC") or shutil.which("dvc")
    tools = {"ob": [str(Path(sys.executable).with_name("ob"))], **({"dvc": [dvc]} if dvc else {})}
    measures: dict[str, tuple[Callable[[list[str]], dict[str, float]], bool]] = {
        "enqueue one": (enqueue_one, True),
        "enqueue one beside 1000 tasks": (lambda tool: enqueue_one(tool, n_tasks=1000), False),
        "enqueue one beside 1000 experiments": (lambda tool: enqueue_one(tool, build=experiments(1000)), False),
        "enqueue a sweep of 100": (lambda tool: enqueue_sweep(tool, 100), True),
        "drain 20, run-all": (lambda tool: drain(tool, 20, ["exp", "run", "--run-all"]), True),
        "drain 20, queue start -j 2": (lambda tool: drain(tool, 20, ["queue", "start", "-j", "2"]), True),
        "drain 1000, queue start -j 4": (lambda tool: drain(tool, 1000, ["queue", "start", "-j", "4"]), False),
        "first task after queue start": (first_start, True),
        "status, 1000 tasks": (lambda tool: status(tool, 1000), False),
        "idle worker": (lambda tool: idle_worker(tool, options.idle), False),
    }
    rows = []
    for name, (measure, for_both) in measures.items():
        if options.case and not any(text in name for text in options.case):
            continue
        for who, tool in tools.items():
            if who == "ob" or for_both:
                row = {"case": name, "tool": who, **{key: round(value, 4) for key, value in measure(tool).items()}}
                rows.append(row)
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
