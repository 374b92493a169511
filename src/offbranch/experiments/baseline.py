"""Where the experiment that a commit belongs to started, and what is said when that is not HEAD."""

from offbranch.base.errors import BaselineMismatchError
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.refs import TASKS, list_experiments
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit
from offbranch.git.refs import commit_history, list_refs
from offbranch.git.repository import GitRepo, repo_git

# An experiment with more commits than that between its baseline and its tip is not looked into.
_LONGEST_CHAIN = 1000


def mismatch_line(name: str, baseline: CommitId, head: CommitId) -> str:
    """Returns the one line that is said when an experiment does not start from HEAD."""
    return f"'{name}' started from {baseline[:7]}, and HEAD is {head[:7]}"


def refuse_mismatch(name: str, baseline: CommitId | None, head: CommitId) -> None:
    """Makes sure that a baseline is HEAD, or that there is none.

    Raises:
        BaselineMismatchError: It is another commit.
    """
    if baseline is not None and baseline != head:
        raise BaselineMismatchError(
            mismatch_line(name, baseline, head),
            experiment_baseline=baseline,
            head=head,
            hint=f"git switch --detach {baseline[:7]} first, or allow it with exp.strict_baseline = false",
        )


def find_baseline(repo: GitRepo, commit: Commit) -> CommitId | None:
    """Returns where the experiment, attempt or queued task that a commit belongs to started; None if it belongs to none."""
    attempt = attempt_of(commit.message)
    if attempt is not None:
        return attempt.baseline
    if any(str(queued) == commit.id for _, queued in list_refs(repo, TASKS)):
        return commit.parents[0] if commit.parents else None
    experiments = list_experiments(repo)
    tips = [each.baseline for each in experiments if each.commit == commit.id]
    if tips:
        return commit.parents[0] if commit.parents and commit.parents[0] in tips else tips[0]
    baselines = {each.baseline for each in experiments}
    for older in commit_history(repo, commit.id, _LONGEST_CHAIN)[1:] if baselines else ():
        if older in baselines:
            tips_above = [each.commit for each in experiments if each.baseline == older]
            chain = repo_git(repo, "rev-list", *tips_above, f"^{older}", "--").decode().split()
            return older if commit.id in chain else None
    return None
