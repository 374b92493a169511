"""Which commits a user means as baselines, and what they are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.records import record
from offbranch.experiments.lost_baselines import LostBaseline, Why
from offbranch.experiments.refs import resolve_any
from offbranch.git.ids import CommitId
from offbranch.git.refs import NamesOfCommit, all_branches, all_tags, commit_history, names_of_commits
from offbranch.git.repository import GitRepo, current_branch, head_commit, repo_git

_MAX_SUBJECT = 60


@record
class Baseline:
    """A commit that experiments start from.

    Attributes:
        name: The current branch if it is HEAD, else its first tag, else its first branch, else None.
        lost: What became of it, where no branch or tag reaches it any more.
    """

    commit: CommitId
    name: str | None
    lost: LostBaseline | None = None


def choose_baselines(
    repo: GitRepo,
    *,
    revs: Sequence[str] = (),
    num: int | None = None,
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
    if num is None or num == 1:
        return tuple(dict.fromkeys(starts))
    n = None if num < 0 else num
    return tuple(dict.fromkeys(commit for start in starts for commit in commit_history(repo, start, n)))


def name_baselines(
    repo: GitRepo, commits: Sequence[CommitId], lost: Sequence[LostBaseline] = ()
) -> tuple[Baseline, ...]:
    """Returns the commits with their names, in the same order, and after them the lost ones, which have none."""
    head, branch = head_commit(repo), current_branch(repo)
    rest = tuple(Baseline(commit=each.commit, name=None, lost=each) for each in lost)
    if branch is not None and all(commit == head for commit in commits):
        return (*(Baseline(commit=commit, name=branch) for commit in commits), *rest)
    names = names_of_commits(repo)
    found = (
        Baseline(commit=commit, name=branch if branch and commit == head else _first(names, commit))
        for commit in commits
    )
    return (*found, *rest)


def lost_to_json(lost: LostBaseline) -> dict[str, Any]:
    """Returns what JSON says of a lost baseline beside what it says of any."""
    return {
        "rewritten": True,
        "reason": lost.why.value,
        "subject": lost.subject or None,
        "replaced_by": lost.replaced_by,
    }


def lost_words(about: Mapping[str, Any]) -> str:
    """Returns the same in a few words, for a heading."""
    now = about["replaced_by"]
    match Why(about["reason"]):
        case Why.REWRITTEN:
            words = "baseline rewritten" if now else "baseline rewritten or left behind"
        case Why.SHALLOW:
            words = "baseline not in the history of this shallow clone"
        case Why.MISSING:
            return "baseline commit missing in this clone"
    subject = about["subject"] or ""
    shown = subject if len(subject) <= _MAX_SUBJECT else f"{subject[: _MAX_SUBJECT - 1]}…"
    return f"{words}{f': {shown!r}' if shown else ''}{f', now {now[:7]}' if now else ''}"


def _first(names: Mapping[CommitId, NamesOfCommit], commit: CommitId) -> str | None:
    found = names.get(commit)
    return None if found is None else next(iter((*found.tags, *found.branches)), None)
