"""Whether a directory object and all its files are in the cache, remembered as long as no object came or went."""

import os

from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.storage.hashing import is_racy
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content, ObjectId, is_directory
from offbranch.storage.state import StateDb

# The list of some 300 files: up to there a look at each costs less than one at the 256 directories of a cache.
_SHORT = 25_000


def is_whole(id: ObjectId, cache: LocalCache, state: StateDb | None) -> bool:
    """Tells whether an object is in the cache, a directory with every file.

    As long as no object came or went since that was last found to be so, it still is: 256 looks in place of one per file.
    """
    if state is None or not is_directory(id) or _is_short(cache.path_of(id)):
        return cache.has_all(id)
    observed_ns = state.now_ns()
    fingerprint, last_ns = cache.fingerprint()
    place = cache.path_of(id)
    known = state.directory(place, fingerprint)
    if known is not None and known.id == id:
        return True
    if not cache.has_all(id):
        return False
    if not is_racy(last_ns, observed_ns):
        state.record_fingerprint(place, fingerprint, Content(id=id, size=0, n_files=0))
    return True


def _is_short(path: AbsPath) -> bool:
    try:
        return os.stat(path).st_size < _SHORT
    except OSError:
        return True


@record
class CacheLook:
    """`is_whole` for one cache, as the function of an id that facts are gathered with."""

    cache: LocalCache
    state: StateDb

    def __call__(self, id: ObjectId) -> bool:
        """Tells whether an object is in the cache, a directory with every file."""
        return is_whole(id, self.cache, self.state)
