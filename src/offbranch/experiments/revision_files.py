"""The files of one revision, parsed: what `revision.py` reads through, and a directory as that.

A commit as that is in `revision_reader.py`.
"""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from json import loads
from typing import Any, Protocol

from offbranch.base.errors import BadInputError
from offbranch.base.files import DirectoryReader, decode, read_text
from offbranch.base.paths import RepoPath
from offbranch.base.yaml import load_yaml
from offbranch.params.files import Format, format_of, parse_params
from offbranch.pipeline.lockfile import parse_lock
from offbranch.pipeline.stage import LockedStage
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId

Entry = Mapping[str, Any]


class RevisionFiles(Protocol):
    """The files of one revision, parsed and perhaps remembered."""

    def params(self, path: RepoPath) -> Any:
        """Returns the data of a parameter file; raises FileNotFoundError or OffbranchError."""
        ...

    def metrics(self, path: RepoPath) -> Any:
        """Returns the data of a metric file; raises FileNotFoundError or OffbranchError."""
        ...

    def object(self, id: ObjectId, path: RepoPath) -> Any:
        """Returns the data of a metric file that is in the cache; raises OffbranchError."""
        ...

    def lock(self, path: RepoPath) -> Mapping[str, LockedStage]:
        """Returns the entries of a lock file, none when there is no file; raises OffbranchError."""
        ...

    def is_file(self, path: RepoPath) -> bool:
        """Tells whether a file is there."""
        ...

    def files_below(self, path: RepoPath) -> Sequence[RepoPath]:
        """Returns the files of a directory at any depth; empty when it is none."""
        ...


class DirectoryFiles:
    """A directory as `RevisionFiles`."""

    def __init__(self, reader: DirectoryReader, cache: LocalCache) -> None:
        self._reader = reader
        self._cache = cache

    def params(self, path: RepoPath) -> Any:
        return parse_params(self._read(path), path)

    def metrics(self, path: RepoPath) -> Any:
        return parse_metrics(self._read(path), path)

    def object(self, id: ObjectId, path: RepoPath) -> Any:
        return parse_metrics(self._cache.read_bytes(id), path)

    def lock(self, path: RepoPath) -> Mapping[str, LockedStage]:
        try:
            return parse_lock(read_text(self._reader, path), path)
        except FileNotFoundError:
            return {}

    def is_file(self, path: RepoPath) -> bool:
        return self._reader.is_file(path)

    def files_below(self, path: RepoPath) -> Sequence[RepoPath]:
        return tuple(_walk(self._reader, path))

    def _read(self, path: RepoPath) -> bytes:
        try:
            return self._reader.read_bytes(path)
        except FileNotFoundError as error:
            raise no_such_file(path) from error


def parse_metrics(content: bytes, path: str) -> Any:
    """Returns the data of a metric file: anything JSON or YAML can say, or a mapping of TOML or Python.

    Raises:
        BadInputError: It is malformed.
    """
    match format_of(path):
        case Format.JSON:
            try:
                return loads(content)
            except (ValueError, RecursionError) as error:
                line = getattr(error, "lineno", None)
                reason = str(getattr(error, "msg", "") or "it is not UTF-8 or nested too deeply")
                raise BadInputError(
                    f"not valid JSON: {reason[:1].lower()}{reason[1:]}", path=path, line=line
                ) from error
        case Format.YAML:
            return load_yaml(decode(content, path), path)
        case _:
            return parse_params(content, path)


def error_entry(error: Exception) -> Entry:
    """Returns what is shown in place of a file that cannot be read."""
    return {"error": error_to_json(error)}


def error_to_json(error: Exception) -> dict[str, str]:
    """Returns the kind and the text of an error."""
    return {"type": type(error).__name__, "msg": str(error)}


def no_such_file(path: str) -> FileNotFoundError:
    """Returns the error of a file that is not there, in the words of the system."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _walk(reader: DirectoryReader, path: RepoPath) -> Iterator[RepoPath]:
    for name, is_dir in reader.list_dir(path):
        below = RepoPath(f"{path}/{name}" if path else name)
        if is_dir:
            yield from _walk(reader, below)
        else:
            yield below
