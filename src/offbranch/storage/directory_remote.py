"""Bringing objects into the cache from a data remote that is a directory: the same layout as the cache itself.

Every object is hashed on its way in; one whose content does not fit its name is left out and told. A directory object comes
after its files, so that its presence goes on meaning that they are there.
"""

import os
from collections.abc import Iterable

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter, Warned
from offbranch.base.paths import AbsPath
from offbranch.storage.hashing import hash_bytes
from offbranch.storage.listing import parse_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId, is_directory


def fetch_from_directory(
    cache: LocalCache, remote: AbsPath, ids: Iterable[ObjectId], reporter: Reporter
) -> frozenset[ObjectId]:
    """Copies objects that the cache lacks; returns those that are there now, directories with all their files.

    Args:
        cache: Where they go.
        remote: The directory.
        ids: What is wanted.
        reporter: Takes a warning for each object that is corrupt.
    """
    store = LocalCache(remote)
    return frozenset(id for id in ids if cache.has_all(id) or _fetch(cache, store, id, reporter))


def _fetch(cache: LocalCache, store: LocalCache, id: ObjectId, reporter: Reporter) -> bool:
    source = store.path_of(id)
    if not os.path.isfile(source):
        return False
    if not is_directory(id):
        return _fetch_file(cache, source, id, reporter)
    with open(source, "rb") as file:
        data = file.read()
    if hash_bytes(data) + DIRECTORY_SUFFIX != id:
        return _corrupt(source, id, reporter)
    files = set(parse_listing(data, path=source).entries.values())
    missing = [one for one in files if not (cache.has(one) or _fetch(cache, store, one, reporter))]
    if missing:
        return False
    cache.add_listing(data, id)
    return True


def _fetch_file(cache: LocalCache, source: AbsPath, id: ObjectId, reporter: Reporter) -> bool:
    try:
        return cache.add_file(source).id == id or _corrupt(source, id, reporter)
    except OffbranchError as error:
        reporter.emit(Warned(text=f"cannot fetch '{id}': {error.message}", hint=error.hint))
        return False


def _corrupt(source: AbsPath, id: ObjectId, reporter: Reporter) -> bool:
    reporter.emit(
        Warned(
            text=f"the object '{id}' of the data remote is corrupt, so it was not taken",
            hint=f"remove '{source}', and push it again from a clone that has it",
        )
    )
    return False
