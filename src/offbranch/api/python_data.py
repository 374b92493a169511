"""What is asked for by `open`, `read` and `get_url`, and where the data of that moment may be."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from offbranch.api.python_place import Where, project_of
from offbranch.base.config import Config, merge_configs, settings_of
from offbranch.base.errors import NotFoundError, UsageError
from offbranch.base.events import NullReporter
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.paths import ROOT, AbsPath, RepoPath, join, relative_to, resolve_in
from offbranch.base.records import record, replace
from offbranch.experiments.bring_imports import bring_import
from offbranch.experiments.data_index import sound
from offbranch.experiments.import_repo import outputs_around
from offbranch.experiments.imports import is_import, source_bases
from offbranch.experiments.loading import load
from offbranch.experiments.source_repo import OpenSource, RepoSource, open_source
from offbranch.experiments.stored_file import DataPlace
from offbranch.pipeline.recorded import RecordedOutput, all_recorded
from offbranch.storage.local import LocalCache
from offbranch.storage.remote_setting import default_remote

Settings = Mapping[str, Any]
_NOWHERE = AbsPath("/nonexistent")  # what relative paths in the configuration of a repository elsewhere lead to


@record
class FileRequest:
    """Attributes:
    path: As it was given.
    where: The project.
    is_here: It is the one around the current directory, which paths may be seen from.
    rev: None for the workspace, or the default branch of what is elsewhere.
    remote: Name of a data remote.
    config: Settings laid over those of the project.
    remote_config: Options laid over those of the data remote.
    """

    path: str
    where: Where
    is_here: bool
    rev: str | None
    remote: str | None
    config: Settings | None
    remote_config: Settings | None

    @property
    def is_of_workspace(self) -> bool:
        """Files on disk are meant."""
        return self.rev is None and self.where.path is not None

    @property
    def top(self) -> AbsPath:
        """The directory that paths are below."""
        top = self.where.root or self.where.path
        assert top is not None
        return top


def paths_meant(request: FileRequest) -> tuple[RepoPath, ...]:
    """Returns the paths of a workspace that a path may mean: seen from the current directory, then from the top.

    Raises:
        NotFoundError: It leads outside.
    """
    text, top = request.path, request.top
    if os.path.isabs(text):
        inside = relative_to(AbsPath(os.path.normpath(text)), top) or relative_to(AbsPath(os.path.realpath(text)), top)
        found = [RepoPath(inside)] if inside else []
    else:
        bases = (request.where.cwd, ROOT) if request.is_here else (ROOT,)
        found = [path for base in bases if (path := resolve_in(base, text.strip("/") or "."))]
    if not found:
        raise NotFoundError(f"'{text}' is outside of the project", hint="give a path below its top")
    return tuple(dict.fromkeys(found))


@contextmanager
def data_of_workspace(request: FileRequest, scratch: LocalCache) -> Iterator[DataPlace]:
    """Opens what is recorded in a workspace; what has to be brought goes into `scratch`."""
    project = project_of(request.where, request.config)
    try:
        pipelines = sound(load(project))

        def bring(out: RecordedOutput, cache: LocalCache) -> bool:
            if not is_import(out.stage):
                return False
            bases = source_bases(project, request.where.session.start, out.stage.wdir)
            locked = pipelines.locks.get(out.stage.address)
            bring_import(replace(project, cache=cache), out.stage, locked, bases=bases, reporter=NullReporter())
            return True

        yield DataPlace(
            outs=all_recorded(pipelines),
            cache=project.cache,
            scratch=scratch,
            config=_overlaid(project.config, request, project.root),
            root=project.root,
            remote=request.remote,
            state=project.state,
            bring=bring,
        )
    finally:
        project.state.close()


@contextmanager
def data_of_revision(request: FileRequest, scratch: LocalCache) -> Iterator[tuple[OpenSource, DataPlace]]:
    """Opens a revision, and what is recorded in it; raises as `open_source`."""
    where, path = request.where, request.path
    start = where.session.start
    if where.root is not None and (os.path.isabs(path) or resolve_in(ROOT, path) is None):
        path = relative_to(AbsPath(os.path.realpath(os.path.join(start, path))), where.root) or path
    source = RepoSource(url=where.url, rev=request.rev, config=request.config)
    with open_source(source, path, bases=(start,), environment=where.session.environment, cache=scratch) as found:
        root = found.root or _NOWHERE
        yield (
            found,
            DataPlace(
                outs=outputs_around(found, found.inside, scratch),
                cache=found.own_cache,
                scratch=scratch,
                config=_overlaid(found.config, request, root),
                root=root,
                remote=request.remote,
                state=None,
                bring=lambda out, cache: False,
            ),
        )


@contextmanager
def scratch_cache() -> Iterator[LocalCache]:
    """Makes a cache for the time of the context; a file of it that is open by then stays readable."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, ignore_cleanup_errors=True) as directory:
        yield LocalCache(AbsPath(os.path.join(directory, "cache")))


def _overlaid(config: Config, request: FileRequest, root: AbsPath) -> Config:
    if not request.remote_config:
        return config
    name = request.remote or default_remote(config)
    if name is None:
        raise UsageError("'remote_config' needs a data remote", hint="name one with 'remote'")
    more = settings_of({"remote": {name: dict(request.remote_config)}}, origin=join(root, "remote_config"))
    return merge_configs((config.settings, more))
