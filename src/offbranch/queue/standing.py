"""What has become of each task, decided from what Git and the processes of this machine say.

A task is queued as long as its ref is there and nobody carries it out; an experiment that came of it outweighs every attempt;
otherwise the last attempt tells.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo, is_alive
from offbranch.base.records import record, replace
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.leases import is_carried_out
from offbranch.git.ids import CommitId
from offbranch.git.repository import GitRepo
from offbranch.queue.cleared import cleared_tasks
from offbranch.queue.history import History, Made, WaitingTask, by_task, read_history
from offbranch.queue.index import Fact
from offbranch.queue.memory import Memory
from offbranch.queue.status import (
    CANCELLED,
    FAILED,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    Elsewhere,
    QueueStatus,
    Standing,
    TaskStatus,
    was_lost,
)
from offbranch.queue.workers import Worker, list_workers, why_unfit

# As they are listed; held ones come after those that wait for nothing but a worker.
_RANKS = {RUNNING: 0, QUEUED: 1, FAILED: 3, CANCELLED: 3, SUCCEEDED: 4}
_HELD_RANK = 2


@record
class Around:
    """What is known beside the history.

    Attributes:
        places: Task id -> the worker that says that it has it, and the label of its slot.
        goes_on: Whether an attempt at a task is carried out at this moment.
        unfit: Why no worker that is there can ever run a task, by its id; None if one can, or none is there.
        is_there: Whether a process lives.
    """

    places: Mapping[str, tuple[str, str]]
    goes_on: Callable[[Attempt], bool]
    unfit: Callable[[str], str | None] = lambda task_id: None
    is_there: Callable[[ProcessInfo], bool] = is_alive


def read_status(repo: GitRepo, root: AbsPath, *, use_index: bool = True) -> QueueStatus:
    """Returns what the queue of a project looks like.

    Args:
        repo: Where.
        root: Of the project.
        use_index: Off: everything is read from Git, with the same result.
    """
    history = read_history(repo, root, memory=Memory(repo, root, use_index=use_index))
    workers = list_workers(root)
    around = Around(
        places=places_of(workers),
        goes_on=lambda attempt: is_carried_out(root, attempt),
        unfit=lambda task_id: why_unfit(workers, task_id),
    )
    tasks = task_statuses(history, around, cleared=cleared_tasks(root) if history.made else frozenset())
    return QueueStatus(tasks=tasks, workers=workers)


def places_of(workers: Sequence[Worker]) -> dict[str, tuple[str, str]]:
    """Returns which worker says that it has which task, and in which slot."""
    return {slot.task_id: (each.id, slot.label) for each in workers for slot in each.slots if slot.task_id is not None}


def task_statuses(history: History, around: Around, *, cleared: Container[str] = frozenset()) -> tuple[TaskStatus, ...]:
    """Returns every task that is known of, each once, as they are listed.

    Args:
        history: What Git says.
        around: What is known beside it.
        cleared: Succeeded tasks that the user does not want to see any more.
    """
    attempts = by_task(history.attempts)
    found: dict[str, TaskStatus] = {}
    for waiting in history.waiting:
        own = attempts.pop(waiting.id, ())
        task = _of_waiting(waiting, own, history.leases.get(waiting.id), around)
        if waiting.id in history.away and task.standing is None:
            task = _elsewhere(task, history.away[waiting.id])
        found[waiting.id] = replace(task, is_shared=True) if waiting.id in history.shared else task
    succeeded = by_task(history.succeeded)
    for made in history.made:
        if made.task_id not in found:
            own = (*succeeded.get(made.task_id, ()), *attempts.pop(made.task_id, ()))
            if made.task_id not in cleared:
                found[made.task_id] = _of_made(made, own)
    for task_id, own in attempts.items():
        found[task_id] = _of_ended(task_id, own, around)
    return tuple(sorted(found.values(), key=list_order))


def _of_waiting(
    task: WaitingTask,
    attempts: tuple[Attempt, ...],
    lease: CommitId | None,
    around: Around,
) -> TaskStatus:
    if task.about is None:
        return TaskStatus(id=task.id, name=task.id, baseline="", rev=task.commit, state=QUEUED, problem=task.problem)
    this_round = [each for each in attempts if each.task_round == task.about["round"]]
    holder = next((each for each in this_round if lease is not None and each.commit == lease), None)
    standing = None
    if holder is not None and around.goes_on(holder):
        standing = _standing(holder, around)
    lost = [each for each in this_round if was_lost(each) and (standing is None or each is not holder)]
    return TaskStatus(
        id=task.id,
        name=task.about["name"],
        baseline=task.about["baseline"],
        rev=task.commit,
        state=QUEUED if standing is None else RUNNING,
        is_held=standing is None and bool(task.about["is_held"]),
        about=task.about,
        attempts=attempts,
        n_lost=len(lost),
        n_failed=_n_failed(this_round),
        standing=standing,
        unfit=around.unfit(task.id) if standing is None else None,
    )


def _elsewhere(task: TaskStatus, lease: Fact) -> TaskStatus:
    """Returns a task that somebody has in another clone."""
    holder = Elsewhere(host=lease.get("host", ""), pid=lease.get("pid"), since_utc=lease.get("taken_utc"))
    n_lost = lease.get("n_lost", task.n_lost)
    return replace(task, state=RUNNING, is_held=False, elsewhere=holder, unfit=None, n_lost=n_lost)


def _of_made(made: Made, attempts: tuple[Attempt, ...]) -> TaskStatus:
    last = attempts[0] if attempts and attempts[0].state is AttemptState.SUCCEEDED else None
    return TaskStatus(
        id=made.task_id,
        name=made.name,
        baseline=made.baseline,
        rev=None if last is None else last.task_commit,
        state=SUCCEEDED,
        about={} if not attempts else {"overrides": list(attempts[0].overrides)},
        attempts=attempts,
        n_failed=_n_failed(attempts),
        experiment=made.commit,
        made_utc=made.made_utc,
    )


def _of_ended(
    task_id: str,
    attempts: tuple[Attempt, ...],
    around: Around,
) -> TaskStatus:
    last = attempts[0]
    this_round = [each for each in attempts if each.task_round == last.task_round]
    standing = _standing(last, around) if around.goes_on(last) else None
    state = FAILED if last.state is not AttemptState.CANCELLED else CANCELLED
    return TaskStatus(
        id=task_id,
        name=last.name,
        baseline=last.baseline,
        rev=last.task_commit,
        state=state if standing is None else RUNNING,
        about={"overrides": list(last.overrides), "round": last.task_round},
        attempts=attempts,
        n_lost=sum(was_lost(each) for each in this_round if standing is None or each is not last),
        n_failed=_n_failed(this_round),
        standing=standing,
    )


def _standing(attempt: Attempt, around: Around) -> Standing:
    worker, slot = around.places.get(attempt.task_id or "", (None, None))
    return Standing(worker=worker, slot=slot, is_orphan=not around.is_there(attempt.process))


def _n_failed(attempts: Iterable[Attempt]) -> int:
    return sum(each.state is AttemptState.FAILED for each in attempts)


def list_order(task: TaskStatus) -> tuple[int, int, str]:
    """Returns what tasks are sorted by where they are listed."""
    rank = _HELD_RANK if task.is_held else _RANKS[task.state]
    return rank, -int(task.about.get("priority", 0)) if task.state == QUEUED else 0, task.id
