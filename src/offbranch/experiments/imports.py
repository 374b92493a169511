"""Imports of a project: making them, bringing them up to date, and getting their data again from where it came from."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from offbranch.base.errors import NotFoundError, UsageError
from offbranch.base.events import Reporter
from offbranch.base.paths import ROOT, AbsPath, RepoPath, join
from offbranch.base.records import record, replace
from offbranch.experiments.data_place import Place, put, write_record
from offbranch.experiments.import_repo import take_from
from offbranch.experiments.import_url import UrlSource, get_data, send_data, source_of
from offbranch.experiments.source_repo import (
    OpenSource,
    RepoSource,
    newest_commit,
    open_source,
    parse_source,
    written_source,
)
from offbranch.git.ids import CommitId
from offbranch.pipeline.datafile import render_data_file, update_datafile_text
from offbranch.pipeline.plan import locked_item
from offbranch.pipeline.stage import Dependency, LockedItem, LockedStage, Output, Pipelines, Stage
from offbranch.project import Project
from offbranch.storage.objects import Content
from offbranch.storage.remote_setting import RemoteSetting


@record
class ImportOptions:
    """How data is imported.

    Attributes:
        download: Bring it; otherwise only what it is is recorded.
        look: Find out what it is; otherwise only where it is is recorded.
        target: A data remote that gets the data in place of cache and workspace.
        jobs: Downloads at a time.
        force: Replace what is at the place.
        desc: What the data is, for people.
    """

    download: bool = True
    look: bool = True
    target: RemoteSetting | None = None
    jobs: int | None = None
    force: bool = False
    desc: str | None = None


@record
class Imported:
    """Attributes:
    path: Where the data is in the project.
    data_file: The .dvc file.
    source: Where it comes from, as messages show it.
    content: What it is; None if it was not brought.
    changed: Whether the .dvc file has changed.
    touched: Files that belong into version control.
    """

    path: RepoPath
    data_file: RepoPath
    source: str
    content: Content | None
    changed: bool
    touched: tuple[RepoPath, ...] = ()


def import_from_url(
    project: Project, source: UrlSource, place: Place, options: ImportOptions, reporter: Reporter
) -> Imported:
    """Imports what is at a url; see `api.imports.import_url`."""
    item, content = LockedItem(written=source.written), None
    if options.target is not None:
        got = send_data(project, source, options.target, jobs=options.jobs, reporter=reporter)
        item, content = got.item, got.content
    elif options.look:
        got = get_data(project, source, download=options.download, jobs=options.jobs, reporter=reporter)
        item, content = got.item, got.content
        if content is not None:
            put(project, place.path, content, reporter, force=options.force)
    return _record_new(project, place, (source.dependency, item), content, options, push=not source.versioned)


def import_from_repo(
    project: Project,
    source: RepoSource,
    path: str,
    place: Place,
    options: ImportOptions,
    reporter: Reporter,
    *,
    bases: tuple[AbsPath, ...],
) -> Imported:
    """Imports a path of another repository; see `api.imports.import_path`."""
    commit, content = None, None
    if options.look:
        with opened_source(project, source, path, bases, None) as found:
            commit = found.commit
            if options.download:
                content = take_into_cache(project, found, options.jobs, reporter)
            elif found.inventory.find(found.inside) is None and not options.download:
                raise NotFoundError(f"there is no '{path}' in '{source.url}'", hint=f"ob ls {source.url}")
        if content is not None:
            put(project, place.path, content, reporter, force=options.force)
    repo = written_source(source, commit)
    dependency = Dependency(written=path, path=None, source={"repo": repo})
    pair = (dependency, LockedItem(written=path, hash_name=None))
    return _record_new(project, place, pair, content, options, push=True)


def update_import(
    project: Project,
    stage: Stage,
    pipelines: Pipelines,
    options: ImportOptions,
    reporter: Reporter,
    *,
    rev: str | None,
    bases: tuple[AbsPath, ...],
) -> Imported:
    """Brings one import up to date; see `api.imports.update`."""
    dependency, out = stage.deps[0], stage.outs[0]
    locked = pipelines.locks.get(stage.address) or LockedStage()
    assert out.path is not None
    place = Place(path=out.path, data_file=stage.file, owner=stage)
    repo = (dependency.source or {}).get("repo")
    if isinstance(repo, Mapping):
        return _update_from_repo(project, place, stage, locked, options, reporter, rev=rev, bases=bases)
    if rev is not None:
        raise UsageError(
            f"'{stage.file}' is imported from a url, which has no revisions", hint="leave --rev out for it"
        )
    source = source_of(project, dependency, wdir=stage.wdir)
    old = item_of_path(locked.deps, dependency.written)
    look = replace(options, download=False)
    content: Content | None = None
    if options.target is not None:
        got = send_data(project, source, options.target, jobs=options.jobs, reporter=reporter)
    else:
        got = get_data(project, source, download=look.download, jobs=options.jobs, reporter=reporter)
        recorded = item_of_path(locked.outs, out.written)
        is_same = old is not None and is_same_record(old, got.item)
        if is_same and (not options.download or (recorded is not None and recorded.md5)):
            return _unchanged(place, source.written)
        if options.download:
            got = get_data(project, source, download=True, jobs=options.jobs, reporter=reporter)
    content = got.content
    if content is not None and options.target is None:
        put(project, place.path, content, reporter, force=True)
    deps = {dependency.written: got.item}
    return _record_again(project, place, stage, content, deps, {}, source.written)


def _update_from_repo(
    project: Project,
    place: Place,
    stage: Stage,
    locked: LockedStage,
    options: ImportOptions,
    reporter: Reporter,
    *,
    rev: str | None,
    bases: tuple[AbsPath, ...],
) -> Imported:
    dependency, out = stage.deps[0], stage.outs[0]
    block: Mapping[str, object] = (dependency.source or {})["repo"]
    source = parse_source(block, path=stage.file)
    if options.target is not None:
        raise UsageError(f"--to-remote is for imports of a url, and '{stage.file}' is of a repository")
    if rev is not None:
        source = replace(source, rev=rev)
    shown = f"{dependency.written} ({source.url})"
    commit = newest_commit(source, bases=bases, environment=project.environment)
    recorded = item_of_path(locked.outs, out.written)
    has_data = recorded is not None and recorded.md5 is not None
    if commit == block.get("rev_lock") and source.rev == _text(block.get("rev")) and (has_data or not options.download):
        return _unchanged(place, shown)
    content = None
    if options.download:
        with opened_source(project, source, dependency.written, bases, commit) as found:
            content = take_into_cache(project, found, options.jobs, reporter)
        put(project, place.path, content, reporter, force=True)
    changes: dict[str, str] = {"rev_lock": commit}
    if source.rev is not None:
        changes["rev"] = source.rev
    return _record_again(project, place, stage, content, {}, {dependency.written: changes}, shown)


def is_import(stage: Stage) -> bool:
    """Tells whether a .dvc file imports its data from somewhere."""
    return stage.name is None and stage.command is None and len(stage.deps) == 1 and len(stage.outs) == 1


def is_repo_import(stage: Stage) -> bool:
    """Tells whether a .dvc file imports its data from another repository."""
    return is_import(stage) and "repo" in (stage.deps[0].source or {})


def source_bases(project: Project, start: AbsPath, wdir: RepoPath = ROOT) -> tuple[AbsPath, ...]:
    """Returns the directories that a relative path of a source may be seen from, the first one first."""
    return tuple(dict.fromkeys((start, join(project.root, wdir), project.root)))


@contextmanager
def opened_source(
    project: Project, source: RepoSource, path: str, bases: tuple[AbsPath, ...], commit: CommitId | None
) -> Iterator[OpenSource]:
    """Opens a source for a project; see `open_source`."""
    with open_source(
        source, path, bases=bases, environment=project.environment, cache=project.cache, commit=commit
    ) as found:
        yield found


def take_into_cache(project: Project, found: OpenSource, jobs: int | None, reporter: Reporter) -> Content:
    """Brings what a source was opened for into the cache of a project; see `take_from`."""
    content = take_from(found, project.cache, state=project.state, jobs=jobs, reporter=reporter)
    return replace(content, is_executable=False)  # as in DVC


def _record_new(
    project: Project,
    place: Place,
    dependency: tuple[Dependency, LockedItem],
    content: Content | None,
    options: ImportOptions,
    *,
    push: bool,
) -> Imported:
    name = os.path.basename(place.path)
    out = Output(written=name, path=place.path, push=push, annotations={"desc": options.desc} if options.desc else {})
    item = LockedItem(written=name) if content is None else locked_item(name, content)
    text = render_data_file([(out, item)], [dependency], frozen=True)
    touched = write_record(project, place, text)
    written, source = dependency[0].written, (dependency[0].source or {}).get("repo")
    shown = f"{written} ({source['url']})" if isinstance(source, Mapping) else written
    return Imported(
        path=place.path, data_file=place.data_file, source=shown, content=content, changed=True, touched=touched
    )


def _record_again(
    project: Project,
    place: Place,
    stage: Stage,
    content: Content | None,
    deps: Mapping[str, LockedItem],
    repos: Mapping[str, Mapping[str, str]],
    shown: str,
) -> Imported:
    out = stage.outs[0]
    before = project.reader.read_bytes(place.data_file).decode()
    item = LockedItem(written=out.written) if content is None else locked_item(out.written, content)
    text = update_datafile_text(before, place.data_file, {out.written: item}, deps, repos=repos)
    touched = write_record(project, place, text)
    return Imported(
        path=place.path,
        data_file=place.data_file,
        source=shown,
        content=content,
        changed=text != before,
        touched=touched,
    )


def _unchanged(place: Place, shown: str) -> Imported:
    return Imported(path=place.path, data_file=place.data_file, source=shown, content=None, changed=False)


def item_of_path(items: Iterable[LockedItem], written: str) -> LockedItem | None:
    """Returns the record of a path as written."""
    return next((item for item in items if item.written == written), None)


def is_same_record(old: LockedItem, new: LockedItem) -> bool:
    """Tells whether two records are of the same content."""
    return (old.md5, dict(old.extra)) == (new.md5, dict(new.extra))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
