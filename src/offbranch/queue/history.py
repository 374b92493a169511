"""What Git knows of the queue at one moment: tasks that wait or run, attempts at them, experiments that came of them.

One question to Git lists the refs; what their commits say comes from the index, and from Git where that does not know it.
Nothing is decided here: see `status.py`.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from offbranch.base.paths import AbsPath, join
from offbranch.base.plugins import load
from offbranch.base.records import field, record, replace
from offbranch.experiments.attempts import RUNS_DIR, read_one
from offbranch.experiments.experiment import Attempt, AttemptState, attempt_from_json
from offbranch.experiments.refs import ATTEMPTS, AWAY, EXPERIMENTS, LEASES, SENDING, SENT, TASKS, decode
from offbranch.git.ids import CommitId
from offbranch.git.refs import list_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.index import Fact, Index

# What kind of thing a fact is about: the same commit may be asked for as two of them.
_TASK, _ATTEMPT, _EXPERIMENT, _LEASE = "task", "attempt", "experiment", "lease"
_KINDS = {TASKS: _TASK, ATTEMPTS: _ATTEMPT, AWAY: _LEASE}
# What understands commits; loaded where the index does not know one.
READER = "offbranch.queue.facts:read_facts"


@record
class WaitingTask:
    """A task that has a ref: it waits or runs.

    Attributes:
        about: Its record as JSON (docs/formats/tasks.md); None if it cannot be read.
        problem: Why it cannot be read.
    """

    id: str
    commit: CommitId
    about: Fact | None
    problem: str = ""


@record
class Made:
    """An experiment that a task has become.

    Attributes:
        made_utc: When it was committed, in seconds since the epoch.
    """

    task_id: str
    name: str
    baseline: CommitId
    commit: CommitId
    made_utc: int


@record
class History:
    """The queue of a repository.

    Attributes:
        waiting: Tasks that have a ref, in the order of their ids.
        leases: Task id -> the commit that its lease is at.
        attempts: Those that did not become experiments, newest first; also those of no task.
        made: Experiments that came of tasks, in the order of their refs.
        succeeded: The records that are left of attempts which became experiments, newest first.
        away: Task id -> who has it elsewhere, as far as we know (`facts.py`).
        shared: Ids of the tasks that are, or may be, at a Git remote too.
    """

    waiting: tuple[WaitingTask, ...] = ()
    leases: Mapping[str, CommitId]
    attempts: tuple[Attempt, ...] = ()
    made: tuple[Made, ...] = ()
    succeeded: tuple[Attempt, ...] = ()
    away: Mapping[str, Fact] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()


def read_history(repo: GitRepo, root: AbsPath, *, use_index: bool = True) -> History:
    """Returns what there is.

    Args:
        repo: Where.
        root: Of the project, where records of attempts and the index are.
        use_index: Off: everything is read from Git, with the same result.
    """
    refs = list_refs(repo, ATTEMPTS, AWAY, EXPERIMENTS, LEASES, SENDING, SENT, TASKS)
    keys = {ref: f"{kind} {commit}" for ref, commit in refs if (kind := _kind_of(ref)) is not None}
    facts = _facts(repo, root, frozenset(keys.values()), use_index=use_index)
    waiting: list[WaitingTask] = []
    leases: dict[str, CommitId] = {}
    attempts: list[Attempt] = []
    made: list[Made] = []
    away: dict[str, Fact] = {}
    for ref, name in refs:
        commit, fact = CommitId(name), facts.get(keys.get(ref, ""))
        if ref.startswith(TASKS):
            waiting.append(_waiting(ref.removeprefix(TASKS), commit, fact))
        elif ref.startswith(LEASES):
            leases[ref.removeprefix(LEASES)] = commit
        elif ref.startswith(AWAY):
            away[ref.removeprefix(AWAY)] = fact or {}
        elif ref.startswith(ATTEMPTS):
            attempts += _attempt(root, ref.removeprefix(ATTEMPTS), commit, fact)
        elif fact is not None and fact.get("task_id") is not None and (place := decode(ref)) is not None:
            made.append(
                Made(
                    task_id=fact["task_id"], name=place[1], baseline=place[0], commit=commit, made_utc=fact["made_utc"]
                )
            )
    attempts.sort(key=_newest_first)
    return History(
        waiting=tuple(waiting),
        leases=leases,
        attempts=tuple(attempts),
        made=tuple(made),
        succeeded=_succeeded(root, {each.id for each in attempts}) if made else (),
        away=away,
        shared=frozenset(ref.rpartition("/")[2] for ref, _ in refs if ref.startswith((SENDING, SENT))),
    )


def read_attempts(repo: GitRepo, root: AbsPath) -> tuple[Attempt, ...]:
    """Returns the attempts that did not become experiments, newest first: as `list_attempts` does, but without reading
    a file for each."""
    refs = list_refs(repo, ATTEMPTS)
    facts = _facts(repo, root, frozenset(f"{_ATTEMPT} {commit}" for _, commit in refs), use_index=True)
    found: list[Attempt] = []
    for ref, commit in refs:
        found += _attempt(root, ref.removeprefix(ATTEMPTS), CommitId(commit), facts.get(f"{_ATTEMPT} {commit}"))
    return tuple(sorted(found, key=_newest_first))


def read_records(repo: GitRepo, root: AbsPath, commits: Iterable[CommitId]) -> dict[CommitId, Fact]:
    """Returns the records of tasks by their commits, also of those that have left the queue; what is not there is left out."""
    keys = {f"{_TASK} {commit}": commit for commit in commits}
    facts = _facts(repo, root, frozenset(keys), use_index=True)
    return {commit: facts[key] for key, commit in keys.items() if key in facts and "problem" not in facts[key]}


def _kind_of(ref: str) -> str | None:
    if ref.startswith(EXPERIMENTS):
        return _EXPERIMENT if decode(ref) is not None else None
    return next((kind for prefix, kind in _KINDS.items() if ref.startswith(prefix)), None)


def _facts(repo: GitRepo, root: AbsPath, keys: frozenset[str], *, use_index: bool) -> Mapping[str, Fact]:
    if not keys:
        return {}
    index = Index(root) if use_index else None
    try:
        known = index.read() if index is not None else {}
        unknown = sorted(keys - known.keys())
        if not unknown:
            return known
        found: dict[str, Fact] = load(READER)(repo, unknown)
        if index is not None:
            lasting = {key: fact for key, fact in found.items() if "problem" not in fact}
            index.write(lasting, wanted=keys)
        return {**known, **found}
    finally:
        if index is not None:
            index.close()


def _waiting(task_id: str, commit: CommitId, fact: Fact | None) -> WaitingTask:
    if fact is None or "problem" in fact:
        problem = "its commit is missing" if fact is None else str(fact["problem"])
        return WaitingTask(id=task_id, commit=commit, about=None, problem=problem)
    return WaitingTask(id=task_id, commit=commit, about=fact)


def _attempt(root: AbsPath, attempt_id: str, commit: CommitId, fact: Fact | None) -> Iterable[Attempt]:
    """Yields the attempt that a ref stands for, unless nothing can be read of it.

    What its commit says is final, unless it says that it runs: then the quick copy knows more.
    """
    found = None
    if fact is not None and "problem" not in fact:
        found = attempt_from_json({**fact, "originals": {}})
    if found is None or found.state is AttemptState.RUNNING:
        found = read_one(root, attempt_id) or found
    if found is not None:
        yield replace(found, id=attempt_id, commit=commit)


def _succeeded(root: AbsPath, others: set[str]) -> tuple[Attempt, ...]:
    try:
        names = os.listdir(join(root, RUNS_DIR))
    except OSError:
        return ()
    found = (read_one(root, name) for name in names if name not in others)
    kept = [each for each in found if each is not None and each.state is AttemptState.SUCCEEDED]
    return tuple(sorted(kept, key=_newest_first))


def _newest_first(attempt: Attempt) -> tuple[Any, ...]:
    return -attempt.started_utc, attempt.id
