"""The processes of a queue under test: who is a worker, who its child, what a command of a task; and how long to wait."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from git_repos import opened
from git_repos import run as git
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.experiment import Attempt
from offbranch.queue.store import Tasks, read_tasks
from offbranch.queue.task import StoredTask, message_of
from offbranch.queue.workers import Worker, list_workers
from projects import TestProject


def tasks_of(project: TestProject) -> Tasks:
    return read_tasks(opened(project.root), AbsPath(str(project.root)))


def attempts_of(project: TestProject) -> dict[str, list[Attempt]]:
    """Name -> its attempts, oldest first."""
    found: dict[str, list[Attempt]] = {}
    for attempt in reversed(list_attempts(opened(project.root), AbsPath(str(project.root)))):
        found.setdefault(attempt.name, []).append(attempt)
    return found


def workers_of(project: TestProject) -> tuple[Worker, ...]:
    return list_workers(AbsPath(str(project.root)))


def await_that(is_so: Callable[[], object], what: str = "", timeout: float = 40) -> None:
    deadline = time.monotonic() + timeout
    while not is_so():
        assert time.monotonic() < deadline, f"it did not come about in {timeout:g} s: {what}"
        time.sleep(0.02)


def await_end(project: TestProject, timeout: float = 40) -> None:
    """Waits until nothing is in the queue any more."""
    await_that(lambda: project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == "", "an empty queue", timeout)


def await_no_workers(project: TestProject, timeout: float = 40) -> None:
    await_that(lambda: not workers_of(project), "no workers", timeout)


def change_tasks(
    project: TestProject, which: Callable[[StoredTask], bool] = lambda stored: True, **changes: Any
) -> None:
    """Gives tasks that wait another record."""
    for stored in filter(which, tasks_of(project).queued):
        message = message_of(replace(stored.task, **changes))
        words = ("commit-tree", stored.tree, "-p", stored.task.spec.baseline)
        commit = git(project.root, *words, input=message.encode())
        project.git("update-ref", stored.ref, commit, stored.commit)


def log_of(project: TestProject, attempt_id: str) -> str:
    return project.read(f".dvc/tmp/ob/runs/{attempt_id}/output.log")


def parents() -> dict[int, int]:
    """Process -> its parent, of all that run."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z":
                found[int(name)] = int(fields[1])
    return found


def below(pid: int) -> Iterator[int]:
    """Yields the descendants of a process."""
    known = parents()
    todo = [pid]
    while todo:
        here = todo.pop()
        for child, parent in known.items():
            if parent == here:
                todo.append(child)
                yield child


def program_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def working_in(directory: Path) -> list[str]:
    """What runs in a directory, or has been started from it."""
    found = []
    for pid in parents():
        try:
            place = os.readlink(f"/proc/{pid}/cwd")
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if place.startswith(str(directory)) and pid != os.getpid():
            found.append(f"{pid} {words}")
    return found


def await_nothing_in(directory: Path) -> None:
    """Waits until nothing works in a directory: what has been killed, or has said that it ends, still takes a moment."""
    await_that(lambda: working_in(directory) == [], "an end of all processes")
