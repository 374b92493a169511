"""Experiments from a Git remote: what they consist of first, then their refs in one transaction, then their outputs.

What comes from elsewhere is checked before it gets a ref: it must be a commit that descends from the baseline its name says.
Refs that have diverged stay as they are, unless they are to be replaced. Outputs go to the cache only. If it is interrupted,
run it again: it completes what is missing, of experiments that are here already too.
"""

from collections.abc import Mapping, Sequence

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.chains import chains_of, present_commits
from offbranch.experiments.choose import choose_experiments
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.moved import Moved
from offbranch.experiments.refs import list_with_labels
from offbranch.experiments.remote_experiments import read_remote
from offbranch.experiments.share_labels import LabelPair, different_labels, label_pulls
from offbranch.experiments.sharing import MOVING, SHARE_DATA, Shared, SharedData, ShareReport, ShareState, Sharing
from offbranch.git.git_remotes import GitRemote
from offbranch.git.ids import CommitId
from offbranch.git.network import fetch_refs
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import RefUpdate, update_refs

_Chains = Mapping[str, tuple[CommitId, ...]]


def pull_experiments(pull: Sharing) -> ShareReport:
    """Pulls experiments; see `api.share.pull`."""
    request = pull.request
    if request.data_remote is not None:
        load(f"{SHARE_DATA}:check_data_remote")(pull)
    there = read_remote(pull.repo, pull.remote, pull.talk)
    where, hint = f" at {pull.remote.text}", f"ob exp list {pull.remote.label} -A shows all that are there"
    chosen = choose_experiments(pull.repo, request.choice, there.experiments, where=where, hint=hint)
    if not chosen:
        return ShareReport(remote=pull.remote, with_data=request.with_data, dry=request.dry)
    experiments, labels = list_with_labels(pull.repo)
    here = {experiment.ref: experiment for experiment in experiments}
    pairs = different_labels(chosen, labels, there.labels)
    _fetch_objects(pull, chosen, here, pairs)
    with ObjectReader(pull.repo) as objects:
        chains = chains_of(objects, chosen)
        ours = chains_of(objects, [here[one.ref] for one in chosen if one.ref in here])
        came = present_commits(objects, (one.commit for one in chosen))
        planned = tuple(
            _checked(one, chains, came, pull.remote)
            for one in plan_pull_refs(chosen, here, chains, ours, force=request.force)
        )
        if request.dry:
            return ShareReport(remote=pull.remote, experiments=planned, with_data=request.with_data, dry=True)
        n_labels = _update_refs(pull, objects, planned, pairs)
        data = _fetch_data(pull, objects, chains, planned)
    done = tuple(_with_data(one, data.errors) for one in planned)
    return ShareReport(
        remote=pull.remote,
        experiments=done,
        data=_with_runs(pull, data.moved) if request.moves_runs else data.moved,
        with_data=request.with_data,
        n_labels=n_labels,
        n_homeless=data.n_homeless,
    )


def plan_pull_refs(
    chosen: Sequence[Experiment],
    here: Mapping[str, Experiment],
    theirs: _Chains,
    ours: _Chains,
    *,
    force: bool,
) -> tuple[Shared, ...]:
    """Decides for each experiment of a remote what its ref here shall become.

    Args:
        chosen: Those of the remote that are meant.
        here: Ours, by ref.
        theirs: The commits of the remote's, by ref.
        ours: The commits of ours.
        force: Replaces what has diverged.
    """
    planned = []
    for one in chosen:
        old = here[one.ref].commit if one.ref in here else None
        if old is None:
            state = ShareState.NEW
        elif old == one.commit or one.commit in ours[one.ref]:  # ours may have gone on
            state = ShareState.SAME
        elif old in (*theirs[one.ref], one.baseline):
            state = ShareState.UPDATED
        else:
            state = ShareState.REPLACED if force else ShareState.DIVERGED
        planned.append(Shared(experiment=one, state=state, old=old))
    return tuple(planned)


def _fetch_objects(
    pull: Sharing, chosen: Sequence[Experiment], here: Mapping[str, Experiment], pairs: Sequence[LabelPair]
) -> None:
    refs = [one.ref for one in chosen if one.ref not in here or here[one.ref].commit != one.commit]
    refs += [pair.ref for pair in pairs if pair.theirs is not None]
    if refs:
        fetch_refs(pull.repo, pull.remote, refs, pull.talk)


def _checked(one: Shared, chains: _Chains, came: frozenset[CommitId], remote: GitRemote) -> Shared:
    if one.state not in MOVING:
        return one
    name, error = one.experiment.name, None
    if one.experiment.commit not in came:
        error = RemoteError(f"'{name}' was changed at {remote.text} while it was fetched", hint="run it again")
    elif not chains[one.experiment.ref]:
        text = (
            f"'{name}' at {remote.text} is damaged: it does not descend from the commit {one.experiment.baseline[:7]}"
        )
        error = RemoteError(f"{text} that its ref names", hint=f"git ls-remote '{remote.label}' {one.experiment.ref}")
    return one if error is None else replace(one, state=ShareState.FAILED, error=error)


def _update_refs(pull: Sharing, objects: ObjectReader, planned: Sequence[Shared], pairs: Sequence[LabelPair]) -> int:
    """Moves the refs, all or none; returns of how many experiments tags and a note have come."""
    updates = [
        RefUpdate(ref=one.experiment.ref, new=one.experiment.commit, old=one.old)
        for one in planned
        if one.state in MOVING
    ]
    kept = {one.experiment.ref for one in planned if one.state in MOVING or one.state is ShareState.SAME}
    pairs = [pair for pair in pairs if pair.experiment.ref in kept]
    labels = tuple(label_pulls(pull.repo, objects, pairs, force=pull.request.force))
    update_refs(pull.repo, (*updates, *labels))
    return len(labels)


def _fetch_data(pull: Sharing, objects: ObjectReader, chains: _Chains, planned: Sequence[Shared]) -> SharedData:
    if not pull.request.with_data:
        return SharedData()
    coming = {
        one.experiment.ref: chains[one.experiment.ref] or (one.experiment.commit,)
        for one in planned
        if one.state in MOVING or one.state is ShareState.SAME
    }
    done: SharedData = load(f"{SHARE_DATA}:fetch_outputs")(pull, objects, coming)
    return done


def _with_runs(pull: Sharing, moved: Moved) -> Moved:
    done: Moved = load(f"{SHARE_DATA}:with_run_cache")(pull, moved, is_push=False)
    return done


def _with_data(one: Shared, errors: Mapping[str, OffbranchError]) -> Shared:
    """Notes that data is missing; the experiment itself is here all the same."""
    error = errors.get(one.experiment.ref)
    return one if error is None else replace(one, error=error)
