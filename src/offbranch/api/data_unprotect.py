"""Making linked data writable."""

import os
from collections.abc import Sequence

from offbranch.api.session import Session, held
from offbranch.base.errors import NotFoundError, UsageError
from offbranch.base.files import decode, is_really_inside
from offbranch.base.paths import DATA_SUFFIX, AbsPath, RepoPath, absolute, join, relative_to
from offbranch.pipeline.datafile import parse_data_file
from offbranch.project import Project
from offbranch.storage.links import unprotect as unprotect_path


def unprotect(targets: Sequence[str], session: Session) -> tuple[RepoPath, ...]:
    """Turns links into the cache into writable files of their own, file by file; what is one already stays.

    Args:
        targets: Files or directories; a .dvc file stands for its data.
        session: Where.

    Returns:
        The paths, in the order of the targets.

    Raises:
        NotFoundError: One does not exist; nothing has been changed.
    """
    with held(session) as (project, _):
        paths = tuple(dict.fromkeys(path for target in targets for path in _paths_of(project, session, target)))
        for path in paths:
            unprotect_path(join(project.root, path))
        return paths


def _paths_of(project: Project, session: Session, target: str) -> tuple[RepoPath, ...]:
    path = relative_to(absolute(target, base=session.start), project.root)
    if path is None:
        raise UsageError(f"'{target}' is outside of the project", hint="name data of this project")
    if path == ".dvc" or path.startswith((".dvc/", ".git/")) or path == ".git":
        raise UsageError(f"'{target}' is private to the project", hint="name data of the project")
    if path.endswith(DATA_SUFFIX) and project.reader.is_file(path):
        stage, _ = parse_data_file(decode(project.reader.read_bytes(path), path), path)
        found = tuple(out.path for out in stage.outs if out.path is not None)
    else:
        found = (path,)
    for one in found:
        if not is_really_inside(join(project.root, one), project.root):
            raise UsageError(f"'{one}' leads out of the project through a link", hint="name data of the project")
        if not os.path.exists(AbsPath(join(project.root, one))):
            raise NotFoundError(
                f"'{one}' does not exist"
                if one == path
                else f"'{one}', which '{path}' records, is not in the workspace",
                hint="ob checkout brings what is recorded",
            )
    return found
