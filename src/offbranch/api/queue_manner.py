"""How a queued task is carried out: with which environment and limits, and where what it prints goes."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from offbranch.api.exp import make_launch
from offbranch.api.running import open_runner
from offbranch.api.session import Session
from offbranch.base.errors import GitError, Interrupted, StageFailedError
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import field, record, replace
from offbranch.experiments.attempts import log_of
from offbranch.experiments.underway import Fate, Launch
from offbranch.pipeline.runner import CommandRunner
from offbranch.project import Project
from offbranch.queue.child import Say
from offbranch.queue.slots.pool import Slot

# A shell says with such an exit code that its command ended of a signal.
_SIGNALS_FROM = 128
OfError = Callable[[BaseException], Fate | None]


def may_be_by_signal(error: BaseException) -> bool:
    """Tells whether an error may be that a signal has ended a command, or a Git of ours."""
    if isinstance(error, StageFailedError):
        code = error.exit_code_of_command
        return code is not None and (code < 0 or code > _SIGNALS_FROM)
    return isinstance(error, GitError | Interrupted)


def no_opinion(_: BaseException) -> Fate | None:
    """Leaves every error to the usual fate."""
    return None


@record
class Manner:
    """How a task is carried out.

    Attributes:
        session: Where, and who hears of it.
        env: Variables of its commands.
        slot: What it has of the machine; None where nothing is shared out.
        into_log: All that this process and its commands print goes into the log of the attempt and nowhere else.
        hands_on_signals: Whether commands hear from us of a signal; not where it is sent to our process group.
        say: Takes what a worker wants to know.
        fate: What an error means, where who runs the worker knows more.
    """

    session: Session
    env: Mapping[str, str] = field(default_factory=dict)
    slot: Slot | None = None
    into_log: bool = False
    hands_on_signals: bool = True
    say: Say = lambda said: None
    fate: OfError = no_opinion


def task_launch(project: Project, manner: Manner, clock: Callable[[], float]) -> Launch:
    """Returns what the run of a task needs from outside."""
    session, slot = manner.session, manner.slot
    launch = make_launch(session, project, clock, ())
    if manner.into_log:
        _print_into(join(project.root, log_of(launch.attempt_id)))

    def runner(log: AbsPath, more: tuple[int, ...]) -> AbstractContextManager[CommandRunner]:
        return open_runner(
            session,
            # Where we print into the log ourselves, commands simply inherit that: nothing has to be copied while they run.
            log=None if manner.into_log else log,
            keep_open=more if slot is None else (*more, *slot.descriptors),
            root=None,
            hands_on_signals=manner.hands_on_signals,
            prefix=() if slot is None else slot.prefix,
        )

    return replace(launch, open_runner=runner)


def _print_into(path: AbsPath) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
