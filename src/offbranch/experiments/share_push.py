"""Experiments to a Git remote: first their outputs to the data remotes, then their refs, so whoever sees one can have it whole.

One listing and one push for all. A ref goes only if the data of its experiment is complete there; one that has diverged stays
as it is, and neither keeps the others back. If it is interrupted, run it again: what has arrived is not sent twice.
"""

from collections.abc import Mapping, Sequence

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.chains import chains_of
from offbranch.experiments.choose import choose_experiments
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.moved import Moved
from offbranch.experiments.refs import list_with_labels
from offbranch.experiments.remote_experiments import read_remote
from offbranch.experiments.share_labels import (
    LabelPair,
    different_labels,
    label_pushes,
    merge_before_push,
    warn_of_refused,
)
from offbranch.experiments.sharing import MOVING, SHARE_DATA, Shared, SharedData, ShareReport, ShareState, Sharing
from offbranch.git.git_remotes import GitRemote
from offbranch.git.ids import CommitId
from offbranch.git.network import PushAnswer, PushState, RemoteUpdate, push_updates
from offbranch.git.objects import ObjectReader

# What Git and the servers that are in use call it if they refuse a ref for good.
RULES = ("declined", "denied", "deny", "prohibited", "not allowed", "protected")
_Chains = Mapping[str, tuple[CommitId, ...]]


def push_experiments(push: Sharing) -> ShareReport:
    """Pushes experiments; see `api.share.push`."""
    request = push.request
    if request.data_remote is not None:
        load(f"{SHARE_DATA}:check_data_remote")(push)
    hint = "ob exp list -A shows all experiments"
    experiments, labels = list_with_labels(push.repo)
    chosen = choose_experiments(push.repo, request.choice, experiments, where="", hint=hint)
    if not chosen:
        return ShareReport(remote=push.remote, with_data=request.with_data, dry=request.dry)
    there = read_remote(push.repo, push.remote, push.talk, for_push=True)
    with ObjectReader(push.repo) as objects:
        chains = chains_of(objects, chosen)
        planned = plan_push_refs(chosen, there.by_ref, chains, force=request.force)
        if request.dry:
            return ShareReport(remote=push.remote, experiments=planned, with_data=request.with_data, dry=True)
        data = _push_data(push, objects, chains, planned)
        pairs = different_labels(chosen, labels, there.labels)
        done, n_labels = _push_refs(push, objects, tuple(_with_data(one, data.errors) for one in planned), pairs)
    moved = _with_runs(push, data.moved) if request.moves_runs else data.moved
    return ShareReport(
        remote=push.remote,
        experiments=done,
        data=moved,
        with_data=request.with_data,
        n_labels=n_labels,
        n_homeless=data.n_homeless,
    )


def plan_push_refs(
    chosen: Sequence[Experiment], there: Mapping[str, Experiment], chains: _Chains, *, force: bool
) -> tuple[Shared, ...]:
    """Decides for each experiment what its ref at the remote shall become.

    Args:
        chosen: Those of ours that are meant.
        there: The remote's, by ref.
        chains: The commits of ours, by ref.
        force: Replaces what has diverged.
    """
    planned = []
    for one in chosen:
        old = there[one.ref].commit if one.ref in there else None
        if old is None:
            state = ShareState.NEW
        elif old == one.commit:
            state = ShareState.SAME
        elif old in (*chains[one.ref], one.baseline):
            state = ShareState.UPDATED
        else:
            state = ShareState.REPLACED if force else ShareState.DIVERGED
        planned.append(Shared(experiment=one, state=state, old=old))
    return tuple(planned)


def _push_data(push: Sharing, objects: ObjectReader, chains: _Chains, planned: Sequence[Shared]) -> SharedData:
    if not push.request.with_data:
        return SharedData()
    going = {
        one.experiment.ref: chains[one.experiment.ref] or (one.experiment.commit,)
        for one in planned
        if one.state is not ShareState.DIVERGED
    }
    done: SharedData = load(f"{SHARE_DATA}:push_outputs")(push, objects, going)
    return done


def _with_runs(push: Sharing, moved: Moved) -> Moved:
    done: Moved = load(f"{SHARE_DATA}:with_run_cache")(push, moved, is_push=True)
    return done


def _with_data(one: Shared, errors: Mapping[str, OffbranchError]) -> Shared:
    error = errors.get(one.experiment.ref)
    return one if error is None else replace(one, state=ShareState.FAILED, error=error)


def _push_refs(
    push: Sharing, objects: ObjectReader, planned: tuple[Shared, ...], pairs: Sequence[LabelPair]
) -> tuple[tuple[Shared, ...], int]:
    """Returns what became of the experiments, and of how many the remote took tags and a note."""
    updates = [
        RemoteUpdate(
            ref=one.experiment.ref,
            new=one.experiment.commit,
            old=one.old,
            force=one.state is ShareState.REPLACED,
        )
        for one in planned
        if one.state in MOVING
    ]
    going = {one.experiment.ref for one in planned if one.state in MOVING or one.state is ShareState.SAME}
    pairs = [pair for pair in pairs if pair.experiment.ref in going]
    if not push.request.force:
        pairs = merge_before_push(push.repo, push.remote, objects, pairs, push.talk)
    labels = tuple(label_pushes(pairs, force=push.request.force))
    if not updates and not labels:
        return planned, 0
    answers = push_updates(push.repo, push.remote, (*updates, *labels), push.talk)
    warn_of_refused(labels, answers, push.remote, push.talk.reporter)
    n_labels = sum(answers[update.ref].state is PushState.DONE for update in labels)
    return tuple(_answered(one, answers, push.remote) if one.state in MOVING else one for one in planned), n_labels


def _answered(one: Shared, answers: Mapping[str, PushAnswer], remote: GitRemote) -> Shared:
    answer = answers[one.experiment.ref]
    if answer.state is PushState.DONE:
        return one
    if answer.state is PushState.OUTDATED:  # somebody was faster
        return replace(one, state=ShareState.DIVERGED)
    has_rule = any(word in answer.reason for word in RULES)
    hint = "a rule of that repository forbids it; whoever keeps it can say which" if has_rule else "run it again"
    error = RemoteError(f"{remote.text} did not take '{one.experiment.name}': {answer.reason}", hint=hint)
    return replace(one, state=ShareState.FAILED, error=error)
