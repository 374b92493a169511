"""Running what is queued in the foreground, as `ob exp run --run-all` does."""

from collections.abc import Iterator

from offbranch.api.queue_offer import NO_WISH, SlotWish, offer_of
from offbranch.api.queue_work import Crew, work
from offbranch.api.session import Session, need_git, opened
from offbranch.base.records import replace
from offbranch.queue.shift import Shift
from offbranch.queue.store import read_tasks
from offbranch.queue.task_end import TaskEnd
from offbranch.queue.workers import WorkerKind


def run_all(session: Session, *, jobs: int | None = None, slots: SlotWish = NO_WISH) -> Iterator[TaskEnd]:
    """Runs what is queued, each in a temporary copy; also what is queued meanwhile.

    Args:
        session: Where.
        jobs: How many at a time, each in a process of its own; with more than one, each line of output gets the name of its
            experiment. If it is not given, as many as there are GPUs to share out, otherwise 1.
        slots: What they get of the machine.

    Yields:
        How each run of a task ended, as it ends. A failed one does not keep the next from being run.

    Raises:
        Interrupted: The user stopped it; what ran waits in the queue again.
    """
    offer = offer_of(slots if jobs is None else replace(slots, jobs=jobs), session)
    is_many = offer.n_slots > 1
    shift = Shift(idle_s=0.0, apart=is_many, marks=is_many)
    yield from work(session, shift, Crew(kind=WorkerKind.FOREGROUND, n_slots=offer.n_slots, offer=offer))


def names_elsewhere(session: Session) -> tuple[str, ...]:
    """Returns the names of tasks that are left to the workers of a shared queue, in the order in which they come."""
    with opened(session) as project:
        tasks = read_tasks(need_git(project), project.root)
    return tuple(each.name for each in tasks.all if each.is_shared)
