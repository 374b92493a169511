"""What `exp apply` is about to replace, as a commit that can be applied like any other, and what belongs to going back.

The commit's tree holds the files of the workspace, its first parent is HEAD. Cached outputs that were changed by hand go
into the cache, and a second parent names them in .dvc files of its own (docs/formats/refs.md), so that `gc` keeps them.
"""

from collections.abc import Mapping

from offbranch.base.paths import GitPath, RepoPath, join
from offbranch.base.records import record
from offbranch.experiments.workbench import in_git
from offbranch.git.ids import CommitId
from offbranch.git.objects import (
    MODE_FILE,
    Commit,
    ObjectReader,
    TreeId,
    diff_trees,
    write_blob,
    write_commit,
    write_tree,
)
from offbranch.git.repository import GitRepo
from offbranch.pipeline.datafile import render_data_file
from offbranch.pipeline.plan import locked_item
from offbranch.pipeline.recorded import all_recorded
from offbranch.pipeline.stage import Output, Pipelines
from offbranch.project import Project
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.save import save
from offbranch.storage.workspace import observe

_SUBJECT = "ob: the workspace before an experiment was applied"
_OUTPUTS = "ob: outputs that were changed by hand"
_APPLIED = "applied: "


@record
class WayBack:
    """What a commit of kept work says of the way back to it; of any other commit nothing.

    Attributes:
        added: Files that the experiment had brought along -> their content.
        outputs: Tree of .dvc files for outputs that were changed by hand.
    """

    added: Mapping[GitPath, str]
    outputs: TreeId | None


def keep_work(
    repo: GitRepo, *, tree: TreeId, head: CommitId, applied: CommitId, outputs: CommitId | None = None
) -> CommitId:
    """Writes the commit of kept work; nothing refers to it yet.

    Args:
        tree: The workspace.
        applied: What is about to replace it.
        outputs: Commit of `keep_outputs`.
    """
    parents = (head, outputs) if outputs else (head,)
    return write_commit(repo, tree=tree, parents=parents, message=f"{_SUBJECT}\n\n{_APPLIED}{applied}\n")


def find_way_back(repo: GitRepo, objects: ObjectReader, commit: Commit) -> WayBack:
    """Returns what has to be done beyond writing the tree of a commit, if it is one of kept work."""
    subject, _, body = commit.message.partition("\n\n")
    if subject != _SUBJECT or not body.startswith(_APPLIED):
        return WayBack(added={}, outputs=None)
    applied = objects.commit(CommitId(body.removeprefix(_APPLIED).strip()))
    gone = diff_trees(repo, applied.tree, commit.tree)
    outputs = objects.commit(commit.parents[1]).tree if len(commit.parents) > 1 else None
    return WayBack(added={change.path: change.old_id for change in gone if change.status == "D"}, outputs=outputs)


def unsaved_outputs(
    project: Project, pipelines: Pipelines, before: Mapping[RepoPath, ObjectId]
) -> dict[RepoPath, Content]:
    """Returns the cached outputs that a checkout is about to replace though no record has their content.

    Args:
        pipelines: Of what is applied.
        before: What the workspace recorded of its outputs.
    """
    found = {}
    for path, recorded in all_recorded(pipelines).items():
        disk = join(project.root, path)
        content = observe(disk, state=project.state, ignore=project.ignore, rel=path)
        if content is None or content.id == recorded.id:
            continue
        if content.id != before.get(path) or not project.cache.has_all(content.id):
            found[path] = content
    return found


def keep_outputs(project: Project, repo: GitRepo, outputs: Mapping[RepoPath, Content]) -> CommitId:
    """Puts outputs into the cache, and writes a commit that names them."""
    entries = {}
    for path in outputs:
        content = save(
            join(project.root, path),
            cache=project.cache,
            state=project.state,
            ignore=project.ignore,
            rel=path,
            relink=False,
        )
        name = path.rpartition("/")[2]
        text = render_data_file([(Output(written=name, path=path), locked_item(name, content))])
        blob = write_blob(repo, text.encode("utf-8", "surrogateescape"))
        entries[in_git(project, RepoPath(f"{path}.dvc"))] = (MODE_FILE, blob)
    return write_commit(repo, tree=write_tree(repo, entries), parents=(), message=f"{_OUTPUTS}\n")
