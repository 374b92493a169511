"""Branches, tags and commits of a repository by name, with the signatures of `dvc.api`."""

import os

from offbranch.api.python_place import git_repo_of, where_is
from offbranch.git.refs import all_branches as branches_of
from offbranch.git.refs import all_tags as tags_of
from offbranch.git.repository import GitRepo, repo_git


def all_branches(repo: str | os.PathLike[str] | None = None) -> list[str]:
    """Returns the names of all branches, sorted.

    Args:
        repo: Directory or Git url; by default the project around the current directory.

    Raises:
        NoProjectError: There is no Git repository.
        GitError: It cannot be reached.
    """
    return [name for name, _ in branches_of(_repo(repo))]


def all_tags(repo: str | os.PathLike[str] | None = None) -> list[str]:
    """Returns the names of all tags of commits, sorted; arguments and errors are those of `all_branches`."""
    return [name for name, _ in tags_of(_repo(repo))]


def all_commits(repo: str | os.PathLike[str] | None = None) -> list[str]:
    """Returns the ids of the commits that branches and tags lead to, newest first; arguments as of `all_branches`."""
    return repo_git(_repo(repo), "rev-list", "--branches", "--tags", "--remotes").decode().split()


def _repo(repo: str | os.PathLike[str] | None) -> GitRepo:
    return git_repo_of(where_is(repo))
