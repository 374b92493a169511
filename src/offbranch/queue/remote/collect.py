"""Bringing results here: experiments of tasks that have ended elsewhere, attempts that did not become one, and their logs."""

import os
from collections.abc import Iterable, Mapping, Sequence

from offbranch.base.errors import ConflictError, OffbranchError
from offbranch.base.events import Warned
from offbranch.base.files import atomic_write, remove_file
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import replace
from offbranch.experiments.attempts import attempt_of, list_attempts, log_of, write_record
from offbranch.experiments.chains import chains_of
from offbranch.experiments.experiment import Attempt, Experiment
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.experiments.refs import (
    ATTEMPTS,
    attempt_ref,
    away_ref,
    encode,
    log_ref,
    sending_ref,
    sent_ref,
    task_ref,
)
from offbranch.experiments.resume import superseded
from offbranch.git.ids import BlobId, CommitId
from offbranch.git.network import PushState, RemoteUpdate, push_updates
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import RefUpdate, list_refs, update_refs
from offbranch.queue.remote.end import LOG_NAME
from offbranch.queue.remote.place import QueueRemote, There, fetch_present
from offbranch.queue.remote.records import task_of_commit
from offbranch.queue.remote.report import Results
from offbranch.queue.remote.sync import Here
from offbranch.queue.task import Task, task_from_message

# Attempts that were brought once: who has removed one here does not want it again.
_KNOWN = f"{QUEUE_DIR}/collected"
# Attempts that were removed here and are to be removed there, too.
_UNWANTED = f"{QUEUE_DIR}/unwanted"


def collect_results(place: QueueRemote, root: AbsPath, here: Here, there: There, ended: Sequence[str]) -> Results:
    """Brings what has come of tasks that have left the queue at the Git remote, and all attempts that are new there.

    Args:
        place: Where.
        root: Of the project.
        here: What this clone knew.
        there: What the remote has; listed after the tasks had left it.
        ended: Those tasks.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    attempts = _bring_attempts(place, root, there)
    made = _bring_experiments(place, root, here, there, ended)
    return Results(experiments=made, attempts=attempts, ended=tuple(ended))


def ended_unseen(place: QueueRemote, root: AbsPath, here: Here, there: There, unsure: Sequence[str]) -> list[str]:
    """Returns those of some tasks that left traces at the Git remote: they had been sent, and have left the queue there.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    if not unsure:
        return []
    _bring_attempts(place, root, there)
    with_attempt = {each.task_id: each.task_round for each in reversed(list_attempts(place.repo, root))}
    made = _made_of(place, here, there, unsure)
    found = []
    with ObjectReader(place.repo) as objects:
        for task_id in unsure:
            task = _task(objects, _commit_of(here, task_id))
            if task_id in made or (task is not None and with_attempt.get(task_id) == task.round):
                found.append(task_id)
    return found


def _bring_experiments(
    place: QueueRemote, root: AbsPath, here: Here, there: There, ended: Sequence[str]
) -> tuple[Experiment, ...]:
    found = _made_of(place, here, there, ended)
    refs = [each.ref for each in found.values()]
    known = {ref: CommitId(commit) for ref, commit in list_refs(place.repo, *refs)} if refs else {}
    with ObjectReader(place.repo) as objects:
        chains = chains_of(objects, tuple(found.values()))
    updates, made = [], []
    for task_id, experiment in found.items():
        old, chain = known.get(experiment.ref), chains[experiment.ref]
        if old == experiment.commit:
            continue
        if old is not None and old not in chain and not _replaces(place, here, task_id):
            _warn_of_taken(place, experiment)
            continue
        updates.append(RefUpdate(ref=experiment.ref, new=experiment.commit, old=old))
        gone = superseded(list_attempts(place.repo, root), experiment.name, experiment.baseline, chain)
        updates += [RefUpdate(ref=attempt_ref(each.id), new=None, old=each.commit) for each in gone]
        made.append(experiment)
    _drop(place, here, ended, updates)
    return tuple(made)


def _made_of(place: QueueRemote, here: Here, there: There, tasks: Sequence[str]) -> dict[str, Experiment]:
    """Returns the experiments at the Git remote that tasks became, by their ids; what they consist of is here then."""
    found: dict[str, Experiment] = {}
    with ObjectReader(place.repo) as objects:
        for task_id in tasks:
            task = _task(objects, _commit_of(here, task_id))
            experiment = None if task is None else there.experiments.get(encode(task.spec.baseline, task.spec.name))
            if experiment is not None:
                found[task_id] = experiment
    came = fetch_present(place, {each.ref: each.commit for each in found.values()})
    found = {each: replace(made, commit=came[made.ref]) for each, made in found.items() if made.ref in came}
    # Others of the same name are from elsewhere.
    return {each: made for each, made in found.items() if task_of_commit(place.repo, made.commit) == each}


def _commit_of(here: Here, task_id: str) -> CommitId:
    return here.tasks.get(task_id) or here.sent.get(task_id) or here.sending[task_id]


def _drop(place: QueueRemote, here: Here, ended: Iterable[str], updates: Sequence[RefUpdate]) -> None:
    gone = list(updates)
    for each in ended:
        known = (
            (task_ref(each), here.tasks),
            (sent_ref(each), here.sent),
            (sending_ref(each), here.sending),
            (away_ref(each), here.away),
        )
        gone += [RefUpdate(ref=ref, new=None, old=at[each]) for ref, at in known if each in at]
    update_refs(place.repo, gone)


def _replaces(place: QueueRemote, here: Here, task_id: str) -> bool:
    with ObjectReader(place.repo) as objects:
        task = _task(objects, _commit_of(here, task_id))
    return task is not None and task.spec.force


def _warn_of_taken(place: QueueRemote, experiment: Experiment) -> None:
    text = f"'{experiment.name}' has been made elsewhere, and another experiment has this name here"
    force = f"ob exp pull -f {place.remote.label} {experiment.name}"
    place.talk.reporter.emit(Warned(text=text, hint=f"{force} replaces it; ob exp rename gives it another name"))


def _task(objects: ObjectReader, commit: CommitId) -> Task | None:
    try:
        return task_from_message(objects.commit(commit).message)
    except (OffbranchError, ValueError):
        return None


def _bring_attempts(place: QueueRemote, root: AbsPath, there: There) -> tuple[Attempt, ...]:
    known = _read_ids(root, _KNOWN)
    here = {ref.removeprefix(ATTEMPTS) for ref, _ in list_refs(place.repo, ATTEMPTS)}
    new = {each: commit for each, commit in there.attempts.items() if each not in here and each not in known}
    if not new:
        _know(root, known, here & there.attempts.keys())
        return ()
    logs = {each: there.logs[each] for each in new if each in there.logs}
    wanted = {attempt_ref(each): commit for each, commit in new.items()}
    came = fetch_present(place, wanted | {log_ref(each): commit for each, commit in logs.items()})
    new = {each: commit for each, commit in new.items() if came.get(attempt_ref(each)) == commit}
    logs = {each: commit for each, commit in logs.items() if came.get(log_ref(each)) == commit}
    brought: list[Attempt] = []
    with ObjectReader(place.repo) as objects:
        for attempt_id, commit in new.items():
            attempt = attempt_of(objects.commit(commit).message)
            if attempt is None or attempt.id != attempt_id or attempt.task_id is None:
                continue
            try:
                update_refs(place.repo, [RefUpdate(ref=attempt_ref(attempt_id), new=commit, old=None)])
            except ConflictError:
                continue  # somebody else brought it
            attempt = replace(attempt, commit=commit, log=log_of(attempt_id))  # whatever path its record has
            write_record(root, attempt)
            _write_log(objects, root, attempt_id, logs)
            brought.append(attempt)
    _know(root, known, new.keys() | (here & there.attempts.keys()))
    return tuple(sorted(brought, key=lambda each: (-each.started_utc, each.id)))


def _write_log(objects: ObjectReader, root: AbsPath, attempt_id: str, logs: Mapping[str, CommitId]) -> None:
    """Writes a log to where that of an attempt of this machine would be."""
    if attempt_id not in logs:
        return
    entry = objects.find(objects.commit(logs[attempt_id]).tree, LOG_NAME)
    if entry is not None:
        path = join(root, log_of(attempt_id))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        atomic_write(path, objects.blob(BlobId(entry.id)))


def _know(root: AbsPath, known: frozenset[str], more: Iterable[str]) -> None:
    """Notes attempts that are, or were, here and there: one that is removed here is not new when it is seen there again."""
    if not known.issuperset(more := frozenset(more)):
        _write_ids(root, _KNOWN, known | more)


def note_unwanted(root: AbsPath, attempts: Iterable[str]) -> None:
    """Notes attempts that are to be removed at the Git remote by the next `remove_unwanted`."""
    if new := frozenset(attempts):
        _write_ids(root, _UNWANTED, _read_ids(root, _UNWANTED) | new)


def remove_unwanted(place: QueueRemote, root: AbsPath, there: There) -> None:
    """Removes attempts and logs at the Git remote that were removed here by name, or with their tasks.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    unwanted = _read_ids(root, _UNWANTED)
    if not unwanted:
        return
    kinds = ((attempt_ref, there.attempts), (log_ref, there.logs))
    updates = [
        RemoteUpdate(ref=ref(each), new=None, old=at[each])
        for each in sorted(unwanted)
        for ref, at in kinds
        if each in at
    ]
    answers = push_updates(place.repo, place.remote, updates, place.talk) if updates else {}
    # What the remote refuses for ever is no reason to ask it for ever: here it is gone, and does not come again.
    refused = next((answer.reason for answer in answers.values() if answer.state is PushState.REFUSED), None)
    if refused is not None:
        text = f"{place.remote.text} keeps attempts that were removed here: {refused}"
        place.talk.reporter.emit(Warned(text=text))
    _write_ids(root, _KNOWN, _read_ids(root, _KNOWN) | unwanted)
    remove_file(join(root, _UNWANTED))


def _read_ids(root: AbsPath, path: str) -> frozenset[str]:
    try:
        with open(join(root, path), encoding="utf-8") as file:
            return frozenset(file.read().split())
    except (OSError, ValueError):
        return frozenset()


def _write_ids(root: AbsPath, path: str, ids: Iterable[str]) -> None:
    target = join(root, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    atomic_write(target, "".join(f"{each}\n" for each in sorted(ids)).encode())
