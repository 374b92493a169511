"""The labels (tags and note) of shared experiments travel along, as refs of their own: `refs/ob/labels/…`. Where both ends have
changed them they are merged.

A remote that takes experiments may refuse other refs, and labels are not worth losing an experiment for: what goes wrong with
them is a warning.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter, Warned
from offbranch.base.records import record, replace
from offbranch.experiments.chains import descends, present_commits
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.labels import merge_labels
from offbranch.experiments.refs import label_ref
from offbranch.experiments.sharing import counted
from offbranch.git.git_remotes import GitRemote
from offbranch.git.ids import CommitId
from offbranch.git.network import PushAnswer, PushState, RemoteUpdate, Talk, fetch_refs
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import RefUpdate, update_refs
from offbranch.git.repository import GitRepo


@record
class LabelPair:
    """The labels of one experiment at both ends.

    Attributes:
        experiment: Whose.
        ref: Their ref.
        ours, theirs: What it points to here and at the remote; None where there are none.
    """

    experiment: Experiment
    ref: str
    ours: CommitId | None
    theirs: CommitId | None


def different_labels(
    experiments: Iterable[Experiment], ours: Mapping[str, CommitId], theirs: Mapping[str, CommitId]
) -> tuple[LabelPair, ...]:
    """Returns the labels of some experiments that are not the same at both ends; the ends as ref of labels -> commit."""
    if not ours and not theirs:
        return ()
    refs = ((one, label_ref(one.baseline, one.name)) for one in experiments)
    pairs = (LabelPair(experiment=one, ref=ref, ours=ours.get(ref), theirs=theirs.get(ref)) for one, ref in refs)
    return tuple(pair for pair in pairs if pair.ours != pair.theirs)


def merge_before_push(
    repo: GitRepo, remote: GitRemote, objects: ObjectReader, pairs: Sequence[LabelPair], talk: Talk
) -> tuple[LabelPair, ...]:
    """Merges into ours the labels of a remote that ours were not made from; returns the pairs with the result as ours.

    Where they cannot be had, ours stay as they are, and a push of them is refused by the remote.
    """
    apart = [pair for pair in pairs if pair.ours and pair.theirs and not is_later(objects, pair.ours, pair.theirs)]
    if not apart:
        return tuple(pairs)
    try:
        fetch_refs(repo, remote, [pair.ref for pair in apart], talk)
        merged = {pair.ref: _merged(repo, pair) for pair in apart}
        changed = (pair for pair in apart if merged[pair.ref] != pair.ours)
        update_refs(repo, [RefUpdate(ref=pair.ref, new=merged[pair.ref], old=pair.ours) for pair in changed])
    except OffbranchError as error:
        talk.reporter.emit(Warned(text=f"tags and notes could not be merged: {error.message}", hint=error.hint))
        return tuple(pair for pair in pairs if pair not in apart)
    return tuple(replace(pair, ours=merged.get(pair.ref, pair.ours)) for pair in pairs)


def label_pushes(pairs: Iterable[LabelPair], *, force: bool) -> Iterator[RemoteUpdate]:
    """Yields the changes at a remote that bring our labels there; with `force` whatever is there."""
    for pair in pairs:
        if pair.ours is not None and pair.ours != pair.theirs:
            is_forced = force and pair.theirs is not None
            yield RemoteUpdate(ref=pair.ref, new=pair.ours, old=pair.theirs, force=is_forced)


def label_pulls(
    repo: GitRepo, objects: ObjectReader, pairs: Sequence[LabelPair], *, force: bool
) -> Iterator[RefUpdate]:
    """Yields the changes here that bring the labels of a remote, once they have been fetched; what both have is merged."""
    came = present_commits(objects, (pair.theirs for pair in pairs if pair.theirs is not None))
    for pair in pairs:
        if pair.theirs is None or pair.theirs not in came:
            continue
        new = pair.theirs if pair.ours is None or force else _merged(repo, pair)
        if new != pair.ours:
            yield RefUpdate(ref=pair.ref, new=new, old=pair.ours)


def _merged(repo: GitRepo, pair: LabelPair) -> CommitId:
    if pair.ours is None or pair.theirs is None:
        raise ValueError("labels of one end only")
    return merge_labels(repo, pair.ours, pair.theirs)


def is_later(objects: ObjectReader, new: CommitId, old: CommitId) -> bool:
    """Tells whether labels were made from others."""
    return bool(present_commits(objects, (old,))) and descends(objects, new, old)


def warn_of_refused(
    updates: Iterable[RemoteUpdate], answers: Mapping[str, PushAnswer], remote: GitRemote, reporter: Reporter
) -> None:
    """Warns of labels that a remote did not take."""
    refused = [answers[update.ref] for update in updates if answers[update.ref].state is not PushState.DONE]
    if refused:
        text = f"{remote.text} did not take the tags and notes of {counted(len(refused))}: {refused[0].reason}"
        reporter.emit(Warned(text=text))
