"""What is at a path now: a file, a directory or nothing, with its hash; nothing is stored or changed.

Files whose stamp the state database knows are not read; a directory that did not change costs one walk and one row.
"""

import os
import stat
from collections.abc import Mapping, Sequence

from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.hashing import SMALL_SIZE, digest_file, read_error, special_file_error
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.large import map_large
from offbranch.storage.listing import Listing, listing_bytes, listing_id, make_listing
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.scan import Scan, scan_directory, stamp_of
from offbranch.storage.state import StateDb


def observe(path: AbsPath, *, state: StateDb | None, ignore: IgnoreRules | None, rel: RepoPath) -> Content | None:
    """Returns what is at a path, following links; None when nothing is there (a link to nothing counts as nothing).

    Args:
        path: Where to look.
        state: Known hashes; what is found out here is recorded in it.
        ignore: Rules of the project, None outside one.
        rel: The same place as a path of the project.

    Raises:
        OffbranchError: Something there cannot be read, or is neither a file nor a directory.
    """
    status = find_status(path)
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        return observe_directory(path, state=state, ignore=ignore, rel=rel)
    return observe_file(path, status, state=state)


def observe_file(path: AbsPath, status: os.stat_result, *, state: StateDb | None) -> Content:
    """Returns what a file holds, given a status taken just now."""
    if not stat.S_ISREG(status.st_mode):
        raise special_file_error(path, status.st_mode)
    stamp = stamp_of(status)
    known = state.file(path, stamp) if state is not None else None
    if known is None:
        observed_ns = state.now_ns() if state is not None else 0
        md5, status = digest_file(path)
        known = ObjectId(md5)
        if state is not None:
            state.record_file(path, stamp_of(status), md5, observed_ns=observed_ns)
    return Content(id=known, size=status.st_size, is_executable=is_executable(status))


def observe_directory(path: AbsPath, *, state: StateDb | None, ignore: IgnoreRules | None, rel: RepoPath) -> Content:
    """Returns what a directory holds."""
    observed_ns = state.now_ns() if state is not None else 0
    scan = scan_directory(path, ignore=ignore, rel=rel)
    known = state.directory(path, scan.fingerprint) if state is not None else None
    if known is not None:
        return known
    md5s = hash_scan(path, scan, state=state)
    data = listing_bytes(make_listing(zip(scan.paths, md5s, strict=True), path=path))
    content = Content(id=listing_id(data), size=scan.size_bytes, n_files=len(md5s))
    if state is not None:
        state.record_directory(path, scan, md5s, content=content, observed_ns=observed_ns)
    return content


def list_directory(path: AbsPath, *, state: StateDb | None, ignore: IgnoreRules | None, rel: RepoPath) -> Listing:
    """Returns the files of a directory with the hash of each; raises as `observe`."""
    observed_ns = state.now_ns() if state is not None else 0
    scan = scan_directory(path, ignore=ignore, rel=rel)
    return list_scan(path, scan, state=state, observed_ns=observed_ns)


def list_scan(path: AbsPath, scan: Scan, *, state: StateDb | None, observed_ns: int) -> Listing:
    """Returns the listing of a directory that was walked at `observed_ns`; what had to be read is recorded."""
    md5s = hash_scan(path, scan, state=state)
    listing = make_listing(zip(scan.paths, md5s, strict=True), path=path)
    if state is not None and state.directory(path, scan.fingerprint) is None:
        data = listing_bytes(listing)
        content = Content(id=listing_id(data), size=scan.size_bytes, n_files=len(md5s))
        state.record_directory(path, scan, md5s, content=content, observed_ns=observed_ns)
    return listing


def hash_scan(path: AbsPath, scan: Scan, *, state: StateDb | None) -> list[str]:
    """Returns the md5 of each file of a walk, reading only those that the database does not know."""
    names, sizes = scan.paths, scan.numbers[::4]
    prefix = path + os.sep
    md5s = known_md5s(path, scan, names, state=state)
    large = [place for place, md5 in enumerate(md5s) if md5 is None and sizes[place] >= SMALL_SIZE]
    for place, found in zip(large, map_large(_digest, [prefix + names[place] for place in large]), strict=True):
        md5s[place] = found
    return [md5 if md5 is not None else _digest(prefix + names[place]) for place, md5 in enumerate(md5s)]


def _digest(path: str) -> str:
    return digest_file(path)[0]


def known_md5s(path: AbsPath, scan: Scan, names: Sequence[str], *, state: StateDb | None) -> list[str | None]:
    """Returns for each file of a walk (`names`: its paths) the md5 that the database knows for its present stamp."""
    if state is None:
        return [None] * len(names)
    return state.load_prefix(path).find(names, scan.numbers)


def record_written(
    path: AbsPath,
    written: Mapping[str, tuple[str, int]],
    *,
    id: ObjectId | None,
    state: StateDb,
    ignore: IgnoreRules | None,
    rel: RepoPath,
) -> None:
    """Records a directory that we have just written to, after one more walk.

    Args:
        written: Every file it should hold -> (md5, modification time in ns). A file that shows another time was
            changed by somebody else meanwhile, and is not recorded.
        id: What the whole is if nobody interfered; None if it is not what was wanted anyway.
    """
    observed_ns = state.now_ns()
    scan = scan_directory(path, ignore=ignore, rel=rel)
    md5s: list[str | None] = []
    for name, mtime_ns in zip(scan.paths, scan.numbers[1::4], strict=True):
        expected = written.get(name)
        md5s.append(expected[0] if expected is not None and expected[1] == mtime_ns else None)
    content = None
    if id is not None and len(md5s) == len(written) and None not in md5s:
        content = Content(id=id, size=scan.size_bytes, n_files=len(md5s))
    state.record_directory(path, scan, md5s, content=content, observed_ns=observed_ns)


def find_status(path: AbsPath) -> os.stat_result | None:
    """Returns the status of what a path leads to; None when nothing is there."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise read_error(path, error) from error


def is_executable(status: os.stat_result) -> bool:
    """Tells whether the user may execute a file."""
    return bool(status.st_mode & stat.S_IXUSR)
