"""What a worker in the background writes into its log: a line with the time for each thing that happens."""

import sys
import time
from collections.abc import Iterator

from offbranch.base.events import Event, Notice, Warned
from offbranch.queue.events import TaskBegan, TaskLost, TaskOver
from offbranch.queue.task import TaskState
from offbranch.queue.task_end import TaskEnd


class WorkerLog:
    """Implements `Reporter`; writes to stdout, which is the log."""

    def emit(self, event: Event) -> None:
        """Writes what is worth a line."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        for text in _texts(event):
            sys.stdout.write(f"{now} {text}\n")
        sys.stdout.flush()


def _texts(event: Event) -> Iterator[str]:
    match event:
        case TaskBegan():
            yield f"'{event.name}' started in slot {event.slot}; its log is {event.log}"
        case TaskOver():
            yield _sentence(event.end)
        case TaskLost():
            yield f"'{event.name}' was lost: the process that ran it was killed; it waits in the queue again"
        case Warned():
            yield f"warning: {event.text}"
        case Notice():
            yield event.text


def _sentence(end: TaskEnd) -> str:
    cause = f": {end.cause}" if end.cause else ""
    match end.state:
        case TaskState.SUCCEEDED:
            return f"'{end.name}' succeeded" + (f": experiment {end.experiment.commit[:7]}" if end.experiment else "")
        case TaskState.FAILED:
            return f"'{end.name}' failed{cause}"
        case TaskState.CANCELLED:
            return f"'{end.name}' was cancelled{cause}"
        case _:
            return f"'{end.name}' waits in the queue again{cause}"
