"""Turning an experiment into an ordinary Git branch."""

from offbranch.base.errors import ConflictError, UsageError
from offbranch.experiments.refs import resolve_any
from offbranch.git.refs import BRANCHES, RefUpdate, is_valid_ref, list_refs, update_refs
from offbranch.git.repository import GitRepo


def make_branch(repo: GitRepo, name: str, branch: str) -> str:
    """Makes a branch at the commit of an experiment (or of a revision); returns the branch's name.

    Raises:
        UsageError: Git does not allow that name.
        ConflictError: The branch exists.
        NotFoundError: There is no such experiment.
    """
    ref = BRANCHES + branch
    if not is_valid_ref(ref) or branch.startswith("-"):
        raise UsageError(f"invalid branch name '{branch}'", hint="letters, digits, '-', '_', '.' and '/' are fine")
    commit = resolve_any(repo, name)
    if list_refs(repo, ref):
        raise ConflictError(
            f"the Git branch '{branch}' exists already", hint=f"give another name: ob exp branch {name} OTHER"
        )
    update_refs(repo, [RefUpdate(ref=ref, new=commit, old=None)], message=f"ob: created from experiment '{name}'")
    return branch
