"""What queueing tells before and while it happens."""

from offbranch.base.events import Event
from offbranch.base.records import record
from offbranch.params.sweep import Grid
from offbranch.queue.task_end import TaskEnd


@record
class SweepPlanned(Event):
    """A sweep is about to be queued; nothing has been written yet."""

    grid: Grid


@record
class TaskBegan(Event):
    """A worker has taken a task.

    Attributes:
        slot: Label of the slot that it is in.
        log: All that it prints, relative to the project.
    """

    name: str
    slot: str
    log: str


@record
class TaskOver(Event):
    """A worker has seen a task end."""

    end: TaskEnd


@record
class TaskLost(Event):
    """The process that ran a task was killed; the task waits again."""

    name: str


@record
class TaskPutBack(Event):
    """A task whose run was stopped waits in the queue again."""

    name: str


@record
class TaskFailed(Event):
    """A task failed; the others go on. Its attempt is recorded.

    Attributes:
        is_repeated: It is run again.
    """

    name: str
    cause: str
    hint: str | None
    is_repeated: bool = False


@record
class TaskCancelled(Event):
    """A task was taken out of the queue while it ran, because a user wanted it."""

    name: str
    cause: str
