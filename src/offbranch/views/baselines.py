"""Which commits a user means as baselines, and what they are called."""

from collections.abc import Mapping, Sequence

from offbranch.base.records import record
from offbranch.experiments.refs import resolve_any
from offbranch.git.ids import CommitId
from offbranch.git.refs import NamesOfCommit, all_branches, all_tags, commit_history, names_of_commits
from offbranch.git.repository import GitRepo, current_branch, head_commit, repo_git


@record
class Baseline:
    """A commit that experiments start from.

    Attributes:
        name: The current branch if it is HEAD, else its first tag, else its first branch, else None.
    """

    commit: CommitId
    name: str | None


def choose_baselines(
    repo: GitRepo,
    *,
    revs: Sequence[str] = (),
    num: int = 1,
    all_branches_: bool = False,
    all_tags_: bool = False,
    all_commits: bool = False,
) -> tuple[CommitId, ...]:
    """Returns the commits that are asked for, each once.

    Raises:
        NotFoundError: A revision does not exist.
        GitError: There is no commit yet.
    """
    if all_commits:
        head = head_commit(repo)
        everything = repo_git(repo, "rev-list", "--date-order", "--branches", "--tags", head, "--").decode().split()
        return tuple(dict.fromkeys((head, *map(CommitId, everything))))
    starts = [resolve_any(repo, rev) for rev in revs]
    if all_branches_:
        starts += [commit for _, commit in all_branches(repo)]
    if all_tags_:
        starts += [commit for _, commit in all_tags(repo)]
    if not (revs or all_branches_ or all_tags_):
        starts.append(head_commit(repo))
    if num == 1:
        return tuple(dict.fromkeys(starts))
    n = None if num < 0 else num
    return tuple(dict.fromkeys(commit for start in starts for commit in commit_history(repo, start, n)))


def name_baselines(repo: GitRepo, commits: Sequence[CommitId]) -> tuple[Baseline, ...]:
    """Returns the commits with their names, in the same order."""
    head, branch = head_commit(repo), current_branch(repo)
    if branch is not None and all(commit == head for commit in commits):
        return tuple(Baseline(commit=commit, name=branch) for commit in commits)
    names = names_of_commits(repo)
    return tuple(
        Baseline(commit=commit, name=branch if branch and commit == head else _first(names, commit))
        for commit in commits
    )


def _first(names: Mapping[CommitId, NamesOfCommit], commit: CommitId) -> str | None:
    found = names.get(commit)
    return None if found is None else next(iter((*found.tags, *found.branches)), None)
