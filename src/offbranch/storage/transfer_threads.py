"""Moving objects to and from a server, each by a call of its own in one of a few threads."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.events import Progressed, Reporter
from offbranch.storage.copy_objects import corrupt_error
from offbranch.storage.hashing import SMALL_SIZE, hash_bytes, new_long_md5
from offbranch.storage.local import LocalCache, size_of
from offbranch.storage.meter import Meter
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.remote_store import RemoteStore
from offbranch.storage.retry import with_retries
from offbranch.storage.transfer_plan import Ends, Transferred
from offbranch.storage.verify import sound_stamp

_A_SECOND_NS = 1_000_000_000
_ENOUGH_FAILURES = 10
_MANY = 50


def with_trust(ids: Iterable[ObjectId], ends: Ends) -> Iterator[tuple[ObjectId, bool]]:
    """Yields objects, each with whether it is known to be right; asked here because the database is of one thread."""
    for id in ids:
        path = ends.cache.path_of(id)
        try:
            status = os.stat(path)
        except OSError:
            yield id, False
            continue
        is_long = status.st_size >= SMALL_SIZE
        yield id, is_long and ends.state is not None and ends.state.file(path, sound_stamp(ends.cache, status)) == id


def meter_of(ids: Sequence[ObjectId], source: LocalCache | None, what: str, reporter: Reporter) -> Meter | None:
    """Returns what counts the bytes of a few objects; None for many, which are counted themselves.

    Args:
        ids: The objects.
        source: The cache that has them, so that their sizes are known; None for a server.
        what: Names the work.
        reporter: Takes the progress.
    """
    if len(ids) >= _MANY:
        return None
    sizes = [size_of(source.path_of(id)) or 0 for id in ids] if source is not None else None
    return Meter(what, None if sizes is None else sum(sizes), reporter)


def in_threads(
    action: "PushOne | FetchOne", items: Iterator[tuple[ObjectId, bool]], total: int, ends: Ends, what: str
) -> Transferred:
    assert isinstance(ends.store, RemoteStore)
    n_done = size_bytes = 0
    missing: list[ObjectId] = []
    failed: dict[ObjectId, OffbranchError] = {}
    running = run_parallel(
        action, items, jobs=ends.store.jobs, stop=action.stop, tick=action.meter.tell if action.meter else None
    )
    with closing(running):  # at once, also when this is left by an error
        for n_ended, ((id, _), answer) in enumerate(running, 1):
            if isinstance(answer, MissingDataError):
                missing.append(id)
            elif isinstance(answer, OffbranchError):
                failed[id] = answer
                _give_up_early(failed, n_done, answer)
            else:
                n_done += 1
                size_bytes += answer
            if action.meter is None:
                ends.reporter.emit(Progressed(what=what, done=n_ended, total=total, unit="files"))
    return Transferred(n_objects=n_done, size_bytes=size_bytes, missing=tuple(missing), failed=failed)


def _give_up_early(failed: dict[ObjectId, OffbranchError], n_done: int, last: OffbranchError) -> None:
    """Ends a transfer of which nothing at all works: a thousand times the same refusal tells no more than ten."""
    if n_done == 0 and len(failed) >= _ENOUGH_FAILURES and not isinstance(last, CorruptObjectError):
        raise last


class PushOne:
    """Sends one object, hashed before it is sent; called from several threads."""

    def __init__(self, cache: LocalCache, store: RemoteStore, meter: Meter | None) -> None:
        self.cache, self.store, self.meter, self.stop = cache, store, meter, Stop()

    def __call__(self, item: tuple[ObjectId, bool]) -> int:
        id, is_known = item
        self.stop.check()
        path, key = self.cache.path_of(id), self.store.key_of(id)
        try:
            size = os.stat(path).st_size
        except FileNotFoundError as error:
            raise MissingDataError(f"'{id}' is not in the cache '{self.cache.root}'") from error
        if size < SMALL_SIZE and not self.cache.is_legacy:
            data = self.cache.read_bytes(id)
            if hash_bytes(data) != id.removesuffix(DIRECTORY_SUFFIX):
                raise corrupt_error(id, self.cache)
            with_retries(lambda: self.store.files.write(key, data), sleep=self.stop.sleep)
            return size
        if not is_known and self.cache.hash_for(id, path) != id.removesuffix(DIRECTORY_SUFFIX):
            raise corrupt_error(id, self.cache)
        with_retries(lambda: self.store.files.upload(path, key, on_bytes=self._moved), sleep=self.stop.sleep)
        return size

    def _moved(self, n_bytes: int) -> None:
        self.stop.check()
        if self.meter is not None:
            self.meter.add(n_bytes)


class FetchOne:
    """Gets one object, hashed as it comes in; called from several threads."""

    def __init__(self, cache: LocalCache, store: RemoteStore, meter: Meter | None) -> None:
        self.cache, self.store, self.meter, self.stop = cache, store, meter, Stop()

    def __call__(self, item: tuple[ObjectId, bool]) -> int:
        id, _ = item
        self.stop.check()
        return with_retries(lambda: self._once(id), sleep=self.stop.sleep)

    def _once(self, id: ObjectId) -> int:
        digest = new_long_md5()
        size = 0
        with self.cache.incoming() as own:

            def take(data: bytes) -> None:
                nonlocal size
                self.stop.check()
                if self.meter is not None:
                    self.meter.add(len(data))
                own.write(data)
                digest.update(data)
                size += len(data)

            self.store.files.download(self.store.key_of(id), take)
            md5 = self.cache.hash_for(id, own.path) if self.cache.is_legacy else digest.hexdigest()
            if md5 != id.removesuffix(DIRECTORY_SUFFIX):
                raise CorruptObjectError(
                    f"the object '{id}' is corrupt at the {self.store.files.setting.label}, so it was not taken"
                )
            # A second back: the present time would be too young for the state database to remember the hash by.
            own.publish(id, mtime_ns=time.time_ns() - _A_SECOND_NS)
        return size
