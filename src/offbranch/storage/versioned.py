"""Files at a data remote that keeps every version of them (`version_aware`, `worktree`): by their own names, not by hash.

What is sent is hashed first, and what a version holds is hashed on its way in: names say nothing of contents here. A store
that keeps no versions is refused, for there a second push would overwrite what the first one's records promise.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError, RemoteError, UsageError
from offbranch.base.events import Progressed, Reporter
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.records import record
from offbranch.storage.copy_objects import corrupt_error
from offbranch.storage.hashing import new_long_md5
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.remote_files import RemoteFile, RemoteFiles
from offbranch.storage.remote_setting import RemoteSetting, is_worktree, shown_url
from offbranch.storage.retry import with_retries

_A_SECOND_NS = 1_000_000_000
_ENOUGH_FAILURES = 10
# Google's store numbers each object, whether it keeps old ones or not, so nobody could tell that data is safe there.
_SCHEMES = ("s3", "azure")
_NO_VERSION = (None, "null")


@record
class VersionedFile:
    """A file that is to be at a remote, or is there.

    Attributes:
        key: Its name below the url.
        id: The object that is its content.
        version: That is recorded of it; None if none is.
        etag: What the store called that version.
    """

    key: str
    id: ObjectId
    version: str | None = None
    etag: str | None = None


@record
class Arrived:
    """What is at a remote now.

    Attributes:
        file: The present version.
        size_bytes: That were sent; None if it was there already.
    """

    file: RemoteFile
    size_bytes: int | None


def check_versioned(setting: RemoteSetting) -> None:
    """Refuses a kind of remote that keeps no versions.

    Raises:
        UsageError: It is one.
    """
    if setting.scheme not in _SCHEMES:
        option = "worktree" if is_worktree(setting) else "version_aware"
        raise UsageError(
            f"{setting.label} cannot have '{option}': no versions can be relied on at '{shown_url(setting.url)}'",
            hint=f"ob remote modify {setting.name} --unset {option}; only buckets of s3:// and containers of azure:// can",
        )


def send_files(
    wanted: Sequence[VersionedFile],
    files: RemoteFiles,
    cache: LocalCache,
    *,
    jobs: int | None,
    reporter: Reporter,
) -> Iterator[tuple[VersionedFile, Arrived | OffbranchError]]:
    """Yields what came of each file that is to be the present version of its name; nothing is sent twice.

    The smallest goes first, alone: if the store gives it no version it is taken back, and nothing else is sent.

    Raises:
        RemoteError: The remote keeps no versions, or nothing at all arrives there.
    """
    if not wanted:
        return
    action = _SendOne(cache, files)
    ordered = sorted(wanted, key=lambda one: (_size_of(one.id, cache), one.key))
    ended = _each(action, ordered, files, jobs)
    n_done = n_failed = 0
    for n, (one, answer) in enumerate(ended, 1):
        if isinstance(answer, OffbranchError):
            n_failed += 1
            if isinstance(answer, NoVersionsError) or (n_done == 0 and n_failed >= _ENOUGH_FAILURES):
                raise answer
        else:
            n_done += 1
        yield one, answer
        reporter.emit(Progressed(what="pushing", done=n, total=len(ordered), unit="files"))


def get_files(
    wanted: Mapping[ObjectId, Sequence[VersionedFile]],
    files: RemoteFiles,
    cache: LocalCache,
    *,
    jobs: int | None,
    reporter: Reporter,
) -> Iterator[tuple[ObjectId, int | OffbranchError]]:
    """Yields for each object how many bytes came, or why it did not; the places it may be had from are tried in turn."""
    action = _GetOne(cache, files, wanted)
    for n, answer in enumerate(run_parallel(action, sorted(wanted), jobs=jobs or files.jobs, stop=action.stop), 1):
        yield answer
        reporter.emit(Progressed(what="fetching", done=n, total=len(wanted), unit="files"))


def present_files(
    wanted: Iterable[VersionedFile], files: RemoteFiles, *, jobs: int | None
) -> tuple[VersionedFile, ...]:
    """Returns those whose recorded version is at a remote.

    Raises:
        RemoteError: It cannot be asked.
    """
    stop, found = Stop(), list[VersionedFile]()

    def ask(one: VersionedFile) -> bool:
        stop.check()
        return with_retries(lambda: files.find(one.key, version=one.version), sleep=stop.sleep) is not None

    for one, answer in run_parallel(ask, wanted, jobs=jobs or files.jobs, stop=stop):
        if isinstance(answer, OffbranchError):
            raise answer
        if answer:
            found.append(one)
    return tuple(found)


def remove_versions(wanted: Iterable[VersionedFile], files: RemoteFiles) -> tuple[str, ...]:
    """Removes files whose present version is the recorded one, older versions stay; returns the keys."""
    keys = []
    for one in wanted:
        found = with_retries(lambda key=one.key: files.find(key))  # type: ignore[misc]
        if found is not None and found.version == one.version:
            keys.append(one.key)
    with_retries(lambda: files.remove(keys))
    return tuple(keys)


class NoVersionsError(RemoteError):
    """The store took a file, and gave no id of a version."""


class _SendOne:
    """Makes one file the present version; called from several threads."""

    def __init__(self, cache: LocalCache, files: RemoteFiles) -> None:
        self.cache, self.files, self.stop = cache, files, Stop()

    def __call__(self, one: VersionedFile) -> Arrived:
        self.stop.check()
        there = with_retries(lambda: self.files.find(one.key), sleep=self.stop.sleep)
        if there is not None:
            if there.version is None:
                raise _no_versions(self.files.setting)
            if there.version in _NO_VERSION:
                self._probe(one.key)
            elif _is_content(there, one):
                return Arrived(file=there, size_bytes=None)
        path = self.cache.path_of(one.id)
        if not os.path.exists(path):
            raise MissingDataError(f"'{one.id}' is not in the cache '{self.cache.root}'")
        size = os.stat(path).st_size
        if self.cache.hash_for(one.id, path) != one.id:
            raise corrupt_error(one.id, self.cache)
        sent = with_retries(
            lambda: self.files.upload(path, one.key, on_bytes=lambda _: self.stop.check()), sleep=self.stop.sleep
        )
        return Arrived(file=self._checked(one, sent, size, is_new=there is None), size_bytes=size)

    def _probe(self, key: str) -> None:
        """Raises if versions are switched off now: what is there from before would be overwritten for good."""
        probe = f"{key}{TEMPORARY_PREFIX}probe"
        sent = with_retries(lambda: self.files.write(probe, b""), sleep=self.stop.sleep)
        with_retries(lambda: self.files.remove([probe]), sleep=self.stop.sleep)
        if sent.version in _NO_VERSION:
            raise _no_versions(self.files.setting)

    def _checked(self, one: VersionedFile, sent: RemoteFile, size: int, *, is_new: bool) -> RemoteFile:
        """Returns what the store has, which must have a version and be as long as what was sent."""
        if sent.version in _NO_VERSION:
            found = with_retries(lambda: self.files.find(one.key), sleep=self.stop.sleep)
            if found is None or found.version in _NO_VERSION or found.etag != sent.etag:
                if is_new:
                    with_retries(lambda: self.files.remove([one.key]), sleep=self.stop.sleep)
                raise _no_versions(self.files.setting)
            sent = found
        if sent.etag == one.id:
            return sent
        found = with_retries(lambda: self.files.find(one.key, version=sent.version), sleep=self.stop.sleep)
        if found is None or found.size != size:
            raise RemoteError(f"'{one.key}' did not arrive whole at the {self.files.setting.label}")
        return found


class _GetOne:
    """Gets one object, hashed as it comes in; called from several threads."""

    def __init__(
        self, cache: LocalCache, files: RemoteFiles, wanted: Mapping[ObjectId, Sequence[VersionedFile]]
    ) -> None:
        self.cache, self.files, self.wanted, self.stop = cache, files, wanted, Stop()

    def __call__(self, id: ObjectId) -> int:
        failed: OffbranchError | None = None
        for one in self.wanted[id]:
            self.stop.check()
            try:
                return with_retries(lambda one=one: self._once(one), sleep=self.stop.sleep)  # type: ignore[misc]
            except (MissingDataError, CorruptObjectError) as error:
                failed = failed or error
        assert failed is not None
        raise failed

    def _once(self, one: VersionedFile) -> int:
        digest, size, label = new_long_md5(), 0, self.files.setting.label
        with self.cache.incoming() as own:

            def take(data: bytes) -> None:
                nonlocal size
                self.stop.check()
                own.write(data)
                digest.update(data)
                size += len(data)

            try:
                self.files.download(one.key, take, version=one.version)
            except MissingDataError as error:
                raise _missing(one, label) from error
            md5 = self.cache.hash_for(one.id, own.path) if self.cache.is_legacy else digest.hexdigest()
            if md5 != one.id:
                if one.version is None:
                    raise _missing(one, label)
                raise CorruptObjectError(
                    f"version '{one.version}' of '{one.key}' at the {label} has not the content that is recorded,"
                    " so it was not taken"
                )
            own.publish(one.id, mtime_ns=time.time_ns() - _A_SECOND_NS)
        return size


def _each(
    action: _SendOne, ordered: Sequence[VersionedFile], files: RemoteFiles, jobs: int | None
) -> Iterator[tuple[VersionedFile, Arrived | OffbranchError]]:
    yield from run_parallel(action, ordered[:1], jobs=1, stop=action.stop)
    yield from run_parallel(action, ordered[1:], jobs=jobs or files.jobs, stop=action.stop)


def _is_content(there: RemoteFile, one: VersionedFile) -> bool:
    """Tells whether a present version has the content: by the record of it, or by a tag that is the md5."""
    return there.etag == one.id or (one.version is not None and there.version == one.version)


def _size_of(id: ObjectId, cache: LocalCache) -> int:
    try:
        return os.stat(cache.path_of(id)).st_size
    except OSError:
        return 0


def _missing(one: VersionedFile, label: str) -> MissingDataError:
    if one.version is None:
        return MissingDataError(f"no version of '{one.key}' with this content is recorded for the {label}")
    return MissingDataError(f"version '{one.version}' of '{one.key}' is not at the {label}")


def _no_versions(setting: RemoteSetting) -> NoVersionsError:
    place = setting.url.partition("://")[2].partition("/")[0]
    option = "worktree" if is_worktree(setting) else "version_aware"
    return NoVersionsError(
        f"the bucket '{place}' of the {setting.label} keeps no versions, so nothing was pushed to it",
        hint=f"switch versioning on for '{place}', or keep objects there: ob remote modify {setting.name} --unset {option}",
    )
