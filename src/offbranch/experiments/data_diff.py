"""How two `DataIndex`es differ: outputs and, where asked for, the files of directories; what was moved is recognised."""

from collections.abc import Callable, Iterable

from offbranch.base.paths import RepoPath, is_same_or_inside
from offbranch.base.records import record
from offbranch.experiments.data_index import DataIndex, Files
from offbranch.storage.objects import ObjectId, is_directory


@record
class DataChange:
    """One path that differs, or does not.

    Attributes:
        path: As it is shown: a directory ends with `/`. Of something moved, the new path.
        old: Its object before; None if it was not there.
        new: Its object now; None if it is not there any more.
        old_path: Where it was, if it was moved.
    """

    path: str
    old: ObjectId | None
    new: ObjectId | None
    old_path: str | None = None


@record
class DataDiff:
    """Everything that differs between two moments, each part in the order of paths.

    Attributes:
        unknown: Files that cannot be compared, because the directory object of the other side is not in the cache.
        unchanged: What is the same on both sides.
    """

    added: tuple[DataChange, ...] = ()
    deleted: tuple[DataChange, ...] = ()
    modified: tuple[DataChange, ...] = ()
    renamed: tuple[DataChange, ...] = ()
    unknown: tuple[DataChange, ...] = ()
    unchanged: tuple[DataChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.deleted or self.modified or self.renamed)


class _Found:
    """The lists that a comparison fills."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self.wanted = wanted
        self.added: list[DataChange] = []
        self.deleted: list[DataChange] = []
        self.modified: list[DataChange] = []
        self.unknown: list[DataChange] = []
        self.unchanged: list[DataChange] = []

    def take(self, path: str, old: ObjectId | None, new: ObjectId | None, *, show_old: bool) -> None:
        if not self.wanted(path):
            return
        shown = old if new is None or (show_old and old is not None) else new
        is_dir = shown is not None and is_directory(shown)
        change = DataChange(path=f"{path}/" if is_dir else path, old=old, new=new)
        if old == new:
            self.unchanged.append(change)
        else:
            (self.added if old is None else self.deleted if new is None else self.modified).append(change)


def compare_data(
    old: DataIndex,
    new: DataIndex,
    *,
    granular: bool,
    targets: tuple[RepoPath, ...] = (),
    show_old: bool = False,
    only_changes: bool = False,
) -> DataDiff:
    """Compares two indices.

    Args:
        old: What was.
        new: What is.
        granular: Also file by file inside directories.
        targets: Only these paths and what is below them; all if there are none.
        show_old: A directory that became a file is shown as the directory, and the other way round.
        only_changes: Directories that are the same on both sides are not entered.
    """
    found = _Found(lambda path: not targets or any(is_same_or_inside(path, target) for target in targets))
    for path in sorted({*old.outs, *new.outs}):
        if targets and not any(is_same_or_inside(path, t) or is_same_or_inside(t, path) for t in targets):
            continue
        before, after = old.outs.get(path), new.outs.get(path)
        found.take(path, before, after, show_old=show_old)
        if granular and not (only_changes and before == after):
            _compare_files(path, _files(old, path, before), _files(new, path, after), found)
    return _with_renames(found)


def _files(index: DataIndex, path: RepoPath, id: ObjectId | None) -> Files | None:
    return index.files_of(path) if id is not None and is_directory(id) else {}


def _compare_files(top: str, old: Files | None, new: Files | None, found: _Found) -> None:
    if old is None or new is None:
        for name, id in (old or new or {}).items():
            if found.wanted(f"{top}/{name}"):
                sides = (id, None) if new is None else (None, id)
                found.unknown.append(DataChange(path=f"{top}/{name}", old=sides[0], new=sides[1]))
        return
    for name in sorted({*old, *new}):
        found.take(f"{top}/{name}", old.get(name), new.get(name), show_old=False)


def _with_renames(found: _Found) -> DataDiff:
    """Pairs what is gone with what is new and has the same content, in the order of paths."""
    gone: dict[ObjectId, list[DataChange]] = {}
    for change in reversed(found.deleted):
        if change.old is not None:
            gone.setdefault(change.old, []).append(change)
    renamed: list[DataChange] = []
    added: list[DataChange] = []
    for change in found.added:
        sources = gone.get(change.new) if change.new is not None else None
        if sources:
            source = sources.pop()
            renamed.append(DataChange(path=change.path, old=source.old, new=change.new, old_path=source.path))
        else:
            added.append(change)
    moved = {change.old_path for change in renamed}
    return DataDiff(
        added=_sorted(added),
        deleted=_sorted(change for change in found.deleted if change.path not in moved),
        modified=_sorted(found.modified),
        renamed=tuple(sorted(renamed, key=lambda change: (change.old_path or "", change.path))),
        unknown=_sorted(found.unknown),
        unchanged=_sorted(found.unchanged),
    )


def _sorted(changes: Iterable[DataChange]) -> tuple[DataChange, ...]:
    return tuple(sorted(changes, key=lambda change: change.path))
