"""Data sources (.dvc files) whose content in the workspace is newer than what is recorded.

A temporary run must see the data of the workspace: it is taken into the cache, and the tree gets .dvc files that name it.
The user's own .dvc files stay as they are.
"""

from offbranch.base.paths import GitPath, join
from offbranch.experiments.workbench import in_git
from offbranch.git.objects import MODE_FILE, BlobId, TreeId, write_blob
from offbranch.git.repository import GitRepo
from offbranch.git.tree_edit import write_tree_with
from offbranch.pipeline.datafile import update_datafile_text
from offbranch.pipeline.plan import locked_item
from offbranch.pipeline.stage import Pipelines, Stage
from offbranch.pipeline.versions import kept, look_into
from offbranch.project import Project
from offbranch.storage.save import save
from offbranch.storage.workspace import observe


def with_changed_data(project: Project, repo: GitRepo, pipelines: Pipelines, tree: TreeId) -> TreeId:
    """Returns a tree in which every .dvc file names the present content of the workspace, which is in the cache then."""
    changes: dict[GitPath, tuple[int, BlobId] | None] = {}
    for stage in pipelines.stages:
        if stage.command is None and not stage.deps:
            text = _updated_text(project, pipelines, stage)
            if text is not None:
                changes[in_git(project, stage.file)] = (MODE_FILE, write_blob(repo, text.encode()))
    return write_tree_with(repo, tree, changes) if changes else tree


def _updated_text(project: Project, pipelines: Pipelines, stage: Stage) -> str | None:
    recorded = {item.written: item for item in pipelines.locks[stage.address].outs}
    changed = {}
    for out in stage.outs:
        if out.path is None or not out.cache:
            continue
        path = join(project.root, out.path)
        content = observe(path, state=project.state, ignore=project.ignore, rel=out.path)
        was = recorded.get(out.written)
        if content is None or (was is not None and was.md5 == content.id and project.cache.has_all(content.id)):
            continue
        saved = save(path, cache=project.cache, state=project.state, ignore=project.ignore, rel=out.path, relink=False)
        if was is None or was.md5 != saved.id:
            changed[out.written] = kept(was, locked_item(out.written, saved), project.cache, look_into(path))
    if not changed:
        return None
    return update_datafile_text(project.reader.read_bytes(stage.file).decode(), stage.file, changed)
