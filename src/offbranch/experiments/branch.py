"""Turning an experiment into an ordinary Git branch."""

from offbranch.base.errors import ConflictError, UsageError
from offbranch.base.records import record
from offbranch.experiments.checkpoint_commits import find_in_chains
from offbranch.experiments.refs import decode, find_checkpoint, list_experiments
from offbranch.experiments.sides import find_commit
from offbranch.git.ids import CommitId
from offbranch.git.refs import BRANCHES, RefUpdate, is_valid_ref, list_refs, update_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project


@record
class Branched:
    """A new branch.

    Attributes:
        branch: Its name.
        commit: Where it is.
        experiment: The experiment, of a checkpoint `NAME@3`, or what was named if that is none.
    """

    branch: str
    commit: CommitId
    experiment: str


def make_branch(project: Project, repo: GitRepo, name: str, branch: str | None) -> Branched:
    """Makes a branch at the commit of an experiment, an attempt or a revision.

    Args:
        name: What; of an experiment of several commits the one that is named, not its tip.
        branch: Name of the branch; `<experiment>-branch` if None, of a checkpoint `<experiment>-checkpoint-<n>-branch`.

    Raises:
        UsageError: Git does not allow that name.
        ConflictError: The branch exists.
        NotFoundError: There is no such experiment.
    """
    commit = find_commit(project, repo, name)
    experiment, stem = _names_of(repo, name, commit)
    branch = branch or f"{stem}-branch"
    ref = BRANCHES + branch
    if not is_valid_ref(ref) or branch.startswith("-"):
        raise UsageError(
            f"invalid branch name '{branch}'",
            hint=f"letters, digits, '-', '_', '.' and '/' are fine: ob exp branch {name} NAME",
        )
    if list_refs(repo, ref):
        raise ConflictError(
            f"the Git branch '{branch}' exists already", hint=f"give another name: ob exp branch {name} OTHER"
        )
    update_refs(repo, [RefUpdate(ref=ref, new=commit, old=None)], message=f"ob: created from experiment '{experiment}'")
    return Branched(branch=branch, commit=commit, experiment=experiment)


def _names_of(repo: GitRepo, name: str, commit: CommitId) -> tuple[str, str]:
    """Returns how people call a commit, and what a branch of it begins with: not the same for checkpoints."""
    decoded = decode(name)
    if decoded is not None:
        return decoded[1], decoded[1]
    experiments = list_experiments(repo)
    if any(each.name == name for each in experiments):
        return name, name
    tip = next((each.name for each in experiments if each.commit == commit), None)
    if tip is not None:
        return tip, tip
    part = find_checkpoint(repo, name) or find_in_chains(repo, experiments, commit)
    if part is None:
        return name, name
    whole = part.experiment.name
    if part.number is None:
        return commit[:7], f"{whole}-{commit[:7]}"
    return f"{whole}@{part.number}", f"{whole}-checkpoint-{part.number}"
