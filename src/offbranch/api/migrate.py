"""From the cache of DVC 2 to that of DVC 3, and from the entries of DVC 2 in .dvc files and dvc.lock to those of DVC 3."""

from collections.abc import Iterable, Mapping

from offbranch.api.session import Session, held
from offbranch.base.files import atomic_write, decode
from offbranch.base.paths import LOCK_FILE, PIPELINE_FILE, RepoPath, join
from offbranch.base.records import record, replace
from offbranch.experiments.loading import load
from offbranch.pipeline.datafile import parse_data_file, update_datafile_text
from offbranch.pipeline.lockfile import parse_lock, update_lock_text
from offbranch.pipeline.stage import LockedItem, LockedStage, Pipelines
from offbranch.project import Project
from offbranch.storage.migrate import Migration, apply_migration, plan_migration
from offbranch.storage.objects import ObjectId


@record
class Migrated:
    """Attributes:
    n_old: Objects of DVC 2 in the cache.
    n_new: Objects that were made (or would be).
    files: .dvc and lock files that were (or would be) written.
    left: Entries whose content is not in the cache, so that their new hash is not known: file and path.
    """

    n_old: int
    n_new: int
    files: tuple[RepoPath, ...]
    left: tuple[tuple[RepoPath, str], ...]


def migrate(session: Session, *, data_files: bool = False, dry: bool = False) -> Migrated:
    """Adds the objects of DVC 2 to the cache in the layout of DVC 3; the old ones stay.

    Args:
        session: Where.
        data_files: Writes the entries in .dvc files and dvc.lock in the form of DVC 3 as well.
        dry: Only finds out what would be done.

    Raises:
        BadInputError: A .dvc file, dvc.yaml or dvc.lock that would be written is malformed; nothing has been changed.
    """
    with held(session) as (project, _):
        migration = plan_migration(project.cache, state=project.state, reporter=session.reporter)
        texts, left = _new_texts(project, migration) if data_files else ({}, [])
        if not dry:
            # The objects first: no entry may name what is not there.
            apply_migration(migration, project.cache)
            for file, text in texts.items():
                atomic_write(join(project.root, file), text.encode())
        return Migrated(n_old=migration.n_old, n_new=migration.n_new, files=tuple(texts), left=tuple(left))


def _new_texts(project: Project, migration: Migration) -> tuple[dict[RepoPath, str], list[tuple[RepoPath, str]]]:
    loaded = load(project)
    texts: dict[RepoPath, str] = {}
    left: list[tuple[RepoPath, str]] = []
    _raise_broken(loaded)
    for file in loaded.files:
        text = (
            _new_lock(project, file, migration, left)
            if _is_pipeline(file)
            else _new_data(project, file, migration, left)
        )
        if text is not None:
            texts[_written_file(file)] = text
    return texts, left


def _raise_broken(loaded: Pipelines) -> None:
    for error in loaded.broken.values():
        raise error


def _is_pipeline(file: RepoPath) -> bool:
    return file.rpartition("/")[2] == PIPELINE_FILE


def _written_file(file: RepoPath) -> RepoPath:
    return RepoPath(file.removesuffix(PIPELINE_FILE) + LOCK_FILE) if _is_pipeline(file) else file


def _new_data(project: Project, file: RepoPath, migration: Migration, left: list[tuple[RepoPath, str]]) -> str | None:
    text = decode(project.reader.read_bytes(file), file)
    _, locked = parse_data_file(text, file)
    new = _converted(locked, migration.names, file, left)
    if new is None:
        return None
    changed = update_datafile_text(text, file, _by_path(new.outs), _by_path(new.deps))
    return changed if changed != text else None


def _new_lock(project: Project, file: RepoPath, migration: Migration, left: list[tuple[RepoPath, str]]) -> str | None:
    lock = _written_file(file)
    if not project.reader.is_file(lock):
        return None
    text = decode(project.reader.read_bytes(lock), lock)
    changes: dict[str, LockedStage | None] = {}
    for name, entry in parse_lock(text, lock).items():
        if (new := _converted(entry, migration.names, lock, left)) is not None:
            changes[name] = new
    return update_lock_text(text, changes, path=lock) if changes else None


def _by_path(items: Iterable[LockedItem]) -> dict[str, LockedItem]:
    return {item.written: item for item in items}


def _converted(
    entry: LockedStage, names: Mapping[ObjectId, ObjectId], file: RepoPath, left: list[tuple[RepoPath, str]]
) -> LockedStage | None:
    """Returns an entry with every hash of DVC 2 whose new one is known replaced; None when there is none."""

    def convert(item: LockedItem) -> LockedItem:
        if item.md5 is None or item.hash_name is not None:
            return item
        new = names.get(ObjectId(item.md5))
        if new is None:
            left.append((file, item.written))
            return item
        return replace(item, md5=str(new), hash_name="md5")

    deps, outs = tuple(map(convert, entry.deps)), tuple(map(convert, entry.outs))
    return None if (deps, outs) == (entry.deps, entry.outs) else replace(entry, deps=deps, outs=outs)
