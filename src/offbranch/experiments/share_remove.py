"""Removing and renaming experiments at a Git remote. Each ref changes only if it still is what was seen there.

Experiments here stay as they are; so does data at data remotes.
"""

from collections.abc import Sequence

from offbranch.base.errors import ConflictError, OffbranchError, RemoteError, UsageError
from offbranch.base.records import field, record
from offbranch.experiments.choose import Choice, check_choice, choose_experiments
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import encode, label_ref
from offbranch.experiments.remote_experiments import RemoteExperiments, read_remote
from offbranch.experiments.share_ages import commit_times, parse_limit
from offbranch.git.git_remotes import GitRemote
from offbranch.git.network import PushState, RemoteUpdate, Talk, fetch_refs, push_updates
from offbranch.git.repository import GitRepo


@record
class RemoteRemoval:
    """What to remove at a Git remote.

    Attributes:
        choice: Which experiments.
        older_than: Of these only those committed before: an age as `30d`, or a date; empty for all.
        keep: Removes all others instead.
        dry: Only tells what would be removed.
    """

    choice: Choice = field(default_factory=Choice)
    older_than: str = ""
    keep: bool = False
    dry: bool = False


@record
class RemovedThere:
    """What was removed at a Git remote, or would be.

    Attributes:
        experiments: Those.
        errors: What was to be removed and was not, and why.
    """

    experiments: tuple[Experiment, ...] = ()
    errors: tuple[tuple[Experiment, OffbranchError], ...] = ()


def remove_there(
    repo: GitRepo, remote: GitRemote, removal: RemoteRemoval, talk: Talk, *, now_utc: float
) -> RemovedThere:
    """Removes experiments at a Git remote; see `api.share.remove`."""
    choice = removal.choice
    check_choice(choice)
    if not choice.names and not choice.by_baseline and not removal.older_than:
        raise UsageError("name the experiments to remove", hint="ob exp remove -g REMOTE NAME..., or -A for all")
    limit = parse_limit(removal.older_than, now_utc=now_utc) if removal.older_than else None
    there = read_remote(repo, remote, talk, for_push=True)
    chosen = _meant(repo, remote, removal, there)
    if limit is not None and chosen:
        times = commit_times(repo, remote, chosen, talk)
        chosen = tuple(one for one in chosen if one.ref in times and times[one.ref] < limit)
    if removal.dry or not chosen:
        return RemovedThere(experiments=chosen)
    return _remove(repo, remote, chosen, there, talk)


def rename_there(
    repo: GitRepo, remote: GitRemote, old: str, new: str, talk: Talk, *, force: bool, dry: bool = False
) -> Experiment | None:
    """Renames an experiment at a Git remote; see `api.share_there.rename`. Returns None if there is none of the old name.

    Raises:
        ConflictError: The new name is taken for this baseline and not to be replaced.
        RemoteError: The remote did not take it.
    """
    check_name(new)
    there = read_remote(repo, remote, talk, for_push=True)
    if not any(old in (one.name, one.ref) for one in there.experiments):
        return None
    choice, where, hint = Choice(names=(old,)), f" at {remote.text}", f"ob exp list {remote.label} -A"
    experiment = choose_experiments(repo, choice, there.experiments, where=where, hint=hint)[0]
    ref = encode(experiment.baseline, new)
    if experiment.name == new:
        return experiment
    taken = there.by_ref.get(ref)
    if taken is not None and not force:
        raise ConflictError(
            f"an experiment '{new}' exists already for this baseline at {remote.text}",
            hint="-f replaces it; or choose another name",
        )
    if not dry:
        fetch_refs(repo, remote, _refs_of(experiment, there), talk)  # Git can only push what is here
        _push_renamed(repo, remote, experiment, new, there, talk)
    return Experiment(name=new, baseline=experiment.baseline, commit=experiment.commit, ref=ref)


def _meant(
    repo: GitRepo, remote: GitRemote, removal: RemoteRemoval, there: RemoteExperiments
) -> tuple[Experiment, ...]:
    choice = removal.choice
    if removal.older_than and not choice.names and not choice.by_baseline:
        choice = Choice(everything=True)
    where, hint = f" at {remote.text}", f"ob exp list {remote.label} -A shows all that are there"
    chosen = choose_experiments(repo, choice, there.experiments, where=where, hint=hint)
    if not removal.keep:
        return chosen
    kept = {one.ref for one in chosen}
    return tuple(one for one in there.experiments if one.ref not in kept)


def _refs_of(experiment: Experiment, there: RemoteExperiments) -> Sequence[str]:
    label = label_ref(experiment.baseline, experiment.name)
    return (experiment.ref, label) if label in there.labels else (experiment.ref,)


def _remove(
    repo: GitRepo, remote: GitRemote, chosen: Sequence[Experiment], there: RemoteExperiments, talk: Talk
) -> RemovedThere:
    updates = [RemoteUpdate(ref=one.ref, new=None, old=one.commit) for one in chosen]
    labels = (label_ref(one.baseline, one.name) for one in chosen)
    updates += [RemoteUpdate(ref=ref, new=None, old=there.labels[ref]) for ref in labels if ref in there.labels]
    answers = push_updates(repo, remote, updates, talk)
    errors: list[tuple[Experiment, OffbranchError]] = []
    for one in chosen:
        answer = answers[one.ref]
        if answer.state is PushState.OUTDATED:
            text = f"'{one.name}' was changed at {remote.text} meanwhile, so it stays"
            errors.append((one, ConflictError(text, hint="run it again")))
        elif answer.state is PushState.REFUSED:
            text = f"'{one.name}' could not be removed at {remote.text}: {answer.reason}"
            errors.append((one, RemoteError(text, hint="see whether you may delete refs there")))
    stays = {one.ref for one, _ in errors}
    return RemovedThere(experiments=tuple(one for one in chosen if one.ref not in stays), errors=tuple(errors))


def _push_renamed(
    repo: GitRepo, remote: GitRemote, experiment: Experiment, new: str, there: RemoteExperiments, talk: Talk
) -> None:
    """Makes the new refs and deletes the old ones, all or none where the server can; else the new ones first."""
    refs = [(experiment.ref, encode(experiment.baseline, new), experiment.commit)]
    old_label = label_ref(experiment.baseline, experiment.name)
    new_label = label_ref(experiment.baseline, new)
    if old_label in there.labels:
        refs.append((old_label, new_label, there.labels[old_label]))
    seen = {**{ref: one.commit for ref, one in there.by_ref.items()}, **there.labels}
    made = [RemoteUpdate(ref=new_ref, new=commit, old=seen.get(new_ref), force=True) for _, new_ref, commit in refs]
    gone = [RemoteUpdate(ref=old_ref, new=None, old=commit) for old_ref, _, commit in refs]
    if old_label not in there.labels and new_label in there.labels:
        gone.append(RemoteUpdate(ref=new_label, new=None, old=there.labels[new_label]))
    answers = push_updates(repo, remote, (*made, *gone), talk, atomic=True)
    if any("atomic" in answer.reason and "support" in answer.reason for answer in answers.values()):
        answers = push_updates(repo, remote, made, talk)
        if all(answer.state is PushState.DONE for answer in answers.values()):
            answers = push_updates(repo, remote, gone, talk)
    refused = [answer for answer in answers.values() if answer.state is not PushState.DONE]
    if refused:
        reasons = [answer.reason for answer in refused if "atomic" not in answer.reason] or [refused[0].reason]
        text = f"'{experiment.name}' could not be renamed at {remote.text}: {reasons[0]}"
        raise RemoteError(text, hint=f"see what is there: ob exp list {remote.label} -A")
