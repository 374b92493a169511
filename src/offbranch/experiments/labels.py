"""Tags and notes of experiments, kept in Git: read, changed, merged, moved and removed (docs/formats/labels.md).

`refs/ob/labels/<2>/<38>/<name>` points at a commit with an empty tree whose message holds the record; its parent is the
commit before the last change, so that of two clones it can be told which one is newer, or that both have changed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from offbranch.base.errors import OffbranchError
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.label_records import NO_LABELS, Labels, labels_from_json, labels_to_json, merge_records
from offbranch.experiments.refs import LABELS, encode, label_ref
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit, ObjectReader, empty_tree, write_commit
from offbranch.git.refs import RefUpdate, list_refs, may_have_refs, update_refs
from offbranch.git.repository import GitRepo, repo_git


def read_labels(
    repo: GitRepo, experiments: Iterable[Experiment], *, objects: ObjectReader | None = None
) -> Mapping[str, Labels]:
    """Returns the labels of those experiments that have some, by the ref of the experiment.

    Args:
        repo: Where.
        experiments: Whose.
        objects: Reads the commits; one is opened where none is given.
    """
    kept = {ref: CommitId(commit) for ref, commit in list_refs(repo, LABELS)} if may_have_refs(repo, LABELS) else {}
    if not kept:
        return {}
    wanted = {each.ref: kept[ref] for each in experiments if (ref := _ref_of(each)) in kept}
    if objects is not None:
        found = _read(objects, tuple(wanted.values()))
    else:
        with ObjectReader(repo) as opened:
            found = _read(opened, tuple(wanted.values()))
    return {ref: found[commit] for ref, commit in wanted.items() if not found[commit].is_empty}


def change_labels(repo: GitRepo, experiment: Experiment, new: Labels) -> None:
    """Records other labels of an experiment, on top of those it has.

    Raises:
        ConflictError: Another process changed them meanwhile.
    """
    ref = _ref_of(experiment)
    old = _commit_of(repo, ref)
    parents = () if old is None else (old,)
    commit = write_commit(repo, tree=empty_tree(repo), parents=parents, message=_message(experiment.name, new))
    update_refs(repo, [RefUpdate(ref=ref, new=commit, old=old)])


def merge_labels(repo: GitRepo, ours: CommitId, theirs: CommitId) -> CommitId:
    """Returns the commit of the labels that has what both have: one of the two, or a new one with both as parents.

    The same two always make the same commit, in whatever order and clone. No ref is written.
    """
    if ours == theirs:
        return ours
    bases = repo_git(repo, "merge-base", ours, theirs, ok=(0, 1)).decode().split()
    if theirs in bases:
        return ours
    if ours in bases:
        return theirs
    with ObjectReader(repo) as objects:
        first, second = sorted(objects.commits((ours, theirs)), key=lambda commit: commit.id)
        base = _record_of(objects.commit(CommitId(bases[0]))) if bases else NO_LABELS
    merged = merge_records(base, _record_of(first), _record_of(second))
    later = max(first, second, key=lambda commit: (commit.commit_time, commit.id))
    name, _, mail = later.committer.rpartition(" <")
    return write_commit(
        repo,
        tree=empty_tree(repo),
        parents=(first.id, second.id),
        message=_message(_name_in(first), merged),
        identity=(name, mail.removesuffix(">")),
        time_s=later.commit_time,
    )


def renamed_labels(repo: GitRepo, old: Experiment, new_name: str) -> tuple[RefUpdate, ...]:
    """Returns what moves the labels of an experiment along with it; those of an experiment that it replaces go."""
    here, there = _ref_of(old), label_ref(old.baseline, new_name)
    moved, replaced = _commit_of(repo, here), _commit_of(repo, there)
    updates = []
    if moved is not None or replaced is not None:
        updates.append(RefUpdate(ref=there, new=moved, old=replaced))
    if moved is not None:
        updates.append(RefUpdate(ref=here, new=None, old=moved))
    return tuple(updates)


def removed_labels(repo: GitRepo, experiments: Sequence[Experiment]) -> tuple[RefUpdate, ...]:
    """Returns what removes the labels of experiments along with them."""
    refs = {_ref_of(experiment) for experiment in experiments}
    return tuple(RefUpdate(ref=ref, new=None, old=commit) for ref, commit in list_refs(repo, LABELS) if ref in refs)


def leftover_labels(repo: GitRepo, baseline: CommitId, name: str) -> tuple[RefUpdate, ...]:
    """Returns what removes labels whose experiment somebody removed without them, for a new one to have none of it.

    Nothing while an experiment of that name is there: one that takes its place keeps its labels.
    """
    if not may_have_refs(repo, LABELS):
        return ()
    refs = dict(list_refs(repo, label_ref(baseline, name), encode(baseline, name)))
    left = refs.get(label_ref(baseline, name))
    if left is None or encode(baseline, name) in refs:
        return ()
    return (RefUpdate(ref=label_ref(baseline, name), new=None, old=CommitId(left)),)


def _ref_of(experiment: Experiment) -> str:
    return label_ref(experiment.baseline, experiment.name)


def _commit_of(repo: GitRepo, ref: str) -> CommitId | None:
    return next((CommitId(commit) for found, commit in list_refs(repo, ref) if found == ref), None)


def _read(objects: ObjectReader, commits: Sequence[CommitId]) -> dict[CommitId, Labels]:
    """Returns the labels that commits hold; none for a commit that is missing or not one of ours."""
    try:
        return {commit.id: _record_of(commit) for commit in objects.commits(commits)}
    except OffbranchError:
        return {name: _one(objects, name) for name in commits}


def _one(objects: ObjectReader, name: CommitId) -> Labels:
    try:
        return _record_of(objects.commit(name))
    except OffbranchError:
        return NO_LABELS


def _record_of(commit: Commit) -> Labels:
    try:
        return labels_from_json(json.loads(commit.message.partition("\n\n")[2]))
    except ValueError:
        return NO_LABELS


def _name_in(commit: Commit) -> str:
    return commit.message.partition("\n")[0].removeprefix(_SUBJECT)


_SUBJECT = "ob: labels of "


def _message(name: str, labels: Labels) -> str:
    return f"{_SUBJECT}{name}\n\n{json.dumps(labels_to_json(labels), indent=1, sort_keys=True)}\n"
