"""Reading files of a project by path: `open`, `read`, `get_url`, with the signatures of `dvc.api`.

Files of Git and data alike, of the workspace or of any revision, here or elsewhere. Nothing is changed or recorded: data that
is only at a data remote comes into a temporary file, and is hashed before the first byte is handed out.
"""

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, Final

from offbranch.api.python_place import Where, project_of, where_is
from offbranch.base.config import Config, merge_configs, settings_of
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.events import NullReporter
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.paths import AbsPath, RepoPath, join, parent, relative_to, resolve_in
from offbranch.base.records import replace
from offbranch.experiments.bring_imports import bring_import
from offbranch.experiments.data_index import sound
from offbranch.experiments.import_repo import outputs_around
from offbranch.experiments.imports import is_import, source_bases
from offbranch.experiments.loading import load
from offbranch.experiments.source_repo import OpenSource, RepoSource, open_source
from offbranch.experiments.stored_file import (
    DataPlace,
    find_stored,
    is_inside_data,
    names_beside,
    stored_file,
    stored_url,
)
from offbranch.git.tree_reader import TreeReader
from offbranch.pipeline.recorded import RecordedOutput, all_recorded
from offbranch.project import Project, find_root
from offbranch.storage.local import LocalCache
from offbranch.storage.remote_setting import default_remote

_MODES: Final = ("r", "rt", "rb")
_MAX_NAMES: Final = 1000
Settings = Mapping[str, Any]


def open_file(
    path: str | os.PathLike[str],
    repo: str | os.PathLike[str] | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
    config: Settings | None = None,
    remote_config: Settings | None = None,
) -> IO[Any]:
    """Opens a file of a project for reading, to be used with `with` or closed.

    Args:
        path: Below the top of the project; without `repo` and `rev` also as seen from the current directory.
        repo: Directory or Git url of the project; by default the one around the current directory.
        rev: Git revision or experiment; by default the workspace, or the default branch of what is elsewhere.
        remote: Name of the data remote for what is not in the cache.
        mode: `r` for text, `rb` for bytes.
        encoding: Of text; UTF-8 by default.
        config: Settings laid over the project's own, as nested maps.
        remote_config: Options laid over those of the data remote.

    Returns:
        A file at its beginning, which can seek. It stays readable when the data is removed from the cache meanwhile.

    Raises:
        NotFoundError: There is no such file, revision, repository or data remote.
        MissingDataError: It is data that is neither in the cache nor at the data remote.
        CorruptObjectError: The only copy is damaged.
        UsageError: It is a directory, or the mode is not one for reading.
    """
    if mode not in _MODES:
        raise UsageError(f"a file cannot be opened with the mode '{mode}'", hint="only for reading: 'r' or 'rb'")
    if encoding is not None and mode == "rb":
        raise UsageError("bytes have no encoding", hint="leave out 'encoding', or open the file with the mode 'r'")
    raw = _open(os.fspath(path), where_is(repo), repo is None, rev, remote, config, remote_config)
    return raw if mode == "rb" else io.TextIOWrapper(raw, encoding=encoding or "utf-8")


def read(
    path: str | os.PathLike[str],
    repo: str | os.PathLike[str] | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
    config: Settings | None = None,
    remote_config: Settings | None = None,
) -> Any:
    """Returns the whole content of a file: text, or bytes with `mode="rb"`. Arguments and errors are those of `open`."""
    with open_file(path, repo, rev, remote, mode, encoding, config, remote_config) as file:
        return file.read()


def get_url(
    path: str | os.PathLike[str],
    repo: str | os.PathLike[str] | None = None,
    rev: str | None = None,
    remote: str | None = None,
    config: Settings | None = None,
    remote_config: Settings | None = None,
) -> str:
    """Returns where at the data remote the content of a file or directory is, or would be after a push.

    Arguments and errors are those of `open`; also:

    Raises:
        NotFoundError: It is no data, but a file of Git.
        UsageError: There is no data remote.
    """
    where, text = where_is(repo), os.fspath(path)
    with _scratch() as scratch:
        if rev is None and where.path is not None:
            project = project_of(where, config)
            place = _of_workspace(project, where, scratch, remote, remote_config)
            paths = _seen(where, text, is_here=repo is None)
            try:
                return _url(place, paths, text)
            finally:
                project.state.close()
        with _opened(where, text, rev, config, scratch) as source:
            return _url(_of_source(source, scratch, remote, remote_config), (source.inside,), text)


def _open(
    text: str,
    where: Where,
    is_here: bool,
    rev: str | None,
    remote: str | None,
    config: Settings | None,
    remote_config: Settings | None,
) -> IO[bytes]:
    with _scratch() as scratch:
        if rev is None and where.path is not None:
            return _open_in_workspace(text, where, is_here, scratch, remote, config, remote_config)
        with _opened(where, text, rev, config, scratch) as source:
            place = _of_source(source, scratch, remote, remote_config)
            stored = find_stored(place, source.inside)
            if stored is not None and not stored.id.endswith(".dir"):
                return open(stored_file(place, stored), "rb")
            reader = TreeReader(source.objects, source.objects.commit(source.commit).tree, source.prefix)
            try:
                return io.BytesIO(reader.read_bytes(source.inside))
            except FileNotFoundError as error:
                above = parent(source.inside)
                names = [f"{above}/{name}" if above else name for name, _ in reader.list_dir(above)]
                is_dir = stored is not None or reader.is_dir(source.inside) or is_inside_data(place, source.inside)
                raise _no_file(text, [*names_beside(place, source.inside), *names], is_dir=is_dir, rev=rev) from error


def _open_in_workspace(
    text: str,
    where: Where,
    is_here: bool,
    scratch: LocalCache,
    remote: str | None,
    config: Settings | None,
    remote_config: Settings | None,
) -> IO[bytes]:
    paths = _seen(where, text, is_here=is_here)
    top = where.root or where.path
    assert top is not None
    for path in paths:
        if os.path.isfile(join(top, path)):
            return open(join(top, path), "rb")
    if where.root is None:
        nested = find_root(AbsPath(os.path.dirname(join(top, paths[0]))))
        inside = None if nested is None else relative_to(join(top, paths[0]), nested)
        if nested is None or not inside or relative_to(nested, top) is None:
            raise _no_file(text, (), is_dir=any(os.path.isdir(join(top, path)) for path in paths))
        # A repository that holds the project further down.
        below = replace(where, path=nested, root=nested, url=nested)
        return _open_in_workspace(inside, below, False, scratch, remote, config, remote_config)
    project = project_of(where, config)
    try:
        place = _of_workspace(project, where, scratch, remote, remote_config)
        for path in paths:
            stored = find_stored(place, path)
            if stored is not None and not stored.id.endswith(".dir"):
                return open(stored_file(place, stored), "rb")
        is_dir = any(os.path.isdir(join(top, path)) or is_inside_data(place, path) for path in paths)
        raise _no_file(text, names_beside(place, paths[0]), is_dir=is_dir)
    finally:
        project.state.close()


def _of_workspace(
    project: Project, where: Where, scratch: LocalCache, remote: str | None, remote_config: Settings | None
) -> DataPlace:
    pipelines = sound(load(project))

    def bring(out: RecordedOutput, cache: LocalCache) -> bool:
        if not is_import(out.stage):
            return False
        bases = source_bases(project, where.session.start, out.stage.wdir)
        into = replace(project, cache=cache)
        bring_import(into, out.stage, pipelines.locks.get(out.stage.address), bases=bases, reporter=NullReporter())
        return True

    return DataPlace(
        outs=all_recorded(pipelines),
        cache=project.cache,
        scratch=scratch,
        config=_overlaid(project.config, remote, remote_config, project.root),
        root=project.root,
        remote=remote,
        state=project.state,
        bring=bring,
    )


def _of_source(
    source: OpenSource, scratch: LocalCache, remote: str | None, remote_config: Settings | None
) -> DataPlace:
    root = source.root or AbsPath("/nonexistent")
    return DataPlace(
        outs=outputs_around(source, source.inside, scratch),
        cache=source.own_cache,
        scratch=scratch,
        config=_overlaid(source.config, remote, remote_config, root),
        root=root,
        remote=remote,
        state=None,
        bring=lambda out, cache: False,
    )


@contextmanager
def _opened(
    where: Where, text: str, rev: str | None, config: Settings | None, scratch: LocalCache
) -> Iterator[OpenSource]:
    place = RepoSource(url=where.url, rev=rev, config=config)
    session = where.session
    path = text
    if where.root is not None and (os.path.isabs(text) or resolve_in(RepoPath(""), text) is None):
        path = relative_to(AbsPath(os.path.realpath(os.path.join(session.start, text))), where.root) or text
    with open_source(place, path, bases=(session.start,), environment=session.environment, cache=scratch) as source:
        yield source


def _overlaid(config: Config, remote: str | None, remote_config: Settings | None, root: AbsPath) -> Config:
    if not remote_config:
        return config
    name = remote or default_remote(config)
    if name is None:
        raise UsageError("'remote_config' needs a data remote", hint="name one with 'remote'")
    more = settings_of({"remote": {name: dict(remote_config)}}, origin=join(root, "remote_config"))
    return merge_configs((config.settings, more))


def _seen(where: Where, text: str, *, is_here: bool) -> tuple[RepoPath, ...]:
    """Returns the paths of the project that a text may mean: seen from the current directory, then from the top."""
    top = where.root or where.path
    assert top is not None
    if os.path.isabs(text):
        absolute = AbsPath(os.path.normpath(text))
        inside = relative_to(absolute, top) or relative_to(AbsPath(os.path.realpath(text)), top)
        found = [RepoPath(inside)] if inside else []
    else:
        bases = (where.cwd, RepoPath("")) if is_here else (RepoPath(""),)
        found = [path for base in dict.fromkeys(bases) if (path := resolve_in(base, text.strip("/") or "."))]
    if not found:
        raise NotFoundError(f"'{text}' is outside of the project", hint="give a path below its top")
    return tuple(dict.fromkeys(found))


def _url(place: DataPlace, paths: tuple[RepoPath, ...], text: str) -> str:
    for path in paths:
        stored = find_stored(place, path)
        if stored is not None:
            return stored_url(place, stored)
    hint = did_you_mean(text, place.outs) or "ob ls . -R --dvc-only lists the data"
    raise NotFoundError(f"'{text}' has no url: it is no data of the project", hint=hint)


def _no_file(text: str, names: Iterable[str], *, is_dir: bool, rev: str | None = None) -> OffbranchError:
    if is_dir:
        return UsageError(f"'{text}' is a directory", hint="give the path of a file in it")
    where = f"in the revision '{rev}'" if rev is not None else "among the files of Git and the data of the project"
    return NotFoundError(
        f"there is no '{text}' {where}", hint=did_you_mean(text, islice(names, _MAX_NAMES)) or "ob ls lists the files"
    )


@contextmanager
def _scratch() -> Iterator[LocalCache]:
    """Makes a cache for the time of the context; a file of it that is open by then stays readable."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, ignore_cleanup_errors=True) as directory:
        yield LocalCache(AbsPath(os.path.join(directory, "cache")))
