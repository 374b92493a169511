"""The files of a run that goes on from a checkpoint, where the workspace has files of its own.

In a copy they are those of the checkpoint. In the workspace a file that the user has changed since the baseline stays as it is,
which makes it another experiment; every other one becomes that of the checkpoint. What a run records (dvc.lock, outputs, what
Live writes) is always that of the checkpoint. Parameters are too, so a change of theirs that would be lost is refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from offbranch.base.errors import ConflictError, OffbranchError
from offbranch.base.files import FileReader
from offbranch.base.paths import GitPath, RepoPath, is_same_or_inside
from offbranch.base.records import field, record
from offbranch.base.yaml import load_yaml
from offbranch.experiments.commit import files_of_stages, files_written_by
from offbranch.experiments.go_on import Beginning
from offbranch.experiments.loading import load
from offbranch.experiments.workbench import in_git
from offbranch.git.checkout import TreeCheckout, apply_tree_checkout
from offbranch.git.ids import BlobId, TreeId
from offbranch.git.ignore import untracked_files
from offbranch.git.objects import MODE_SUBMODULE, ObjectReader, TreeChange, diff_trees
from offbranch.git.repository import GitRepo
from offbranch.git.snapshot import snapshot_tree
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project

# Where Live writes beside its own directory; the user's part of it is the rest.
_SECTIONS_OF_LIVE = ("params", "metrics", "plots", "artifacts")


@record
class ResumeFiles:
    """What is to be done to the files of the workspace.

    Attributes:
        changes: Files that become those of the checkpoint.
        own: Files that stay as the user has changed them, though the checkpoint has others.
        refused: Parameter files that the user has changed, and that would become those of the checkpoint.
    """

    changes: tuple[TreeChange, ...]
    own: tuple[GitPath, ...]
    refused: tuple[GitPath, ...]


@record
class Resumed:
    """What a run goes on from, for where it runs.

    Attributes:
        tree: The files of the checkpoint.
        files: Reads the files that it begins with, parameters as at the checkpoint.
        changes: In the workspace, the files that become those of the checkpoint.
        contents: The same as what is in them, by their paths in the project; None for those that go.
        supersedes: Ids of attempts that go when the run has become an experiment.
    """

    tree: TreeId
    files: FileReader
    changes: tuple[TreeChange, ...] = ()
    contents: Mapping[RepoPath, bytes | None] = field(default_factory=dict)
    supersedes: tuple[str, ...] = ()


def write_files(repo: GitRepo, resumed: Resumed) -> None:
    """Makes the files of the workspace those of the checkpoint."""
    apply_tree_checkout(repo, TreeCheckout(changes=resumed.changes, blocked=(), submodules=()), overwrite=True)


def plan_resume_files(
    project: Project,
    repo: GitRepo,
    objects: ObjectReader,
    head: TreeId,
    begun: Beginning,
    originals: Sequence[Mapping[str, str | None]] = (),
    known: TreeId | None = None,
) -> ResumeFiles:
    """Decides about each file in which the workspace and the checkpoint differ.

    Args:
        head: The files of the baseline.
        begun: The checkpoint.
        originals: What runs that have led to it had found in files before they changed them, paths of the project -> text:
            parameters that are as they were then become those of the checkpoint, as with the run before.
        known: Files of a run that has gone on from the checkpoint before: a change that it had too is not a new one.
    """
    live = begun.mark.live if begun.mark is not None else ()
    present = _present(project, repo, begun, live, head)
    theirs = {change.path for change in diff_trees(repo, head, begun.tree)}
    mine = {change.path for change in diff_trees(repo, head, present)}
    recorded = {in_git(project, path) for path in (*files_written_by(begun.pipelines.stages), *live)}
    params = {in_git(project, path) for path in _parameter_files(begun.pipelines)}
    changes: list[TreeChange] = []
    own: list[GitPath] = []
    refused: list[GitPath] = []
    for change in diff_trees(repo, present, begun.tree):
        path = change.path
        if MODE_SUBMODULE in (change.old_mode, change.new_mode) or (change.status == "D" and path not in theirs):
            continue  # only here, or nothing to write
        is_recorded = any(is_same_or_inside(path, each) for each in recorded)
        if path in params and _is_as_before(project, objects, change, originals):
            is_recorded = True
        if path not in mine or (is_recorded and not _is_pipeline(path)) or _is_of_live(objects, change, recorded):
            changes.append(change)
        elif known is None or path in params or not _has_too(objects, known, change):
            (refused if path in params else own).append(path)
    return ResumeFiles(changes=tuple(changes), own=tuple(own), refused=tuple(refused))


def refuse_lost_parameters(name: str, files: ResumeFiles) -> None:
    """Raises where changes of parameters would be overwritten.

    Raises:
        ConflictError: Nothing has been done.
    """
    if files.refused:
        changed = ", ".join(f"'{path}'" for path in files.refused)
        raise ConflictError(
            f"cannot go on with '{name}' here: {changed} {'has' if len(files.refused) == 1 else 'have'} local changes,"
            " and the parameters are those of the checkpoint",
            hint="--temp goes on in a copy; or put the changes aside with 'git stash'; -S changes a parameter",
        )


def contents_of(objects: ObjectReader, project: Project, changes: Iterable[TreeChange]) -> dict[RepoPath, bytes | None]:
    """Returns what files of the project are to hold, by their paths there; None for those that are to go."""
    cut = len(project.prefix) + 1 if project.prefix else 0
    return {
        RepoPath(each.path[cut:]): None if each.status == "D" else objects.blob(BlobId(each.new_id))
        for each in changes
        if not cut or each.path.startswith(f"{project.prefix}/")
    }


def _present(project: Project, repo: GitRepo, begun: Beginning, live: Iterable[RepoPath], head: TreeId) -> TreeId:
    """Returns the workspace as a tree, with untracked files that the checkpoint has too."""
    pipelines = load(project)
    known = [*files_of_stages(pipelines, pipelines.stages), *files_of_stages(begun.pipelines, begun.pipelines.stages)]
    asked = dict.fromkeys(in_git(project, path) for path in (*known, *live))
    new = [change.path for change in diff_trees(repo, head, begun.tree) if change.status == "A"]
    return snapshot_tree(repo, include=untracked_files(repo, (*asked, *new)))


def _parameter_files(pipelines: Pipelines) -> Iterator[RepoPath]:
    for stage in pipelines.stages:
        yield from (params.path for params in stage.params if params.path is not None)
    yield from pipelines.top_params


def _has_too(objects: ObjectReader, tree: TreeId, change: TreeChange) -> bool:
    """Tells whether a tree has the same file as the workspace."""
    entry = objects.find(tree, change.path)
    return change.status == "A" if entry is None else entry.id == change.old_id


def _is_as_before(
    project: Project, objects: ObjectReader, change: TreeChange, originals: Sequence[Mapping[str, str | None]]
) -> bool:
    """Tells whether the file of the workspace is what an earlier run had found there."""
    if change.status != "M":
        return False
    here = objects.blob(BlobId(change.old_id)).decode("utf-8", "surrogateescape")
    return any(
        text == here
        for files in originals
        for path, text in files.items()
        if in_git(project, RepoPath(path)) == change.path
    )


def _is_pipeline(path: GitPath) -> bool:
    return path.rpartition("/")[2] == "dvc.yaml"


def _is_of_live(objects: ObjectReader, change: TreeChange, recorded: Iterable[GitPath]) -> bool:
    """Tells whether two versions of a dvc.yaml differ only in what Live writes there."""
    if not _is_pipeline(change.path) or change.path not in recorded or change.status != "M":
        return False
    try:
        here, there = (
            load_yaml(objects.blob(BlobId(id)).decode(), str(change.path)) for id in (change.old_id, change.new_id)
        )
    except (OffbranchError, UnicodeDecodeError):
        return False
    if not isinstance(here, dict) or not isinstance(there, dict):
        return False
    return _users_part(here) == _users_part(there)


def _users_part(data: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key not in _SECTIONS_OF_LIVE}
