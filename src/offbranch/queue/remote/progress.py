"""How far a task of a shared queue has come, at the Git remote: the newest checkpoint that another machine could go on from.

Its data is sent first, by a thread, for that may take longer than a lease lives. Then one atomic push moves the ref, and
renews the lease, which it expects to be ours: who has lost the task moves nothing.
"""

import threading
from collections.abc import Callable

from offbranch.base.errors import OffbranchError
from offbranch.base.events import NullReporter
from offbranch.base.records import replace
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.choose import Choice
from offbranch.experiments.refs import checkpoint_ref, lease_ref
from offbranch.experiments.share_data import push_outputs
from offbranch.experiments.sharing import ShareRequest, Sharing
from offbranch.git.ids import CommitId
from offbranch.git.network import PushState, RemoteUpdate, Talk, push_updates
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import list_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.remote.lease import Lease, next_beat
from offbranch.queue.remote.place import QueueRemote, Spot

# Between two of them: so much work may be lost with a machine.
PAUSE_S = 60.0


class Progress:
    """Of one task while it runs; belongs to the process that keeps its lease.

    Args:
        open_project: Opens the project anew, for a thread and a process of their own.
        place: The Git remote.
        clock: Seconds, monotonic.
    """

    def __init__(self, open_project: Callable[[], Project], place: QueueRemote, clock: Callable[[], float]) -> None:
        self._open_project, self._place, self._clock = open_project, place, clock
        self._began_s: float | None = None
        self._sender: threading.Thread | None = None
        self._is_there = False
        self._commit: CommitId | None = None

    def advance(self, lease: Lease, spot: Spot) -> Lease | None:
        """Does what is to be done now; returns the lease if it was renewed by that.

        Raises:
            RemoteError: The remote cannot be reached.
        """
        if self._sender is not None:
            if self._sender.is_alive():
                return None
            self._sender = None
            return self._publish(lease, spot) if self._is_there else None
        newest = newest_here(self._place.repo, lease.task_id)
        is_due = self._began_s is None or self._clock() - self._began_s >= PAUSE_S
        if newest is not None and newest != spot.checkpoint and is_due:
            self._began_s, self._commit, self._is_there = self._clock(), newest, False
            self._sender = threading.Thread(target=self._send, args=(newest,), name="progress", daemon=True)
            self._sender.start()
        return None

    def _send(self, commit: CommitId) -> None:
        try:
            project = self._open_project()
            try:
                self._is_there = send_checkpoint(project, self._place, commit)
            finally:
                project.state.close()
        except (OffbranchError, OSError):  # the next one may get there
            self._is_there = False

    def _publish(self, lease: Lease, spot: Spot) -> Lease | None:
        assert self._commit is not None
        renewed = next_beat(self._place.repo, replace(lease, n_lost=0))
        updates = [
            RemoteUpdate(ref=checkpoint_ref(lease.task_id), new=self._commit, old=spot.checkpoint, force=True),
            RemoteUpdate(ref=lease_ref(lease.task_id), new=renewed.commit, old=spot.lease, force=True),
        ]
        answers = push_updates(self._place.repo, self._place.remote, updates, self._place.talk, atomic=True)
        return renewed if all(answer.state is PushState.DONE for answer in answers.values()) else None


def newest_here(repo: GitRepo, task_id: str) -> CommitId | None:
    """Returns the newest checkpoint of a task that runs in this clone; its lease moves on with each."""
    wanted = lease_ref(task_id)
    found = [CommitId(commit) for ref, commit in list_refs(repo, wanted) if ref == wanted]
    if not found:
        return None
    with ObjectReader(repo) as objects:
        attempt = attempt_of(objects.commit(found[0]).message)
    return None if attempt is None or attempt.checkpoint == attempt.resumed else attempt.checkpoint


def send_checkpoint(project: Project, place: QueueRemote, commit: CommitId) -> bool:
    """Sends the data of a checkpoint to the data remotes; returns whether all of it is there."""
    sharing = Sharing(
        project=project,
        repo=place.repo,
        remote=place.remote,
        request=ShareRequest(remote=place.remote.name, choice=Choice()),
        talk=Talk(reporter=NullReporter()),
    )
    with ObjectReader(place.repo) as objects:
        done = push_outputs(sharing, objects, {str(commit): (commit,)})
    return not done.errors and not done.n_homeless
