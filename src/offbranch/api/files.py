"""The files of a project, here or elsewhere: listing them, and how much space they take. Changes nothing."""

from collections.abc import Iterator

from offbranch.api.session import Session
from offbranch.base.errors import MissingDataError, NotFoundError, did_you_mean
from offbranch.base.paths import PIPELINE_FILE, ROOT, RepoPath, relative_to, resolve_in
from offbranch.base.records import record
from offbranch.experiments.inventory import Inventory, InventoryEntry
from offbranch.experiments.open_inventory import open_inventory
from offbranch.pipeline.recorded import RecordedOutput
from offbranch.project import find_root, open_project_at

_NOT_COUNTED = (PIPELINE_FILE, ".dvcignore")


@record
class ListRequest:
    """What `ob ls` is asked.

    Attributes:
        url: A directory of a project or repository, or a Git url; None for the directory the user is in.
        path: What to list, below the top of the project; below the user's directory without a url.
        rev: Git revision or experiment; None for the workspace, or the default branch of what is elsewhere.
        recursive: All levels; only files are listed then.
        depth: At most so many levels; None for all.
        data_only: Only data, and directories that hold some.
    """

    url: str | None = None
    path: str = ""
    rev: str | None = None
    recursive: bool = False
    depth: int | None = None
    data_only: bool = False


@record
class FileList:
    """What was listed.

    Attributes:
        entry: What was asked for.
        top: The directory whose entries these are; with a file as `path`, the directory it is in.
        entries: In the order of names; recursive ones each directory before what it holds.
        errors: Directories of which it is not known what they hold, each with the reason.
    """

    entry: InventoryEntry
    top: RepoPath
    entries: tuple[InventoryEntry, ...]
    errors: tuple[MissingDataError, ...] = ()


@record
class SpaceUsed:
    """Bytes of each entry of a directory, in the order of names, and of the whole.

    Attributes:
        n_unknown: How many files have a size that is not known, and are not counted.
    """

    entries: tuple[tuple[RepoPath, int], ...]
    path: RepoPath
    total: int
    n_unknown: int = 0


def list_files(request: ListRequest, session: Session) -> FileList:
    """Lists the files of a project: those of Git and the data, which need not be on disk.

    Raises:
        NotFoundError: There is no such directory, revision or path.
        MissingDataError: What is to be listed is data of which the directory object is not in the cache.
        GitError: The repository cannot be reached.
    """
    inventory, path = _open(request, session)
    entry = _need(inventory, path)
    if request.data_only:
        inventory = inventory.data_only()
    errors: list[MissingDataError] = []

    def keep(_: RecordedOutput, error: MissingDataError) -> None:
        errors.append(error)

    if not entry.is_dir:
        one = inventory.find(path)  # as data it may be none
        top, found = RepoPath(path.rpartition("/")[0]), iter(() if one is None else (one,))
    elif request.recursive:
        inventory.children(path)  # what was asked for itself must be known
        top, found = path, inventory.walk(path, depth=request.depth, on_missing=keep)
    else:
        top, found = path, iter(inventory.children(path))
    return FileList(entry=entry, top=top, entries=tuple(found), errors=tuple(errors))


def space_used(request: ListRequest, session: Session) -> SpaceUsed:
    """Adds up the sizes below a path: data whether on disk or not, and files of Git but pipeline files.

    Raises:
        NotFoundError: There is no such directory, revision or path.
        GitError: The repository cannot be reached.
    """
    inventory, path = _open(request, session)
    entry = _need(inventory, path)
    unknown: list[RepoPath] = []
    if not entry.is_dir:
        return SpaceUsed(entries=(), path=path, total=entry.size or 0, n_unknown=int(entry.size is None))
    sizes = [(one.path, _size(inventory, one, unknown)) for one in inventory.children(path) if _is_counted(one)]
    return SpaceUsed(entries=tuple(sizes), path=path, total=sum(size for _, size in sizes), n_unknown=len(unknown))


def _open(request: ListRequest, session: Session) -> tuple[Inventory, RepoPath]:
    root = find_root(session.start)
    cache = None if root is None else open_project_at(root, session.environment).cache
    inventory, top = open_inventory(
        request.url or ".", rev=request.rev, base=session.start, environment=session.environment, cache=cache
    )
    here = relative_to(session.start, top) if request.url is None and top is not None else ROOT
    path = resolve_in(here or ROOT, request.path or ".")
    if path is None:
        raise NotFoundError(f"'{request.path}' is outside of the project", hint="give a path below its top")
    return inventory, path


def _need(inventory: Inventory, path: RepoPath) -> InventoryEntry:
    entry = inventory.find(path)
    if entry is None:
        above = RepoPath(path.rpartition("/")[0])
        names = [one.path for one in inventory.children(above)]
        raise NotFoundError(f"there is no '{path}'", hint=did_you_mean(path, names) or f"ob ls . {above or '.'}")
    return entry


def _size(inventory: Inventory, entry: InventoryEntry, unknown: list[RepoPath]) -> int:
    if not entry.is_dir:
        return entry.size or 0
    found: list[InventoryEntry] = []
    missing: list[RecordedOutput] = []
    found.extend(_files(inventory, entry.path, missing))
    total, lost = 0, []
    for one in found:
        if one.size is None:
            lost.append(one.path)
        total += one.size or 0
    if entry.id is not None and entry.size is not None and (lost or missing):
        return entry.size  # what is recorded of the whole
    for out in missing:
        total += out.item.size or 0
    unknown += lost
    return total


def _files(inventory: Inventory, path: RepoPath, missing: list[RecordedOutput]) -> Iterator[InventoryEntry]:
    below = inventory.walk(path, on_missing=lambda out, _: missing.append(out))
    return (one for one in below if not one.is_dir and _is_counted(one))


def _is_counted(entry: InventoryEntry) -> bool:
    name = entry.path.rpartition("/")[2]
    return entry.is_out or not (name in _NOT_COUNTED or (name.endswith(".dvc") and not entry.is_dir))
