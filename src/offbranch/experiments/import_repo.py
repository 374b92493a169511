"""Files of another repository into our cache: data by its hash from its cache or its data remote, the rest from Git."""

import os
import posixpath
from collections.abc import Iterable, Iterator

from offbranch.base.errors import BadInputError, MissingDataError, NotFoundError, OffbranchError, did_you_mean
from offbranch.base.events import Reporter
from offbranch.base.paths import DATA_SUFFIX, PIPELINE_FILE, RepoPath, is_same_or_inside, parent, resolve_in
from offbranch.experiments.data_index import sound
from offbranch.experiments.inventory import InventoryEntry
from offbranch.experiments.source_repo import OpenSource
from offbranch.experiments.used import RevisionOutputs
from offbranch.pipeline.recorded import RecordedOutput, all_recorded
from offbranch.storage.connections import Connections
from offbranch.storage.external import list_files
from offbranch.storage.hashing import hash_bytes
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content, ObjectId, is_directory
from offbranch.storage.remote_store import Store
from offbranch.storage.state import StateDb
from offbranch.storage.transfer import fetch_objects
from offbranch.storage.transfer_plan import Ends, Wanted

_MAX_HOPS = 16


def take_from(
    source: OpenSource, cache: LocalCache, *, state: StateDb | None, jobs: int | None, reporter: Reporter
) -> Content:
    """Brings what a source was opened for into a cache, and returns what it is.

    Raises:
        NotFoundError: The source has no such path.
        MissingDataError: Its data is neither in the source's cache nor at its data remote.
        BadInputError: A symbolic link in it leads out of it.
    """
    with Connections() as connections:
        return _take(source, cache, _Fetcher(source, cache, state, jobs, reporter, connections))


def _take(source: OpenSource, cache: LocalCache, fetcher: "_Fetcher") -> Content:
    path = source.inside
    outs = outputs_around(source, path, cache)
    exact = outs.get(path)
    if exact is not None:
        # As it is recorded, so that it has the same hash here.
        fetcher.get([Wanted(id=exact.id, path=exact.path)], legacy=exact.is_legacy)
        return _content_of(exact, cache)
    fetcher.get_lists(out for out in outs.values() if is_directory(out.id))
    entry = _need(source, path)
    legacy = {out.path for out in outs.values() if out.is_legacy}
    if legacy and any(is_same_or_inside(path, one) or is_same_or_inside(one, path) for one in legacy):
        raise BadInputError(
            f"'{path}' has data of DVC 2, which can be imported as a whole only: {', '.join(sorted(legacy))}",
            path=source.place.url,
        )
    files = [entry] if not entry.is_dir else [one for one in source.inventory.walk(path) if _is_wanted(one)]
    found: list[tuple[InventoryEntry, InventoryEntry]] = [(one, _followed(source, one, fetcher)) for one in files]
    data = [Wanted(id=real.id, path=real.path) for _, real in found if real.id is not None]
    fetcher.get(data)
    size = 0
    pairs: list[tuple[str, ObjectId]] = []
    for one, real in found:
        id = real.id
        if id is None:
            content = source.objects.blob(real.blob) if real.blob is not None else b""
            id = cache.add_bytes(content)
            size += len(content)
        else:
            size += os.stat(cache.path_of(id)).st_size
        pairs.append((one.path[len(path) + 1 :] if path else one.path, id))
    if not entry.is_dir:
        return Content(id=pairs[0][1], size=size, is_executable=found[0][1].is_exec)
    return list_files(pairs, size, cache)


def show_url(source: OpenSource, cache: LocalCache, *, reporter: Reporter) -> str:
    """Returns where at the source's data remote the wanted data is.

    Raises:
        NotFoundError: It is no data, or there is no data remote.
    """
    path = source.inside
    outs = outputs_around(source, path, cache)
    with Connections() as connections:
        fetcher = _Fetcher(source, cache, None, None, reporter, connections)
        fetcher.get_lists(out for out in outs.values() if is_directory(out.id) and out.path != path)
    entry = _need(source, path)
    id = outs[path].id if path in outs else entry.id
    setting = source.remote_setting()
    if id is None or setting is None:
        reason = "it is no data, but a file of Git" if id is None else "the source has no default data remote"
        raise NotFoundError(f"'{path}' has no url: {reason}", hint="ob get copies it")
    return f"{setting.url}/files/md5/{id[:2]}/{id[2:]}"


def outputs_around(source: OpenSource, path: RepoPath, cache: LocalCache) -> dict[RepoPath, RecordedOutput]:
    """Returns the outputs that a path is, lies in, or has below it."""
    reader = RevisionOutputs(source.objects, source.prefix, cache)
    recorded = all_recorded(sound(reader.pipelines_of(source.objects.commit(source.commit).tree)))
    return {
        out: one
        for out, one in recorded.items()
        if not path or is_same_or_inside(out, path) or is_same_or_inside(path, out)
    }


class _Fetcher:
    """Gets objects of a source into a cache: from its own cache first, then from its data remote."""

    def __init__(
        self,
        source: OpenSource,
        cache: LocalCache,
        state: StateDb | None,
        jobs: int | None,
        reporter: Reporter,
        connections: Connections,
    ) -> None:
        self._source, self.cache, self._state, self._jobs, self._reporter = source, cache, state, jobs, reporter
        self._connections = connections

    def get(self, wanted: Iterable[Wanted], *, legacy: bool = False) -> None:
        """Brings objects, directories with all their files.

        Raises:
            MissingDataError: One is nowhere.
        """
        view = self.cache.legacy_view() if legacy else self.cache
        missing = [one for one in wanted if not view.has_all(one.id)]
        for store in self._stores(legacy):
            if not missing:
                return
            done = fetch_objects(missing, Ends(cache=view, store=store, state=self._state, reporter=self._reporter))
            missing = [one for one in missing if not view.has_all(one.id)]
            errors: list[OffbranchError] = list(done.failed.values())
            if missing and errors and not any(isinstance(error, MissingDataError) for error in errors):
                raise errors[0]
        if missing:
            raise self._missing(missing[0].path)

    def get_lists(self, outs: Iterable[RecordedOutput]) -> None:
        """Brings the lists of directories, without the files."""
        absent = [out for out in outs if not self.cache.has(out.id)]
        for store in self._stores(legacy=False):
            for out in absent:
                add_list(store, out.id, self.cache)
            absent = [out for out in absent if not self.cache.has(out.id)]
            if not absent:
                return
        if absent:
            raise self._missing(absent[0].path)

    def _stores(self, legacy: bool) -> Iterator[Store]:
        own = self._source.own_cache
        if own is not None:
            yield own.legacy_view() if legacy else own
        setting = self._source.remote_setting()
        if setting is not None:
            yield self._connections.store(setting, jobs=self._jobs, legacy=legacy)

    def _missing(self, path: str) -> MissingDataError:
        setting = self._source.remote_setting()
        where = f"at its {setting.label}" if setting is not None else "at a data remote, for it names none"
        return MissingDataError(
            f"the data of '{path}' in '{self._source.place.url}' is neither in a cache of this machine nor {where}",
            hint="push it there from a clone that has it, or name another data remote with --remote",
        )


def add_list(store: Store, id: ObjectId, cache: LocalCache) -> None:
    """Brings the list of a directory into a cache, checked; nothing happens where a store has none."""
    try:
        data = store.read_bytes(id)
    except MissingDataError:
        return
    if f"{hash_bytes(data)}.dir" == id:
        cache.add_listing(data, id)


def _need(source: OpenSource, path: RepoPath) -> InventoryEntry:
    entry = source.inventory.find(path)
    if entry is None:
        names = [one.path for one in source.inventory.children(parent(path))]
        raise NotFoundError(
            f"there is no '{path}' in '{source.place.url}'",
            hint=did_you_mean(path, names) or f"ob ls {source.place.url} lists what there is",
        )
    return entry


def _is_wanted(entry: InventoryEntry) -> bool:
    name = posixpath.basename(entry.path)
    return not entry.is_dir and (
        entry.is_out or not (name in (PIPELINE_FILE, ".dvcignore") or name.endswith(DATA_SUFFIX))
    )


def _followed(source: OpenSource, entry: InventoryEntry, fetcher: _Fetcher) -> InventoryEntry:
    """Returns the file that a symbolic link of Git leads to, in the same commit; any other file as it is."""
    first = entry.path
    for _ in range(_MAX_HOPS):
        if not entry.is_link or entry.blob is None:
            return entry
        target = source.objects.blob(entry.blob).decode("utf-8", "surrogateescape")
        path = None if target.startswith("/") else resolve_in(parent(entry.path), target)
        if not path:
            break
        above = (out for out in outputs_around(source, path, fetcher.cache).values() if is_directory(out.id))
        fetcher.get_lists(out for out in above if out.path != path)
        found = source.inventory.find(path)
        if found is None or found.is_dir:
            break
        entry = found
    raise BadInputError(
        f"'{first}' is a symbolic link to no file of the repository, so it is not followed",
        path=source.place.url,
        hint="import what is beside it one by one, or ask for a copy of the file instead of the link",
    )


def _content_of(out: RecordedOutput, cache: LocalCache) -> Content:
    n_files = None
    size = out.item.size
    if is_directory(out.id):
        store = cache.legacy_view() if out.is_legacy else cache
        entries = store.listing(out.id).entries
        n_files = len(entries)
        if size is None:
            size = sum(os.stat(store.path_of(id)).st_size for id in entries.values())
    elif size is None:
        size = os.stat(cache.path_of(out.id)).st_size
    return Content(id=out.id, size=size, n_files=n_files, is_executable=out.item.is_executable)
