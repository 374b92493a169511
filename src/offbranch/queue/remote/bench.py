"""What working on a shared queue needs, and its patience with a Git remote that cannot be reached."""

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from offbranch.base.errors import RefusedError, RemoteError
from offbranch.base.events import Warned
from offbranch.base.records import record
from offbranch.experiments.experiment import Experiment
from offbranch.project import Project
from offbranch.queue.remote.lease import Owner
from offbranch.queue.remote.place import QueueRemote

T = TypeVar("T")

_LONGEST_WAIT_S = 30.0


class Verdict(Enum):
    """What is to become of the message."""

    DONE = "done"  # the task has ended, or somebody else has it
    AGAIN = "again"  # it waits, and somebody should be told
    ELSEWHERE = "elsewhere"  # this worker cannot run it now; another may


@record
class Run:
    """What came of running a task here.

    Attributes:
        experiment: What it became.
        is_stopped: Whether the worker was told to stop.
    """

    experiment: Experiment | None = None
    is_stopped: bool = False


@record
class Bench:
    """What working needs.

    Attributes:
        project: Of this clone.
        place: The Git remote.
        owner: Who takes leases.
        run: Carries out a task of this clone by its id.
        clock: Seconds since the epoch.
        sleep: Waits.
    """

    project: Project
    place: QueueRemote
    owner: Owner
    run: Callable[[str], Run]
    clock: Callable[[], float]
    sleep: Callable[[float], None]


def patiently(bench: Bench, action: Callable[[], T]) -> T:
    """Does something at the Git remote, again and again as long as it cannot be reached: a run of hours waits behind it.

    Raises:
        RefusedError: It has a rule against it.
    """
    wait_s, told = 0.5, False
    while True:
        try:
            return action()
        except RefusedError:
            raise
        except RemoteError as error:
            if not told:
                bench.place.talk.reporter.emit(
                    Warned(text=error.message, hint="it is tried again until it can be reached")
                )
            told = True
            bench.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
