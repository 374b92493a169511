"""The content of one recorded file, wherever it is: in the cache, or at the data remote that the configuration names.

The project is not changed: what a remote has is brought into a scratch cache, hashed on its way, so not one byte of a
damaged file is handed out.
"""

from collections.abc import Callable, Iterator, Mapping

from offbranch.base.config import Config
from offbranch.base.errors import MissingDataError, NotFoundError, UsageError
from offbranch.base.events import NullReporter
from offbranch.base.paths import AbsPath, RepoPath, parent
from offbranch.base.records import record
from offbranch.experiments.import_repo import add_list
from offbranch.pipeline.recorded import RecordedOutput
from offbranch.storage.connections import Connections
from offbranch.storage.listing import Listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_setting import RemoteSetting, default_remote, resolve_remote
from offbranch.storage.state import StateDb
from offbranch.storage.transfer import fetch_objects
from offbranch.storage.transfer_plan import Ends, Wanted
from offbranch.storage.verify import is_sound

Bring = Callable[[RecordedOutput, LocalCache], bool]


@record
class DataPlace:
    """Where the data of one moment may be.

    Attributes:
        outs: What is recorded of outputs, by path.
        cache: The cache of the project; None for what is elsewhere.
        scratch: Takes what has to be brought.
        config: Names the data remotes.
        root: What paths in it are relative to.
        remote: Name of the data remote to use; None for the one that an output names, or the default one.
        state: Spares hashing large objects again.
        bring: Brings what an output was imported from into a cache; returns False for what is no import.
    """

    outs: Mapping[RepoPath, RecordedOutput]
    cache: LocalCache | None
    scratch: LocalCache
    config: Config
    root: AbsPath
    remote: str | None
    state: StateDb | None
    bring: Bring


@record
class Stored:
    """One recorded file or directory.

    Attributes:
        path: Where it belongs.
        out: The output that it is, or lies in.
        id: Its object.
    """

    path: RepoPath
    out: RecordedOutput
    id: ObjectId


def find_stored(place: DataPlace, path: RepoPath) -> Stored | None:
    """Returns what is recorded at a path; None where nothing is.

    Raises:
        MissingDataError: The path is in a directory of which it is not known what it holds.
    """
    owner: RepoPath = path
    while owner not in place.outs:
        if not owner:
            return None
        owner = parent(owner)
    out = place.outs[owner]
    if owner == path:
        return Stored(path=path, out=out, id=out.id)
    id = listing_of(place, out).entries.get(path[len(owner) + 1 :]) if is_directory(out.id) else None
    return None if id is None else Stored(path=path, out=out, id=id)


def is_inside_data(place: DataPlace, path: RepoPath) -> bool:
    """Tells whether a path is a directory of data: an output, inside one, or above one."""
    if any(is_directory(out.id) and path == out.path for out in place.outs.values()):
        return True
    prefix = f"{path}/"
    if any(one.startswith(prefix) for one in place.outs):
        return True
    return any(
        any(name.startswith(prefix[len(out.path) + 1 :]) for name in listing_of(place, out).entries)
        for out in place.outs.values()
        if is_directory(out.id) and path.startswith(f"{out.path}/")
    )


def names_beside(place: DataPlace, path: RepoPath) -> Iterator[str]:
    """Yields what a mistyped path of data may have meant: outputs, and the files of the one that it would lie in."""
    yield from place.outs
    for out in place.outs.values():
        if is_directory(out.id) and path.startswith(f"{out.path}/"):
            yield from (f"{out.path}/{name}" for name in listing_of(place, out).entries)


def stored_file(place: DataPlace, stored: Stored) -> AbsPath:
    """Returns a file with the content of what is recorded; it lasts as long as the cache that it is in.

    Raises:
        MissingDataError: The content is neither in the cache nor at the data remote.
        RemoteError: The remote failed.
        CorruptObjectError: What the remote has is not what its name says.
    """
    for cache in (place.cache, place.scratch):
        view = _view(cache, stored.out)
        if view is not None and _is_sound(place, view, stored.id):
            return view.path_of(stored.id)
    if not place.bring(stored.out, place.scratch):
        _fetch(place, stored)
    view = _view(place.scratch, stored.out)
    if view is None or not view.has(stored.id):
        raise _missing(place, stored.out, stored.path)
    return view.path_of(stored.id)


def stored_url(place: DataPlace, stored: Stored) -> str:
    """Returns where at the data remote the content is, or would be after a push.

    Raises:
        UsageError: There is no data remote.
    """
    setting = _setting(place, stored.out)
    if setting is None:
        raise UsageError(
            f"'{stored.path}' has no url: the project has no default data remote",
            hint="ob remote add -d NAME URL makes one; or name one",
        )
    middle = "" if stored.out.is_legacy else "files/md5/"
    return f"{setting.url.rstrip('/')}/{middle}{stored.id[:2]}/{stored.id[2:]}"


def _is_sound(place: DataPlace, view: LocalCache, id: ObjectId) -> bool:
    if view.is_legacy:
        return view.verify(id)
    return is_sound(view, id, state=place.state if view is place.cache else None)


def _view(cache: LocalCache | None, out: RecordedOutput) -> LocalCache | None:
    return cache.legacy_view() if cache is not None and out.is_legacy else cache


def _setting(place: DataPlace, out: RecordedOutput) -> RemoteSetting | None:
    name = place.remote or out.out.remote
    if name is None and default_remote(place.config) is None:
        return None
    return resolve_remote(place.config, name, root=place.root)


def listing_of(place: DataPlace, out: RecordedOutput) -> Listing:
    """Returns what a directory of data holds; a list that is not in the cache is brought into the scratch cache.

    Raises:
        MissingDataError: It is neither in the cache nor at the data remote.
    """
    views = [view for cache in (place.cache, place.scratch) if (view := _view(cache, out)) is not None]
    for view in views:
        if view.has(out.id):
            return view.listing(out.id)
    if not place.bring(out, place.scratch) and (setting := _setting(place, out)) is not None:
        with Connections() as connections:
            add_list(connections.store(setting, legacy=out.is_legacy), out.id, views[-1])
    if not views[-1].has(out.id):
        raise _missing(place, out, out.path)
    return views[-1].listing(out.id)


def _fetch(place: DataPlace, stored: Stored) -> None:
    setting, view = _setting(place, stored.out), _view(place.scratch, stored.out)
    if setting is None or view is None:
        raise _missing(place, stored.out, stored.path)
    with Connections() as connections:
        store = connections.store(setting, legacy=stored.out.is_legacy)
        wanted = [Wanted(id=stored.id, path=stored.path)]
        done = fetch_objects(wanted, Ends(cache=view, store=store, state=None, reporter=NullReporter()))
    for error in done.failed.values():
        if not isinstance(error, MissingDataError):
            raise error


def _missing(place: DataPlace, out: RecordedOutput, path: RepoPath) -> MissingDataError:
    try:
        setting = _setting(place, out)
    except NotFoundError:
        setting = None
    where = f"nor at its {setting.label}" if setting is not None else "and the project names no data remote"
    return MissingDataError(
        f"the data of '{path}' is not in a cache of this machine, {where}",
        hint="push it from a clone that has it, or make it again with 'ob repro'",
    )
