"""Workers of shared queues in processes of their own, for tests: started, found, waited for, ended."""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path

import pytest

from projects import TestProject
from queue_processes import await_that
from remote_queue import Farm
from sharing import md5

# Short, so that what dies is missed soon; long beside what a Git command takes.
TTL_S = 6.0
PATIENCE_S = 150.0


def slow(project: TestProject, seconds: float = 0.5) -> None:
    project.write("train.sh", f"sleep {seconds}\n" + project.read("train.sh"))
    project.commit("slower")
    project.git("push", "-q", "origin", "main")


@contextmanager
def left_clean(farm: Farm) -> Iterator[None]:
    """Ends what a test leaves running in its clones."""
    try:
        yield
    finally:
        end_all(farm.place.base)


def end_all(directory: Path) -> None:
    """Ends every process that works below a directory."""
    for pid in processes(directory):
        end(pid, signal.SIGKILL)


def end(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def processes(directory: Path) -> list[int]:
    """Every process that works below a directory."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                place = os.readlink(f"/proc/{name}/cwd").removesuffix(" (deleted)")
            except OSError:
                continue
            if f"{place}/".startswith(f"{directory}/"):
                found.append(int(name))
    return found


def start(worker: TestProject, jobs: int = 2) -> None:
    done = worker.ob("queue", "start", "-j", str(jobs))
    assert done.code == 0, done.err


def is_ours(pid: int) -> bool:
    try:
        return b"offbranch" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def kill_one_of_ours(directory: Path, rng: random.Random) -> bool:
    """Kills any process of `ob` that works below a directory; tells whether there was one.

    What has been started but is not its own program yet still has our command line: to kill it is to kill Git or a command.
    Whoever started it waits until it is, so a process is first stopped and then looked at.
    """
    found = [pid for pid in processes(directory) if is_ours(pid)]
    rng.shuffle(found)
    for pid in found:
        end(pid, signal.SIGSTOP)
        await_that(lambda pid=pid: state_of(pid) in ("T", ""), "a stopped process", PATIENCE_S)
        if is_ours(pid) and not _is_waited_for(pid):
            end(pid, signal.SIGKILL)
            return True
        end(pid, signal.SIGCONT)
    return False


def _is_waited_for(pid: int) -> bool:
    """Tells whether the parent of a process waits, in the kernel, for it to become a program (or for a disk)."""
    parent = fields_of(f"/proc/{pid}/stat")[1:2]
    return any(fields_of(path)[:1] == ["D"] for path in glob(f"/proc/{parent[0]}/task/*/stat")) if parent else True


def state_of(pid: int) -> str:
    """Returns the letter of the state of a process, an empty text if there is none."""
    return "".join(fields_of(f"/proc/{pid}/stat")[:1]).replace("Z", "")


def fields_of(path: str) -> list[str]:
    """Returns what a `stat` file says after the name: state, parent, …; nothing if the process is gone."""
    try:
        return Path(path).read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def is_there(worker: TestProject) -> bool:
    """Tells whether a clone has a worker, from the process that says so."""
    pids = set()
    for path in worker.root.glob(".dvc/tmp/ob/queue/workers/*.json"):
        with suppress(FileNotFoundError):  # it ended just now
            pids.add(json.loads(path.read_text())["process"]["pid"])
    return not pids.isdisjoint(processes(worker.root))


def until(farm: Farm, is_so: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            logs = [path.read_text() for path in farm.place.base.glob("*/.dvc/tmp/ob/queue/workers/*.log")]
            there = sorted(farm.place.there()) if farm.place.remote.exists() else "nothing to be reached"
            pytest.fail(f"it did not happen; at the Git remote: {there}\n" + "\n".join(logs))
        meanwhile()
        time.sleep(0.1)


def queue(farm: Farm, n: int, *more: str) -> list[str]:
    """Queues a sweep of n trials; returns their names."""
    values = ",".join(f"0.{number}" for number in range(1, n + 1))
    done = farm.home.ob("exp", "run", "--queue", "-n", "t", "-S", f"lr={values}", "--json", *more)
    assert done.code == 0, done.err
    return [each["name"] for each in done.json]


def check(farm: Farm, names: list[str]) -> None:
    """Each task has become one experiment, whose model is at the data remote, and the queue is empty everywhere."""
    made = farm.made()
    assert sorted(made) == sorted(names) and len(set(made.values())) == len(names) and "" not in made.values()
    for kind in ("tasks", "leases", "requests"):
        assert farm.there(kind) == []
    wanted = {md5(f"model 0.{number}\n") for number in range(1, len(names) + 1)}
    assert wanted <= farm.place.stored() and farm.place.wrong_at_store() == []
    report = farm.sync()
    assert not report.unsent
    assert sorted(farm.home.exps()) == sorted(names)
    assert farm.home.git("for-each-ref", "refs/ob/tasks", "refs/ob/sent", "refs/ob/sending", "refs/ob/away") == ""


def done(farm: Farm, names: list[str]) -> Callable[[], bool]:
    return lambda: len(farm.made()) >= len(names) and not farm.there("tasks") and not farm.there("leases")
