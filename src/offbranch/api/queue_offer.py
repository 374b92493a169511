"""What a worker may give to its tasks: from what options say and what this machine has, to an offer."""

import os
from functools import cache

from offbranch.api.session import Session
from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.events import Warned
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.queue.resources import parse_size, size_text
from offbranch.queue.slots.devices import Device, Found, choose_devices, parse_gpus
from offbranch.queue.slots.limits import usable_memory, usable_processors
from offbranch.queue.slots.offer import Looked, Offer

_FIND = "offbranch.queue.slots.find_devices:find_devices"


@record
class SlotWish:
    """What a user says about slots; None where nothing is said.

    Attributes:
        jobs: How many tasks at a time; otherwise as many as the GPUs are enough for, or 1.
        gpus: Which GPUs are shared out among all tasks: a list, `all` or `none`.
        per_task: How many of them a task gets that does not say.
        per_gpu: How many tasks have one together.
        cpus: How many processors are shared out.
        memory: How much memory, as text.
    """

    jobs: int | None = None
    gpus: str | None = None
    per_task: int | None = None
    per_gpu: int | None = None
    cpus: int | None = None
    memory: str | None = None


NO_WISH = SlotWish()


def offer_of(wish: SlotWish, session: Session) -> Offer:
    """Returns what a worker may give.

    GPUs are only looked for here if they are to be shared out among all tasks; otherwise when the first task needs one.

    Raises:
        UsageError: What is wished makes no sense, or there is none of it.
    """
    _check(wish)
    gpus = _gpus(wish, session)
    per_task, per_gpu = wish.per_task or 1, wish.per_gpu or 1
    if gpus and per_task > len(gpus):
        raise UsageError(
            f"no task would ever get {per_task} GPUs: there are {len(gpus)}", hint="give a smaller number to --per-task"
        )
    n_slots = wish.jobs if wish.jobs is not None else max(1, len(gpus or ()) * per_gpu // per_task)
    processors = usable_processors()
    n_cpus = _at_most(wish.cpus, len(processors), session, "--cpus")
    there = usable_memory()
    memory = _at_most(None if wish.memory is None else parse_size(wish.memory), there, session, "--memory")
    return Offer(
        n_slots=n_slots,
        gpus=gpus,
        look=cache(lambda: _look(session)),
        gpus_per_task=per_task,
        tasks_per_gpu=per_gpu,
        cpus=processors,
        n_cpus=n_cpus,
        cpus_per_task=0 if wish.cpus is None else max(1, n_cpus // n_slots),
        memory_bytes=memory,
        memory_per_task=0 if wish.memory is None else memory // n_slots,
        env=session.environment.all,
    )


def found_devices(session: Session) -> Found:
    """Returns the GPUs that commands may use."""
    found: Found = load(_FIND)(session.environment.all)
    return found


def _check(wish: SlotWish) -> None:
    for name, number in (("--jobs", wish.jobs), ("--per-task", wish.per_task), ("--per-gpu", wish.per_gpu)):
        if number is not None and number < 1:
            raise UsageError(f"{name} {number} makes no sense", hint="1 is the least")
    if wish.cpus is not None and wish.cpus < 1:
        raise UsageError(f"--cpus {wish.cpus} makes no sense", hint="1 is the least")
    for name, number in (("--per-task", wish.per_task), ("--per-gpu", wish.per_gpu)):
        if number is not None and wish.gpus in (None, "none"):
            raise UsageError(f"{name} is about the GPUs that are shared out", hint="add --gpus all, or a list of them")


def _gpus(wish: SlotWish, session: Session) -> tuple[Device, ...] | None:
    if wish.gpus is None:
        return None
    if wish.gpus == "none":
        return ()
    found = found_devices(session)
    if found.problem:
        session.reporter.emit(Warned(text=found.problem))
    if wish.gpus != "all":
        chosen = choose_devices(found, parse_gpus(wish.gpus))
    elif not found.devices:
        why = f"{found.hidden_by} leaves none" if found.hidden_by else found.problem or "none is found on this machine"
        way = f"unset {found.hidden_by}" if found.hidden_by else "name them: --gpus 0,1"
        raise UsageError(f"there is no GPU to share out: {why}", hint=f"leave out --gpus, or {way}")
    else:
        chosen = found.devices
    _need_directory(session)
    return chosen


def _look(session: Session) -> Looked:
    found = found_devices(session)
    problem = f"{found.hidden_by} leaves none" if found.hidden_by and not found.devices else found.problem
    return Looked(devices=found.devices, problem=problem)


def _at_most(wanted: int | None, there: int, session: Session, option: str) -> int:
    """Returns how much is shared out: what is wanted, or all there is; that it is less than was wanted is told."""
    if wanted is None or wanted <= there:
        return there if wanted is None else wanted
    shown = str if option == "--cpus" else size_text
    session.reporter.emit(Warned(text=f"{option} {shown(wanted)} is more than there is: {shown(there)} is shared out"))
    return there


def _need_directory(session: Session) -> None:
    """Makes sure, before anything is started, that GPUs can be locked."""
    directory = session.environment.slots_dir
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise OffbranchError(
            f"GPUs cannot be locked: '{directory}' cannot be made: {(error.strerror or str(error)).lower()}",
            hint="let OFFBRANCH_SLOTS_DIR name a directory that you may write to",
        ) from error
