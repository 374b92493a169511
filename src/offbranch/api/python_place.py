"""What the functions of `offbranch.api` with DVC's signatures mean by `repo`, `rev` and `config`.

`repo` is a directory of this machine or a Git url, by default the project around the current directory; `rev` is a Git
revision or the name of an experiment, by default the workspace, or the default branch of what is elsewhere.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from offbranch.api.session import Session, make_session
from offbranch.base.config import settings_of
from offbranch.base.errors import NoProjectError, NotFoundError
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.paths import DVC_DIR, ROOT, AbsPath, RepoPath, join, relative_to
from offbranch.base.records import record
from offbranch.git.clones import local_path_of, open_clone
from offbranch.git.command import run_git
from offbranch.git.repository import GitRepo, find_repo, open_bare
from offbranch.project import Project, find_root, open_project_at


@record
class Where:
    """Attributes:
    session: The current directory.
    path: Directory of this machine that is meant; None for a repository elsewhere.
    root: The project around it; None where there is none.
    url: What `open_source` takes for the same.
    """

    session: Session
    path: AbsPath | None
    root: AbsPath | None
    url: str

    @property
    def cwd(self) -> RepoPath:
        """Directory of the project that the user is in; its top for another project."""
        return (relative_to(self.session.start, self.root) or ROOT) if self.root is not None else ROOT


def where_is(repo: str | os.PathLike[str] | None) -> Where:
    """Finds what a `repo` argument means.

    Raises:
        NoProjectError: The current directory is not inside a project.
        NotFoundError: It is neither a directory nor a url.
    """
    session = make_session()
    if repo is None:
        root = find_root(session.start)
        if root is None:
            raise NoProjectError(
                f"'{session.start}' is not inside a project (no '{DVC_DIR}' directory here or above)",
                hint="change into your project, or give its path or url as 'repo'",
            )
        return Where(session=session, path=session.start, root=root, url=root)
    url = os.fspath(repo)
    path = local_path_of(url, base=session.start)
    if path is None or url.startswith("file://"):  # written as a url: its default branch is meant, not its workspace
        return Where(session=session, path=None, root=None, url=url)
    if not os.path.isdir(path):
        raise NotFoundError(f"'{url}' is neither a directory nor a Git url", hint="give the path or url of a project")
    root = find_root(path)
    is_bare = root is None and find_repo(path, session.environment.all) is None
    if is_bare and open_bare(path, session.environment.all) is not None:
        return Where(session=session, path=None, root=None, url=path)
    return Where(session=session, path=path, root=root, url=root or path)


def project_of(where: Where, config: Mapping[str, object] | None = None) -> Project:
    """Opens the project of this machine that is meant, with settings laid over its own; to be closed by `closing_state`.

    Raises:
        NoProjectError: There is none.
    """
    if where.root is None:
        raise NoProjectError(f"'{where.url}' is not inside a project", hint="give the path or url of a project")
    origin = join(where.session.start, "config")
    more = settings_of(config, origin=origin) if config else None
    return open_project_at(where.root, where.session.environment, more_settings=more)


@contextmanager
def project_or_clone(where: Where, config: Mapping[str, object] | None = None) -> Iterator[Project]:
    """Opens the project that is meant; one that is elsewhere as a clone for the time of the context.

    Raises:
        NoProjectError: There is none.
        GitError: The repository cannot be reached.
    """
    if where.path is not None:
        project = project_of(where, config)
        try:
            yield project
        finally:
            project.state.close()
        return
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as directory:
        root = _clone(git_repo_of(where), AbsPath(os.path.join(os.path.realpath(directory), "clone")))
        if not os.path.isdir(os.path.join(root, DVC_DIR)):
            raise NoProjectError(f"there is no project in '{where.url}'", hint="give the url of a project")
        with project_or_clone(Where(session=where.session, path=root, root=root, url=root), config) as project:
            yield project


def git_repo_of(where: Where) -> GitRepo:
    """Returns the Git repository that is meant, or our copy of it.

    Raises:
        NoProjectError: There is none around a directory.
        GitError: It cannot be reached.
    """
    environment = where.session.environment
    path = where.path or local_path_of(where.url, base=where.session.start)
    if path is None:
        return open_clone(where.url, cache_dir=environment.cache_dir, env=environment.all)
    found = find_repo(path, environment.all) or open_bare(path, environment.all)
    if found is None:
        raise NoProjectError(f"'{path}' is not in a Git repository", hint="give the path or url of one")
    return found


def _clone(repo: GitRepo, target: AbsPath) -> AbsPath:
    run_git(repo.root, "clone", "--quiet", "--shared", "--", repo.git_dir, target, env=repo.env)
    run_git(target, "fetch", "--quiet", "origin", "+refs/exps/*:refs/exps/*", "+refs/ob/*:refs/ob/*", env=repo.env)
    return target
