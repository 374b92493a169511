"""Which revisions `params` and `metrics` commands are about, and what two of them differ in."""

from collections.abc import Iterator, Mapping
from typing import Final

from offbranch.base.errors import NoProjectError
from offbranch.base.records import record, replace
from offbranch.experiments.diff import WORKSPACE, diff_entries
from offbranch.experiments.diff_record import Changes, changes_html
from offbranch.experiments.running import find_running
from offbranch.experiments.sides import find_commit
from offbranch.experiments.values import Choice, RevisionValues, commit_values, running_values, workspace_values
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import all_branches, all_tags
from offbranch.git.repository import GitRepo, current_branch, head_commit, repo_git
from offbranch.project import Project

HEAD: Final = "HEAD"


@record
class Revisions:
    """Which revisions are shown beside the workspace; none of these: only the workspace.

    Attributes:
        revs: Git revisions, experiments and attempts, by the names given.
        all_branches: The tips of all branches.
        all_tags: All tags.
        all_commits: Every commit of branches and tags, by its id.
    """

    revs: tuple[str, ...] = ()
    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False

    @property
    def is_only_workspace(self) -> bool:
        """No other revision is meant."""
        return not (self.revs or self.all_branches or self.all_tags or self.all_commits)


@record
class ValuesDiff:
    """How two revisions differ.

    Attributes:
        old, new: What was compared, for what could not be read of them.
        changes: By file and dotted name.
    """

    old: RevisionValues
    new: RevisionValues
    changes: Changes

    def _repr_html_(self) -> str:
        """Returns a table for notebooks: a row for each value that differs."""
        return changes_html((self.old.name or HEAD, self.new.name or WORKSPACE), (self.changes,))


def show_values(project: Project, revisions: Revisions, choice: Choice) -> tuple[RevisionValues, ...]:
    """Returns the workspace and the chosen revisions; several names of one commit are joined by commas.

    The workspace is left out where it is as the tip of the current branch, and that is shown.

    Raises:
        NotFoundError: A revision does not exist.
        NoProjectError: Other revisions than the workspace are asked for where there is no Git repository.
    """
    if revisions.is_only_workspace:
        return (workspace_values(project, choice, ""),)
    repo = _need_git(project)
    found = {rev: find_running(project, repo, rev) for rev in dict.fromkeys(revisions.revs)}
    running = [running_values(project, each, choice, rev) for rev, each in found.items() if each is not None]
    names = _named_commits(project, repo, replace(revisions, revs=tuple(rev for rev in found if found[rev] is None)))
    workspace = workspace_values(project, choice, WORKSPACE)
    with ObjectReader(repo) as objects:
        commits = commit_values(project, objects, names, choice)
    branch = current_branch(repo)
    is_same = any(each.name == branch and each.error is None and each.files == workspace.files for each in commits)
    return (*(() if is_same and workspace.error is None else (workspace,)), *running, *commits)


def diff_revisions(project: Project, a: str | None, b: str | None, choice: Choice, *, all_values: bool) -> ValuesDiff:
    """Compares two revisions: HEAD (`a`) and the workspace (`b`) unless given.

    Raises:
        NotFoundError: One of them does not exist.
    """
    old, new = (revision_values(project, name, choice) for name in (a or HEAD, b or WORKSPACE))
    changes = diff_entries(old.files, new.files, all_values=all_values, keep_lists=choice.lists)
    return ValuesDiff(old=old, new=new, changes=changes)


def revision_values(project: Project, name: str, choice: Choice) -> RevisionValues:
    """Returns what one revision holds: a Git revision, an experiment, an attempt, or `workspace`.

    Raises:
        NotFoundError: It does not exist.
    """
    if name == WORKSPACE:
        return workspace_values(project, choice, name)
    repo = _need_git(project)
    running = find_running(project, repo, name)
    if running is not None:
        return running_values(project, running, choice, name)
    with ObjectReader(repo) as objects:
        return commit_values(project, objects, {find_commit(project, repo, name): name}, choice)[0]


def _named_commits(project: Project, repo: GitRepo, revisions: Revisions) -> Mapping[CommitId, str]:
    if revisions.all_commits:
        everything = repo_git(repo, "rev-list", "--date-order", "--branches", "--tags", head_commit(repo), "--")
        return {CommitId(commit): commit for commit in everything.decode().split()}
    names: dict[CommitId, list[str]] = {}
    for name, commit in _pairs(project, repo, revisions):
        if name not in names.setdefault(commit, []):
            names[commit].append(name)
    return {commit: ",".join(found) for commit, found in names.items()}


def _pairs(project: Project, repo: GitRepo, revisions: Revisions) -> Iterator[tuple[str, CommitId]]:
    yield from ((rev, find_commit(project, repo, rev)) for rev in revisions.revs)
    if revisions.all_branches:
        yield from all_branches(repo)
    if revisions.all_tags:
        yield from all_tags(repo)


def _need_git(project: Project) -> GitRepo:
    if project.repo is None:
        raise NoProjectError(
            "other revisions than the workspace need a Git repository around the project",
            hint="git init && git add -A && git commit -m start",
        )
    return project.repo
