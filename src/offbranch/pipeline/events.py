"""What a pipeline tells while it is carried out."""

from offbranch.base.events import Event
from offbranch.base.records import record
from offbranch.pipeline.plan import Action
from offbranch.pipeline.reasons import Reason


@record
class StageDecided(Event):
    """What will be done about a stage now, and why. Emitted before anything is done about it."""

    address: str
    action: Action
    reasons: tuple[Reason, ...]
    is_data: bool


@record
class CommandStarted(Event):
    """One shell command of a stage is about to run.

    Attributes:
        is_marked: Others may run beside it, so each line of its output bears the address.
    """

    address: str
    command: str
    is_marked: bool = False


@record
class StageEnded(Event):
    """A stage was carried out; `duration_s` is wall time."""

    address: str
    action: Action
    duration_s: float


@record
class StageFailed(Event):
    """A stage failed. `is_fatal` tells whether that ends the whole run."""

    address: str
    text: str
    is_fatal: bool


@record
class StageLeftOut(Event):
    """A stage is not carried out because one it needs has failed."""

    address: str
    because_of: str


@record
class FileWritten(Event):
    """A file that belongs under version control was written."""

    path: str
    is_new: bool
