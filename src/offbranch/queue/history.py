"""What Git knows of the queue at one moment: tasks that wait or run, attempts at them, experiments that came of them.

One question to Git lists the refs; what their commits say comes from `memory.py`. Everything that is known of the queue is read
here, by who looks, chooses, adds and works; nothing is decided: see `standing.py` and `store.py`.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from offbranch.base.paths import AbsPath, join
from offbranch.base.records import field, record, replace
from offbranch.experiments.attempts import RUNS_DIR, read_one
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.refs import ATTEMPTS, AWAY, EXPERIMENTS, LEASES, SENDING, SENT, TASKS, decode, encode
from offbranch.git.ids import CommitId
from offbranch.git.refs import list_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.index import Fact
from offbranch.queue.memory import ATTEMPT, EXPERIMENT, LEASE, TASK, Memory, key_of

_KINDS = {TASKS: TASK, ATTEMPTS: ATTEMPT, AWAY: LEASE}


@record
class WaitingTask:
    """A task that has a ref: it waits or runs.

    Attributes:
        about: Its record as JSON (docs/formats/tasks.md), with its `tree`; None if it cannot be read.
        problem: Why it cannot be read.
    """

    id: str
    commit: CommitId
    about: Fact | None
    problem: str = ""

    @property
    def name(self) -> str:
        """The name of the experiment that it will be; its id where that cannot be read."""
        return self.id if self.about is None else str(self.about["name"])


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
        names: Of the experiments of the baseline that was asked for.
        made: Experiments that came of tasks, in the order of their refs.
        succeeded: The records that are left of attempts which became experiments, newest first.
        away: Task id -> who has it elsewhere, as far as we know (`facts.py`).
        shared: Ids of the tasks that are, or may be, at a Git remote too.
    """

    waiting: tuple[WaitingTask, ...] = ()
    leases: Mapping[str, CommitId]
    attempts: tuple[Attempt, ...] = ()
    names: frozenset[str] = frozenset()
    made: tuple[Made, ...] = ()
    succeeded: tuple[Attempt, ...] = ()
    away: Mapping[str, Fact] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()

    def waiting_at(self, baseline: CommitId) -> tuple[WaitingTask, ...]:
        """Returns the waiting tasks of a baseline; without those that cannot be read."""
        return tuple(each for each in self.waiting if each.about is not None and each.about["baseline"] == baseline)


def read_history(
    repo: GitRepo,
    root: AbsPath,
    *,
    memory: Memory | None = None,
    with_made: bool = True,
    names_of: CommitId | None = None,
) -> History:
    """Returns what there is.

    Args:
        repo: Where.
        root: Of the project, where records of attempts and the index are.
        memory: What is known already of commits of this project.
        with_made: Also what experiments came of tasks; without, no experiment is read.
        names_of: A baseline; the `names` of its experiments are listed in any case.
    """
    some = () if names_of is None else (encode(names_of, ""),)
    refs = list_refs(repo, ATTEMPTS, AWAY, *((EXPERIMENTS,) if with_made else some), LEASES, SENDING, SENT, TASKS)
    kinds = {ref: _kind_of(ref, with_made=with_made) for ref, _ in refs}
    keys = {ref: key_of(kind, commit) for ref, commit in refs if (kind := kinds[ref]) is not None}
    memory = memory or Memory(repo, root)
    facts = memory.recall(keys.values())
    waiting: list[WaitingTask] = []
    leases: dict[str, CommitId] = {}
    attempts: list[Attempt] = []
    names: list[str] = []
    made: list[Made] = []
    away: dict[str, Fact] = {}
    for ref, name in refs:
        commit = CommitId(name)
        if ref.startswith(TASKS):
            waiting.append(_waiting(ref.removeprefix(TASKS), commit, facts[keys[ref]]))
        elif ref.startswith(LEASES):
            leases[ref.removeprefix(LEASES)] = commit
        elif ref.startswith(AWAY):
            away[ref.removeprefix(AWAY)] = facts[keys[ref]]
        elif ref.startswith(ATTEMPTS):
            attempts += _attempt(root, ref.removeprefix(ATTEMPTS), commit, memory.attempt(keys[ref]))
        elif (place := decode(ref)) is not None:
            names += place[1:] if place[0] == names_of else ()
            made += _made(place, commit, facts[keys[ref]]) if with_made else ()
    attempts.sort(key=_newest_first)
    return History(
        waiting=tuple(waiting),
        leases=leases,
        attempts=tuple(attempts),
        names=frozenset(names),
        made=tuple(made),
        succeeded=_succeeded(root, {each.id for each in attempts}) if made else (),
        away=away,
        shared=frozenset(ref.rpartition("/")[2] for ref, _ in refs if ref.startswith((SENDING, SENT))),
    )


def read_attempts(repo: GitRepo, root: AbsPath) -> tuple[Attempt, ...]:
    """Returns the attempts that did not become experiments, newest first."""
    return read_history(repo, root, with_made=False).attempts


def read_records(repo: GitRepo, root: AbsPath, commits: Iterable[CommitId]) -> dict[CommitId, Fact]:
    """Returns the records of tasks by their commits, also of those that have left the queue; what is not there is left out."""
    keys = {key_of(TASK, commit): commit for commit in commits}
    facts = Memory(repo, root).recall(keys, is_all=False)
    return {commit: facts[key] for key, commit in keys.items() if "problem" not in facts[key]}


def by_task(attempts: Iterable[Attempt]) -> dict[str, tuple[Attempt, ...]]:
    """Returns attempts by the task that they were at, in the order in which they are given; without those at none."""
    groups: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.task_id is not None:
            groups.setdefault(attempt.task_id, []).append(attempt)
    return {task_id: tuple(group) for task_id, group in groups.items()}


def _kind_of(ref: str, *, with_made: bool) -> str | None:
    if ref.startswith(EXPERIMENTS):
        return EXPERIMENT if with_made and decode(ref) is not None else None
    return next((kind for prefix, kind in _KINDS.items() if ref.startswith(prefix)), None)


def _waiting(task_id: str, commit: CommitId, fact: Fact) -> WaitingTask:
    if "problem" in fact:
        return WaitingTask(id=task_id, commit=commit, about=None, problem=str(fact["problem"]))
    return WaitingTask(id=task_id, commit=commit, about=fact)


def _attempt(root: AbsPath, attempt_id: str, commit: CommitId, found: Attempt | None) -> Iterable[Attempt]:
    """Yields the attempt that a ref stands for, unless nothing can be read of it.

    What its commit says is final, unless it says that it runs: then the quick copy knows more.
    """
    if found is None or found.state is AttemptState.RUNNING:
        found = read_one(root, attempt_id) or found
    if found is not None:
        yield replace(found, id=attempt_id, commit=commit)


def _made(place: tuple[CommitId, str], commit: CommitId, fact: Fact) -> Iterable[Made]:
    if fact.get("task_id") is not None:
        baseline, name = place
        yield Made(task_id=fact["task_id"], name=name, baseline=baseline, commit=commit, made_utc=fact["made_utc"])


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
