"""A worker of a shared queue as Celery's own worker program, with its pool of processes. Loaded by name.

`ob queue start` is this in the background. `celery -A offbranch.api.queue_celery worker`, in a clone, is the same with
options of Celery, less what looks for lost tasks: at least one worker should be started by `ob`.
"""

import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.exceptions import Reject, SecurityWarning
from celery.signals import worker_ready
from celery.worker import state

from offbranch.api.queue_remote import need_shared_queue
from offbranch.api.queue_remote_work import keep_sweeping, work_on_message
from offbranch.api.session import Session, make_session, opened
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.base.processes import host_name, this_process
from offbranch.base.records import record, replace
from offbranch.queue.broker import message_from_json
from offbranch.queue.celery_broker import TASK, make_app
from offbranch.queue.child import ChildManner, fork_child
from offbranch.queue.remote_work import Verdict
from offbranch.queue.workers import (
    SlotUse,
    Worker,
    WorkerKind,
    registered,
    stop_wish,
    write_worker,
)

_LOOK_S = 0.5
# A task that waits again at once would go round and round.
_AGAIN_S = 1.0


@record
class CeleryCrew:
    """What a worker is made of.

    Attributes:
        id: Its identity.
        n_slots: How many tasks it runs at a time.
        with_outputs: It brings the outputs of what comes of tasks here too, of other workers' tasks as well.
        idle_s: It ends after so many seconds without a task; None: it stays.
        log: Where it says what it does, relative to the project.
        is_ready: Called when the worker takes tasks.
    """

    id: str
    n_slots: int
    with_outputs: bool = False
    idle_s: float | None = None
    log: str | None = None
    is_ready: Callable[[], None] = lambda: None


def run_worker(session: Session, crew: CeleryCrew) -> None:
    """Is a worker until it is told to stop: SIGTERM and `ob queue stop` let it finish what it runs.

    Raises:
        OffbranchError: The clone shares no queue.
    """
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        root, url, name = project.root, shared.config.broker, shared.name
    assert url is not None
    # It is about pickles, of which there are none here: as root a worker does what `ob exp run` does as root.
    warnings.simplefilter("ignore", SecurityWarning)
    worker = Worker(
        id=crew.id,
        process=this_process(),
        started_utc=time.time(),
        kind=WorkerKind.CELERY,
        slots=tuple(SlotUse(number=n, label=str(n)) for n in range(1, crew.n_slots + 1)),
        log=crew.log,
    )
    sweeper = fork_child(lambda _: keep_sweeping(session, with_outputs=crew.with_outputs), ChildManner(apart=True), ())
    try:
        with registered(root, worker):
            app = make_worker_app(url, name, session)
            _watch(root, worker, crew)
            program = app.Worker(
                hostname=f"ob-{crew.id}@{host_name()}",
                pool="prefork",
                concurrency=crew.n_slots,
                loglevel="WARNING",
                optimization="fair",
                without_gossip=True,
                without_mingle=True,
                quiet=True,
            )
            program.start()
    finally:
        sweeper.bury()


def make_worker_app(url: str, queue: str, session: Session) -> Celery:
    """Returns the application of a worker."""
    app = make_app(url, queue)

    @app.task(name=TASK, acks_late=True, reject_on_worker_lost=True, ignore_result=True)  # type: ignore[untyped-decorator, unused-ignore]
    def run_task(**data: Any) -> None:
        try:
            message = message_from_json(data)
        except ValueError as error:
            session.reporter.emit(Warned(text=f"a message is left out: {error}"))
            return
        if work_on_message(session, message) is Verdict.AGAIN:
            time.sleep(_AGAIN_S)
            raise Reject("it waits in the queue again", requeue=True)

    return app


def __getattr__(name: str) -> Any:
    """Gives the program `celery` what it looks for: the application of the clone it is started in."""
    if name not in ("app", "celery"):
        raise AttributeError(name)
    session = make_session()
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        url, queue = shared.config.broker, shared.name
    assert url is not None
    return make_worker_app(url, queue, session)


def _watch(root: AbsPath, worker: Worker, crew: CeleryCrew) -> None:
    """Says what the worker does as it does it, and has it stop when that is wanted, a few times a second."""
    busy = [time.monotonic()]
    shown = [worker]

    def look() -> None:
        n_active = len(state.active_requests) + len(state.reserved_requests - state.active_requests)
        if n_active:
            busy[0] = time.monotonic()
        wish = stop_wish(root, worker.id)
        is_idle = crew.idle_s is not None and time.monotonic() - busy[0] > crew.idle_s
        if (wish is not None or is_idle) and state.should_stop is None:
            state.should_stop = os.EX_OK
        # What runs is told by a worker of its own for each task; these are the slots that are free.
        free = worker.slots[: max(0, crew.n_slots - len(state.active_requests))]
        now = replace(worker, slots=free, stopping=state.should_stop is not None)
        if now != shown[0]:
            shown[0] = now
            write_worker(root, now)

    def ready(sender: Any = None, **_: Any) -> None:
        sender.timer.call_repeatedly(_LOOK_S, look)
        crew.is_ready()

    worker_ready.connect(ready, weak=False, dispatch_uid=f"offbranch-{worker.id}")
