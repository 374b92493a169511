"""Giving an experiment another name: same commit, same baseline, one transaction."""

from offbranch.base.errors import ConflictError
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.labels import renamed_labels
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import encode, list_experiments, resolve_experiment
from offbranch.git.refs import ANY, RefUpdate, update_refs
from offbranch.git.repository import GitRepo


def rename_experiment(repo: GitRepo, old: str, new: str, *, force: bool) -> Experiment | None:
    """Renames an experiment; returns None when both names are the same.

    Raises:
        UsageError: The new name is not valid.
        ConflictError: It is taken for this baseline and not to be replaced.
        NotFoundError: There is no experiment of the old name.
    """
    check_name(new)
    experiment = resolve_experiment(repo, old)
    if experiment.name == new:
        return None
    taken = {other.name for other in list_experiments(repo, experiment.baseline)}
    if new in taken and not force:
        raise ConflictError(
            f"an experiment '{new}' exists already for this baseline", hint="-f replaces it; or choose another name"
        )
    ref = encode(experiment.baseline, new)
    update_refs(
        repo,
        [
            RefUpdate(ref=ref, new=experiment.commit, old=ANY if force else None),
            RefUpdate(ref=experiment.ref, new=None, old=experiment.commit),
            *renamed_labels(repo, experiment, new),
        ],
    )
    return Experiment(name=new, baseline=experiment.baseline, commit=experiment.commit, ref=ref)
