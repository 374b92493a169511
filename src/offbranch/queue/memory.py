"""What commits of the queue say, each read once: kept in mind, else taken from the index, else read from Git.

The index is asked and told once, at the first question: a command asks no more than once, and a worker, which asks again
whenever refs have moved, then has no file open over a fork, and writes nothing for every attempt that begins.
"""

from collections.abc import Iterable, Mapping

from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.experiments.experiment import Attempt, attempt_from_json
from offbranch.git.ids import CommitId
from offbranch.git.repository import GitRepo
from offbranch.queue.index import Fact, Index

TASK, ATTEMPT, EXPERIMENT, LEASE = "task", "attempt", "experiment", "lease"

# What understands commits; loaded where nobody remembers one.
READER = "offbranch.queue.facts:read_facts"
# What the index knows of commits that are gone may stay until it is more than of those that are there, and more than this.
_SPARE = 2_000


def key_of(kind: str, commit: str) -> str:
    """Returns what a commit is asked for by: the same one may be asked for as two kinds of thing."""
    return f"{kind} {commit}"


def remember_tasks(root: AbsPath, tasks: Mapping[CommitId, Fact]) -> None:
    """Tells the index what commits of tasks say that were written a moment ago, so that nobody reads them; never fails."""
    index = Index(root)
    try:
        index.write({key_of(TASK, commit): fact for commit, fact in tasks.items()})
    finally:
        index.close()


class Memory:
    """What is remembered of the commits of one project.

    Args:
        repo: Where they are.
        root: Of the project, where the index is.
        use_index: Off: everything is read from Git, with the same result.
    """

    def __init__(self, repo: GitRepo, root: AbsPath, *, use_index: bool = True) -> None:
        self._repo = repo
        self._index = Index(root) if use_index else None
        self._facts: dict[str, Fact] = {}
        self._attempts: dict[str, Attempt | None] = {}

    def recall(self, keys: Iterable[str], *, is_all: bool = True) -> Mapping[str, Fact]:
        """Returns what the commits say that are asked for (`facts.py`), and forgets all others.

        Args:
            keys: Of these commits.
            is_all: There are no others of these kinds that anybody may want to know about.
        """
        wanted = frozenset(keys)
        if unknown := wanted - self._facts.keys():
            self._learn(wanted, unknown, is_all=is_all)
        if len(self._facts) > len(wanted):
            self._facts = {key: self._facts[key] for key in wanted}
            self._attempts = {key: found for key, found in self._attempts.items() if key in self._facts}
        return self._facts

    def attempt(self, key: str) -> Attempt | None:
        """Returns the attempt that a fact which was just recalled stands for; None where it can not be read."""
        if key not in self._attempts:
            fact = self._facts[key]
            self._attempts[key] = None if "problem" in fact else attempt_from_json({**fact, "originals": {}})
        return self._attempts[key]

    def _learn(self, wanted: frozenset[str], unknown: frozenset[str], *, is_all: bool) -> None:
        index, self._index = self._index, None
        if index is None:
            self._facts.update(load(READER)(self._repo, sorted(unknown)))
            return
        try:
            known = index.read(sorted({key.partition(" ")[0] for key in unknown}))
            self._facts.update((key, known[key]) for key in unknown & known.keys())
            if unknown := unknown - known.keys():
                found: dict[str, Fact] = load(READER)(self._repo, sorted(unknown))
                self._facts.update(found)
                index.write({key: fact for key, fact in found.items() if "problem" not in fact})
            if is_all and len(known) > max(2 * len(wanted), _SPARE):
                index.drop(known.keys() - wanted)
        finally:
            index.close()
