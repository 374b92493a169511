"""Adding what is at a path to the cache, and if asked for, replacing it by links to the cache.

The order is what makes a kill harmless: the objects of the files, then the directory object, then the links. The
workspace always has the file, as its old self or as the link.
"""

import os
import stat
from collections.abc import Sequence

from offbranch.base.errors import NotFoundError
from offbranch.base.events import NullReporter, Progressed, Reporter
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.hashing import special_file_error
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.links import link_kind_of
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.meter import Meter
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.scan import Scan, scan_directory, stamp_of
from offbranch.storage.state import StateDb
from offbranch.storage.verify import is_sound, record_written_objects
from offbranch.storage.whole import is_whole
from offbranch.storage.workspace import find_status, is_executable, known_md5s, record_written

_BATCH = 1000
_WHAT = "adding to the cache"


def save(
    path: AbsPath,
    *,
    cache: LocalCache,
    state: StateDb | None,
    ignore: IgnoreRules | None,
    rel: RepoPath,
    relink: bool = True,
    reporter: Reporter | None = None,
) -> Content:
    """Adds a file or directory to the cache and returns what it is.

    Args:
        path: The file or directory; links to files are followed.
        cache: Where the objects go.
        state: Known hashes; the new ones are recorded, so that the next look reads nothing.
        ignore: Rules of the project, None outside one.
        rel: The same place as a path of the project.
        relink: Replace the files by links to the cache where `cache.type` has a better kind than a copy.
        reporter: Takes the progress over a directory.

    Raises:
        NotFoundError: Nothing is there.
        OffbranchError: Something cannot be read or stored, or changes while it is read.
    """
    status = find_status(path)
    if status is None:
        raise NotFoundError(f"cannot store '{path}': it does not exist")
    if stat.S_ISDIR(status.st_mode):
        return _save_directory(path, cache, state, ignore, rel, relink, reporter or NullReporter())
    if not stat.S_ISREG(status.st_mode):
        raise special_file_error(path, status.st_mode)
    return _save_file(path, status, cache, state, relink, reporter or NullReporter())


def _save_file(
    path: AbsPath,
    status: os.stat_result,
    cache: LocalCache,
    state: StateDb | None,
    relink: bool,
    reporter: Reporter,
) -> Content:
    observed_ns = state.now_ns() if state is not None else 0
    known = state.file(path, stamp_of(status)) if state is not None else None
    if known is not None and cache.has(known):
        return Content(id=known, size=status.st_size, is_executable=is_executable(status))
    md5, status = cache.add_with_status(path, Meter(_WHAT, status.st_size, reporter))
    content = Content(id=ObjectId(md5), size=status.st_size, is_executable=is_executable(status))
    if relink and _relink(path, content.id, cache, status, state):
        status = os.stat(path)
    if state is not None:
        state.record_file(path, stamp_of(status), md5, observed_ns=observed_ns)
        record_written_objects(cache, state=state)
    return content


def _save_directory(
    path: AbsPath,
    cache: LocalCache,
    state: StateDb | None,
    ignore: IgnoreRules | None,
    rel: RepoPath,
    relink: bool,
    reporter: Reporter,
) -> Content:
    observed_ns = state.now_ns() if state is not None else 0
    scan = scan_directory(path, ignore=ignore, rel=rel)
    known = state.directory(path, scan.fingerprint) if state is not None else None
    if state is not None and known is not None and is_whole(known.id, cache, state):
        return known
    names = scan.paths
    md5s, new = _add_files(path, scan, names, cache, state, reporter)
    data = listing_bytes(make_listing(zip(names, md5s, strict=True), path=path))
    content = Content(id=listing_id(data), size=scan.size_bytes, n_files=len(md5s))
    cache.add_listing(data, content.id)
    relinked = _relink_files(path, scan, names, md5s, new, cache, state) if relink else {}
    if state is None:
        return content
    record_written_objects(cache, state=state)
    if relinked:
        times = dict(zip(names, zip(md5s, scan.numbers[1::4], strict=True), strict=True))
        record_written(path, times | relinked, id=content.id, state=state, ignore=ignore, rel=rel)
    else:
        state.record_directory(path, scan, md5s, content=content, observed_ns=observed_ns)
    return content


def _add_files(
    path: AbsPath,
    scan: Scan,
    names: Sequence[str],
    cache: LocalCache,
    state: StateDb | None,
    reporter: Reporter,
) -> tuple[list[str], list[int]]:
    """Stores what the cache lacks; returns the md5 of every file, and the indices of those that had to be read."""
    known = known_md5s(path, scan, names, state=state)
    present = cache.has_many({ObjectId(md5) for md5 in known if md5 is not None})
    new = [index for index, md5 in enumerate(known) if md5 is None or md5 not in present]
    sizes, times = scan.numbers[::4], scan.numbers[1::4]
    prefix = path + os.sep
    # Many are counted one by one, a few by their bytes.
    meter = Meter(_WHAT, sum(sizes[i] for i in new), reporter) if len(new) <= _BATCH else None
    for start in range(0, len(new), _BATCH):
        batch = new[start : start + _BATCH]
        stored = cache.add_files(
            [prefix + names[i] for i in batch], [sizes[i] for i in batch], [times[i] for i in batch], meter
        )
        for index, md5 in zip(batch, stored, strict=True):
            known[index] = md5
        if len(new) > _BATCH:
            done = start + len(batch)
            reporter.emit(Progressed(what=_WHAT, done=done, total=len(new), unit="files"))
    return [md5 for md5 in known if md5 is not None], new


def _relink_files(
    path: AbsPath,
    scan: Scan,
    names: Sequence[str],
    md5s: Sequence[str],
    new: Sequence[int],
    cache: LocalCache,
    state: StateDb | None,
) -> dict[str, tuple[str, int]]:
    """Replaces files by links to the cache; returns them with their md5 and present modification time.

    Only files that were read now: the others were linked when they were first seen, or left alone on purpose.
    """
    links = frozenset(scan.links)
    relinked: dict[str, tuple[str, int]] = {}
    for index in new:
        if index not in links and not cache.linker.may_link(path):  # the first file may have shown it
            continue
        file = AbsPath(path + os.sep + names[index])
        if _relink(file, ObjectId(md5s[index]), cache, os.stat(file), state):
            relinked[names[index]] = (md5s[index], os.stat(file).st_mtime_ns)
    return relinked


def _relink(path: AbsPath, id: ObjectId, cache: LocalCache, status: os.stat_result, state: StateDb | None) -> bool:
    """Replaces one file by a link to its object, unless it is one; returns whether it did.

    A link of the user's own to some other file becomes a file here, by a copy if nothing better works.
    """
    source = cache.path_of(id)
    if link_kind_of(path, source) is not None:
        return False
    executable = is_executable(status)
    is_link = os.path.islink(path)
    if not is_link and not cache.linker.may_link(os.path.dirname(path)):
        return False
    if not is_sound(cache, id, state=state):
        # It had been there before, and corrupt: the file must not become a link to it. Now it can be stored again.
        cache.add_file(path)
        if not is_sound(cache, id, state=state):
            return False
    if is_link:
        cache.linker.link(source, path, is_executable=executable, mtime_ns=status.st_mtime_ns)
        return True
    return cache.linker.relink(source, path, is_executable=executable, mtime_ns=status.st_mtime_ns) is not None
