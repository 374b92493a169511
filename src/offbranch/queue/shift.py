"""What a worker is there for, and what it has around it."""

from collections.abc import Callable

from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.experiments.underway import Fate
from offbranch.git.repository import GitRepo
from offbranch.queue.child import Say
from offbranch.queue.running_task import Left
from offbranch.queue.slots.pool import Slot
from offbranch.queue.task import StoredTask

GRACE_S = 10.0
OfStop = Callable[[BaseException], Fate | None]
CarryOut = Callable[[StoredTask, Slot, Say], None]


@record
class Shift:
    """What a worker is there for.

    Attributes:
        only: Ids of the tasks that it may take; None for all.
        idle_s: Ends after so many seconds without a task that it could run; None: stays until it is stopped.
        apart: Children have process groups of their own.
        marks: Output goes through the worker, each line with the name of its experiment.
        grace_s: How long one that shall end may take for it before it is killed.
    """

    only: frozenset[str] | None = None
    idle_s: float | None = None
    apart: bool = True
    marks: bool = False
    grace_s: float = GRACE_S


@record
class Around:
    """What a worker needs from outside.

    Attributes:
        repo: Where the queue is.
        root: Of the project.
        carry_out: What a child does about a task.
        left: Tells what files an attempt has left whose process is gone.
        reporter: Hears of what happens.
        fate: What a signal that stopped us means for a task whose child did not listen; None for the usual.
    """

    repo: GitRepo
    root: AbsPath
    carry_out: CarryOut
    left: Left
    reporter: Reporter
    fate: OfStop = lambda error: None
