"""Data from elsewhere: imported with a record of its source, brought up to date, copied without a record, listed."""

import os
from collections.abc import Sequence

from offbranch.api.session import Session, held
from offbranch.base.errors import UsageError
from offbranch.base.paths import RepoPath, absolute, relative_to
from offbranch.base.records import record
from offbranch.experiments.data_place import new_place
from offbranch.experiments.import_url import name_of, resolve_source
from offbranch.experiments.imports import (
    Imported,
    ImportOptions,
    import_from_repo,
    import_from_url,
    is_import,
    source_bases,
    update_import,
)
from offbranch.experiments.loading import load
from offbranch.experiments.source_repo import RepoSource
from offbranch.pipeline.options import SelectOptions
from offbranch.pipeline.select import select_stages
from offbranch.project import Project
from offbranch.storage.remote_setting import resolve_remote


@record
class ImportRequest:
    """How to import.

    Attributes:
        out: Where in the project; by default its name, in the current directory.
        download: Bring the data; otherwise only what it is is recorded.
        look: Find out what it is; otherwise only where it is is recorded.
        to_remote: Bring it to a data remote, neither into the cache nor the workspace.
        remote: Name of that data remote; None for the default one.
        jobs: Downloads at a time.
        force: Replace what is at the place.
        desc: What the data is, for people.
    """

    out: str | None = None
    download: bool = True
    look: bool = True
    to_remote: bool = False
    remote: str | None = None
    jobs: int | None = None
    force: bool = False
    desc: str | None = None


@record
class UpdateRequest:
    """How to bring imports up to date.

    Attributes:
        rev: The revision to follow from now on; None for the one that is recorded.
        recursive: A directory as target stands for all .dvc files below it.
        download: Bring the data; otherwise only what it is is recorded.
        to_remote, remote, jobs: As in `ImportRequest`.
    """

    rev: str | None = None
    recursive: bool = False
    download: bool = True
    to_remote: bool = False
    remote: str | None = None
    jobs: int | None = None


def import_url(
    url: str,
    session: Session,
    request: ImportRequest,
    *,
    options: dict[str, object] | None = None,
    versioned: bool = False,
) -> Imported:
    """Imports a file or directory from a url, and records where it came from in a .dvc file.

    Args:
        url: A url, `remote://name/path` below a data remote, or a path.
        session: Where.
        request: How.
        options: Options of the place, as of a data remote.
        versioned: Record the version of each file, for stores that keep versions.

    Raises:
        NotFoundError: There is nothing at the url.
        ConflictError: Something is at the place already.
        RemoteError: The server failed.
    """
    with held(session) as (project, _):
        name = name_of(url)
        out = absolute(request.out or name, base=session.start)
        place = new_place(project, load(project), out, name, force=request.force)
        wdir = RepoPath(os.path.dirname(place.data_file))
        source = resolve_source(project, url, base=session.start, wdir=wdir, options=options or {}, versioned=versioned)
        return import_from_url(project, source, place, _options(project, request), session.reporter)


def import_path(source: RepoSource, path: str, session: Session, request: ImportRequest) -> Imported:
    """Imports a file or directory of another repository, of Git or data, and records it with the commit in a .dvc file.

    Args:
        source: The repository.
        path: Below its top.
        session: Where.
        request: How.

    Raises:
        NotFoundError: There is no such revision or path.
        GitError: The repository cannot be reached.
        MissingDataError: The data is neither in the source's cache nor at its data remote.
        ConflictError: Something is at the place already.
    """
    with held(session) as (project, _):
        name = os.path.basename(path.rstrip("/"))
        if name in ("", ".", "..") and request.out is None:
            raise UsageError(f"'{path}' has no name that the data could have here", hint="name the place with -o")
        out = absolute(request.out or name, base=session.start)
        place = new_place(project, load(project), out, name, force=request.force)
        options = _options(project, request)
        bases = source_bases(project, session.start)
        return import_from_repo(project, source, path, place, options, session.reporter, bases=bases)


def update(targets: Sequence[str], session: Session, request: UpdateRequest) -> tuple[Imported, ...]:
    """Brings imports up to date: looks at where they come from, gets what has changed, and records it.

    Args:
        targets: .dvc files of imports, or their data.
        session: Where.
        request: How.

    Returns:
        One for each import; `changed` says whether there was anything new.

    Raises:
        UsageError: A target is no import.
        NotFoundError: A target or its source does not exist.
    """
    with held(session) as (project, _):
        loaded = load(project)
        cwd = relative_to(session.start, project.root) or RepoPath("")
        options = SelectOptions(cwd=cwd, single_item=True, recursive=request.recursive)
        named = set(select_stages(loaded, targets, options).targets)
        stages = [stage for stage in loaded.stages if stage.address in named]
        for stage in stages:
            if not is_import(stage) and not request.recursive:
                raise UsageError(f"'{stage.address}' imports nothing", hint="give the .dvc file of an import")
        how = ImportOptions(
            download=request.download,
            target=resolve_remote(project.config, request.remote, root=project.root) if request.to_remote else None,
            jobs=request.jobs,
        )
        return tuple(
            update_import(
                project,
                stage,
                loaded,
                how,
                session.reporter,
                rev=request.rev,
                bases=source_bases(project, session.start, stage.wdir),
            )
            for stage in stages
            if is_import(stage)
        )


def _options(project: Project, request: ImportRequest) -> ImportOptions:
    target = resolve_remote(project.config, request.remote, root=project.root) if request.to_remote else None
    return ImportOptions(
        download=request.download,
        look=request.look,
        target=target,
        jobs=request.jobs,
        force=request.force,
        desc=request.desc,
    )
