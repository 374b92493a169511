"""Deciding how to make a path equal to an object: `plan_checkout`, pure but for reading and for the state database.

Everything that would be lost, and everything that cannot be made, is in the plan before anything is touched.
`checkout.py` carries it out.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence

from offbranch.base.errors import BadInputError
from offbranch.base.paths import AbsPath, RepoPath, is_external
from offbranch.base.records import field, record, replace
from offbranch.storage.hashing import digest_file
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.links import link_kind_of
from offbranch.storage.listing import Listing, diff_listings
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.scan import Scan, scan_directory
from offbranch.storage.state import StateDb
from offbranch.storage.verify import is_sound
from offbranch.storage.workspace import find_status, is_executable, list_scan, observe_file

Entry = tuple[str, ObjectId]
_NOTHING = Listing(entries={})
_INTERNAL = re.compile(r"(?:^|[\0/])(\.(?:git|dvc|hg))/", re.IGNORECASE)


@record
class CheckoutPlan:
    """What must be done so that a path holds an object. Paths of files are below `path`; a single file is "".

    Attributes:
        path: The place, and `rel`, the same as a path of the project.
        wanted: What it shall hold; None for nothing.
        executable: The user shall be able to execute the file.
        add: Files to write where there is none.
        modify: Files to replace by other content, or (a single file) to write again with another mode.
        delete: Files to remove.
        relink: Files to make again with the present kind of link; their content is right.
        keep: Files that are right as they are, with the modification time they show, in ns.
        leftovers: Unfinished files of a process that was killed; removed without asking.
        was_directory: A directory is there now; None when nothing is.
        unsaved: Files that would be lost: not in the cache, and replaced or removed by this plan.
        missing: Objects needed that are not in the cache.
        blocked: A symbolic link on the way, through which nothing is written; None if there is none.
    """

    path: AbsPath
    rel: RepoPath
    wanted: ObjectId | None
    executable: bool = False
    add: tuple[Entry, ...] = ()
    modify: tuple[Entry, ...] = ()
    delete: tuple[str, ...] = ()
    relink: tuple[Entry, ...] = ()
    keep: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()
    was_directory: bool | None = None
    unsaved: tuple[str, ...] = ()
    missing: tuple[ObjectId, ...] = ()
    blocked: str | None = None

    @property
    def is_noop(self) -> bool:
        """Nothing has to be done, and nothing is missing."""
        changes = self.add or self.modify or self.delete or self.relink or self.leftovers or self.missing
        wants_directory = None if self.wanted is None else is_directory(self.wanted)
        return not changes and self.was_directory == wants_directory


@record
class _Present:
    """What is at the path now: the files, each with the modification time it shows."""

    listing: Listing = _NOTHING
    times_ns: Mapping[str, int] = field(default_factory=dict)
    scan: Scan | None = None
    executable: bool = False


def plan_checkout(
    path: AbsPath,
    wanted: ObjectId | None,
    *,
    cache: LocalCache,
    state: StateDb | None,
    ignore: IgnoreRules | None,
    rel: RepoPath,
    executable: bool = False,
    relink: bool = False,
    listing: Listing | None = None,
) -> CheckoutPlan:
    """Returns what must be done so that `path` holds `wanted`; changes nothing in the workspace.

    Args:
        path: The place.
        wanted: An object id; None to have nothing there.
        cache: Where the content comes from.
        state: Known hashes of the workspace.
        ignore: Rules of the project; ignored files are neither counted nor removed.
        rel: The same place as a path of the project.
        executable: The user shall be able to execute the file; no meaning for a directory.
        relink: Make every file again with the present kind of link.
        listing: What `wanted` lists, for a part of a directory: then it is no object of the cache.

    Raises:
        CorruptObjectError: The directory object is corrupt; it has been removed.
        BadInputError: The directory object names a path outside its directory.
        OffbranchError: Something in the workspace cannot be read.
    """
    status = find_status(path)
    was_directory = None if status is None else stat.S_ISDIR(status.st_mode)
    plan = CheckoutPlan(path=path, rel=rel, wanted=wanted, executable=executable, was_directory=was_directory)
    observed_ns = state.now_ns() if state is not None else 0
    scan = scan_directory(path, ignore=ignore, rel=rel) if was_directory else None
    if scan is not None and not relink and _is_known(path, scan, wanted, state):
        return plan
    if wanted is not None and is_directory(wanted) and listing is None and not cache.has(wanted):
        return replace(plan, missing=(wanted,))
    target = _target(wanted, cache, ignore) if listing is None else listing
    if scan is not None:
        present = _look_at_directory(path, scan, state, observed_ns)
    elif status is not None:
        present = _look_at_file(path, status, wanted, cache, state)
    else:
        present = _Present()
    plan = _compare(plan, present, target, cache, relink=relink)
    return plan if plan.is_noop else replace(plan, blocked=_blocking_link(plan, present))


def _is_known(path: AbsPath, scan: Scan, wanted: ObjectId | None, state: StateDb | None) -> bool:
    """Tells whether the state database says that a directory is right, which spares reading any listing."""
    if state is None or wanted is None or scan.temporaries:
        return False
    known = state.directory(path, scan.fingerprint)
    return known is not None and known.id == wanted


def _target(wanted: ObjectId | None, cache: LocalCache, ignore: IgnoreRules | None) -> Listing:
    if wanted is None:
        return _NOTHING
    if not is_directory(wanted):
        return Listing(entries={"": wanted})
    listing = cache.listing(wanted)
    # No tool stores these directories; a listing that names one wants to plant something in a repository.
    if ignore is not None and (planted := _INTERNAL.search("\0".join(listing.entries))):
        raise BadInputError(f"it holds '{planted[1]}', which is never data", path=cache.path_of(wanted))
    return listing


def _look_at_file(
    path: AbsPath, status: os.stat_result, wanted: ObjectId | None, cache: LocalCache, state: StateDb | None
) -> _Present:
    is_object = wanted is not None and _is_object(path, wanted, cache, state)
    id = wanted if is_object and wanted is not None else observe_file(path, status, state=state).id
    return _Present(
        listing=Listing(entries={"": id}),
        times_ns={"": status.st_mtime_ns},
        executable=is_executable(status),
    )


def _look_at_directory(path: AbsPath, scan: Scan, state: StateDb | None, observed_ns: int) -> _Present:
    listing = list_scan(path, scan, state=state, observed_ns=observed_ns)
    return _Present(listing=listing, times_ns=dict(zip(scan.paths, scan.numbers[1::4], strict=True)), scan=scan)


def _is_object(path: AbsPath, wanted: ObjectId, cache: LocalCache, state: StateDb | None) -> bool:
    """Tells whether a file is the wanted object itself, linked, and a sound one."""
    if link_kind_of(path, cache.path_of(wanted)) is None or is_directory(wanted) or not cache.has(wanted):
        return False
    return is_sound(cache, wanted, state=state)


def _compare(
    plan: CheckoutPlan, present: _Present, target: Listing, cache: LocalCache, *, relink: bool
) -> CheckoutPlan:
    old, new = present.listing.entries, target.entries
    diff = diff_listings(present.listing, target)
    modify = diff.modified
    if "" in old and old.get("") == new.get("") and present.executable != plan.executable:
        modify = ("",)
    rewritten = frozenset(modify)
    same = [name for name in new if name in old and name not in rewritten]
    again = same if relink else ()
    needed = {new[name] for name in (*diff.added, *modify, *again)}
    lost = [name for name in (*diff.deleted, *diff.modified) if not cache.has(old[name])]
    if plan.was_directory:
        lost += _hidden_files(plan.path, diff.added, cache)
    return replace(
        plan,
        add=tuple((name, new[name]) for name in diff.added),
        modify=tuple((name, new[name]) for name in modify),
        delete=diff.deleted,
        relink=tuple((name, new[name]) for name in again),
        keep={name: (old[name], present.times_ns[name]) for name in same},
        leftovers=tuple(present.scan.temporaries) if present.scan is not None else (),
        unsaved=tuple(sorted(lost)),
        missing=tuple(sorted(needed - cache.has_many(needed))),
    )


def _hidden_files(path: AbsPath, names: Sequence[str], cache: LocalCache) -> list[str]:
    """Returns those of the files to be added in whose place an ignored file stands that the cache does not have."""
    files = [(name, f"{path}{os.sep}{name}") for name in names]
    found = [(name, file) for name, file in files if os.path.isfile(file)]
    return [name for name, file in found if not cache.has(ObjectId(digest_file(file)[0]))]


def _blocking_link(plan: CheckoutPlan, present: _Present) -> str | None:
    """Returns a symbolic link through which a file would be written or removed."""
    is_inside = plan.rel != "" and not is_external(plan.rel)  # elsewhere the user chose the way
    if is_inside and plan.path.endswith(plan.rel.replace("/", os.sep)):
        way = plan.path[: -len(plan.rel)]
        for part in plan.rel.split("/")[:-1]:
            way += part
            if os.path.islink(way):
                return way
            way += os.sep
    if plan.was_directory and os.path.islink(plan.path):
        return plan.path
    links = frozenset(present.scan.linked_directories) if present.scan is not None else frozenset()
    for name, _ in plan.add if links else ():
        above = name
        while above:
            if above in links:
                return f"{plan.path}{os.sep}{above}"
            above = above.rpartition("/")[0]
    return None
