"""Getting the data of imports again from where it came from, as `fetch` and `pull` do: no data remote of ours has it."""

from collections.abc import Iterator, Mapping

from offbranch.base.errors import CorruptObjectError, NotFoundError, OffbranchError
from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.experiments.data_place import put
from offbranch.experiments.data_remotes import DataScope, imports_of_scope
from offbranch.experiments.import_url import get_data, source_of
from offbranch.experiments.imports import (
    is_import,
    is_same_record,
    item_of_path,
    opened_source,
    source_bases,
    take_into_cache,
)
from offbranch.experiments.loading import load
from offbranch.experiments.moved import Brought, Failure
from offbranch.experiments.source_repo import parse_source
from offbranch.git.ids import CommitId
from offbranch.pipeline.stage import LockedItem, LockedStage, Pipelines, Stage
from offbranch.pipeline.targets import resolve_targets
from offbranch.project import Project
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.workspace import find_status


def bring_imports(project: Project, scope: DataScope, reporter: Reporter, *, cwd: RepoPath) -> Brought:
    """Brings into the cache what the imports of a scope record, and what partial imports (`--no-download`) stand for.

    A partial import whose data is in the workspace is left alone.
    """
    start = join(project.root, cwd)
    n_objects = size_bytes = 0
    failures: list[Failure] = []
    partial: dict[RepoPath, Content] = {}
    cache = project.cache
    for stage, locked, path, id in _absent(project, scope, cwd):
        n_before = _n_files(project, id)
        try:
            content = bring_import(project, stage, locked, bases=_bases(project, start, stage), reporter=reporter)
            if id and content.id != id and not cache.has_all(id):
                raise CorruptObjectError(
                    f"what '{stage.deps[0].written}' was imported from has another content now than '{stage.file}' records",
                    hint=f"ob update {stage.file} records the present one",
                )
        except OffbranchError as error:
            failures.append(Failure(id=id, path=path, error=error, source=stage.deps[0].written))
            continue
        if not id:
            partial[path] = content
        n_objects += (content.n_files or 1) + (content.n_files is not None) - n_before
        size_bytes += content.size
    return Brought(n_objects=n_objects, size_bytes=size_bytes, failures=tuple(failures), partial=partial)


def put_partial(project: Project, brought: Brought, reporter: Reporter, *, force: bool) -> tuple[str, ...]:
    """Puts the data of partial imports into the workspace; returns what is new there, a directory with `/` at its end."""
    for path, content in brought.partial.items():
        put(project, path, content, reporter, force=force)
    return tuple(f"{path}/" if content.n_files is not None else path for path, content in brought.partial.items())


def _absent(
    project: Project, scope: DataScope, cwd: RepoPath
) -> Iterator[tuple[Stage, LockedStage | None, RepoPath, ObjectId]]:
    for used in imports_of_scope(project, scope, cwd=cwd):
        view = project.cache.legacy_view() if used.is_legacy else project.cache
        if not view.has_all(used.id):
            yield used.stage, LockedStage(deps=used.deps), used.path, used.id
    if scope.revs or scope.kinds or scope.max_size_bytes is not None:
        return
    loaded = load(project)
    for stage in _named(loaded, scope, cwd):
        locked = loaded.locks.get(stage.address) or LockedStage()
        path = stage.outs[0].path if is_import(stage) else None
        if path is None or any(item.md5 for item in locked.outs) or not _is_looked_at(stage, locked.deps):
            continue
        if find_status(join(project.root, path)) is None:
            yield stage, locked, path, ObjectId("")


def _named(loaded: Pipelines, scope: DataScope, cwd: RepoPath) -> Iterator[Stage]:
    if not scope.targets:
        yield from loaded.stages
        return
    targets = resolve_targets(loaded, scope.targets, cwd=cwd, glob=scope.glob, recursive=scope.recursive)
    yield from {target.stage.address: target.stage for target in targets}.values()


def _is_looked_at(stage: Stage, deps: tuple[LockedItem, ...]) -> bool:
    """Tells whether a record says which version was imported; `--no-exec` leaves that open."""
    repo = (stage.deps[0].source or {}).get("repo")
    if repo is not None:
        return "rev_lock" in repo
    return any(item.md5 or item.extra for item in deps)


def _n_files(project: Project, id: ObjectId) -> int:
    """Returns how many of the objects of a directory (or whether a file) are in the cache already."""
    cache = project.cache
    if not id or not cache.has(id):
        return 0
    return 1 + (len(cache.has_many(cache.listing(id).entries.values())) if id.endswith(".dir") else 0)


def _bases(project: Project, start: AbsPath, stage: Stage) -> tuple[AbsPath, ...]:
    return source_bases(project, start, stage.wdir)


def bring_import(
    project: Project, stage: Stage, locked: LockedStage | None, *, bases: tuple[AbsPath, ...], reporter: Reporter
) -> Content:
    """Brings the data of an import into the cache again, in the version that is recorded.

    Raises:
        OffbranchError: The source cannot be reached, or has the data no more.
    """
    dependency = stage.deps[0]
    block = (dependency.source or {}).get("repo")
    if isinstance(block, Mapping):
        lock = block.get("rev_lock")
        source = parse_source(block, path=stage.file)
        if lock is None:
            raise NotFoundError(
                f"'{stage.file}' does not record which commit its data is of", hint=f"ob update {stage.file}"
            )
        with opened_source(project, source, dependency.written, bases, CommitId(str(lock))) as found:
            return take_into_cache(project, found, None, reporter)
    url = source_of(project, dependency, wdir=stage.wdir)
    got = get_data(project, url, download=True, jobs=None, reporter=reporter)
    recorded = item_of_path((locked or LockedStage()).deps, dependency.written)
    if recorded is not None and (recorded.md5 or recorded.extra) and not is_same_record(recorded, got.item):
        raise OffbranchError(
            f"what is at '{url.written}' is no longer what '{stage.file}' records", hint=f"ob update {stage.file}"
        )
    assert got.content is not None
    return got.content
