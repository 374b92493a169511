"""Making a project, and finding its root."""

import os

from offbranch.api.session import Session, opened
from offbranch.base.errors import ConflictError, NoProjectError
from offbranch.base.files import atomic_write, remove_tree
from offbranch.base.paths import CONFIG_FILE, DVC_DIR, IGNORE_FILE, AbsPath, GitPath, join, relative_to
from offbranch.base.records import record
from offbranch.git.ignore import ignored_paths, stage_files
from offbranch.git.repository import GitRepo, find_repo

_IGNORED = "/config.local\n/tmp\n/cache\n"
_IGNORE_TEXT = (
    "# Files and directories that ob and DVC shall not look at, one pattern a line, as in .gitignore.\n"
    "# They are left out of tracked directories, and no pipeline is looked for in them.\n"
    "# Example: /scratch\n"
)
_NO_SCM_TEXT = "[core]\n    no_scm = True\n"


@record
class Created:
    """Attributes:
    root: Of the new project.
    files: The files written, relative to it.
    is_staged: Whether they are staged in Git.
    """

    root: AbsPath
    files: tuple[str, ...]
    is_staged: bool


def init(session: Session, *, no_scm: bool = False, subdir: bool = False, force: bool = False) -> Created:
    """Makes a project of the session's directory.

    Args:
        session: Where.
        no_scm: Without Git: pipelines and data, but no experiments.
        subdir: The directory is not the top of its Git repository.
        force: Replaces a project that is there; its cache is lost.

    Raises:
        ConflictError: There is a project already.
        NoProjectError: It is not at the top of a Git repository and neither flag says that this is meant.
    """
    root = session.start
    repo = None if no_scm else _repository(session, subdir=subdir)
    if os.path.lexists(join(root, DVC_DIR)):
        if not force:
            raise ConflictError(
                f"'{root}' is a project already ('{DVC_DIR}' is there)",
                hint="use it as it is; 'ob init -f' starts afresh and deletes its cache",
            )
        remove_tree(join(root, DVC_DIR))
    if repo is not None:
        _refuse_ignored(repo, root)
    files = {CONFIG_FILE: _NO_SCM_TEXT if no_scm else "", f"{DVC_DIR}/.gitignore": _IGNORED}
    if not os.path.lexists(join(root, IGNORE_FILE)):
        files[IGNORE_FILE] = _IGNORE_TEXT
    os.makedirs(join(root, f"{DVC_DIR}/tmp"))
    for path, text in files.items():
        atomic_write(join(root, path), text.encode())
    if repo is not None:
        prefix = relative_to(root, repo.root) or ""
        stage_files(repo, [GitPath(f"{prefix}/{path}" if prefix else path) for path in files])
    return Created(root=root, files=tuple(files), is_staged=repo is not None)


def root(session: Session) -> AbsPath:
    """Returns the root of the project that the session's directory belongs to."""
    with opened(session) as project:
        return project.root


def _repository(session: Session, *, subdir: bool) -> GitRepo:
    repo = find_repo(session.start, session.environment.all)
    if repo is None:
        raise NoProjectError(
            f"'{session.start}' is not in a Git repository",
            hint="git init, then 'ob init'; or 'ob init --no-scm' for a project without Git and experiments",
        )
    if os.path.realpath(repo.root) != os.path.realpath(session.start) and not subdir:
        raise NoProjectError(
            f"'{session.start}' is not the top of its Git repository",
            hint=f"run 'ob init' in '{repo.root}', or 'ob init --subdir' for a project in this directory",
        )
    return repo


def _refuse_ignored(repo: GitRepo, root: AbsPath) -> None:
    prefix = relative_to(root, repo.root) or ""
    path = GitPath(f"{prefix}/{CONFIG_FILE}" if prefix else CONFIG_FILE)
    if ignored_paths(repo, (path,)):
        raise ConflictError(
            f"Git ignores '{DVC_DIR}', so the project could not be committed",
            hint=f"git check-ignore -v {path} shows the rule; remove it",
        )
