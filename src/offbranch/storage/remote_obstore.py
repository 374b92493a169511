"""Object stores (S3, Google Cloud Storage, Azure) as `RemoteFiles`, through obstore; each scheme's module makes the store.

Retries of obstore are off: who calls decides (`storage/transfer.py`). An object appears whole or not at all, for so do object
stores; a big one goes up in parts, and parts without an end are not visible.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import obstore
from obstore.exceptions import BaseError

from offbranch.base.errors import MissingDataError, OffbranchError, RemoteError
from offbranch.base.paths import AbsPath
from offbranch.storage.hashing import READ_FLAGS
from offbranch.storage.parallel import run_beside
from offbranch.storage.remote_files import RemoteFile, Write
from offbranch.storage.remote_obstore_errors import Failure, MakeStore, Place, PlaceMissingError, explain, to_error
from offbranch.storage.remote_options import secrets_of
from offbranch.storage.remote_setting import RemoteSetting

PART_BYTES = 8 << 20
_PIECE_BYTES = 1 << 20
# S3 takes 10,000 parts at most.
_MAX_PARTS = 9_000
_PARTS_AT_ONCE = 3
_LIST_PAGE = 1000
_REMOVE_AT_ONCE = 1000
_ERRORS = (BaseError, ValueError, OSError)
T = TypeVar("T")


class ObjectStoreFiles:
    """Implements `RemoteFiles` with a store of obstore."""

    can_list = True
    can_write = True
    jobs = 16

    def __init__(
        self, setting: RemoteSetting, place: Place, make: MakeStore, *, extra_secrets: Iterable[str] = ()
    ) -> None:
        self.setting = setting
        self.place = place
        self._make = make
        self._secrets = (*secrets_of(setting), *extra_secrets)
        self._guard = threading.Lock()
        self._made: Any = None
        self._is_place_known = False

    def find(self, key: str, *, version: str | None = None) -> RemoteFile | None:
        if not (path := self._path(key)):
            return None
        try:
            meta = self._ask(lambda store: _head(store, path, version))
        except MissingDataError:
            self._check_place()
            return None
        return _file(key, meta)

    def iter_files(self, prefix: str) -> Iterator[RemoteFile]:
        path = self._path(prefix)
        start = len(self.place.prefix) + 1 if self.place.prefix else 0
        before: Mapping[str, Any] | None = None
        for meta in self._list(path):
            # Consoles mark a folder by an empty object named `folder/`, which obstore shows as a file `folder`.
            if before is not None and not (not before["size"] and meta["path"].startswith(f"{before['path']}/")):
                yield _file(before["path"][start:], before)
            before = meta if meta["path"] != path else None
        if before is not None:
            yield _file(before["path"][start:], before)

    def read(self, key: str, *, version: str | None = None) -> bytes:
        path = self._path(key)
        if not path:
            raise self._missing(key)
        try:
            return self._ask(lambda store: bytes(_get(store, path, version).bytes()))
        except MissingDataError:
            raise self._missing(key) from None

    def download(self, key: str, write: Write, *, version: str | None = None) -> None:
        path = self._path(key)
        if not path:
            raise self._missing(key)
        try:
            pieces = iter(self._ask(lambda store: _get(store, path, version).stream(min_chunk_size=_PIECE_BYTES)))
        except MissingDataError:
            raise self._missing(key) from None
        while True:
            try:
                piece = run_beside(partial(next, pieces, None))
            except _ERRORS as error:
                raise self._error(_explained(error)) from None
            if piece is None:
                return
            write(piece)

    def upload(self, source: AbsPath, key: str, *, on_bytes: Callable[[int], object] | None = None) -> RemoteFile:
        report = on_bytes or (lambda n_bytes: None)
        try:
            descriptor = os.open(source, READ_FLAGS)
        except OSError as error:
            raise OffbranchError(f"cannot read '{source}': {(error.strerror or str(error)).lower()}") from error
        try:
            size = os.fstat(descriptor).st_size
            if size > PART_BYTES:
                return self._upload_parts(descriptor, size, key, report)
            made = self.write(key, _read_all(descriptor))
            report(made.size or 0)
            return made
        finally:
            os.close(descriptor)

    def write(self, key: str, data: bytes) -> RemoteFile:
        path = self._path(key)
        result = self._put(lambda store: obstore.put(store, path, data, use_multipart=False))
        return RemoteFile(key, len(data), _tag(result), result["version"])

    def remove(self, keys: Iterable[str]) -> None:
        waiting = [self._path(key) for key in keys]
        for first in range(0, len(waiting), _REMOVE_AT_ONCE):
            batch = waiting[first : first + _REMOVE_AT_ONCE]
            try:
                self._ask(partial(_remove, batch))
            except (MissingDataError, RemoteError) as error:
                if isinstance(error, RemoteError) and error.is_transient:
                    raise
                # One of them is not there, or this server has no request that removes several.
                for path in batch:
                    self._remove_one(path)

    def close(self) -> None:
        with self._guard:
            self._made = None

    def _upload_parts(self, descriptor: int, size: int, key: str, report: Callable[[int], object]) -> RemoteFile:
        part = max(PART_BYTES, -(-size // _MAX_PARTS))
        sent = 0

        def pieces() -> Iterator[bytes]:
            nonlocal sent
            while data := os.read(descriptor, _PIECE_BYTES):
                yield data
                # obstore asks for the next piece when it has taken this one into a part.
                sent += len(data)
                report(len(data))

        path = self._path(key)
        result = self._put(
            lambda store: obstore.put(
                store, path, pieces(), use_multipart=True, chunk_size=part, max_concurrency=_PARTS_AT_ONCE
            )
        )
        return RemoteFile(key, sent, _tag(result), result["version"])

    def _put(self, put: Callable[[Any], Any]) -> Any:
        try:
            return self._ask(put)
        except MissingDataError as error:  # a 404 to a write
            raise self._error(None) from error

    def _remove_one(self, path: str) -> None:
        try:
            self._ask(partial(_remove, path))
        except MissingDataError:
            pass

    def _list(self, path: str) -> Iterator[Mapping[str, Any]]:
        pages = self._ask(lambda store: iter(obstore.list(store, path or None, chunk_size=_LIST_PAGE)))
        first = True
        while True:
            try:
                page = run_beside(partial(next, pages, None))
            except _ERRORS as error:
                failure = _explained(error)
                if first and failure is not None and failure.is_other_region and self._move():
                    pages = self._ask(lambda store: iter(obstore.list(store, path or None, chunk_size=_LIST_PAGE)))
                    continue
                raise self._error(failure) from None
            first = False
            if page is None:
                return
            yield from page

    def _check_place(self) -> None:
        """Raises if the bucket is missing: a store answers 404 for that as well, and data would seem lost."""
        if self._is_place_known:
            return
        try:
            next(iter(self._list(self.place.prefix)), None)
        except RemoteError as error:
            if isinstance(error, PlaceMissingError) or error.is_transient:
                raise
            # Listing may be forbidden where reading is allowed.
        self._is_place_known = True

    def _path(self, key: str) -> str:
        return f"{self.place.prefix}/{key}".strip("/") if self.place.prefix and key else self.place.prefix or key

    def _store(self) -> Any:
        with self._guard:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _move(self) -> bool:
        """Goes to where the bucket really is; tells whether that was found out."""
        make = self.place.elsewhere and self.place.elsewhere()
        if not make:
            return False
        with self._guard:
            self._make, self._made = make, None
        return True

    def _ask(self, request: Callable[[Any], T]) -> T:
        """Carries out one request; a missing object is a `MissingDataError` without any text."""
        for is_last in (False, True):
            store = self._store()
            try:
                return run_beside(partial(request, store))
            except _ERRORS as error:
                failure = _explained(error)
                if failure is None:
                    raise MissingDataError("") from None
                if is_last or not failure.is_other_region or not self._move():
                    raise self._error(failure) from None
        raise AssertionError("unreachable")

    def _missing(self, key: str) -> MissingDataError:
        self._check_place()
        return MissingDataError(f"'{key}' is not in {self.setting.label}")

    def _error(self, failure: Failure | None) -> RemoteError:
        return to_error(failure, self.place, self.setting.label, self._secrets)


def _head(store: Any, path: str, version: str | None) -> Mapping[str, Any]:
    if version is None:
        found: Mapping[str, Any] = obstore.head(store, path)
    else:
        found = obstore.get(store, path, options={"version": version, "head": True}).meta
    return found


def _get(store: Any, path: str, version: str | None) -> Any:
    return obstore.get(store, path, options=None if version is None else {"version": version})


def _remove(paths: str | list[str], store: Any) -> None:
    obstore.delete(store, paths)


def _file(key: str, meta: Mapping[str, Any]) -> RemoteFile:
    return RemoteFile(key, meta["size"], _tag(meta), meta["version"])


def _tag(meta: Mapping[str, Any]) -> str | None:
    tag: str | None = meta["e_tag"]
    return tag.strip('"') if tag else None


def _explained(error: Exception) -> Failure | None:
    """Returns what an error means, None for an object that is not there."""
    if isinstance(error, RemoteError):
        raise error
    failure = explain(str(error), type(error).__name__)
    if isinstance(error, FileNotFoundError) and not failure.is_place_missing:
        return None
    return failure


def _read_all(descriptor: int) -> bytes:
    parts = []
    while data := os.read(descriptor, PART_BYTES):
        parts.append(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)
