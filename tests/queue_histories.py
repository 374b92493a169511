"""Histories of the queue made by hand: tasks, attempts and experiments as commits and refs, without running anything."""

import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo, host_name
from offbranch.base.records import replace
from offbranch.experiments.attempts import log_of, write_record
from offbranch.experiments.experiment import Attempt, AttemptState, Where, attempt_to_json
from offbranch.git.ids import CommitId
from projects import TestProject

GONE = ProcessInfo(pid=2**22 - 3, started="1", host=host_name(), command="ob queue start")
ELSEWHERE = ProcessInfo(pid=1, started="1", host="elsewhere", command="ob queue start")


class MadeHistory:
    """Changes the queue of a project as workers would, but at once.

    Args:
        project: Whose queue.
    """

    def __init__(self, project: TestProject) -> None:
        self.project = project
        self.root = AbsPath(str(project.root))
        self.head = project.git("rev-parse", "HEAD")
        self.tree = project.git("rev-parse", "HEAD^{tree}")
        self.now = 1_790_000_000.0
        self._n = 0
        self._updates: list[str] = []

    def queue(self, name: str, n: int = 1, **more: Any) -> list[tuple[str, str]]:
        """Queues a sweep; returns (id, commit) of each task."""
        overrides = (f"lr=range(1,{n + 1})",) if n > 1 else ()
        done = submit(RunRequest(overrides=overrides, name=name, **more), self.project.session())
        return [(each.task.id, each.commit) for each in done.stored]

    def attempt(self, name: str, task: tuple[str, str], state: AttemptState, **more: Any) -> Attempt:
        """Returns an attempt at a task that has not been written yet."""
        self._n += 1
        is_over = state is not AttemptState.RUNNING
        given: dict[str, Any] = {
            "id": f"20260101-000000-{self._n:06x}",
            "name": name,
            "baseline": CommitId(self.head),
            "where": Where.QUEUE,
            "state": state,
            "process": GONE,
            "root": self.root,
            "log": log_of(f"20260101-000000-{self._n:06x}"),
            "started_utc": self.now + self._n,
            "ended_utc": self.now + self._n + 0.5 if is_over else None,
            "task_id": task[0],
            "task_commit": CommitId(task[1]),
            **more,
        }
        return Attempt(**given)

    def write(self, attempt: Attempt, *, lease: bool = False, record: bool = True) -> Attempt:
        """Writes an attempt: its commit, its ref, its record."""
        text = json.dumps(attempt_to_json(attempt), indent=1)
        commit = self.commit(f"ob: attempt {attempt.name}\n\n{text}\n", parents=(self.head, attempt.task_commit))
        attempt = replace(attempt, commit=CommitId(commit))
        self._updates.append(f"update refs/ob/attempts/{attempt.id} {commit}")
        if lease:
            self._updates.append(f"update refs/ob/leases/{attempt.task_id} {commit}")
        if record:
            write_record(self.root, attempt)
        return attempt

    def fail(self, name: str, task: tuple[str, str], *, keeps: bool = False, **more: Any) -> Attempt:
        """Ends a task as failed, or only an attempt at it."""
        given = {"cause": "stage 'train' failed: 'sh train.sh' exited with 3", "exit_code": 3, **more}
        if not keeps:
            self.drop(task)
        return self.write(self.attempt(name, task, AttemptState.FAILED, **given))

    def succeed(self, name: str, task: tuple[str, str], *, record: bool = True) -> str:
        """Ends a task as an experiment."""
        commit = self.commit(f"experiment {name}\n", parents=(self.head,), header=f"ob-task {task[0]}\n")
        self._updates.append(f"update refs/exps/{self.head[:2]}/{self.head[2:]}/{name} {commit}")
        self.drop(task)
        if record:
            done = self.attempt(name, task, AttemptState.SUCCEEDED)
            write_record(self.root, replace(done, commit=CommitId(commit)))
        return commit

    def drop(self, task: tuple[str, str]) -> None:
        """Takes a task out of the queue."""
        self._updates.append(f"delete refs/ob/tasks/{task[0]}")
        self._updates.append(f"delete refs/ob/leases/{task[0]}")

    def commit(self, message: str, *, parents: tuple[str | None, ...], header: str = "") -> str:
        """Stores a commit, as one loose object; returns its id."""
        who = f"A <a@example.com> {int(self.now)} +0000"
        lines = "".join(f"parent {parent}\n" for parent in parents if parent)
        body = f"tree {self.tree}\n{lines}author {who}\ncommitter {who}\n{header}\n{message}".encode()
        content = b"commit %d\0" % len(body) + body
        name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        path = self.project.root / ".git" / "objects" / name[:2] / name[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(content, 1))
        return name

    def flush(self) -> None:
        """Moves the refs, in one transaction."""
        known = set(self.project.git("for-each-ref", "--format=%(refname)", "refs/ob").split())
        lines = [line for line in self._updates if not line.startswith("delete") or line.split()[1] in known]
        self._updates = []
        script = self.project.root / ".git" / "updates"
        script.write_text("".join(f"{line}\n" for line in lines))
        self.project.git("-c", "alias.u=!git update-ref --stdin < .git/updates", "u")


def mixed(root: Path, project: TestProject, n: int) -> MadeHistory:
    """Makes `n` tasks: a third waits, a third has failed, a third has succeeded."""
    made = MadeHistory(project)
    tasks = made.queue("Q", n)
    for number, task in enumerate(tasks, 1):
        if number % 3 == 1:
            made.fail(f"Q-{number}", task)
        elif number % 3 == 2:
            made.succeed(f"Q-{number}", task, record=number > n - 300)
    made.flush()
    assert os.path.isdir(root)
    return made
