"""Finding what got lost at the Git remote: tasks whose worker is silent, tasks that no message speaks of, refs that
nobody needs.

Decides only; who calls it asks the remote from time to time, and remembers what was seen last. Time is a clock of his
own: that of another machine may be wrong by hours.
"""

from collections.abc import Iterable, Mapping

from offbranch.base.records import field, record
from offbranch.experiments.refs import checkpoint_ref, lease_ref, request_ref
from offbranch.git.ids import CommitId
from offbranch.git.network import RemoteUpdate
from offbranch.queue.remote.place import There


@record
class Seen:
    """A commit that a ref was at, and since when, by the clock of who looks.

    Attributes:
        commit: What was seen.
        since_s: When it was seen there first.
    """

    commit: CommitId
    since_s: float


@record
class Memory:
    """What one who looks remembers, by ids of tasks.

    Attributes:
        leases: Of tasks that run.
        waiting: Of tasks that nobody has.
    """

    leases: Mapping[str, Seen] = field(default_factory=dict)
    waiting: Mapping[str, Seen] = field(default_factory=dict)


@record
class Sweep:
    """What is to be done.

    Attributes:
        silent: Tasks whose lease has not changed for longer than it may, with that lease.
        unheard: Tasks that wait for so long that a message about them may be lost.
        litter: Leases and wishes without a task.
        memory: For the next time.
    """

    silent: tuple[tuple[str, CommitId], ...] = ()
    unheard: tuple[str, ...] = ()
    litter: tuple[RemoteUpdate, ...] = ()
    memory: Memory


def plan_sweep(
    there: There, memory: Memory, now_s: float, ttl_of: Mapping[CommitId, float], usual_ttl_s: float
) -> Sweep:
    """Decides what is lost.

    Args:
        there: What the remote has.
        memory: What was seen before.
        now_s: By a monotonic clock.
        ttl_of: What leases say of how long they may be silent, as far as they are known.
        usual_ttl_s: For all others.
    """
    leases = _seen(there.leases, memory.leases, now_s)
    waiting = _seen(
        {each: commit for each, commit in there.tasks.items() if each not in there.leases}, memory.waiting, now_s
    )
    old = [each for each, seen in leases.items() if now_s - seen.since_s > ttl_of.get(seen.commit, usual_ttl_s)]
    litter = [
        RemoteUpdate(ref=lease_ref(each), new=None, old=leases[each].commit) for each in old if each not in there.tasks
    ]
    litter += [
        RemoteUpdate(ref=checkpoint_ref(each), new=None, old=commit)
        for each, commit in there.checkpoints.items()
        if each not in there.tasks
    ]
    litter += [
        RemoteUpdate(ref=request_ref(each), new=None, old=commit)
        for each, commit in there.requests.items()
        if each not in there.leases
    ]
    return Sweep(
        silent=tuple((each, leases[each].commit) for each in old if each in there.tasks),
        unheard=tuple(each for each, seen in waiting.items() if now_s - seen.since_s > usual_ttl_s / 2),
        litter=tuple(litter),
        memory=Memory(leases=leases, waiting=waiting),
    )


def again(memory: Memory, tasks: Iterable[str], now_s: float) -> Memory:
    """Returns a memory in which waiting tasks are as if they had been seen for the first time: they were announced just now."""
    wanted = frozenset(tasks)
    waiting = {
        each: Seen(commit=seen.commit, since_s=now_s) if each in wanted else seen
        for each, seen in memory.waiting.items()
    }
    return Memory(leases=memory.leases, waiting=waiting)


def _seen(now: Mapping[str, CommitId], before: Mapping[str, Seen], now_s: float) -> dict[str, Seen]:
    return {
        each: before[each] if each in before and before[each].commit == commit else Seen(commit=commit, since_s=now_s)
        for each, commit in now.items()
    }
