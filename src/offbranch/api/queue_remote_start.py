"""Workers of a shared queue: started in the background as those of this machine alone, or here. Loaded by name.

A worker is a small process that looks after two children: Celery's program, which carries out tasks in a pool of its own,
and one that looks around for what got lost. One that ends by itself is started again, once what it ran has ended too.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from offbranch.api.detached import detach
from offbranch.api.queue_remote import need_shared_queue
from offbranch.api.queue_remote_room import Means, forget_shares
from offbranch.api.queue_remote_work import keep_sweeping
from offbranch.api.queue_work import new_worker_id
from offbranch.api.queue_workers import Started, StartRequest, Voices, asked_offer
from offbranch.api.session import Session, opened
from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.events import Warned
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath, join
from offbranch.base.plugins import load
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.queue.child import Child, ChildManner, Say, fork_child
from offbranch.queue.remote.broker import EXTRA
from offbranch.queue.slots.offer import Offer
from offbranch.queue.workers import SlotUse, Worker, WorkerKind, list_workers, registered, stop_wish, worker_log

_START_S = 60.0
_LOOK_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STUCK_S = 10.0
# Who has worked for so long did not fail because of how it was started.
_GOOD_S = 60.0
_PROGRAM = "offbranch.api.queue_celery:be_program"


def start_shared_worker(request: StartRequest, session: Session, voices: Voices) -> Started:
    """Sees to it that this clone carries out so many tasks of the shared queue at a time; see `start_workers`.

    Such a worker stays until it is stopped: what it will have to do is not known to this machine.
    """
    root = _check(request, session)
    offer = asked_offer(request, session)
    with hold_lock(join(root, f"{QUEUE_DIR}/start.lock"), wait_s=_START_S):
        there = (
            worker
            for worker in list_workers(root)
            if worker.kind is WorkerKind.CELERY and not worker.stopping and worker.gpus == _labels(offer)
        )
        n_new = max(0, offer.n_slots - sum(len(worker.slots) for worker in there))
        if n_new == 0:
            return Started(n_new=0)
        worker_id = new_worker_id(time.time())
        log = worker_log(worker_id)

        def be(ready: Callable[[], None]) -> None:
            worker = _worker(worker_id, replace(offer, n_slots=n_new), log)
            means = Means(offer=replace(offer, n_slots=n_new), worker=worker_id)
            _be_worker(replace(session, reporter=voices.worker()), root, worker, means, request.auto, ready)

        if not detach(be, join(root, log)):
            raise OffbranchError("the worker did not start", hint=f"its last words are in '{log}'")
    return Started(n_new=n_new, worker=worker_id, log=log)


def be_shared_worker(request: StartRequest, session: Session) -> None:
    """Is a worker of the shared queue in the foreground, until it is stopped."""
    root = _check(request, session)
    offer = asked_offer(request, session)
    worker = _worker(new_worker_id(time.time()), offer, None)
    _be_worker(session, root, worker, Means(offer=offer, worker=worker.id), request.auto, lambda: None)


def _check(request: StartRequest, session: Session) -> AbsPath:
    """Makes sure that a worker can be started; returns the root of the project."""
    if request.jobs is not None and request.jobs < 1:
        raise UsageError(f"there cannot be {request.jobs} tasks at a time", hint="1 runs one after the other")
    load("celery:Celery", extra=EXTRA)
    with opened(session) as project:
        need_shared_queue(project, session)
        return project.root


def _labels(offer: Offer) -> tuple[str, ...] | None:
    return None if offer.gpus is None else tuple(device.label for device in offer.gpus)


def _worker(worker_id: str, offer: Offer, log: str | None) -> Worker:
    return Worker(
        id=worker_id,
        process=this_process(),
        started_utc=time.time(),
        kind=WorkerKind.CELERY,
        slots=tuple(SlotUse(number=number, label=str(number)) for number in range(1, offer.n_slots + 1)),
        log=log,
        gpus=_labels(offer),
    )


class _Ward:
    """A child that is started again when it ends."""

    def __init__(self, name: str, work: Callable[[Say], None]) -> None:
        self._name = name
        self._work = work
        self.child: Child | None = None
        self._n_failed = 0
        self._began_s = 0.0
        self._not_before_s = 0.0

    def begin(self, others: tuple[Child, ...]) -> None:
        """Starts it, unless it has failed a moment ago."""
        if self.child is None and time.monotonic() >= self._not_before_s:
            self._began_s = time.monotonic()
            self.child = fork_child(self._work, ChildManner(apart=True), others)

    def end(self) -> tuple[int, str]:
        """Buries it; returns its exit code, and why it ended."""
        assert self.child is not None
        why, child = self._name, self.child
        while (said := child.hear()) is not None:
            why = next((f"{self._name}: {each['error']}" for each in said if "error" in each), why)
        self.child = None
        now = time.monotonic()
        self._n_failed = 0 if now - self._began_s > _GOOD_S else self._n_failed + 1
        self._not_before_s = now + min(_LOOK_S * 2**self._n_failed, _LONGEST_PAUSE_S)
        return child.bury(), why

    def signal(self, number: int) -> None:
        """Sends it a signal, and not to what it has started."""
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child.pid, number)


def _be_worker(
    session: Session, root: AbsPath, worker: Worker, means: Means, auto: bool, ready: Callable[[], None]
) -> None:
    program = _Ward("Celery", lambda _: load(_PROGRAM, extra=EXTRA)(session, worker, means))
    sweeper = _Ward("looking around", lambda _: keep_sweeping(session, with_outputs=auto))
    came: list[int] = []
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, lambda which, _: came.append(which)))
        stack.callback(forget_shares, root, worker.id)
        stack.enter_context(registered(root, worker))
        ready()
        _look_after(session, root, worker, program, sweeper, came)


def _is_busy(root: AbsPath, worker: Worker) -> bool:
    """Tells whether a task may still run; each says so as a worker of its own."""
    return any(
        each.kind is WorkerKind.CELERY and each.log is None and each.id != worker.id for each in list_workers(root)
    )


def _look_after(
    session: Session, root: AbsPath, worker: Worker, program: _Ward, sweeper: _Ward, came: list[int]
) -> None:
    """Keeps both children going until the worker is to stop, and then until what it runs has ended."""
    n_told, patience_s = 0, time.monotonic()
    while True:
        stops = bool(came) or stop_wish(root, worker.id) is not None
        if not stops:
            for ward, other in ((sweeper, program), (program, sweeper)):
                ward.begin(() if other.child is None else (other.child,))
        elif program.child is None:
            break
        elif n_told and _is_busy(root, worker):
            patience_s = time.monotonic()
        elif n_told and time.monotonic() - patience_s > _STUCK_S:
            # Nothing runs, and it does not end: it waits for a broker that is not there.
            program.signal(signal.SIGKILL)
        if (
            stops and program.child is not None and n_told < max(1, len(came))
        ):  # the second Ctrl-C does not wait for what runs; it is put back
            program.signal(signal.SIGTERM if n_told == 0 else signal.SIGQUIT)
            n_told, patience_s = n_told + 1, time.monotonic()
        ends = {ward.child.words: ward for ward in (program, sweeper) if ward.child is not None}
        for end in select.select(list(ends), (), (), _LOOK_S)[0]:
            code, why = ends[end].end()
            if not stops:
                text = f"{why}; it is started again" if code else f"{why} ended; it is started again"
                session.reporter.emit(Warned(text=text))
    if sweeper.child is not None:
        sweeper.child.bury()
