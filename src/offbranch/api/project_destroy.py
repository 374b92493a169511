"""Taking a project apart: its pipeline files, its configuration and its cache go, the data in the workspace stays.

Links into the cache become files of their own first, so that no data of the workspace is lost. `.dvc` goes last: killed in
between, the project is still one and the same command completes it.
"""

import os

from offbranch.api.session import Session, beginning, held
from offbranch.base.files import is_really_inside, remove_file, remove_tree
from offbranch.base.paths import (
    DVC_DIR,
    IGNORE_FILE,
    LOCK_FILE,
    PIPELINE_FILE,
    AbsPath,
    RepoPath,
    is_same_or_inside,
    join,
)
from offbranch.base.records import record
from offbranch.experiments.activity import refuse_while_active
from offbranch.experiments.loading import load
from offbranch.pipeline.load import find_files
from offbranch.project import Project, cache_root_of, find_root, read_config
from offbranch.storage.links import unprotect


@record
class Destroyed:
    """Attributes:
    root: Of what was the project.
    files: Pipeline files, .dvc files and lock files that were deleted.
    cache: The cache, if it is outside of the project and was left alone; else None.
    """

    root: AbsPath
    files: tuple[RepoPath, ...]
    cache: AbsPath | None


def cache_inside(session: Session) -> AbsPath | None:
    """Returns the cache that `destroy` would delete; None if it is elsewhere, where others may use it."""
    root = find_root(session.start)
    if root is None:
        return None
    cache = cache_root_of(root, read_config(root, session.environment))
    return cache if is_same_or_inside(cache, join(root, DVC_DIR)) else None


def destroy(session: Session) -> Destroyed:
    """Deletes every dvc.yaml, dvc.lock and .dvc file, .dvcignore, and `.dvc` with its cache.

    Data in the workspace, the lines of `.gitignore` files and experiments in Git stay. A cache outside of `.dvc` does, too.

    Raises:
        LockedError: An experiment runs, in a copy below `.dvc`.
    """
    with held(session) as (project, _), beginning(project):
        refuse_while_active(project, "the copy that it runs in would be deleted")
        files = list(find_files(project.reader, ignores=project.ignore.ignores))
        _keep_data(project)
        locks = [RepoPath(file.removesuffix(PIPELINE_FILE) + LOCK_FILE) for file in files if not file.endswith(".dvc")]
        gone = [path for path in (*files, *locks) if os.path.lexists(join(project.root, path))]
        for path in (*gone, IGNORE_FILE):
            remove_file(join(project.root, path))
        private = join(project.root, DVC_DIR)
        cache = project.cache.root
        remove_tree(private)
        return Destroyed(
            root=project.root, files=tuple(gone), cache=None if is_same_or_inside(cache, private) else cache
        )


def _keep_data(project: Project) -> None:
    """Makes files of links into the cache: of the outputs, and of all that a file says which cannot be read."""
    for stage in load(project).stages:
        for out in stage.outs:
            path = join(project.root, out.path or "")
            if out.path is not None and os.path.lexists(path) and is_really_inside(path, project.root):
                unprotect(path)
    cache = AbsPath(os.path.realpath(project.cache.root))
    for directory, names, files in os.walk(project.root):
        names[:] = [name for name in names if name not in (".git", DVC_DIR)]
        for name in files:
            path = AbsPath(os.path.join(directory, name))
            if os.path.islink(path) and is_same_or_inside(os.path.realpath(path), cache) and os.path.isfile(path):
                unprotect(path)
