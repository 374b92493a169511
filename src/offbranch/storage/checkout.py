"""Making a path equal to an object: `plan_checkout` decides from what is there, `apply_checkout` does it.

Each file is written under a temporary name and renamed; a kill leaves some files old and some new, and the same command
finishes the work. Nothing is written through a symbolic link, and only files of the plan are removed.
"""

import errno
import os
from collections.abc import Iterable, Sequence

from offbranch.base.errors import ConflictError, MissingDataError
from offbranch.base.events import NullReporter, Progressed, Reporter
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath
from offbranch.storage.checkout_plan import CheckoutPlan, Entry, plan_checkout
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.links import LinkKind
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.scan import stamp_of
from offbranch.storage.state import StateDb
from offbranch.storage.verify import CorruptContent, CorruptObject, corrupt_error, read_sound
from offbranch.storage.workspace import record_written

__all__ = ["CheckoutPlan", "apply_checkout", "plan_checkout"]

_EVENT_EVERY = 1000
_WAYS_OUT = {
    errno.EACCES: "make the directory writable (chmod u+w) and repeat the command",
    errno.EPERM: "see who owns the directory, and that it is not marked as unchangeable",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "free some disk space and repeat the command",
}
_OWN_FILE = frozenset({LinkKind.COPY, LinkKind.REFLINK})


def apply_checkout(
    plan: CheckoutPlan,
    *,
    cache: LocalCache,
    state: StateDb | None,
    ignore: IgnoreRules | None,
    force: bool = False,
    allow_missing: bool = False,
    reporter: Reporter | None = None,
) -> None:
    """Carries out a plan. If interrupted, every file is the old one or the new one; planning again shows the rest.

    Args:
        plan: From `plan_checkout`, of just now.
        cache: Where the content comes from.
        state: Gets the hashes of what was written, so that the next look reads nothing.
        ignore: Rules of the project.
        force: Lose the files that the plan names as unsaved.
        allow_missing: Make what can be made, leaving out objects that are not in the cache.
        reporter: Takes the progress, for more than 1000 files.

    Raises:
        ConflictError: Unsaved files would be lost, or something that is not ours to remove stands in the way.
        MissingDataError: The cache lacks an object.
        CorruptObjectError: An object of the cache was not what its name says; all other files have been written.
        OffbranchError: A file cannot be written.
    """
    _check(plan, force=force, allow_missing=allow_missing)
    if plan.is_noop or (plan.wanted in plan.missing):
        return
    corrupt: dict[str, CorruptObject] = {}
    try:
        _clear(plan)
        times = _write(plan, cache, state, corrupt, reporter or NullReporter())
    except OSError as error:
        raise ConflictError(
            f"cannot check out '{plan.path}': {(error.strerror or str(error)).lower()}: '{error.filename}'",
            hint=_WAYS_OUT.get(error.errno or 0, "move it away and repeat the command"),
        ) from error
    if state is not None:
        _record(plan, times, state, ignore, is_whole=not plan.missing and not corrupt)
    if corrupt:
        top = plan.rel or plan.path
        raise corrupt_error(
            (found.id for found in corrupt.values()),
            (f"{top}/{name}" if name else top for name in corrupt),
            kept=(found.path for found in corrupt.values() if not found.removed),
        )


def _check(plan: CheckoutPlan, *, force: bool, allow_missing: bool) -> None:
    if plan.blocked is not None:
        raise ConflictError(
            f"cannot check out '{plan.path}': '{plan.blocked}' is a symbolic link, and may lead outside",
            hint="remove the link, or track the place that it leads to",
        )
    if plan.unsaved and not force:
        more = f" and {len(plan.unsaved) - 1} more" if len(plan.unsaved) > 1 else ""
        first = os.path.join(plan.path, plan.unsaved[0]) if plan.unsaved[0] else plan.path
        raise ConflictError(
            f"cannot check out '{plan.rel or plan.path}': unsaved data would be lost: '{first}'{more}",
            hint="save it with: ob commit, or lose it with: --force",
        )
    if plan.missing and not allow_missing:
        more = f" and {len(plan.missing) - 1} more" if len(plan.missing) > 1 else ""
        raise MissingDataError(
            f"cannot check out '{plan.rel or plan.path}': '{plan.missing[0]}'{more} not in the cache",
            hint="make it again with 'ob repro', or fetch it from where it is kept",
        )


def _vanished_error(plan: CheckoutPlan, name: str, id: ObjectId) -> MissingDataError:
    return MissingDataError(
        f"cannot check out '{plan.rel or plan.path}': '{id}', needed for '{name or plan.path}', has just vanished",
        hint="something removes cache objects at this moment; repeat the command when it has finished",
    )


def _clear(plan: CheckoutPlan) -> None:
    """Removes what must not stay. Before anything is written: a file may stand where a directory is to be."""
    prefix = plan.path + os.sep
    for name in (*plan.leftovers, *plan.delete):
        remove_file(AbsPath(prefix + name if name else plan.path))
    above = {name.rpartition("/")[0] for name in plan.delete}
    _remove_empty(prefix, above)
    wants_directory = plan.wanted is not None and is_directory(plan.wanted)
    if plan.was_directory and not wants_directory:
        _remove_empty_tree(plan.path, must=plan.wanted is not None)
    elif plan.was_directory:
        for name, _ in plan.add:
            if os.path.isdir(prefix + name):
                _remove_empty_tree(prefix + name, must=True)
    elif plan.was_directory is None and os.path.islink(plan.path):
        os.unlink(plan.path)  # a link to nothing


def _remove_empty(prefix: str, directories: Iterable[str]) -> None:
    """Removes directories that were left empty, and those above them, but never the top."""
    for directory in sorted(directories, key=len, reverse=True):
        while directory:
            try:
                os.rmdir(prefix + directory)
            except OSError:
                break  # not empty
            directory = directory.rpartition("/")[0]


def _remove_empty_tree(path: str, *, must: bool) -> None:
    for directory, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            if must:
                raise
            return  # ignored files stay, and with them their directories


def _write(
    plan: CheckoutPlan,
    cache: LocalCache,
    state: StateDb | None,
    corrupt: dict[str, CorruptObject],
    reporter: Reporter,
) -> dict[str, int]:
    """Makes the files; returns the modification time that each shows. Those whose object is corrupt go into `corrupt`."""
    old_time = None if state is None else _old_time(state)
    missing = frozenset(plan.missing)
    entries: Sequence[Entry] = [e for e in (*plan.add, *plan.modify, *plan.relink) if e[1] not in missing]
    prefix = plan.path + os.sep
    made: set[str] = set()
    times: dict[str, int] = {}
    if plan.wanted is not None and is_directory(plan.wanted):
        os.makedirs(plan.path, exist_ok=True)
    elif entries:
        os.makedirs(os.path.dirname(plan.path), exist_ok=True)
    link, path_of, copies = cache.linker.link, cache.path_of, cache.linker.prefers_copies
    for n_done, (name, id) in enumerate(entries, 1):
        directory = name.rpartition("/")[0]
        if directory and directory not in made:
            os.makedirs(prefix + directory, exist_ok=True)
            made.add(directory)
        dest = prefix + name if name else plan.path
        try:
            data = read_sound(cache, id, state=state, whole=copies)
        except CorruptContent as signal:
            corrupt[name] = signal.found
            continue
        except FileNotFoundError:
            if id not in cache.corrupt:
                raise _vanished_error(plan, name, id) from None
            # It was removed when a file before this one needed it.
            corrupt[name] = CorruptObject(id=id, path=path_of(id), removed=True)
            continue
        kind = link(path_of(id), dest, is_executable=plan.executable and not name, mtime_ns=old_time, data=data)
        is_timed = old_time is not None and kind in _OWN_FILE
        times[name] = old_time if is_timed and old_time is not None else os.stat(dest).st_mtime_ns
        if len(entries) > _EVENT_EVERY and (n_done % _EVENT_EVERY == 0 or n_done == len(entries)):
            reporter.emit(Progressed(what="checking out", done=n_done, total=len(entries), unit="files"))
    return times


def _record(
    plan: CheckoutPlan, times: dict[str, int], state: StateDb, ignore: IgnoreRules | None, *, is_whole: bool
) -> None:
    if plan.wanted is None:
        return
    if is_directory(plan.wanted):
        written = dict(plan.keep)
        for name, id in (*plan.add, *plan.modify, *plan.relink):
            if name in times:
                written[name] = (id, times[name])
        whole = plan.wanted if is_whole else None
        record_written(plan.path, written, id=whole, state=state, ignore=ignore, rel=plan.rel)
    elif "" in times:
        observed_ns = state.now_ns()
        stamp = stamp_of(os.stat(plan.path))
        if stamp[1] == times[""]:
            state.record_file(plan.path, stamp, plan.wanted, observed_ns=observed_ns)


def _old_time(state: StateDb) -> int:
    """Returns a modification time for the files we write: old enough to be recorded at once.

    A second back, and not a whole second: whoever changes a file from now on gives it another time than this.
    """
    time_ns = state.now_ns() - 1_000_000_000
    return time_ns if time_ns % 1_000_000_000 else time_ns - 1
