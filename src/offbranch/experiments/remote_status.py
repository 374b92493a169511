"""How the cache and the data remotes differ: what is only here, only there, or nowhere."""

from collections.abc import Iterable, Iterator
from enum import Enum

from offbranch.base.events import NullReporter
from offbranch.base.paths import RepoPath, is_same_or_inside
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.experiments.data_remotes import DataScope, Group, group_outputs
from offbranch.experiments.used import UsedOutput
from offbranch.project import Project
from offbranch.storage.connections import Connections
from offbranch.storage.listing import Listing
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_setting import is_versioned
from offbranch.storage.remote_store import Store, present_in
from offbranch.storage.transfer import fetch_lists
from offbranch.storage.transfer_plan import Ends


class RemoteState(Enum):
    """Where an object is, in the words of DVC."""

    NEW = "new"  # only here: to be pushed
    DELETED = "deleted"  # only there: to be fetched
    MISSING = "missing"  # nowhere


@record
class RemoteDifference:
    """Attributes:
    paths: Path in the project -> what is the matter with its object; in the order of the outputs, files before directories.
    remotes: Labels of the remotes that were asked.
    """

    paths: dict[str, RemoteState]
    remotes: tuple[str, ...]


def compare_with_remotes(project: Project, scope: DataScope, *, cwd: RepoPath, jobs: int | None) -> RemoteDifference:
    """Returns the objects of some data that are not both in the cache and at their remote; changes nothing.

    Raises:
        UsageError: There is no remote.
        RemoteError: A remote cannot be asked.
    """
    groups = group_outputs(project, scope, cwd=cwd, for_push=True)
    found: dict[str, RemoteState] = {}
    with Connections() as connections:
        for group in groups:
            if is_versioned(group.setting):
                found.update(_compare_versions(project, group, connections, jobs))
                continue
            store = connections.store(group.setting, jobs=jobs, legacy=group.is_legacy)
            found.update(_compare(project, group, store))
    return RemoteDifference(paths=found, remotes=tuple(group.setting.label for group in groups))


def _compare(project: Project, group: Group, store: Store) -> dict[str, RemoteState]:
    cache = project.cache.legacy_view() if group.is_legacy else project.cache
    ends = Ends(cache=cache, store=store, state=project.state, reporter=NullReporter())
    listings = fetch_lists({used.id for used in group.outputs if is_directory(used.id)}, ends)[0]
    parts = [part for used in group.outputs for part in _parts(used, listings)]
    ids = {id for _, id in parts}
    return dict(_different(parts, cache.present(ids), present_in(store, ids)))


def _compare_versions(
    project: Project, group: Group, connections: Connections, jobs: int | None
) -> dict[str, RemoteState]:
    files, unknown = load("offbranch.experiments.versioned:recorded_files")(project, group, connections, jobs)
    here = project.cache.present({id for _, id, _ in files})
    found = {
        path: state
        for path, id, is_there in files
        if (state := _state(is_here=id in here, is_there=is_there)) is not None
    }
    return {**found, **{used.path: RemoteState.MISSING for used in unknown}}


def _parts(used: UsedOutput, listings: dict[ObjectId, tuple[Listing, bytes | None]]) -> Iterator[tuple[str, ObjectId]]:
    """Yields the path and object of each file of an output, and of the directory itself last."""
    listing = listings.get(used.id)
    for name, id in listing[0].entries.items() if listing is not None else ():
        if not used.inner or any(is_same_or_inside(name, each) for each in used.inner):
            yield f"{used.path}/{name}", id
    yield used.path, used.id


def _different(
    parts: Iterable[tuple[str, ObjectId]], here: frozenset[ObjectId], there: frozenset[ObjectId]
) -> Iterator[tuple[str, RemoteState]]:
    for path, id in parts:
        if (state := _state(is_here=id in here, is_there=id in there)) is not None:
            yield path, state


def _state(*, is_here: bool, is_there: bool) -> RemoteState | None:
    if is_here == is_there:
        return None if is_here else RemoteState.MISSING
    return RemoteState.NEW if is_here else RemoteState.DELETED
