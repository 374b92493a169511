"""What queueing tells before and while it happens."""

from offbranch.base.events import Event
from offbranch.base.records import record
from offbranch.params.sweep import Grid


@record
class SweepPlanned(Event):
    """A sweep is about to be queued; nothing has been written yet."""

    grid: Grid


@record
class TaskPutBack(Event):
    """A task whose run was stopped waits in the queue again."""

    name: str


@record
class TaskFailed(Event):
    """A task failed; the others go on. Its attempt is recorded."""

    name: str
    cause: str
    hint: str | None
