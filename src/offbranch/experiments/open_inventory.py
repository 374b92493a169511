"""Opening an `Inventory`: of a workspace, or of a revision of any repository, here or elsewhere."""

import os
from collections.abc import Mapping

from offbranch.base.environ import Environment
from offbranch.base.errors import GitError, NotFoundError, did_you_mean
from offbranch.base.paths import DVC_DIR, AbsPath, GitPath, RepoPath
from offbranch.experiments.data_index import sound
from offbranch.experiments.inventory import DiskTree, GitTree, Inventory
from offbranch.experiments.loading import load
from offbranch.experiments.refs import resolve_any
from offbranch.experiments.used import RevisionOutputs
from offbranch.git.clones import local_path_of, open_clone
from offbranch.git.ids import CommitId
from offbranch.git.objects import MODE_TREE, ObjectReader
from offbranch.git.refs import BRANCHES, TAGS, list_refs, resolve_revision
from offbranch.git.repository import GitRepo, find_repo, open_bare
from offbranch.pipeline.recorded import RecordedOutput, all_recorded
from offbranch.project import Project, find_root, open_project_at
from offbranch.storage.ignore import load_ignore_rules
from offbranch.storage.local import LocalCache

_TOP = GitPath("")


def open_inventory(
    url: str,
    *,
    rev: str | None,
    base: AbsPath,
    environment: Environment,
    fetch: bool = True,
    cache: LocalCache | None = None,
) -> tuple[Inventory, AbsPath | None]:
    """Returns the files of a project, or of a plain Git repository, that a url names.

    Args:
        url: A directory in a project or repository of this machine, or a Git url.
        rev: Git revision or experiment; None for the workspace, or for the default branch of what is elsewhere.
        base: Directory that a relative path is seen from.
        environment: Variables of the process.
        fetch: Bring the copy of a repository that is elsewhere up to date first.
        cache: Where directory objects of a repository without a cache of its own may be.

    Returns:
        The files, and the top of the project or repository on this machine; None for one that is elsewhere.

    Raises:
        NotFoundError: There is no such directory, or no such revision.
        GitError: The repository cannot be reached.
    """
    path = local_path_of(url, base=base)
    if path is None:
        repo = open_clone(url, cache_dir=environment.cache_dir, env=environment.all, fetch=fetch)
        return _at_revision(repo, rev or "HEAD", _TOP, cache), None
    if not os.path.isdir(path):
        raise NotFoundError(f"'{url}' is neither a directory nor a Git url", hint="give the path or url of a project")
    root = find_root(path)
    project = None if root is None else open_project_at(root, environment)
    found = project.repo if project is not None else find_repo(path, environment.all)
    if rev is None and (project is not None or found is not None or open_bare(path, environment.all) is None):
        top = root or (found.root if found is not None else path)
        return _of_directory(project, top), top
    repo_here = found or open_bare(path, environment.all)
    if repo_here is None:
        raise GitError(f"'{url}' is not in a Git repository, so it has no revision '{rev}'")
    own_cache = cache if project is None else project.cache
    return _at_revision(repo_here, rev or "HEAD", project.prefix if project is not None else _TOP, own_cache), root


def inventory_at(repo: GitRepo, commit: CommitId, *, prefix: GitPath, cache: LocalCache | None) -> Inventory:
    """Returns all files of a commit, Git's and data.

    Args:
        repo: Where the commit is; a bare repository will do.
        commit: The commit.
        prefix: Directory of the project in the repository.
        cache: Where the directory objects are.

    Raises:
        OffbranchError: A pipeline file of the commit is malformed.
    """
    with ObjectReader(repo) as objects:
        tree = objects.commit(commit).tree
        outs: Mapping[RepoPath, RecordedOutput] = {}
        reader = RevisionOutputs(objects, prefix, cache)
        inside = f"{prefix}/{DVC_DIR}" if prefix else DVC_DIR
        found = objects.find(tree, GitPath(inside))
        if found is not None and found.mode == MODE_TREE:
            outs = all_recorded(sound(reader.pipelines_of(tree)))
        return Inventory(GitTree(repo, tree, prefix, reader.ignores(tree)), outs, cache)


def _of_directory(project: Project | None, top: AbsPath) -> Inventory:
    if project is None:
        return Inventory(DiskTree(top, load_ignore_rules(top)), {}, None)
    return Inventory(DiskTree(top, project.ignore), all_recorded(sound(load(project))), project.cache)


def _at_revision(repo: GitRepo, rev: str, prefix: GitPath, cache: LocalCache | None) -> Inventory:
    if rev == "HEAD" and resolve_revision(repo, rev) is None:
        raise GitError(f"the repository '{repo.root}' has no commit yet")
    try:
        commit = resolve_any(repo, rev)
    except NotFoundError as error:
        names = [ref.removeprefix(BRANCHES).removeprefix(TAGS) for ref, _ in list_refs(repo, BRANCHES, TAGS)]
        raise NotFoundError(error.message, hint=did_you_mean(rev, names) or error.hint) from error
    return inventory_at(repo, commit, prefix=prefix, cache=cache)
