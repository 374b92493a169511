"""How the code of two sides differs: what Git tracks, less what is told elsewhere or is data.

Lock files, .dvc files, parameter and metric files and outputs are summarised, a line each: what is in them is shown as
dependencies, outputs, parameters and metrics.
"""

from offbranch.base.paths import REPRO_DAT, GitPath, RepoPath, is_same_or_inside
from offbranch.experiments.diff_record import CodeDiff, CodeFile
from offbranch.experiments.sides import Side
from offbranch.experiments.workbench import in_git
from offbranch.git.diff import Compared, FileChange, changed_files, open_comparison, patch_of, stat_of
from offbranch.git.repository import GitRepo
from offbranch.project import Project


def diff_code(
    project: Project, repo: GitRepo, old: Side, new: Side, *, color: bool = False, stat_width: int | None = None
) -> CodeDiff:
    """Compares the code of two sides.

    Args:
        color: The patch is for a terminal.
        stat_width: Columns for Git's summary in place of the patch; None for the patch, 0 for Git's own width.
    """
    if old.commit is None and new.commit is None:
        return CodeDiff(files=(), patch="")
    trees = [side.commit.tree if side.commit else None for side in (old, new)]
    with open_comparison(repo, trees[0], trees[1]) as compared:
        return _diff(project, compared, (old, new), color=color, stat_width=stat_width)


def is_data(project: Project, path: GitPath, *sides: Side) -> bool:
    """Tells whether a file is shown as something else than code on any of some sides."""
    return any(_is_data(project, path, side) for side in sides)


def _diff(
    project: Project, compared: Compared, sides: tuple[Side, Side], *, color: bool, stat_width: int | None
) -> CodeDiff:
    private = in_git(project, RepoPath(REPRO_DAT))
    changes = [change for change in changed_files(compared) if change.path != private]
    files = tuple(_file(project, change, sides) for change in changes)
    if stat_width is not None:
        summary = stat_of(compared, color=color, width=stat_width) if files else ""
        return CodeDiff(files=files, patch=summary, is_summary=True)
    code = [file.path for file in files if file.is_code]
    return CodeDiff(files=files, patch=patch_of(compared, code, color=color) if code else "")


def _file(project: Project, change: FileChange, sides: tuple[Side, Side]) -> CodeFile:
    return CodeFile(
        path=change.path,
        status=change.status,
        added=change.added,
        deleted=change.deleted,
        is_code=change.added is not None and not is_data(project, change.path, *sides),
    )


def _is_data(project: Project, path: GitPath, side: Side) -> bool:
    cut = f"{project.prefix}/" if project.prefix else ""
    if not path.startswith(cut):
        return False
    inside, wanted = RepoPath(path[len(cut) :]), side.wanted
    if inside in wanted.locks or inside in wanted.data or inside in wanted.params:
        return True
    return any(is_same_or_inside(inside, place) for place in (*wanted.recorded, *wanted.metrics))
