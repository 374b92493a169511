"""Checkpoints whose data was not kept: said before anything is written, with those nearest that can still be had."""

from collections.abc import Sequence

from offbranch.base.errors import MissingDataError
from offbranch.experiments.checkpoint_commits import chain_commits, find_in_chains
from offbranch.experiments.checkpoint_kept import metrics_of, policy_of
from offbranch.experiments.checkpoint_names import mark_of, number_chain
from offbranch.experiments.checkpoint_policy import kept
from offbranch.experiments.refs import find_checkpoint, list_experiments
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.experiments.used import RevisionOutputs
from offbranch.git.objects import Commit, ObjectReader
from offbranch.git.repository import GitRepo
from offbranch.project import Project


def refuse_thinned(
    project: Project, repo: GitRepo, objects: ObjectReader, name: str, target: Commit, missing: Sequence[str]
) -> None:
    """Makes sure that what is missing of a checkpoint is not what was never to be kept.

    Args:
        name: What the user calls it.
        target: The commit.
        missing: Outputs of it whose content is not in the cache.

    Raises:
        MissingDataError: Its data was not kept; the hint names the nearest that have theirs.
    """
    mark = mark_of(target)
    if mark is None or not missing:
        return
    part = find_checkpoint(repo, name) or find_in_chains(repo, list_experiments(repo), target.id)
    if part is None or part.number is None:
        return
    chain = chain_commits(objects, part.experiment)
    checkpoints = [each for each in reversed(chain) if mark_of(each) is not None]
    reader = RevisionReader(objects, project.prefix, project.cache)
    place = next(n for n, each in enumerate(checkpoints) if each.id == target.id)
    if place + 1 in kept(policy_of(checkpoints[-1]), metrics_of(reader, checkpoints)):
        return
    own, numbers = part.experiment.name, dict(zip((each.id for each in chain), number_chain(chain), strict=True))
    outputs = RevisionOutputs(objects, project.prefix, project.cache)
    older = next((each for each in reversed(checkpoints[:place]) if _has_data(project, outputs, each)), None)
    newer = next((each for each in checkpoints[place + 1 :] if _has_data(project, outputs, each)), None)
    names = [f"{own}@{numbers[each.id]}" for each in (older, newer) if each is not None]
    raise MissingDataError(
        f"the data of checkpoint {mark.number} of '{own}' was not kept: {', '.join(missing)}",
        hint=f"the nearest that was: {' and '.join(names)}"
        if names
        else "none of its checkpoints has data here: ob pull",
    )


def _has_data(project: Project, outputs: RevisionOutputs, commit: Commit) -> bool:
    return all(project.cache.has_all(used.id) for used in outputs.of_commit(commit.id))
