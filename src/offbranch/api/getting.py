"""Data from elsewhere without a record of it: copies of files of other repositories and of urls, and what a url lists.

No project is needed. What comes is hashed on its way and put at its place at the end, so a place never holds half of it.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from offbranch.api.session import Session
from offbranch.base.errors import ConflictError, NotFoundError, UsageError
from offbranch.base.files import TEMPORARY_PREFIX, remove_tree
from offbranch.base.paths import AbsPath, RepoPath, absolute
from offbranch.base.records import record
from offbranch.experiments.import_repo import show_url, take_from
from offbranch.experiments.import_url import name_of, with_options
from offbranch.experiments.source_repo import OpenSource, RepoSource, open_source
from offbranch.project import find_root, read_config
from offbranch.storage.checkout import apply_checkout
from offbranch.storage.checkout_plan import plan_checkout
from offbranch.storage.external import External, look_at, take_external
from offbranch.storage.links import parse_link_kinds
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content
from offbranch.storage.remote_files import open_files
from offbranch.storage.remote_setting import RemoteSetting, resolve_url


@record
class Got:
    """Attributes:
    path: Where the copy is.
    content: What it is.
    """

    path: AbsPath
    content: Content


@record
class UrlEntry:
    """One file or directory below a url.

    Attributes:
        path: Path below the url; of a url that is a file, its name.
        size: Bytes; None for a directory, and where the server does not say.
    """

    path: str
    is_dir: bool
    size: int | None = None


def get(
    source: RepoSource,
    path: str,
    session: Session,
    *,
    out: str | None = None,
    force: bool = False,
    jobs: int | None = None,
) -> Got:
    """Copies a file or directory of a repository, of Git or data; nothing is recorded.

    Args:
        source: The repository.
        path: Below its top.
        session: Where.
        out: The place; by default its name, in the current directory.
        force: Replaces what is there.
        jobs: Downloads at a time.

    Raises:
        NotFoundError: There is no such revision or path.
        GitError: The repository cannot be reached.
        MissingDataError: The data is neither in the source's cache nor at its data remote.
        ConflictError: Something is at the place already.
    """
    name = os.path.basename(path.rstrip("/"))
    if name in ("", ".", "..") and out is None:
        raise UsageError(f"'{path}' has no name that the copy could have here", hint="name the place with -o")
    target = _target(session, out, name, force=force)
    with _cache_beside(target) as cache, _source(source, path, session, cache) as found:
        content = take_from(found, cache, state=None, jobs=jobs, reporter=session.reporter)
        _put(target, content, cache, session)
    return Got(path=target, content=content)


def url_of(source: RepoSource, path: str, session: Session) -> str:
    """Returns where at the data remote of a repository some data is; raises as `get`."""
    with (
        _cache_beside(AbsPath(os.path.join(session.start, "x"))) as cache,
        _source(source, path, session, cache) as found,
    ):
        return show_url(found, cache, reporter=session.reporter)


def get_url(
    url: str,
    session: Session,
    *,
    out: str | None = None,
    options: dict[str, object] | None = None,
    force: bool = False,
    jobs: int | None = None,
) -> Got:
    """Copies a file or directory from a url; nothing is recorded.

    Args:
        url: A url, `remote://name/path` below a data remote of the project here, or a path.
        session: Where.
        out: The place; by default its name, in the current directory.
        options: Options of the place, as of a data remote.
        force: Replaces what is there.
        jobs: Downloads at a time.

    Raises:
        NotFoundError: There is nothing at the url.
        ConflictError: Something is at the place already.
        RemoteError: The server failed.
    """
    setting = _setting(url, session, options or {})
    target = _target(session, out, name_of(url), force=force)
    with closing(open_files(setting)) as files:
        external = look_at(files)
        with _cache_beside(target) as cache:
            content = take_external(files, external, cache, jobs=jobs, reporter=session.reporter)
            _put(target, content, cache, session)
    return Got(path=target, content=content)


def list_url(
    url: str,
    session: Session,
    *,
    recursive: bool = False,
    depth: int | None = None,
    options: dict[str, object] | None = None,
) -> tuple[UrlEntry, ...]:
    """Lists the files below a url.

    Args:
        url: As in `get_url`.
        session: Where.
        recursive: All levels; only files are listed then, or with `depth` also the directories of the last level.
        depth: At most so many levels.
        options: Options of the place.

    Returns:
        In the order of names.

    Raises:
        NotFoundError: There is nothing at the url.
        RemoteError: The server failed, or cannot list.
    """
    setting = _setting(url, session, options or {})
    with closing(open_files(setting)) as files:
        external = look_at(files)
    if not external.is_dir:
        return (UrlEntry(path=name_of(url), is_dir=False, size=external.files[0].size),)
    return tuple(_entries(external, depth if recursive else 1))


def _entries(external: External, depth: int | None) -> Iterator[UrlEntry]:
    seen: set[str] = set()
    for file in external.files:
        parts = file.key.split("/")
        if depth is None or len(parts) <= depth:
            yield UrlEntry(path=file.key, is_dir=False, size=file.size)
        elif (above := "/".join(parts[:depth])) not in seen:
            seen.add(above)
            yield UrlEntry(path=above, is_dir=True)


def _setting(url: str, session: Session, options: dict[str, object]) -> RemoteSetting:
    root = find_root(session.start)
    config = read_config(root, session.environment)
    return with_options(resolve_url(config, url, root=root or session.start, base=session.start), options)


@contextmanager
def _source(source: RepoSource, path: str, session: Session, cache: LocalCache) -> Iterator[OpenSource]:
    with open_source(source, path, bases=(session.start,), environment=session.environment, cache=cache) as found:
        yield found


def _target(session: Session, out: str | None, name: str, *, force: bool) -> AbsPath:
    target = absolute(out or name, base=session.start)
    if out is not None and os.path.isdir(target):
        target = AbsPath(os.path.join(target, name))
    if os.path.lexists(target) and not force:
        raise ConflictError(f"'{target}' exists already", hint="-f replaces it")
    if not os.path.isdir(os.path.dirname(target)):
        raise NotFoundError(f"the directory '{os.path.dirname(target)}' does not exist", hint="make it first")
    return target


@contextmanager
def _cache_beside(target: AbsPath) -> Iterator[LocalCache]:
    """Makes a cache for the time of the context, on the same file system: its objects are cloned there, not copied."""
    place = AbsPath(os.path.join(os.path.dirname(target), f"{TEMPORARY_PREFIX}get-{os.getpid()}"))
    try:
        yield LocalCache(place, link_kinds=parse_link_kinds("reflink,copy"))
    finally:
        remove_tree(place)


def _put(target: AbsPath, content: Content, cache: LocalCache, session: Session) -> None:
    plan = plan_checkout(
        target, content.id, cache=cache, state=None, ignore=None, rel=RepoPath(""), executable=content.is_executable
    )
    apply_checkout(plan, cache=cache, state=None, ignore=None, force=True, reporter=session.reporter)
