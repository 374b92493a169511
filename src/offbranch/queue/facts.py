"""What the commits of tasks, attempts and experiments say, as JSON: read from Git, for whom the index does not know."""

from collections.abc import Sequence
from typing import Any

from offbranch.base.plugins import load
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.checkpoint_chain import task_of_head
from offbranch.experiments.experiment import attempt_to_json
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.records import parse_commit
from offbranch.git.repository import GitRepo
from offbranch.queue.index import Fact
from offbranch.queue.task import stored_to_json, task_from_message

# What few have; it brings with it what talks to other machines.
_READ_LEASE = "offbranch.queue.remote.lease:lease_from_message"
_MISSING: Fact = {"problem": "its commit is missing"}


def read_facts(repo: GitRepo, keys: Sequence[str]) -> dict[str, Fact]:
    """Returns what is said by commits.

    Args:
        repo: Where.
        keys: `task`, `attempt`, `experiment` or `lease`, a blank, and the id of a commit.

    Returns:
        By key: the record of a task with its `tree`, or of an attempt without its `originals`, or `task_id` and
        `made_utc` of an experiment, or who has a lease at a Git remote and since when; only `problem` where the commit
        is missing, or none of that kind that we can read.
    """
    names = {key: key.partition(" ")[2] for key in keys}
    with ObjectReader(repo) as objects:
        contents = objects.read_many(names.values())
    found = {str(name): content for name, content in contents.items()}
    return {key: _fact(key, *found[name]) if name in found else _MISSING for key, name in names.items()}


def _fact(key: str, object_kind: str, content: bytes) -> Fact:
    kind, _, name = key.partition(" ")
    try:
        if object_kind != "commit":
            raise ValueError(f"{object_kind} is there instead of a commit")
        if kind == "task":
            return _task(CommitId(name), content)
        if kind == "lease":
            return _lease(CommitId(name), content)
        return _attempt(CommitId(name), content) if kind == "attempt" else _experiment(CommitId(name), content)
    except ValueError as error:
        return {"problem": str(error)}


def _task(name: CommitId, content: bytes) -> Fact:
    commit = parse_commit(name, content)
    task = task_from_message(commit.message)
    if commit.parents != (task.spec.baseline,):
        raise ValueError("its commit does not start from its baseline")
    return stored_to_json(task, commit.tree)


def _attempt(name: CommitId, content: bytes) -> dict[str, Any]:
    attempt = attempt_of(parse_commit(name, content).message)
    if attempt is None:
        raise ValueError("its commit is not that of an attempt")
    # What parameter files held before is of no use to who looks, and may be long.
    return {key: value for key, value in attempt_to_json(attempt).items() if key != "originals"}


def _lease(name: CommitId, content: bytes) -> dict[str, Any]:
    lease = load(_READ_LEASE)(parse_commit(name, content).message)
    return {"host": lease.process.host, "pid": lease.process.pid, "taken_utc": lease.taken_utc, "n_lost": lease.n_lost}


def _experiment(name: CommitId, content: bytes) -> dict[str, Any]:
    head = content.partition(b"\n\n")[0]
    task_id, is_checkpoint = task_of_head(content)
    made_utc = parse_commit(name, head + b"\n\n").commit_time
    # A task has not become what one of its runs has left at a checkpoint.
    return {"task_id": None if is_checkpoint else task_id, "made_utc": made_utc}
