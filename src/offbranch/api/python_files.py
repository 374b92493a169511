"""Reading files of a project by path: `open`, `read`, `get_url`, with the signatures of `dvc.api`.

Files of Git and data alike, of the workspace or of any revision, here or elsewhere. Nothing is changed or recorded: data that
is only at a data remote comes into a temporary file, and is hashed before the first byte is handed out.
"""

import io
import os
from collections.abc import Iterable
from itertools import islice
from typing import IO, Any, Final

from offbranch.api.python_data import (
    FileRequest,
    Settings,
    data_of_revision,
    data_of_workspace,
    paths_meant,
    scratch_cache,
)
from offbranch.api.python_place import where_is
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.paths import AbsPath, RepoPath, join, parent, relative_to
from offbranch.base.records import replace
from offbranch.experiments.stored_file import (
    DataPlace,
    find_stored,
    is_inside_data,
    names_beside,
    stored_file,
    stored_url,
)
from offbranch.git.tree_reader import TreeReader
from offbranch.project import find_root
from offbranch.storage.hashing import read_error
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import is_directory

_MODES: Final = ("r", "rt", "rb")
_MAX_NAMES: Final = 1000
Text = str | os.PathLike[str]


def open_file(
    path: Text,
    repo: Text | None = None,
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
    raw = _open(_request(path, repo, rev, remote, config, remote_config))
    return raw if mode == "rb" else io.TextIOWrapper(raw, encoding=encoding or "utf-8")


def read(
    path: Text,
    repo: Text | None = None,
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
    path: Text,
    repo: Text | None = None,
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
    request = _request(path, repo, rev, remote, config, remote_config)
    with scratch_cache() as scratch:
        if request.is_of_workspace:
            with data_of_workspace(request, scratch) as place:
                return _url(place, paths_meant(request), request.path)
        with data_of_revision(request, scratch) as (source, place):
            return _url(place, (source.inside,), request.path)


def _request(
    path: Text,
    repo: Text | None,
    rev: str | None,
    remote: str | None,
    config: Settings | None,
    remote_config: Settings | None,
) -> FileRequest:
    return FileRequest(
        path=os.fspath(path),
        where=where_is(repo),
        is_here=repo is None,
        rev=rev,
        remote=remote,
        config=config,
        remote_config=remote_config,
    )


def _open(request: FileRequest) -> IO[bytes]:
    with scratch_cache() as scratch:
        return _open_now(request, scratch) if request.is_of_workspace else _open_then(request, scratch)


def _open_then(request: FileRequest, scratch: LocalCache) -> IO[bytes]:
    """Opens a file of a revision."""
    with data_of_revision(request, scratch) as (source, place):
        path = source.inside
        stored = find_stored(place, path)
        if stored is not None and not is_directory(stored.id):
            return _open_on_disk(stored_file(place, stored))
        reader = TreeReader(source.objects, source.objects.commit(source.commit).tree, source.prefix)
        try:
            return io.BytesIO(reader.read_bytes(path))
        except FileNotFoundError as error:
            above = parent(path)
            beside = [f"{above}/{name}" if above else name for name, _ in reader.list_dir(above)]
            is_dir = stored is not None or reader.is_dir(path) or is_inside_data(place, path)
            raise _no_file(request, [*names_beside(place, path), *beside], is_dir=is_dir) from error


def _open_now(request: FileRequest, scratch: LocalCache) -> IO[bytes]:
    """Opens a file of a workspace."""
    top, paths = request.top, paths_meant(request)
    for path in paths:
        if os.path.isfile(join(top, path)):
            return _open_on_disk(join(top, path))
    if request.where.root is None:
        return _open_further_down(request, paths[0], scratch)
    with data_of_workspace(request, scratch) as place:
        for path in paths:
            stored = find_stored(place, path)
            if stored is not None and not is_directory(stored.id):
                return _open_on_disk(stored_file(place, stored))
        is_dir = any(os.path.isdir(join(top, path)) or is_inside_data(place, path) for path in paths)
        raise _no_file(request, names_beside(place, paths[0]), is_dir=is_dir)


def _open_further_down(request: FileRequest, path: RepoPath, scratch: LocalCache) -> IO[bytes]:
    """Opens a file of a project that is further down in its repository."""
    top = request.top
    root = find_root(AbsPath(os.path.dirname(join(top, path))))
    inside = None if root is None else relative_to(join(top, path), root)
    if root is None or not inside or relative_to(root, top) is None:
        raise _no_file(request, (), is_dir=os.path.isdir(join(top, path)))
    where = replace(request.where, path=root, root=root, url=root)
    return _open_now(replace(request, path=inside, where=where, is_here=False), scratch)


def _open_on_disk(path: AbsPath) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise read_error(path, error) from error


def _url(place: DataPlace, paths: tuple[RepoPath, ...], text: str) -> str:
    for path in paths:
        stored = find_stored(place, path)
        if stored is not None:
            return stored_url(place, stored)
    hint = did_you_mean(text, place.outs) or "ob ls . -R --dvc-only lists the data"
    raise NotFoundError(f"'{text}' has no url: it is no data of the project", hint=hint)


def _no_file(request: FileRequest, names: Iterable[str], *, is_dir: bool) -> OffbranchError:
    text, rev = request.path, request.rev
    if is_dir:
        return UsageError(f"'{text}' is a directory", hint="give the path of a file in it")
    where = f"in the revision '{rev}'" if rev is not None else "among the files of Git and the data of the project"
    hint = did_you_mean(text, islice(names, _MAX_NAMES)) or "ob ls lists the files"
    return NotFoundError(f"there is no '{text}' {where}", hint=hint)
