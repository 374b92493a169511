"""What a worker does about one task of the Git remote: take, fetch, run, publish; nothing is lost wherever it is cut off.

The run is that of any queued task of this clone, so it ends in this clone first: as an experiment, or as an attempt. As
long as `refs/ob/held/<task id>` is there, that end has not been published. Whoever works in this clone next goes on
from it if the task is still to be had, and otherwise turns the experiment into an attempt: what the Git remote does not
have is no experiment.
"""

from offbranch.base.errors import OffbranchError, RefusedError, RemoteError
from offbranch.base.events import Warned
from offbranch.base.records import replace
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.checkpoint_chain import own_chain_of
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment
from offbranch.experiments.leases import is_worked_on
from offbranch.experiments.refs import HELD, away_ref, checkpoint_ref, encode, held_ref, sent_ref, task_ref
from offbranch.git.ids import CommitId
from offbranch.git.network import fetch_refs, list_remote
from offbranch.git.refs import ANY, RefUpdate, list_refs, update_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project, open_project_at
from offbranch.queue.remote.bench import Bench, Verdict, patiently
from offbranch.queue.remote.data import send_results
from offbranch.queue.remote.end import Ending, EndState, publish_end, release_lease
from offbranch.queue.remote.keeper import lease_kept
from offbranch.queue.remote.lease import Lease, read_lease, take_lease
from offbranch.queue.remote.place import fetch_present, read_spot
from offbranch.queue.remote.progress import send_checkpoint
from offbranch.queue.remote.records import record_failure, take_back, task_of_commit
from offbranch.queue.remote.tasks import read_stored
from offbranch.queue.task import Task

# As of a task of one machine.
MAX_LOST = 20
_LOOK_S = 0.2
LOST = "its lease at the Git remote was lost while it ran, so the task was given to another worker or removed"


def work_on(bench: Bench, task_id: str, over: CommitId | None) -> Verdict:
    """Does what is to be done about a task that a message names.

    Args:
        bench: Where and how.
        task_id: The task.
        over: A lease that was seen not to change for longer than it may.
    """
    lease = patiently(bench, lambda: take_lease(bench.place, task_id, bench.owner, bench.clock(), over=over))
    if lease is None:
        settle(bench, task_id)
        return Verdict.DONE
    had = _own_lease(bench, task_id)
    update_refs(bench.place.repo, [RefUpdate(ref=held_ref(task_id), new=lease.commit, old=ANY)])
    with lease_kept(bench.place, bench.project.root, lease, lambda: _opened_again(bench.project)):
        _await_end(bench, task_id)
        ending = None if had is None else _unpublished(bench, task_id, had)
        if ending is None:
            ending = _carried_out(bench, lease)
        if ending is None:
            patiently(bench, lambda: release_lease(bench.place, lease))
            _forget(bench, task_id, task_is_gone=False)
            return Verdict.DONE
        state, ending = _published(bench, lease, ending)
    if state is EndState.LOST:
        ending = _take_back(bench, ending)
    _forget(bench, task_id, task_is_gone=state is EndState.LOST or not ending.keeps_task)
    return Verdict.AGAIN if ending.keeps_task and state is EndState.DONE else Verdict.DONE


def held_leases(repo: GitRepo) -> tuple[Lease, ...]:
    """Returns the leases that workers of this clone have, or had when they were killed."""
    found = (read_lease(repo, CommitId(commit)) for _, commit in list_refs(repo, HELD))
    return tuple(lease for lease in found if lease is not None)


def settle(bench: Bench, task_id: str) -> None:
    """Clears up after an earlier worker of this clone at a task that cannot be had any more."""
    had = _own_lease(bench, task_id)
    spot = patiently(bench, lambda: read_spot(bench.place, task_id))
    if spot.task is not None and (had is None or spot.lease is None or _is_of_clone(bench, spot.lease)):
        return
    ending = None if had is None else _unpublished(bench, task_id, had)
    if ending is not None and ending.experiment is not None and not _is_published(bench, ending.experiment):
        _take_back(bench, ending)
    _forget(bench, task_id, task_is_gone=True)


def _await_end(bench: Bench, task_id: str) -> None:
    """Waits while the task runs here: what a killed worker leaves stops by itself, unless it is just recording a success."""
    while is_worked_on(bench.project.root, task_id):
        bench.sleep(_LOOK_S)


def _is_of_clone(bench: Bench, lease: CommitId) -> bool:
    found = read_lease(bench.place.repo, lease)
    return found is not None and found.clone == bench.owner.clone


def _carried_out(bench: Bench, lease: Lease) -> Ending | None:
    """Runs a task until there is an end to publish; None if there is nothing to run."""
    task_id, root, repo = lease.task_id, bench.project.root, bench.place.repo
    task = _fetched(bench, lease)
    if task is None or task.is_held:
        return None
    if lease.n_lost >= MAX_LOST:
        cause = f"its worker was lost {lease.n_lost} times"
        record_failure(repo, root, task, lease.task_commit, cause, bench.clock())
        return _ending(bench, task, lease.task_commit, keeps_task=False)
    while True:
        n_failed = _n_failed(bench, task)
        run = bench.run(task_id)
        waits = _has_ref(bench, task_ref(task_id))
        # Told to stop when everything was done, a worker does not say what became of it.
        experiment = run.experiment if waits else run.experiment or _made(bench, task)
        if experiment is not None or run.is_stopped or not waits or _n_failed(bench, task) == n_failed:
            return _ending(bench, task, lease.task_commit, experiment=experiment, keeps_task=waits)


def _published(bench: Bench, lease: Lease, ending: Ending) -> tuple[EndState, Ending]:
    """Publishes an end, as long as that takes; what cannot become an experiment there is a failure here and there."""
    error = send_results(bench.project, bench.place, ending, bench.sleep)
    if ending.checkpoint is not None and not _is_sent(bench, ending.checkpoint):
        ending = replace(ending, checkpoint=None)
    if error is not None and ending.experiment is not None:
        ending = _take_back(bench, ending, f"its outputs could not be pushed: {error.message}")
    state, cause = _publish(bench, lease, ending)
    if cause and ending.experiment is not None:
        ending = _take_back(bench, ending, cause)
        state, cause = _publish(bench, lease, ending)
    if cause:
        bench.place.talk.reporter.emit(Warned(text=cause, hint="its record is in this clone: ob exp show"))
    return state, ending


def _is_sent(bench: Bench, checkpoint: CommitId) -> bool:
    """Sends the data of a checkpoint; returns whether it could be."""
    try:
        return send_checkpoint(bench.project, bench.place, checkpoint)
    except OffbranchError as error:
        text = f"others begin anew where this machine had come to a checkpoint: {error.message}"
        bench.place.talk.reporter.emit(Warned(text=text))
        return False


def _publish(bench: Bench, lease: Lease, ending: Ending) -> tuple[EndState, str]:
    """Returns what came of it, and why it can never be published so."""
    place = bench.place
    try:
        state = patiently(bench, lambda: publish_end(place, bench.project.root, lease, ending))
    except RefusedError as error:
        return EndState.LOST, error.message
    if state is EndState.NAME_TAKEN:
        return state, f"an experiment '{ending.task.spec.name}' came into being at {place.remote.text} while it ran"
    return state, ""


def _take_back(bench: Bench, ending: Ending, cause: str = LOST) -> Ending:
    """Makes an attempt of what could not be published; returns the end without an experiment."""
    repo, root = bench.place.repo, bench.project.root
    if ending.experiment is None:
        return ending
    attempt = take_back(repo, root, ending.experiment, ending.task, ending.task_commit, cause, bench.clock())
    bench.place.talk.reporter.emit(Warned(text=f"experiment '{attempt.name}' was not published: {cause}"))
    return replace(ending, experiment=None, attempts=(attempt, *ending.attempts))


def _unpublished(bench: Bench, task_id: str, had: Lease) -> Ending | None:
    """Returns how a task ended in this clone, if it did and that was not published."""
    task = _read_task(bench, had.task_commit, task_id)
    if task is None or _has_ref(bench, task_ref(task_id)):
        return None
    ending = _ending(bench, task, had.task_commit, experiment=_made(bench, task), keeps_task=False)
    return ending if ending.experiment is not None or ending.attempts else None


def _ending(
    bench: Bench, task: Task, commit: CommitId, *, experiment: Experiment | None = None, keeps_task: bool
) -> Ending:
    attempts = tuple(each for each in _attempts(bench, task) if each.state is not AttemptState.RUNNING)
    made = (each.checkpoint for each in attempts if each.checkpoint != each.resumed)
    return Ending(
        task=task,
        task_commit=commit,
        experiment=experiment,
        attempts=attempts,
        keeps_task=keeps_task,
        checkpoint=next(made, None) if experiment is None else None,
    )


def _attempts(bench: Bench, task: Task) -> tuple[Attempt, ...]:
    found = list_attempts(bench.place.repo, bench.project.root)
    return tuple(each for each in found if each.task_id == task.id and each.task_round == task.round)


def _n_failed(bench: Bench, task: Task) -> int:
    return sum(each.state is AttemptState.FAILED for each in _attempts(bench, task))


def _fetched(bench: Bench, lease: Lease) -> Task | None:
    """Brings a task into this clone; None if it is gone meanwhile, or cannot be read."""
    place, task_id, commit = bench.place, lease.task_id, lease.task_commit
    spot = patiently(bench, lambda: read_spot(place, task_id))
    if spot.task != commit:
        return None
    if _read_task(bench, commit, task_id) is None:
        try:
            patiently(bench, lambda: fetch_refs(place.repo, place.remote, (task_ref(task_id),), place.talk))
        except RemoteError:
            return None
    task = _read_task(bench, commit, task_id)
    if task is not None:
        refs = (task_ref(task_id), sent_ref(task_id))
        updates = [RefUpdate(ref=ref, new=commit, old=ANY) for ref in refs]
        update_refs(place.repo, [*updates, *_fetched_checkpoint(bench, task_id, spot.checkpoint)])
    return task


def _fetched_checkpoint(bench: Bench, task_id: str, commit: CommitId | None) -> tuple[RefUpdate, ...]:
    """Brings how far a task has come elsewhere; returns what makes it known here."""
    if commit is None:
        return ()
    ref = checkpoint_ref(task_id)
    came = patiently(bench, lambda: fetch_present(bench.place, {ref: commit}))
    return (RefUpdate(ref=ref, new=came[ref], old=ANY),) if ref in came else ()


def _opened_again(project: Project) -> Project:
    return open_project_at(project.root, project.environment)


def _read_task(bench: Bench, commit: CommitId, task_id: str) -> Task | None:
    stored = read_stored(bench.place, task_id, commit)
    return None if stored is None else stored.task


def _made(bench: Bench, task: Task) -> Experiment | None:
    """Returns the experiment that a task became in this clone."""
    ref = encode(task.spec.baseline, task.spec.name)
    found = [CommitId(commit) for name, commit in list_refs(bench.place.repo, ref) if name == ref]
    if not found or task_of_commit(bench.place.repo, found[0]) != task.id:
        return None
    return Experiment(name=task.spec.name, baseline=task.spec.baseline, commit=found[0], ref=ref)


def _is_published(bench: Bench, made: Experiment) -> bool:
    place = bench.place
    there = patiently(bench, lambda: list_remote(place.repo, place.remote, (made.ref,), place.talk, for_push=True))
    return there.get(made.ref) == made.commit


def _own_lease(bench: Bench, task_id: str) -> Lease | None:
    ref = held_ref(task_id)
    found = [CommitId(commit) for name, commit in list_refs(bench.place.repo, ref) if name == ref]
    return read_lease(bench.place.repo, found[0]) if found else None


def _has_ref(bench: Bench, ref: str) -> bool:
    return any(name == ref for name, _ in list_refs(bench.place.repo, ref))


def _forget(bench: Bench, task_id: str, *, task_is_gone: bool) -> None:
    """Removes the private refs of a task that this clone has nothing to do with any more."""
    of_task = (task_ref(task_id), sent_ref(task_id), away_ref(task_id), checkpoint_ref(task_id))
    wanted = (held_ref(task_id), *(of_task if task_is_gone else ()))
    there = {ref: CommitId(commit) for ref, commit in list_refs(bench.place.repo, *wanted) if ref in wanted}
    chain = _chain_left(bench, task_id, there.get(sent_ref(task_id))) if task_is_gone else None
    if chain is not None:
        there[chain[0]] = chain[1]
    update_refs(bench.place.repo, [RefUpdate(ref=ref, new=None, old=commit) for ref, commit in there.items()])


def _chain_left(bench: Bench, task_id: str, commit: CommitId | None) -> tuple[str, CommitId] | None:
    """Returns the ref of an experiment that is no more than the checkpoints of a task, which its attempts keep."""
    task = None if commit is None else _read_task(bench, commit, task_id)
    tip = None if task is None else own_chain_of(bench.place.repo, task.spec, task_id)
    return None if task is None or tip is None else (encode(task.spec.baseline, task.spec.name), tip)
