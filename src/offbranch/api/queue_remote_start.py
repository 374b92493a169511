"""Starting workers of a shared queue: in the background as those of this machine alone, or here. Loaded by name."""

import time
from collections.abc import Callable

from offbranch.api.detached import detach
from offbranch.api.queue_work import new_worker_id
from offbranch.api.queue_workers import Started, StartRequest, Voices
from offbranch.api.session import Session, opened
from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.locks import hold_lock
from offbranch.base.paths import join
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.queue.broker import EXTRA
from offbranch.queue.workers import WorkerKind, list_workers, worker_log

_START_S = 60.0
_CELERY = "offbranch.api.queue_celery"


def start_shared_worker(request: StartRequest, session: Session, voices: Voices) -> Started:
    """Sees to it that this clone carries out so many tasks of the shared queue at a time; see `start_workers`.

    Such a worker stays until it is stopped: what it will have to do is not known to this machine.
    """
    _check(request)
    run_worker, make_crew = _loaded()
    with opened(session) as project:
        root = project.root
    with hold_lock(join(root, f"{QUEUE_DIR}/start.lock"), wait_s=_START_S):
        there = (worker for worker in list_workers(root) if worker.kind is WorkerKind.CELERY and not worker.stopping)
        n_new = max(0, request.jobs - sum(len(worker.slots) for worker in there))
        if n_new == 0:
            return Started(n_new=0)
        worker_id = new_worker_id(time.time())
        log = worker_log(worker_id)
        crew = make_crew(id=worker_id, n_slots=n_new, with_outputs=request.auto, log=log)

        def be(ready: Callable[[], None]) -> None:
            run_worker(replace(session, reporter=voices.worker()), replace(crew, is_ready=ready))

        if not detach(be, join(root, log)):
            raise OffbranchError("the worker did not start", hint=f"its last words are in '{log}'")
    return Started(n_new=n_new, worker=worker_id, log=log)


def be_shared_worker(request: StartRequest, session: Session) -> None:
    """Is a worker of the shared queue in the foreground, until it is stopped."""
    _check(request)
    run_worker, make_crew = _loaded()
    crew = make_crew(id=new_worker_id(time.time()), n_slots=request.jobs, with_outputs=request.auto)
    run_worker(session, crew)


def _check(request: StartRequest) -> None:
    if request.jobs < 1:
        raise UsageError(f"there cannot be {request.jobs} tasks at a time", hint="1 runs one after the other")


def _loaded() -> tuple[Callable[..., None], Callable[..., object]]:
    return load(f"{_CELERY}:run_worker", extra=EXTRA), load(f"{_CELERY}:CeleryCrew", extra=EXTRA)
