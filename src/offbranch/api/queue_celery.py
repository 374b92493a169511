"""A worker of a shared queue as Celery's own worker program, with its pool of processes. Loaded by name.

`ob queue start` is this in the background. `celery -A offbranch.api.queue_celery worker`, in a clone, is the same with
options of Celery, less what looks for lost tasks: at least one worker should be started by `ob`.
"""

import time
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, Reject, SecurityWarning
from celery.signals import worker_ready
from celery.worker import state
from celery.worker.control import control_command

from offbranch.api.queue_remote import need_shared_queue
from offbranch.api.queue_remote_room import Means, usual_means
from offbranch.api.queue_remote_work import pass_on, work_on_message
from offbranch.api.session import Session, make_session, opened
from offbranch.base.errors import OffbranchError, RefusedError, RemoteError
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.base.processes import host_name
from offbranch.base.records import replace
from offbranch.queue.remote.bench import Verdict
from offbranch.queue.remote.broker import message_from_json
from offbranch.queue.remote.celery_broker import POKE, TASK, make_app
from offbranch.queue.remote.keeper import poke
from offbranch.queue.remote.place import is_id
from offbranch.queue.workers import Worker, write_worker

_LOOK_S = 1.0
# A task that waits again at once would go round and round.
_AGAIN_S = 1.0


def be_program(session: Session, worker: Worker, means: Means) -> None:
    """Is Celery's worker until it is told to stop: SIGTERM lets it finish what it runs.

    Args:
        session: Where.
        worker: What is said of it; brought up to date as it works.
        means: What it may give to its tasks.

    Raises:
        OffbranchError: The clone shares no queue, or the program failed.
    """
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        root, url, name = project.root, shared.config.broker, shared.name
    assert url is not None
    # It is about pickles, of which there are none here: as root a worker does what `ob exp run` does as root.
    warnings.simplefilter("ignore", SecurityWarning)
    # That a setting will change, each time the broker was away: it is set.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    app = make_worker_app(url, name, session, means)
    _watch(root, worker)
    program = app.Worker(
        hostname=f"ob-{worker.id}@{host_name()}",
        pool="prefork",
        concurrency=len(worker.slots),
        loglevel="WARNING",
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    program.start()
    if program.exitcode:
        raise OffbranchError(f"the program of Celery ended with {program.exitcode}", hint="its last words are above")


def make_worker_app(url: str, queue: str, session: Session, means: Means) -> Celery:
    """Returns the application of a worker."""
    app = make_app(url, queue)
    with opened(session) as project:
        root = project.root

    def look(_state: Any, tasks: Any = (), **_: Any) -> dict[str, Any]:
        for each in tasks:
            if isinstance(each, str) and is_id(each):
                poke(root, each)
        return {"ok": "looked"}

    control_command(name=POKE)(look)

    @app.task(name=TASK, acks_late=True, reject_on_worker_lost=True, ignore_result=True)  # type: ignore[untyped-decorator, unused-ignore]
    def run_task(**data: Any) -> None:
        try:
            message = message_from_json(data)
        except ValueError as error:
            session.reporter.emit(Warned(text=f"a message is left out: {error}"))
            return
        try:
            verdict = work_on_message(session, message, means)
        except RefusedError as error:  # who looks around announces the task again
            session.reporter.emit(Warned(text=error.message, hint=error.hint))
            return
        if verdict is Verdict.DONE:
            return
        time.sleep(_AGAIN_S)
        if verdict is Verdict.ELSEWHERE:
            try:
                pass_on(session, message)
                return
            except RemoteError as error:
                session.reporter.emit(Warned(text=error.message))
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
    return make_worker_app(url, queue, session, usual_means(session))


def _watch(root: AbsPath, worker: Worker) -> None:
    """Says which slots are free, each second; what runs is told by a worker of its own for each task."""
    shown = [worker]

    def look() -> None:
        free = worker.slots[: max(0, len(worker.slots) - len(state.active_requests))]
        now = replace(worker, slots=free, stopping=state.should_stop is not None)
        if now != shown[0]:
            shown[0] = now
            write_worker(root, now)

    def ready(sender: Any = None, **_: Any) -> None:
        sender.timer.call_repeatedly(_LOOK_S, look)

    worker_ready.connect(ready, weak=False, dispatch_uid=f"offbranch-{worker.id}")
