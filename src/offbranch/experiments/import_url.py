"""Data from a url into the cache, and what a .dvc file records of where it came from."""

import os
import posixpath
from collections.abc import Mapping
from contextlib import closing

from offbranch.base.errors import BadInputError, NotFoundError, UsageError
from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath, absolute, join
from offbranch.base.records import record, replace
from offbranch.experiments.send_data import send_to_remote
from offbranch.pipeline.plan import locked_item
from offbranch.pipeline.stage import Dependency, LockedItem
from offbranch.project import Project
from offbranch.storage.external import (
    External,
    hash_external,
    is_tagged,
    look_at,
    tag_of,
    take_external,
)
from offbranch.storage.objects import Content, Tag
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import LOCAL, RemoteSetting, is_url, resolve_url
from offbranch.storage.save import save
from offbranch.storage.workspace import observe


@record
class UrlSource:
    """Where data is imported from.

    Attributes:
        written: As .dvc files have it.
        setting: What it stands for.
        versioned: The version of each file is recorded, and is what a later download gets.
        options: What `--fs-config` says; kept in the .dvc file.
    """

    written: str
    setting: RemoteSetting
    versioned: bool = False
    options: Mapping[str, object] | None = None

    @property
    def dependency(self) -> Dependency:
        """As a dependency of a .dvc file."""
        return Dependency(
            written=self.written, path=None, source={"fs_config": dict(self.options)} if self.options else None
        )


@record
class UrlData:
    """What is at a url.

    Attributes:
        item: What is recorded of it.
        content: What it is in the cache; None if it was not asked for.
    """

    item: LockedItem
    content: Content | None


def resolve_source(
    project: Project, url: str, *, base: AbsPath, wdir: RepoPath, options: Mapping[str, object], versioned: bool
) -> UrlSource:
    """Returns the source that a user names.

    Args:
        project: Its remotes count.
        url: A url, `remote://name/path`, or a path.
        base: Directory that a relative path is seen from.
        wdir: Directory of the .dvc file, which a relative path is seen from there.
        options: Options of the place, in place of those configured.
        versioned: Record versions.
    """
    kept = {**options, **({"version_aware": True} if versioned else {})}
    setting = with_options(resolve_url(project.config, url, root=project.root, base=base), options)
    written = url
    if setting.scheme == LOCAL and not is_url(url) and not os.path.isabs(url):
        written = os.path.relpath(setting.url, join(project.root, wdir)).replace(os.sep, "/")
    return UrlSource(written=written, setting=setting, versioned=versioned, options=kept or None)


def source_of(project: Project, dependency: Dependency, *, wdir: RepoPath) -> UrlSource:
    """Returns the source that a .dvc file names; raises as `resolve_source`."""
    kept = (dependency.source or {}).get("fs_config") or {}
    if not isinstance(kept, Mapping):
        raise BadInputError("expected a map", path=dependency.written, key="fs_config")
    options = {key: value for key, value in kept.items() if key != "version_aware"}
    setting = resolve_url(project.config, dependency.written, root=project.root, base=join(project.root, wdir))
    return UrlSource(
        written=dependency.written,
        setting=with_options(setting, options),
        versioned=bool(kept.get("version_aware")),
        options=kept or None,
    )


def with_options(setting: RemoteSetting, options: Mapping[str, object]) -> RemoteSetting:
    """Returns a place with some options in place of what is configured."""
    if not options:
        return setting
    return replace(setting, options={**setting.options, **{key: str(value) for key, value in options.items()}})


def split_options(pairs: tuple[str, ...]) -> dict[str, object]:
    """Returns `K=V` arguments as a map.

    Raises:
        UsageError: One has no `=`.
    """
    found: dict[str, object] = {}
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not mark or not key:
            raise UsageError(f"'{pair}' is no option", hint="write NAME=VALUE")
        found[key] = value
    return found


def get_data(project: Project, source: UrlSource, *, download: bool, jobs: int | None, reporter: Reporter) -> UrlData:
    """Looks at a url and brings what is there into the cache.

    Args:
        project: Its cache.
        source: The url.
        download: Bring it; otherwise only what is recorded of it is found out.
        jobs: Downloads at a time.
        reporter: Takes the progress.

    Raises:
        NotFoundError: There is nothing at the url.
        RemoteError: The server failed.
    """
    if source.setting.scheme == LOCAL:
        content = _get_local(project, source.setting, download=download, reporter=reporter)
        # As in DVC, what is imported is not executable even where the original is.
        kept = replace(content, is_executable=False) if download else None
        return UrlData(item=locked_item(source.written, content), content=kept)
    with closing(open_files(source.setting)) as files:
        external = look_at(files)
        if source.versioned and external.is_dir:
            external = replace(external, files=tuple(files.find(file.key) or file for file in external.files))
        content_now: Content | None = None
        if download:
            content_now = take_external(files, external, project.cache, jobs=jobs, reporter=reporter)
        item = _record(files, external, content_now, source, jobs, reporter)
        return UrlData(item=item, content=content_now)


def send_data(
    project: Project, source: UrlSource, target: RemoteSetting, *, jobs: int | None, reporter: Reporter
) -> UrlData:
    """Brings what is at a url to a data remote, neither into the cache nor the workspace; raises as `get_data`."""
    content = send_to_remote(project, source.setting, target, jobs=jobs, reporter=reporter)
    if source.setting.scheme == LOCAL:
        return UrlData(item=locked_item(source.written, content), content=content)
    with closing(open_files(source.setting)) as files:
        return UrlData(item=_record(files, look_at(files), content, source, jobs, reporter), content=content)


def name_of(url: str) -> str:
    """Returns the name that data at a url has when none is given.

    Raises:
        UsageError: The url has none.
    """
    path = url.partition("://")[2].partition("/")[2] if is_url(url) else url
    name = posixpath.basename(path.partition("?")[0].rstrip("/") if is_url(url) else path.rstrip("/"))
    if name in ("", ".", ".."):
        raise UsageError(
            f"'{url}' has no name that the data could have here", hint="name the place: ob import-url URL OUT"
        )
    return name


def _get_local(project: Project, setting: RemoteSetting, *, download: bool, reporter: Reporter) -> Content:
    path = absolute(setting.url)
    if not os.path.exists(path):
        raise NotFoundError(f"'{setting.url}' does not exist", hint="give the path or url of a file or directory")
    if not download:
        seen = observe(path, state=project.state, ignore=None, rel=RepoPath(""))
        assert seen is not None
        return seen
    return save(
        path, cache=project.cache, state=project.state, ignore=None, rel=RepoPath(""), relink=False, reporter=reporter
    )


def _record(
    files: RemoteFiles,
    external: External,
    content: Content | None,
    source: UrlSource,
    jobs: int | None,
    reporter: Reporter,
) -> LockedItem:
    if is_tagged(files):
        return item_of(source.written, tag_of(files, external, versioned=source.versioned))
    if content is None:
        content = hash_external(files, external, jobs=jobs, reporter=reporter)
    return locked_item(source.written, content)


def item_of(written: str, tag: Tag) -> LockedItem:
    """Returns a tag as .dvc files record it."""
    return LockedItem(written=written, md5=tag.md5, size=tag.size, n_files=tag.n_files, extra=tag.extra)
