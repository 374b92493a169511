"""Staying with what was handed to SLURM: what is lost there or queued meanwhile is handed over again."""

from collections.abc import Iterator

from offbranch.api.queue_look import Waited, queue_wait
from offbranch.api.queue_slurm import HandedOver, SlurmRequest, hand_to_slurm
from offbranch.api.session import Session
from offbranch.base.errors import OffbranchError
from offbranch.base.events import Warned
from offbranch.base.records import replace

# How often SLURM is asked; sites ask not to be asked more often.
ASK_S = 10.0


def follow_slurm(
    request: SlurmRequest, session: Session, *, ask_s: float = ASK_S
) -> Iterator[tuple[HandedOver, Waited | None]]:
    """Hands tasks to SLURM until none of them waits or runs any more.

    Yields:
        What was handed over, and how things stood when SLURM was asked next; None for the latter while some go on.

    Raises:
        NotFoundError: A name stands for no task that waits.
        OffbranchError: SLURM does not take the first of them; later it is only told of.
    """
    done = hand_to_slurm(request, session)
    ids = dict.fromkeys(done.task_ids)
    # What has ended by then is no task that waits any more.
    later = replace(request, names=tuple(ids), only_if_there=True) if request.names else request
    while True:
        waited = queue_wait(tuple(ids), session, timeout_s=ask_s, warns=False) if ids else None
        has_ended = waited is None or not waited.has_timed_out
        yield done, waited if has_ended else None
        done = _again(later, session)
        if has_ended and not done.task_ids:
            return
        ids.update(dict.fromkeys(done.task_ids))


def _again(request: SlurmRequest, session: Session) -> HandedOver:
    try:
        return hand_to_slurm(request, session)
    except OffbranchError as error:
        session.reporter.emit(Warned(text=error.message, hint=error.hint))
        return HandedOver()
