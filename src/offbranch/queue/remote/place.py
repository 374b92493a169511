"""The Git remote as the place of a queue that many machines share: what is there, asked by one listing.

What a remote says is not trusted: names of refs that could lead a path elsewhere are left out.
"""

import re
from collections.abc import Iterable, Mapping

from offbranch.base.errors import RefusedError, RemoteError
from offbranch.base.records import field, record, replace
from offbranch.experiments.chains import present_commits
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.refs import (
    ATTEMPTS,
    CHECKPOINTS,
    EXPERIMENTS,
    LEASES,
    LOGS,
    REQUESTS,
    TASKS,
    checkpoint_ref,
    decode,
    lease_ref,
    request_ref,
    task_ref,
)
from offbranch.git.git_remotes import GitRemote
from offbranch.git.ids import CommitId
from offbranch.git.network import PushAnswer, PushState, Talk, fetch_refs, list_remote
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import is_valid_ref
from offbranch.git.repository import GitRepo

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}")
_MOST_TRIES = 5
_NO_ATOMIC = "does not support --atomic"
# A connection on which nothing moves is given up after a minute; of what goes over ssh, ssh itself is to see to it.
_STALLED = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}


@record
class QueueRemote:
    """Where the queue is.

    Attributes:
        repo: The repository here.
        remote: The Git remote that all machines share.
        talk: Who is told.
    """

    repo: GitRepo
    remote: GitRemote
    talk: Talk


@record
class There:
    """What a Git remote has of the queue, by ids of tasks and attempts.

    Attributes:
        tasks: Those that wait or run, as commits.
        leases: Of those that run.
        requests: Wishes about them.
        attempts: What ended without becoming an experiment.
        logs: What these wrote.
        checkpoints: How far tasks have come.
        experiments: By their refs.
    """

    tasks: Mapping[str, CommitId] = field(default_factory=dict)
    leases: Mapping[str, CommitId] = field(default_factory=dict)
    requests: Mapping[str, CommitId] = field(default_factory=dict)
    attempts: Mapping[str, CommitId] = field(default_factory=dict)
    logs: Mapping[str, CommitId] = field(default_factory=dict)
    checkpoints: Mapping[str, CommitId] = field(default_factory=dict)
    experiments: Mapping[str, Experiment] = field(default_factory=dict)


@record
class Spot:
    """What a Git remote has of one task.

    Attributes:
        task: Its commit; None if it is not in the queue any more.
        lease: That of who has it; None if nobody does.
        request: A wish about it.
        checkpoint: How far it has come.
    """

    task: CommitId | None = None
    lease: CommitId | None = None
    request: CommitId | None = None
    checkpoint: CommitId | None = None


def queue_remote(repo: GitRepo, remote: GitRemote, talk: Talk) -> QueueRemote:
    """Returns the place of a queue; its connections end when nothing moves on them for long."""
    return QueueRemote(repo=replace(repo, env={**_STALLED, **repo.env}), remote=remote, talk=talk)


def refuse_without_atomic(place: QueueRemote, answers: Mapping[str, PushAnswer]) -> None:
    """Says so if a remote cannot change several refs at once, without which no task could end there.

    Raises:
        RefusedError: It cannot.
    """
    if any(answer.state is PushState.REFUSED and _NO_ATOMIC in answer.reason for answer in answers.values()):
        raise RefusedError(
            f"{place.remote.text} cannot change several refs at once, which a shared queue needs",
            hint="where that repository is: git config receive.advertiseAtomic true",
        )


def is_id(text: str) -> bool:
    """Tells whether a text can be the id of a task or attempt, and so a part of a path."""
    return _ID.fullmatch(text) is not None


def read_spot(place: QueueRemote, task_id: str) -> Spot:
    """Asks for one task.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    refs = (task_ref(task_id), lease_ref(task_id), request_ref(task_id), checkpoint_ref(task_id))
    found = list_remote(place.repo, place.remote, refs, place.talk, for_push=True)
    task, lease, request, checkpoint = (found.get(ref) for ref in refs)
    return Spot(task=task, lease=lease, request=request, checkpoint=checkpoint)


def read_tasks_there(place: QueueRemote, tasks: Iterable[str]) -> dict[str, CommitId]:
    """Asks which of some tasks are there, and as which commits.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    wanted = frozenset(tasks)
    found = list_remote(place.repo, place.remote, (f"{TASKS}*",), place.talk, for_push=True)
    by_id = {ref.removeprefix(TASKS): commit for ref, commit in found.items()}
    return {each: by_id[each] for each in sorted(wanted & by_id.keys())}


def read_there(place: QueueRemote, *, for_push: bool = False) -> There:
    """Asks for everything of the queue, and for the experiments.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    prefixes = (EXPERIMENTS, ATTEMPTS, CHECKPOINTS, LEASES, LOGS, REQUESTS, TASKS)
    found = list_remote(place.repo, place.remote, [f"{each}*" for each in prefixes], place.talk, for_push=for_push)

    def below(prefix: str) -> dict[str, CommitId]:
        pairs = ((ref.removeprefix(prefix), found[ref]) for ref in sorted(found) if ref.startswith(prefix))
        return {name: commit for name, commit in pairs if is_id(name)}

    return There(
        tasks=below(TASKS),
        leases=below(LEASES),
        requests=below(REQUESTS),
        attempts=below(ATTEMPTS),
        logs=below(LOGS),
        checkpoints=below(CHECKPOINTS),
        experiments={each.ref: each for each in _experiments(found)},
    )


def _experiments(found: Mapping[str, CommitId]) -> Iterable[Experiment]:
    for ref, commit in found.items():
        decoded = decode(ref)
        if decoded is not None and is_valid_ref(ref) and decoded[1].isprintable():
            yield Experiment(name=decoded[1], baseline=decoded[0], commit=commit, ref=ref)


def fetch_present(place: QueueRemote, wanted: Mapping[str, CommitId]) -> dict[str, CommitId]:
    """Brings what refs of the remote are at, as far as they are still there; returns the commits that are here then.

    Leases are renewed and tasks end all the time: what has moved since it was listed is asked for again, a few times.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    found: dict[str, CommitId] = {}
    for _ in range(_MOST_TRIES):
        wanted = {ref: commit for ref, commit in wanted.items() if found.get(ref) != commit}
        if not wanted:
            break
        error = None
        try:
            fetch_refs(place.repo, place.remote, sorted(wanted), place.talk)
        except RemoteError as one:  # most often one of them is gone
            error = one
        with ObjectReader(place.repo) as objects:
            here = present_commits(objects, wanted.values())
        found |= {ref: commit for ref, commit in wanted.items() if commit in here}
        left = [ref for ref in wanted if ref not in found]
        if not left:
            break
        now = list_remote(place.repo, place.remote, left, place.talk)
        now = {ref: now[ref] for ref in left if ref in now}
        if error is not None and now == {ref: wanted[ref] for ref in left}:
            raise error
        wanted = now
    return found
