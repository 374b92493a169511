"""What a run of an experiment tells beside the events of its pipeline."""

from offbranch.base.events import Event
from offbranch.base.records import record


@record
class ExperimentStarted(Event):
    """An experiment starts; `log` is relative to the project root."""

    name: str
    log: str


@record
class WorkspaceRestored(Event):
    """After a failure the workspace is as it was before; the attempt can still be looked at."""

    name: str
    paths: tuple[str, ...]


@record
class AttemptRecovered(Event):
    """An attempt whose process had died was recorded and cleared up."""

    name: str
    paths: tuple[str, ...]


@record
class CheckpointMade(Event):
    """A checkpoint of a run was committed; `is_told` unless it was one of those that nobody asks for by name."""

    name: str
    commit: str
    number: int
    step: int | None
    is_told: bool


@record
class CheckpointsMade(Event):
    """A run has made so many checkpoints; its commands are over."""

    name: str
    n_made: int
