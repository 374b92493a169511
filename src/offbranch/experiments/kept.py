"""Which trees of a repository `gc` keeps the data of: those that were asked for, and those that it protects in any case.

Protected are HEAD, the index, every attempt, every task of a queue (DVC's too), what `exp apply` set aside, and the user's
own stash: work that nobody else has.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from offbranch.base.errors import GitError, NotFoundError, OffbranchError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.experiments.refs import (
    APPLY_ORIG_HEAD,
    APPLY_STASH,
    ATTEMPTS,
    LABELS,
    TASKS,
    list_experiments,
    resolve_any,
)
from offbranch.git.ids import CommitId, TreeId
from offbranch.git.index import private_index
from offbranch.git.objects import ObjectReader
from offbranch.git.reflog import read_reflog
from offbranch.git.refs import all_branches, all_tags, commit_history, list_refs
from offbranch.git.repository import GitRepo, head_commit, repo_git

_OURS = "refs/ob/"
_EXEC_MERGE = "refs/exps/exec/EXEC_MERGE"
# Each entry is a stash commit: its second and third parent hold the index and the untracked files.
_STASHES = ("refs/exps/stash", "refs/exps/celery/stash", "refs/exps/celery/failed", APPLY_STASH, "refs/stash")


Without = Callable[[tuple[CommitId, ...]], frozenset[CommitId]]


@record
class GcScope:
    """What `gc` keeps beside the workspace and what it protects, and where it removes.

    Attributes:
        workspace: Nothing more than the workspace; every other scope implies it.
        all_branches: The tips of all branches.
        all_tags: All tags.
        all_commits: Every commit of branches, tags and remote branches.
        all_experiments: All experiments.
        revs: These revisions.
        num: So many commits back from each of `revs` or of the branches; negative for all.
        since: Commits made on this day (YYYY-MM-DD, here) or later.
        cloud: Remove at the data remote too.
        remote: Its name; None for the default one.
        not_in_remote: Of what is used keep only what the remote lacks.
        projects: Directories of other projects that share the cache.
        skip_failed: Go on without revisions that cannot be understood.
        jobs: Transfers at a time.
    """

    workspace: bool = False
    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False
    all_experiments: bool = False
    revs: tuple[str, ...] = ()
    num: int | None = None
    since: str | None = None
    cloud: bool = False
    remote: str | None = None
    not_in_remote: bool = False
    projects: tuple[str, ...] = ()
    skip_failed: bool = False
    jobs: int | None = None

    @property
    def has_revisions(self) -> bool:
        """Commits are meant too."""
        return bool(
            self.all_branches
            or self.all_tags
            or self.all_commits
            or self.all_experiments
            or self.revs
            or self.since is not None
        )


def check_scope(scope: GcScope) -> None:
    """Makes sure that a scope says what to keep, and does not contradict itself.

    Raises:
        UsageError: It does not.
    """
    if not (scope.workspace or scope.has_revisions):
        raise UsageError(
            "gc needs to be told what to keep",
            hint="ob gc -w --dry shows what would go if only the workspace were kept",
        )
    if scope.num is not None and not (scope.revs or scope.all_branches):
        raise UsageError("-n counts back from --rev or --all-branches", hint="add --rev COMMIT or -a")
    if scope.not_in_remote and scope.cloud:
        raise UsageError(
            "--not-in-remote and --cloud exclude each other",
            hint="the first relies on what the remote has, the second removes there",
        )
    if scope.since is not None:
        _midnight(scope.since)


def asked_trees(
    repo: GitRepo, objects: ObjectReader, scope: GcScope, *, without: Without, lenient: bool = False
) -> dict[TreeId, str]:
    """Returns the trees that a scope names, each with a name for messages.

    Args:
        without: Tells which of the commits of a chain, newest first, are checkpoints whose data is not kept.
        lenient: A revision that is not known is left out: it is one of another project.

    Raises:
        NotFoundError: A revision does not exist.
    """
    commits: dict[CommitId, str] = {}
    for rev in scope.revs:
        try:
            start = resolve_any(repo, rev)
        except NotFoundError:
            if lenient:
                continue
            raise
        commits |= {commit: f"commit {commit[:7]}" for commit in _back(repo, start, scope.num)}
    if scope.all_branches:
        for branch, tip in all_branches(repo):
            commits |= {commit: f"commit {commit[:7]} ({branch})" for commit in _back(repo, tip, scope.num)}
    if scope.all_tags:
        commits |= {commit: f"tag {tag}" for tag, commit in all_tags(repo)}
    if scope.all_commits or scope.since is not None:
        first_s = _midnight(scope.since) if scope.since is not None and not scope.all_commits else None
        commits |= {commit: f"commit {commit[:7]}" for commit in _history(repo, first_s)}
    if scope.all_experiments:
        commits |= {commit: f"experiment {name}" for name, commit in experiment_commits(repo, without)}
    return {commit.tree: commits[commit.id] for commit in objects.commits(tuple(commits))}


def protected_trees(repo: GitRepo, objects: ObjectReader) -> dict[TreeId, str]:
    """Returns the trees whose data stays whatever was asked, each with a name for messages."""
    found: dict[TreeId, str] = {}
    for label, commit in _protected_commits(repo):
        try:
            found[objects.commit(commit).tree] = label
        except (NotFoundError, GitError):
            continue  # a log may name what Git has removed by now: nobody can get back to it
    index = _index_tree(repo)
    if index is not None:
        found.setdefault(index, "the index")
    if (head := _head(repo)) is not None:
        found[objects.commit(head).tree] = "HEAD"
    return found


def experiment_commits(repo: GitRepo, without: Without) -> Iterator[tuple[str, CommitId]]:
    """Yields (name, commit) of each experiment, from its tip down to its baseline, which is left out.

    Args:
        repo: Where.
        without: Tells which of the commits of a chain, newest first, are checkpoints whose data is not kept.
    """
    for experiment in list_experiments(repo):
        parents = repo_git(
            repo, "rev-list", "--first-parent", experiment.commit, f"^{experiment.baseline}", "--", ok=(0, 128)
        )
        commits = dict.fromkeys((experiment.commit, *map(CommitId, parents.decode().split())))
        gone = without(tuple(commits)) if len(commits) > 1 else frozenset()
        for commit in commits:
            if commit not in gone:
                yield experiment.name, commit


def _protected_commits(repo: GitRepo) -> Iterator[tuple[str, CommitId]]:
    for ref, commit in list_refs(repo, _OURS):
        if not ref.startswith(LABELS):  # words, no files
            kind = "queued task" if ref.startswith(TASKS) else "attempt"
            yield f"{kind} {ref.rpartition('/')[2]}", CommitId(commit)
            if ref.startswith(ATTEMPTS):
                yield from _newest_checkpoint(repo, ref)
    for ref, commit in list_refs(repo, APPLY_ORIG_HEAD):
        yield ref, CommitId(commit)
    for ref, commit in (*list_refs(repo, *_STASHES), *list_refs(repo, _EXEC_MERGE)):
        logged = [CommitId(entry.new) for entry in read_reflog(repo, ref)] if ref != _EXEC_MERGE else []
        yield from _of_stashes(repo, ref, dict.fromkeys((CommitId(commit), *logged)))


def _newest_checkpoint(repo: GitRepo, ref: str) -> Iterator[tuple[str, CommitId]]:
    """Yields the last parent of an attempt, unless that is its baseline: what it can go on from."""
    parents = repo_git(repo, "rev-list", "--parents", "-n1", ref, "--", ok=(0, 128)).decode().split()
    if len(parents) > 2:
        yield f"the newest checkpoint of attempt {ref.rpartition('/')[2]}", CommitId(parents[-1])


def _of_stashes(repo: GitRepo, ref: str, commits: Iterable[CommitId]) -> Iterator[tuple[str, CommitId]]:
    for commit in commits:
        yield f"{ref} {commit[:7]}", commit
        parents = repo_git(repo, "rev-list", "--parents", "-n1", commit, "--", ok=(0, 128)).decode().split()
        for parent in parents[2:]:
            yield f"{ref} {commit[:7]}", CommitId(parent)


def _back(repo: GitRepo, start: CommitId, num: int | None) -> tuple[CommitId, ...]:
    if num is None:
        return (start,)
    return commit_history(repo, start, None if num < 0 else num)


def _history(repo: GitRepo, first_s: float | None) -> Iterator[CommitId]:
    head = _head(repo)
    tips = ("--branches", "--tags", "--remotes", *([head] if head is not None else []))
    for line in repo_git(repo, "log", "--format=%H %ct", *tips, "--").decode().splitlines():
        commit, _, made_s = line.partition(" ")
        if first_s is None or int(made_s) >= first_s:
            yield CommitId(commit)


def _head(repo: GitRepo) -> CommitId | None:
    try:
        return head_commit(repo)
    except GitError:
        return None  # no commit yet


def _index_tree(repo: GitRepo) -> TreeId | None:
    """Returns the index as a tree; the blobs of a conflict in it count as not staged."""
    with private_index(repo, from_user=True) as (index, has_content):
        if not has_content:
            return None
        _drop_conflicts(repo, index)
        return TreeId(repo_git(repo, "-c", "core.splitIndex=false", "write-tree", index=index).decode().strip())


def _drop_conflicts(repo: GitRepo, index: AbsPath) -> None:
    unmerged = repo_git(repo, "ls-files", "-u", "-z", index=index)
    names = dict.fromkeys(line.partition(b"\t")[2] for line in unmerged.split(b"\0") if line)
    if names:
        lines = b"".join(b"0 %s\t%s\0" % (repo.null_id.encode(), name) for name in names)
        repo_git(repo, "update-index", "-z", "--index-info", input=lines, index=index)


def _midnight(text: str) -> float:
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d"))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"'{text}' is not a day", hint="write it as 2026-01-31") from error


def failed_error(label: str, error: OffbranchError) -> OffbranchError:
    """Returns the error for a revision whose data is not known, so that nothing may be removed."""
    return OffbranchError(
        f"nothing was removed: what {label} uses is not known: {error.message}",
        hint="--skip-failed goes on without it, and its data may go",
    )
