"""The commits of experiments: from the tip down to, and without, the baseline. Most have one, checkpoints make more."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from offbranch.experiments.experiment import Experiment
from offbranch.git.ids import CommitId, ObjectName
from offbranch.git.objects import ObjectReader

# No run makes so many checkpoints; what has more does not start from the baseline that its ref names.
_LONGEST = 100_000
_NONE: Final[Mapping[str, Sequence[CommitId]]] = {}


def chains_of(
    objects: ObjectReader, experiments: Sequence[Experiment], known: Mapping[str, Sequence[CommitId]] = _NONE
) -> Mapping[str, tuple[CommitId, ...]]:
    """Returns the commits of every experiment, newest first, by ref; none where its tip does not descend from its baseline.

    The baselines themselves are not read: a shallow clone may lack them. A commit that is not here ends a chain in vain.

    Args:
        objects: Where they are read.
        experiments: Whose.
        known: What chains were like before; one that has only grown is read down to what it was.
    """
    chains = {experiment.ref: [experiment.commit] for experiment in experiments}
    baselines = {experiment.ref: experiment.baseline for experiment in experiments}
    open_ = {ref for ref in chains if chains[ref][0] != baselines[ref]}
    for ref in chains.keys() - open_:  # it has no commit of its own
        chains[ref] = [baselines[ref]]
    for _ in range(_LONGEST):
        if not open_:
            break
        tips = sorted({chains[ref][-1] for ref in open_})
        here = sorted(present_commits(objects, tips))
        parents = dict(zip(here, (commit.parents for commit in objects.commits(here)), strict=True))
        for ref in sorted(open_):
            above = parents.get(chains[ref][-1])
            if not above or above[0] == baselines[ref]:
                chains[ref] = chains[ref] if above else []
                open_.discard(ref)
            elif ref in known and above[0] == known[ref][0]:
                chains[ref] += known[ref]
                open_.discard(ref)
            else:
                chains[ref].append(above[0])
    return {ref: tuple(chain) if ref not in open_ else () for ref, chain in chains.items()}


def present_commits(objects: ObjectReader, commits: Iterable[CommitId]) -> frozenset[CommitId]:
    """Returns those of some commits that are here."""
    found = objects.read_many(commits)
    return frozenset(CommitId(name) for name, (kind, _) in found.items() if kind == "commit")


def descends(objects: ObjectReader, commit: CommitId, old: CommitId, stop: Container[CommitId] = ()) -> bool:
    """Tells whether a commit has another one among its ancestors, as far as they are here; itself does not count.

    Args:
        objects: Where they are read.
        commit: The one to begin with.
        old: The one to find.
        stop: Commits whose ancestors do not matter.
    """
    seen: set[CommitId] = {commit}
    level = [commit]
    for _ in range(_LONGEST):
        found = objects.read_many(level)
        here = [name for name in level if ObjectName(name) in found]
        above = {parent for one in objects.commits(here) for parent in one.parents}
        if old in above:
            return True
        level = [parent for parent in sorted(above - seen) if parent not in stop]
        seen.update(level)
        if not level:
            return False
    return False
