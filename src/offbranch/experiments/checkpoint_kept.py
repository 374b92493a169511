"""Whose data of a chain is kept, told from the commits alone: for the run that thins out, for `gc`, and for who shares it."""

from collections.abc import Iterator, Mapping, Sequence

from offbranch.base.errors import OffbranchError
from offbranch.experiments.checkpoint_names import mark_of
from offbranch.experiments.checkpoint_policy import Keep, kept, parse_keep
from offbranch.experiments.revision import RevisionData
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit, ObjectReader
from offbranch.params.lookup import flatten


class GrowingChain:
    """A chain to which one commit after the other is added; each is read once.

    Args:
        objects: Where they are read.
        reader: Reads their metrics.
    """

    def __init__(self, objects: ObjectReader, reader: RevisionReader) -> None:
        self._objects, self._reader = objects, reader
        self._checkpoints: list[Commit] = []
        self._metrics: list[Mapping[str, object]] = []

    def add(self, commits: Sequence[CommitId]) -> None:
        """Adds commits, oldest first."""
        self._checkpoints += [commit for commit in self._objects.commits(commits) if mark_of(commit) is not None]

    def dropped(self) -> frozenset[CommitId]:
        """Returns the checkpoints whose data is not kept."""
        checkpoints = self._checkpoints
        if not checkpoints:
            return frozenset()
        keep = policy_of(checkpoints[-1])
        if keep.last is None or len(checkpoints) <= keep.last:
            return frozenset()
        self._metrics += metrics_of(self._reader, checkpoints[len(self._metrics) :])
        numbers = kept(keep, self._metrics)
        return frozenset(commit.id for number, commit in enumerate(checkpoints, start=1) if number not in numbers)


def dropped(objects: ObjectReader, reader: RevisionReader, chain: Sequence[CommitId]) -> frozenset[CommitId]:
    """Returns the checkpoints of a chain whose data is not kept.

    Args:
        objects: Where they are read.
        reader: Reads their metrics.
        chain: Its commits, newest first, without the baseline.
    """
    whole = GrowingChain(objects, reader)
    whole.add(chain[::-1])
    return whole.dropped()


def policy_of(newest: Commit) -> Keep:
    """Returns what the newest checkpoint of a chain says about all of it; the usual where that makes no sense."""
    mark = mark_of(newest)
    try:
        return parse_keep(mark.keep if mark is not None else "")
    except OffbranchError:
        return Keep()


def metrics_of(reader: RevisionReader, commits: Sequence[Commit]) -> list[Mapping[str, object]]:
    """Returns the metrics of each of some commits, flat."""
    found = reader.read([each.id for each in commits])
    return [dict(_flat(found[each.id])) for each in commits]


def _flat(data: RevisionData | OffbranchError) -> Iterator[tuple[str, object]]:
    if isinstance(data, RevisionData):
        for entry in data.metrics.values():
            yield from flatten(entry.get("data", {}))
