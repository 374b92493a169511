"""Giving an experiment another name: same commit, same baseline, one transaction."""

from offbranch.base.errors import ConflictError
from offbranch.base.records import record
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.labels import renamed_labels
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import encode, list_experiments, resolve_experiment
from offbranch.git.refs import RefUpdate, update_refs
from offbranch.git.repository import GitRepo


@record
class Renamed:
    """What was renamed, or with `is_dry` would be.

    Attributes:
        old: As it was.
        new: As it is; the same as `old` when both names are the same.
        replaced: The experiment that had the new name; None if there was none.
    """

    old: Experiment
    new: Experiment
    replaced: Experiment | None
    is_dry: bool


def rename_experiment(repo: GitRepo, old: str, new: str, *, force: bool, dry: bool = False) -> Renamed:
    """Renames an experiment.

    Args:
        old: Name, full ref, or commit id.
        force: Replaces an experiment that has the new name.
        dry: Only tells what would be done.

    Raises:
        UsageError: The new name is not valid.
        ConflictError: It is taken for this baseline and not to be replaced.
        NotFoundError: There is no experiment of the old name.
    """
    check_name(new)
    experiment = resolve_experiment(repo, old)
    renamed = Experiment(
        name=new, baseline=experiment.baseline, commit=experiment.commit, ref=encode(experiment.baseline, new)
    )
    if experiment.name == new:
        return Renamed(old=experiment, new=experiment, replaced=None, is_dry=dry)
    if not force:
        refuse_taken(repo, experiment, new)
    replaced = next((each for each in list_experiments(repo, experiment.baseline) if each.name == new), None)
    if not dry:
        update_refs(
            repo,
            [
                RefUpdate(ref=renamed.ref, new=experiment.commit, old=replaced.commit if replaced else None),
                RefUpdate(ref=experiment.ref, new=None, old=experiment.commit),
                *renamed_labels(repo, experiment, new),
            ],
        )
    return Renamed(old=experiment, new=renamed, replaced=replaced, is_dry=dry)


def refuse_taken(repo: GitRepo, experiment: Experiment, new: str) -> None:
    """Makes sure that no other experiment of its baseline has a name.

    Raises:
        ConflictError: One has.
    """
    taken = {other.name for other in list_experiments(repo, experiment.baseline)} - {experiment.name}
    if new in taken:
        raise ConflictError(
            f"an experiment '{new}' exists already for this baseline", hint="-f replaces it; or choose another name"
        )
