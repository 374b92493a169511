"""Moving objects between the cache and a data remote: first a plan, then the copying.

Nothing arrives unverified: each object is hashed on its way, and appears under its name only if it fits. The files of a
directory go before its list, at both ends, so whoever finds the list finds the files. What is there already is not sent again,
so a transfer that was interrupted is resumed by running it again.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.events import Progressed
from offbranch.storage.copy_objects import copy_objects
from offbranch.storage.hashing import hash_bytes
from offbranch.storage.listing import Listing, parse_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId, is_directory
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.transfer_plan import Ends, TransferPlan, Transferred, Wanted, files_of
from offbranch.storage.transfer_threads import FetchOne, PushOne, in_threads, meter_of, with_trust


def push_objects(plan: TransferPlan, ends: Ends) -> Transferred:
    """Carries out a plan of `plan_push`. If it is interrupted, what has arrived stays, and is whole.

    Raises:
        OffbranchError: The remote cannot be written to at all.
    """
    sent = _push_files(plan.files, ends, "pushing")
    bad = frozenset((*plan.missing, *sent.failed, *sent.missing))
    whole = [id for id in plan.directories if bad.isdisjoint(ends.cache.listing(id).entries.values())]
    lists = _push_files(whole, ends, "pushing directories")
    return Transferred(
        n_objects=sent.n_objects + lists.n_objects,
        size_bytes=sent.size_bytes,
        missing=tuple(sorted({*plan.missing, *sent.missing, *lists.missing})),
        failed={**plan.failed, **sent.failed, **lists.failed},
    )


def fetch_objects(wanted: Sequence[Wanted], ends: Ends) -> Transferred:
    """Brings objects into the cache, with all that they consist of.

    Raises:
        RemoteError: The remote cannot be asked.
        OffbranchError: The cache cannot be written to.
    """
    cache = ends.cache
    lists, failed = fetch_lists({one.id for one in wanted if is_directory(one.id)}, ends)
    files = {one.id for one in wanted if not is_directory(one.id)}
    for one in wanted:
        if one.id in lists:
            files.update(files_of(lists[one.id][0], one.inner))
    absent = sorted(files - cache.has_many(sorted(files)))
    got = _fetch_files(absent, ends)
    n_lists = 0
    for id, (listing, data) in lists.items():
        if data is not None:
            cache.add_listing(data, id, listing)
            n_lists += 1
    unknown = [id for id, error in failed.items() if isinstance(error, MissingDataError)]
    return Transferred(
        n_objects=got.n_objects + n_lists,
        size_bytes=got.size_bytes,
        missing=tuple(sorted({*got.missing, *unknown})),
        failed={**{id: error for id, error in failed.items() if id not in unknown}, **got.failed},
    )


def _push_files(ids: Sequence[ObjectId], ends: Ends, what: str) -> Transferred:
    if not ids:
        return Transferred()
    if isinstance(ends.store, LocalCache):
        return _copied(ids, ends.cache, ends.store, ends, what)
    push = PushOne(ends.cache, ends.store, meter_of(ids, ends.cache, what, ends.reporter))
    return in_threads(push, with_trust(ids, ends), len(ids), ends, what)


def _fetch_files(ids: Sequence[ObjectId], ends: Ends) -> Transferred:
    if not ids:
        return Transferred()
    what = "fetching"
    if isinstance(ends.store, LocalCache):
        return _copied(ids, ends.store, ends.cache, ends, what)
    fetch = FetchOne(ends.cache, ends.store, meter_of(ids, None, what, ends.reporter))
    return in_threads(fetch, ((id, False) for id in ids), len(ids), ends, what)


def _copied(ids: Sequence[ObjectId], source: LocalCache, target: LocalCache, ends: Ends, what: str) -> Transferred:
    meter = meter_of(ids, source, what, ends.reporter)

    def tell(n_seen: int) -> None:
        if meter is None:
            ends.reporter.emit(Progressed(what=what, done=n_seen, total=len(ids), unit="files"))

    done = copy_objects(
        ids, source, target, state=ends.state, tell=tell, on_bytes=meter.add if meter is not None else lambda _: None
    )
    return Transferred(n_objects=done.n_done, size_bytes=done.size_bytes, missing=done.missing, failed=done.failed)


def fetch_lists(
    ids: Collection[ObjectId], ends: Ends
) -> tuple[dict[ObjectId, tuple[Listing, bytes | None]], dict[ObjectId, OffbranchError]]:
    """Returns the lists of directories, each with its bytes unless the cache has it, and what could not be had.

    Nothing is written to the cache.
    """
    cache, store = ends.cache, ends.store
    found: dict[ObjectId, tuple[Listing, bytes | None]] = {}
    failed: dict[ObjectId, OffbranchError] = {}
    absent: list[ObjectId] = []
    for id in sorted(ids):
        try:
            if cache.has(id):
                found[id] = (cache.listing(id), None)
                continue
        except CorruptObjectError:
            pass  # it has been removed: like one that never was here
        absent.append(id)
    if isinstance(store, LocalCache):
        answers: Iterable[tuple[ObjectId, bytes | OffbranchError]] = ((id, _try(store.read_bytes, id)) for id in absent)
    else:
        answers = run_parallel(store.read_bytes, absent, jobs=store.jobs, stop=Stop())
    for id, answer in answers:
        if isinstance(answer, OffbranchError):
            failed[id] = answer
        elif hash_bytes(answer) + DIRECTORY_SUFFIX != id:
            failed[id] = CorruptObjectError(f"the directory object '{id}' is corrupt at the data remote")
        else:
            try:
                found[id] = (parse_listing(answer, path=id), answer)
            except OffbranchError as error:
                failed[id] = error
    return found, failed


def _try(action: Callable[[ObjectId], bytes], id: ObjectId) -> bytes | OffbranchError:
    try:
        return action(id)
    except OffbranchError as error:
        return error
