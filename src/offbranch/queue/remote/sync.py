"""Bringing the queue here and the one at the Git remote together: decide for each task (pure), then do it.

Three things say what has happened to a task: what is here (`refs/ob/tasks`), what is there, and what was there when we
last looked (`refs/ob/sent`). So a task that was removed here goes there, one that has ended there goes here, and what
was changed at one end is changed at the other; where both have changed, the Git remote's counts.
"""

from collections.abc import Mapping
from enum import Enum

from offbranch.base.records import record
from offbranch.experiments.refs import (
    AWAY,
    HELD,
    LEASES,
    SENDING,
    SENT,
    TASKS,
    away_ref,
    lease_ref,
    sending_ref,
    sent_ref,
    task_ref,
)
from offbranch.git.ids import CommitId
from offbranch.git.network import PushState, RemoteUpdate, push_updates
from offbranch.git.refs import RefUpdate, list_refs, update_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.remote.place import QueueRemote, There, fetch_present


class Step(Enum):
    """What is to be done about a task."""

    NOTHING = "nothing"
    BRING = "bring"  # new or changed there
    MARK = "mark"  # it is there as it is here: the answer to sending it had been lost
    SEND = "send"  # changed here
    REMOVE = "remove"  # removed here, to be removed there
    ENDED = "ended"  # it has left the queue there
    UNSURE = "unsure"  # sending it was cut off: it may never have been there, or have left the queue already
    HELD = "held"  # a worker of this clone sees to it


@record
class Here:
    """What this clone knows, by ids of tasks.

    Attributes:
        tasks: Of its queue.
        sent: As which commit the Git remote has them, as far as we know.
        sending: What was to be sent, and may have been.
        away: Leases that were there when we last looked.
        held: Those that a worker of this clone works on, or has left unpublished.
    """

    tasks: Mapping[str, CommitId]
    sent: Mapping[str, CommitId]
    sending: Mapping[str, CommitId]
    away: Mapping[str, CommitId]
    held: frozenset[str]


def read_here(repo: GitRepo) -> Here:
    """Reads it, by one listing."""
    found = list_refs(repo, AWAY, HELD, SENDING, SENT, TASKS)

    def below(prefix: str) -> dict[str, CommitId]:
        return {ref.removeprefix(prefix): CommitId(commit) for ref, commit in found if ref.startswith(prefix)}

    return Here(
        tasks=below(TASKS), sent=below(SENT), sending=below(SENDING), away=below(AWAY), held=frozenset(below(HELD))
    )


def plan_step(
    here: CommitId | None,
    sent: CommitId | None,
    there: CommitId | None,
    *,
    is_sending: bool = False,
    is_held: bool = False,
) -> Step:
    """Decides about one task, from what it is here, was there, and is there."""
    if is_held:
        return Step.HELD
    if is_sending and here is None:  # removed before we knew whether it had got there
        return Step.ENDED if there is None else Step.REMOVE
    if there is None and sent is None and is_sending:
        return Step.UNSURE
    if there is None:
        return Step.NOTHING if sent is None else Step.ENDED
    if here == there:
        return Step.NOTHING if sent == there else Step.MARK
    if sent is None:
        return Step.BRING if here is None else Step.SEND
    if sent != there:
        return Step.BRING
    return Step.REMOVE if here is None else Step.SEND


def plan_sync(here: Here, there: There) -> Mapping[str, Step]:
    """Decides about every task that is or was in one of the two queues and was not only ever here."""
    ids = sorted({*here.sent, *here.sending, *there.tasks, *here.held})
    return {
        each: plan_step(
            here.tasks.get(each),
            here.sent.get(each),
            there.tasks.get(each),
            is_sending=each in here.sending,
            is_held=each in here.held,
        )
        for each in ids
    }


def apply_brought(place: QueueRemote, here: Here, there: There, steps: Mapping[str, Step]) -> tuple[str, ...]:
    """Brings tasks that are new or have changed there; returns them.

    Raises:
        RemoteError: The remote cannot be reached.
        ConflictError: A task has changed here meanwhile; nothing of this has been done.
    """
    new = {task_ref(each): there.tasks[each] for each, step in steps.items() if step is Step.BRING}
    came = {ref.removeprefix(TASKS): commit for ref, commit in fetch_present(place, new).items()}
    updates = [RefUpdate(ref=task_ref(each), new=commit, old=here.tasks.get(each)) for each, commit in came.items()]
    marked = came | {each: there.tasks[each] for each, step in steps.items() if step is Step.MARK}
    updates += [RefUpdate(ref=sent_ref(each), new=commit, old=here.sent.get(each)) for each, commit in marked.items()]
    arrived = [each for each in marked if each in here.sending]
    updates += [RefUpdate(ref=sending_ref(each), new=None, old=here.sending[each]) for each in arrived]
    update_refs(place.repo, updates)
    return tuple(came)


def apply_removed(place: QueueRemote, here: Here, there: There, steps: Mapping[str, Step]) -> None:
    """Removes there what was removed here, unless it runs there by now."""
    ids = [each for each, step in steps.items() if step is Step.REMOVE and each not in there.leases]
    updates = [RemoteUpdate(ref=task_ref(each), new=None, old=there.tasks[each]) for each in ids]
    if updates:
        answers = push_updates(place.repo, place.remote, updates, place.talk)
        # What was refused is still there, and is seen to the next time.
        done = [each for each in ids if answers[task_ref(each)].state is PushState.DONE]
        known = ((sent_ref, here.sent), (sending_ref, here.sending))
        update_refs(
            place.repo,
            [RefUpdate(ref=ref(each), new=None, old=at[each]) for each in done for ref, at in known if each in at],
        )


def apply_leases(place: QueueRemote, here: Here, there: There) -> None:
    """Notes who has which task elsewhere.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    wanted = {each: commit for each, commit in there.leases.items() if each in there.tasks and each not in here.held}
    new = [each for each, commit in wanted.items() if here.away.get(each) != commit]
    came = fetch_present(place, {lease_ref(each): wanted[each] for each in new})
    by_id = {ref.removeprefix(LEASES): commit for ref, commit in came.items()}
    updates = [RefUpdate(ref=away_ref(each), new=commit, old=here.away.get(each)) for each, commit in by_id.items()]
    gone = here.away.keys() - wanted.keys()
    updates += [RefUpdate(ref=away_ref(each), new=None, old=here.away[each]) for each in sorted(gone)]
    update_refs(place.repo, updates)
