"""Another repository as a source of data: opened at a revision, with the data remote that its own configuration names.

The repository is a stranger's. What its files say is read, never run, and leads nowhere outside of it: data is found by its
hash, links are followed inside the commit only.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from offbranch.base.config import Config, Setting, merge_configs, parse_config, settings_of
from offbranch.base.environ import Environment
from offbranch.base.errors import BadInputError, GitError, NotFoundError, did_you_mean
from offbranch.base.files import decode
from offbranch.base.paths import CONFIG_FILE, DVC_DIR, AbsPath, GitPath, RepoPath, join, parent, resolve_in
from offbranch.base.records import record
from offbranch.experiments.inventory import Inventory
from offbranch.experiments.open_inventory import inventory_at
from offbranch.experiments.refs import resolve_any
from offbranch.git.clones import local_path_of, open_git_url
from offbranch.git.ids import BlobId, CommitId
from offbranch.git.objects import MODE_TREE, ObjectReader
from offbranch.git.refs import BRANCHES, TAGS, list_refs, resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.project import cache_root_of, read_config
from offbranch.storage.local import LocalCache
from offbranch.storage.remote_setting import RemoteSetting, default_remote, resolve_remote


@record
class RepoSource:
    """What a .dvc file says of another repository.

    Attributes:
        url: As written: a path or a Git url.
        rev: The revision that is followed; None for the default branch.
        config: A config file of ours, or a map, that is laid over the source's own configuration.
        remote: Name of the data remote to use there.
    """

    url: str
    rev: str | None = None
    config: str | Mapping[str, object] | None = None
    remote: str | None = None


@record
class OpenSource:
    """A source at one commit.

    Attributes:
        place: What was opened.
        repo: The repository, or our copy of it.
        commit: The commit.
        prefix: Directory of the project in it.
        inside: The wanted path, below the project.
        root: Of the project on this machine; None for what is elsewhere.
        config: The project's configuration at that commit.
        inventory: All its files.
    """

    place: RepoSource
    repo: GitRepo
    commit: CommitId
    prefix: GitPath
    inside: RepoPath
    root: AbsPath | None
    config: Config
    inventory: Inventory
    objects: ObjectReader

    @property
    def own_cache(self) -> LocalCache | None:
        """The cache of the source, when it is on this machine."""
        if self.root is None:
            return None
        return LocalCache(cache_root_of(self.root, self.config))

    def remote_setting(self) -> RemoteSetting | None:
        """Returns its data remote; None if it has no default one and none is named."""
        if self.place.remote is None and default_remote(self.config) is None:
            return None
        return resolve_remote(self.config, self.place.remote, root=self.root or AbsPath("/nonexistent"))


def parse_source(source: Mapping[str, object], *, path: str) -> RepoSource:
    """Returns what the `repo` of a dependency says.

    Raises:
        BadInputError: It is malformed.
    """
    url, rev, config, remote = (source.get(key) for key in ("url", "rev", "config", "remote"))
    if not isinstance(url, str) or not url:
        raise BadInputError("expected the url of a repository", path=path, key="deps.repo.url")
    if not isinstance(config, str | Mapping | None):
        raise BadInputError("expected a path or a map", path=path, key="deps.repo.config")
    return RepoSource(
        url=url, rev=None if rev is None else str(rev), config=config, remote=None if remote is None else str(remote)
    )


def written_source(source: RepoSource, commit: CommitId | None) -> dict[str, object]:
    """Returns what a .dvc file says of a source, in the order of DVC."""
    found: dict[str, object] = {"url": source.url}
    if source.rev is not None:
        found["rev"] = source.rev
    if commit is not None:
        found["rev_lock"] = commit
    if source.config is not None:
        found["config"] = source.config
    if source.remote is not None:
        found["remote"] = source.remote
    return found


@contextmanager
def open_source(
    place: RepoSource,
    path: str,
    *,
    bases: tuple[AbsPath, ...],
    environment: Environment,
    cache: LocalCache,
    commit: CommitId | None = None,
) -> Iterator[OpenSource]:
    """Opens a source at a revision.

    Args:
        place: Which.
        path: What is wanted of it; says which project of the repository is meant.
        bases: Directories that a relative url may be seen from; the first where something is counts.
        environment: Variables of the process.
        cache: Where lists of directories go.
        commit: The commit, if it is known; otherwise the newest of the revision.

    Raises:
        NotFoundError: There is no such revision, or the path leads outside.
        GitError: The repository cannot be reached.
    """
    base = _base_of(place.url, bases)
    # A commit that our copy has needs no look at the server.
    repo = open_git_url(
        place.url, base=base, cache_dir=environment.cache_dir, env=environment.all, fetch=commit is None
    )
    if commit is not None and resolve_revision(repo, commit) is None:
        repo = open_git_url(place.url, base=base, cache_dir=environment.cache_dir, env=environment.all)
    here = local_path_of(place.url, base=base)
    found = resolve_source_commit(repo, place, commit)
    wanted = _wanted(repo, here, path)
    with ObjectReader(repo) as objects:
        prefix = project_in(objects, found, wanted)
        root = None
        if here is not None and not _is_bare(repo):
            top = AbsPath(os.path.join(repo.root, *prefix.split("/")) if prefix else repo.root)
            root = top if os.path.isdir(os.path.join(top, DVC_DIR)) else None
        config = _config_of(objects, found, prefix, root, place, environment, base)
        yield OpenSource(
            place=place,
            repo=repo,
            commit=found,
            prefix=prefix,
            inside=RepoPath(wanted[len(prefix) :].lstrip("/")),
            root=root,
            config=config,
            inventory=inventory_at(repo, found, prefix=prefix, cache=cache),
            objects=objects,
        )


def newest_commit(place: RepoSource, *, bases: tuple[AbsPath, ...], environment: Environment) -> CommitId:
    """Returns the commit that the revision of a source stands for now; raises as `open_source`."""
    base = _base_of(place.url, bases)
    repo = open_git_url(place.url, base=base, cache_dir=environment.cache_dir, env=environment.all)
    return resolve_source_commit(repo, place, None)


def resolve_source_commit(repo: GitRepo, place: RepoSource, commit: CommitId | None) -> CommitId:
    """Returns a commit of a source.

    Raises:
        NotFoundError: There is none.
    """
    rev = commit or place.rev or "HEAD"
    if rev == "HEAD" and resolve_revision(repo, rev) is None:
        raise GitError(f"the repository '{place.url}' has no commit yet")
    try:
        return resolve_any(repo, rev)
    except NotFoundError as error:
        names = [ref.removeprefix(BRANCHES).removeprefix(TAGS) for ref, _ in list_refs(repo, BRANCHES, TAGS)]
        raise NotFoundError(
            f"'{place.url}' has no revision '{rev}'", hint=did_you_mean(rev, names) or "see git ls-remote"
        ) from error


def _base_of(url: str, bases: tuple[AbsPath, ...]) -> AbsPath:
    return next((base for base in bases if os.path.isdir(os.path.join(base, url))), bases[0])


def _wanted(repo: GitRepo, here: AbsPath | None, path: str) -> RepoPath:
    """Returns a path below the top of the repository; the url of one of this machine may be a directory in it."""
    below = RepoPath("")
    if here is not None and not _is_bare(repo) and here != repo.root and here.startswith(f"{repo.root}{os.sep}"):
        below = RepoPath(os.path.relpath(here, repo.root).replace(os.sep, "/"))
    found = resolve_in(below, path.strip("/") or ".")
    if found is None:
        raise NotFoundError(f"'{path}' is outside of the repository", hint="give a path below its top")
    return found


def project_in(objects: ObjectReader, commit: CommitId, path: RepoPath) -> GitPath:
    """Returns the directory of the project that a path of a commit is in; the top where there is none."""
    tree = objects.commit(commit).tree
    while True:
        entry = objects.find(tree, GitPath(f"{path}/{DVC_DIR}" if path else DVC_DIR))
        if entry is not None and entry.mode == MODE_TREE:
            return GitPath(path)
        if not path:
            return GitPath("")
        path = parent(path)


def _config_of(
    objects: ObjectReader,
    commit: CommitId,
    prefix: GitPath,
    root: AbsPath | None,
    place: RepoSource,
    environment: Environment,
    base: AbsPath,
) -> Config:
    entry = objects.find(objects.commit(commit).tree, GitPath(f"{prefix}/{CONFIG_FILE}" if prefix else CONFIG_FILE))
    text = objects.blob(BlobId(entry.id)).decode("utf-8", "replace") if entry is not None else ""
    levels: list[Mapping[tuple[str, str], Setting]] = [read_config(root, environment, project_text=text).settings]
    if isinstance(place.config, str):
        file = os.path.join(base, place.config)
        try:
            with open(file, "rb") as opened:
                levels.append(parse_config(decode(opened.read(), file), origin=file))
        except FileNotFoundError as error:
            raise NotFoundError(f"the config file '{place.config}' does not exist", hint="check --config") from error
    elif place.config is not None:
        levels.append(settings_of(place.config, origin=join(base, "--remote-config")))
    return merge_configs(levels)


def _is_bare(repo: GitRepo) -> bool:
    return repo.root == repo.git_dir
