"""What each event of pipelines and experiments says on the terminal: event -> lines, pure.

The sentences follow those that users of DVC know. Loaded when the first such event comes, not at start-up.
"""

from collections.abc import Iterator, Sequence

from offbranch.base.events import Event
from offbranch.cli.lines import Line, Style, warning
from offbranch.experiments.events import (
    AttemptRecovered,
    CheckpointMade,
    CheckpointsMade,
    ExperimentStarted,
    WorkspaceRestored,
)
from offbranch.params.sweep import Grid
from offbranch.pipeline.events import (
    CommandStarted,
    FileWritten,
    StageDecided,
    StageEnded,
    StageFailed,
    StageLeftOut,
)
from offbranch.pipeline.plan import Action
from offbranch.pipeline.reasons import Reason
from offbranch.queue.events import SweepPlanned, TaskCancelled, TaskFailed, TaskLost, TaskPutBack

_SHOWN_PATHS = 3


def lines_of(event: Event, level: int) -> Iterator[Line]:
    """Yields what to print of an event; `level` is that of `-v`. An event nobody knows here says nothing."""
    match event:
        case StageDecided():
            yield from _decided(event, level)
        case CommandStarted():
            mark = f"{event.address} | " if event.is_marked else ""
            for line in event.command.splitlines() or [""]:
                yield Line(f"{mark}> {line}", style=Style.BOLD)
        case StageEnded():
            yield Line(f"'{event.address}' took {event.duration_s:.1f} s", style=Style.DIM, level=1)
        case StageFailed(is_fatal=False):
            yield from warning(event.text)
        case StageLeftOut():
            yield from warning(f"stage '{event.address}' is left out, because '{event.because_of}' failed")
        case FileWritten():
            verb = "Generating" if event.is_new else "Updating"
            is_lock = event.path.endswith("dvc.lock")
            yield Line(f"{verb} {'lock file ' if is_lock else ''}'{event.path}'", level=0 if is_lock else 1)
        case ExperimentStarted():
            yield Line(f"Reproducing experiment '{event.name}'")
            yield Line(f"its log is {event.log}", style=Style.DIM, level=1)
        case CheckpointMade():
            level_of = 0 if event.is_told else 1
            yield Line(f"Checkpoint experiment iteration '{event.commit[:7]}'.", level=level_of)
        case CheckpointsMade():
            many = f"{event.n_made} checkpoints" if event.n_made > 1 else "1 checkpoint"
            yield Line(f"made {many} of '{event.name}'", style=Style.DIM)
        case WorkspaceRestored():
            what = f" ({names(event.paths, level)})" if event.paths else ""
            yield Line(f"the workspace is as it was before '{event.name}'{what}", is_aside=True)
            yield Line("'ob exp show' lists the attempt with what it had measured", style=Style.DIM, is_aside=True)
        case AttemptRecovered():
            what = f"; put back: {names(event.paths, level)}" if event.paths else ""
            yield from warning(
                f"an earlier run of '{event.name}' had been killed; it is recorded as interrupted{what}",
                "ob exp show",
            )
        case SweepPlanned():
            yield Line(
                f"{'1 trial' if event.grid.n_trials == 1 else f'{event.grid.n_trials} trials'}: {_made_of(event.grid)}"
            )
        case TaskFailed():
            yield Line(f"error: '{event.name}' failed: {event.cause}", style=Style.BAD, is_warning=True)
            if event.hint:
                yield Line(f"hint: {event.hint}", is_warning=True)
            if event.is_repeated:
                yield Line(f"'{event.name}' is run again", is_warning=True)
        case TaskCancelled():
            yield from warning(f"'{event.name}' was taken out of the queue: {event.cause}")
        case TaskLost():
            yield from warning(f"the process that ran '{event.name}' was killed; it is run again")
        case TaskPutBack():
            yield Line(f"'{event.name}' was stopped and waits in the queue again", is_aside=True)


def because(reasons: Sequence[Reason], level: int) -> Iterator[str]:
    """Yields why something is done, one reason; all of them with `-v`."""
    shown = reasons if level else reasons[:1]
    rest = len(reasons) - len(shown)
    for i, reason in enumerate(shown):
        more = f" (and {rest} more: -v)" if rest else ""
        yield f"{'because' if i == 0 else '    and'} {reason.text}{more}"


def _made_of(grid: Grid) -> str:
    if len(grid.lengths) == 1:
        return f"the values of {grid.keys[0]}"
    return f"{' x '.join(map(str, grid.lengths))} values of {', '.join(grid.keys)}"


def names(paths: Sequence[str], level: int) -> str:
    """Returns some paths for a sentence, the first few of many; all of them with `-v`."""
    if level or len(paths) <= _SHOWN_PATHS:
        return ", ".join(paths)
    return f"{', '.join(paths[:_SHOWN_PATHS])} and {len(paths) - _SHOWN_PATHS} more"


def _decided(event: StageDecided, level: int) -> Iterator[Line]:
    sentence = _sentence(event)
    if sentence is None:
        return
    yield Line(sentence)
    for text in because(event.reasons, level):
        yield Line(f"  {text}", style=Style.DIM)


def _sentence(event: StageDecided) -> str | None:
    name = f"'{event.address}'"
    match event.action:
        case Action.SKIP:
            return f"{name if event.is_data else f'Stage {name}'} didn't change, skipping"
        case Action.CHECKOUT if event.is_data:
            return f"Checking out {name}"
        case Action.CHECKOUT | Action.RESTORE:
            return f"Stage {name} is cached - skipping run, checking out outputs"
        case Action.RUN:
            return f"Running stage {name}:"
        case Action.RECORD:
            return f"Recording the changed data of {name}"
        case _:
            return None
