"""What has to be moved between the cache and a data remote, and what came of it, as records."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter
from offbranch.base.paths import is_same_or_inside
from offbranch.base.records import field, record
from offbranch.storage.listing import Listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_store import Store, present_in
from offbranch.storage.state import StateDb


@record
class Wanted:
    """An object that is to be at the other end, with what it consists of.

    Attributes:
        id: A file or directory object.
        path: The output it is the content of, for messages.
        inner: Of a directory only these files, and what is below these directories; empty for all.
    """

    id: ObjectId
    path: str
    inner: tuple[str, ...] = ()


@record
class TransferPlan:
    """What has to be moved.

    Attributes:
        files: Objects of files, sorted.
        directories: Lists of directories; their files are there already, or in `files`.
        missing: Neither at the source nor at the target.
        n_present: At the target already.
        failed: Lists of directories that are corrupt at the source; what they list is not known.
    """

    files: tuple[ObjectId, ...] = ()
    directories: tuple[ObjectId, ...] = ()
    missing: tuple[ObjectId, ...] = ()
    n_present: int = 0
    failed: Mapping[ObjectId, OffbranchError] = field(default_factory=dict)


@record
class Transferred:
    """What was moved.

    Attributes:
        n_objects: Objects that arrived, lists of directories included.
        size_bytes: Of the files among them.
        missing: Found neither at the source nor at the target.
        failed: Object -> why it did not arrive; `CorruptObjectError` for one whose content does not fit its name.
    """

    n_objects: int = 0
    size_bytes: int = 0
    missing: tuple[ObjectId, ...] = ()
    failed: dict[ObjectId, OffbranchError] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Everything that was wanted is there now."""
        return not self.missing and not self.failed


@record
class Ends:
    """The two ends of a transfer, and who is told about it.

    Attributes:
        cache: The cache on this machine (of DVC 2's objects its legacy view).
        store: The data remote.
        state: Knows which large objects of the cache were found right.
    """

    cache: LocalCache
    store: Store
    state: StateDb | None
    reporter: Reporter


def plan_push(wanted: Iterable[Wanted], ends: Ends) -> TransferPlan:
    """Returns what the remote lacks; asks it, and changes nothing.

    Raises:
        RemoteError: The remote cannot be asked.
    """
    cache, store = ends.cache, ends.store
    tops = list(wanted)
    lists = {one.id for one in tops if is_directory(one.id)}
    known: dict[ObjectId, Listing] = {}
    failed: dict[ObjectId, OffbranchError] = {}
    for id in sorted(lists):
        try:
            if cache.has(id):
                known[id] = cache.listing(id)
        except OffbranchError as error:
            failed[id] = error
    files = {one.id for one in tops if not is_directory(one.id)}
    for one in tops:
        if one.id in known:
            files.update(files_of(known[one.id], one.inner))
    there = present_in(store, files | lists)
    needed = files - there
    here = cache.present(needed)
    absent = needed - here
    # A list is sent after its files only if none of them is missing: it promises that they are there. Where only a part of
    # a directory was asked for, its list goes along all the same: without it nobody could pull the part.
    sendable = [id for id in known if id not in there and absent.isdisjoint(known[id].entries.values())]
    return TransferPlan(
        files=tuple(sorted(here)),
        directories=tuple(sorted(sendable)),
        missing=tuple(sorted(absent | (lists - known.keys() - failed.keys() - there))),
        n_present=len(there),
        failed=failed,
    )


def files_of(listing: Listing, inner: Collection[str]) -> Iterator[ObjectId]:
    """Yields the files of a directory, or only those that some paths below it name or contain."""
    if not inner:
        yield from listing.entries.values()
        return
    for name, id in listing.entries.items():
        if any(is_same_or_inside(name, each) for each in inner):
            yield id


def users_of(ids: Collection[ObjectId], wanted: Iterable[Wanted], cache: LocalCache) -> dict[ObjectId, tuple[str, ...]]:
    """Returns for some objects the paths whose content each is, in the order of `wanted`."""
    found: dict[ObjectId, dict[str, None]] = {id: {} for id in ids}
    for one in wanted if found else ():
        if one.id in found:
            found[one.id][one.path] = None
        if is_directory(one.id) and one.id not in found and cache.has(one.id):
            for name, id in cache.listing(one.id).entries.items():
                if id in found:
                    found[id][f"{one.path}/{name}"] = None
    return {id: tuple(paths) for id, paths in found.items()}
