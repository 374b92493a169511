"""Deciding what `exp apply` writes, replaces and removes, and which of that is work of the user's.

Files that exist only here, or were changed here, and that the experiment does not have, stay, unless something is written
where they are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from offbranch.base.paths import REPRO_DAT, GitPath, RepoPath
from offbranch.base.records import record, replace
from offbranch.experiments.commit import files_of_stages
from offbranch.experiments.loading import load
from offbranch.experiments.workbench import in_git
from offbranch.git.checkout import TreeCheckout, plan_tree_checkout, refuse_stubborn, stubborn_paths
from offbranch.git.ids import TreeId
from offbranch.git.ignore import untracked_files
from offbranch.git.objects import diff_trees
from offbranch.git.repository import GitRepo
from offbranch.git.snapshot import snapshot_tree
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project


@record
class ApplyPlan:
    """What has to be done.

    Attributes:
        files: What to write and remove.
        present: Tree of the workspace, with everything that would be overwritten.
        mine: Paths of `files` that hold work of the user's.
        before: What the workspace records of its outputs.
    """

    files: TreeCheckout
    present: TreeId
    mine: tuple[GitPath, ...]
    before: Pipelines


def plan_apply(
    project: Project, repo: GitRepo, head: TreeId, target: TreeId, added: Mapping[GitPath, str]
) -> ApplyPlan:
    """Decides what to write; changes nothing but for objects of Git that nothing refers to.

    Args:
        head: Tree of HEAD.
        target: Tree to go to.
        added: Files that came along with an experiment and go when it does, if they are unchanged -> their content.
    """
    pipelines = load(project)
    known = [in_git(project, path) for path in files_of_stages(pipelines, pipelines.stages)]
    present = _snapshot(project, repo, known, added)
    files = plan_tree_checkout(repo, present, target)
    # A whole directory is not ours to take into Git, nor to replace.
    refuse_stubborn(stubborn_paths(repo, files))
    if files.blocked:
        present = _snapshot(project, repo, known, (*added, *files.blocked))
        files = plan_tree_checkout(repo, present, target)
    mine = {change.path for change in diff_trees(repo, head, present)}
    mine -= {change.path for change in files.changes if added.get(change.path) == change.old_id}
    repro = in_git(project, RepoPath(REPRO_DAT))
    places = _places(change.path for change in files.changes if change.status != "D")
    changes = tuple(
        change
        for change in files.changes
        if change.path != repro and not (change.status == "D" and change.path in mine and not places(change.path))
    )
    return ApplyPlan(
        files=replace(files, changes=changes),
        present=present,
        mine=tuple(change.path for change in changes if change.path in mine),
        before=pipelines,
    )


def _snapshot(
    project: Project, repo: GitRepo, known: list[GitPath], more: Mapping[GitPath, str] | tuple[GitPath, ...]
) -> TreeId:
    untracked = untracked_files(repo, known) if known else ()
    return snapshot_tree(repo, include=[*untracked, *more], exclude=[in_git(project, RepoPath(REPRO_DAT))])


def _places(written: Iterable[GitPath]) -> Callable[[GitPath], bool]:
    """Returns what tells whether a file cannot stay: one is written to a directory above it, or below it."""
    files = frozenset(written)
    directories = frozenset(above for path in files for above in _above(path))
    return lambda path: path in directories or any(above in files for above in _above(path))


def _above(path: GitPath) -> Iterator[GitPath]:
    parts = path.split("/")
    yield from (GitPath("/".join(parts[:n])) for n in range(1, len(parts)))
