"""Data under version control by .dvc files: adding it."""

import os
from collections.abc import Iterator, Sequence

from offbranch.api.session import Session, held
from offbranch.base.errors import ConflictError, NotFoundError, UsageError
from offbranch.base.files import write_if_changed
from offbranch.base.paths import DATA_SUFFIX, AbsPath, RepoPath, absolute, join, overlap
from offbranch.base.plugins import load as load_by_name
from offbranch.base.records import record, replace
from offbranch.experiments.data_place import in_project, owner_of, refuse_tracked
from offbranch.experiments.loading import load
from offbranch.experiments.placed import remember_outputs
from offbranch.experiments.workbench import source_control
from offbranch.pipeline.datafile import render_data_file, update_datafile_text
from offbranch.pipeline.plan import content_of, locked_item
from offbranch.pipeline.stage import LockedItem, Output, Pipelines, Stage
from offbranch.pipeline.versions import kept, look_into
from offbranch.project import Project
from offbranch.storage.hashing import hash_text_normalised
from offbranch.storage.objects import Content
from offbranch.storage.part import save_part
from offbranch.storage.remote_setting import resolve_remote, resolve_url
from offbranch.storage.save import save
from offbranch.storage.workspace import observe


@record
class Added:
    """Attributes:
    path: What was added, relative to the project.
    data_file: The .dvc file that records it.
    content: What it is.
    is_new: Whether the .dvc file is new.
    touched: Files that belong into version control.
    """

    path: RepoPath
    data_file: RepoPath
    content: Content
    is_new: bool
    touched: tuple[RepoPath, ...]


def add(
    targets: Sequence[str],
    session: Session,
    *,
    commit: bool = True,
    glob: bool = False,
    out: str | None = None,
    force: bool = False,
    relink: bool = True,
    desc: str | None = None,
) -> tuple[Added, ...]:
    """Puts files or directories into the cache and records each in a .dvc file.

    Args:
        targets: Paths; one inside a tracked directory updates that directory.
        session: Where.
        commit: Store the content; otherwise only its hash is recorded.
        glob: Targets are shell patterns.
        out: Where in the project the data shall be, for a single target from elsewhere; it is copied there.
        force: Replaces what is at `out`.
        relink: Replace the files by links to the cache where it is configured so.
        desc: What the data is, for people.

    Returns:
        What was added, in the order of the targets.

    Raises:
        NotFoundError: A target does not exist.
        ConflictError: A target is tracked by Git, or is an output of a stage.
    """
    with held(session) as (project, _):
        loaded = load(project)
        paths = [_bring_in(project, session, targets, out, force=force)] if out else None
        paths = paths or list(dict.fromkeys(_expand(project, session, targets, glob=glob)))
        owners = {path: owner_of(loaded, path) for path in paths}
        refuse_tracked(project, [path for path in paths if owners[path] is None])
        adding = _Adding(project=project, session=session, loaded=loaded, commit=commit, relink=relink, desc=desc)
        done: list[Added] = []
        for path in paths:
            if done and owners[path] is not None:
                # The path before may lie in the same directory, and have changed its record.
                adding = replace(adding, loaded=load(project))
            done.append(_add_one(adding, path, owners[path]))
        if commit:
            remember_outputs(project, {one.path: one.content.id for one in done})
        return tuple(done)


def add_to_remote(
    target: str,
    session: Session,
    *,
    out: str | None = None,
    remote: str | None = None,
    jobs: int | None = None,
    force: bool = False,
    desc: str | None = None,
) -> Added:
    """Stores data at a data remote only, and records it in a .dvc file; neither cache nor workspace get it.

    Args:
        target: A path of this machine, or a url.
        session: Where.
        out: Where in the project the data will be once it is pulled; by default its name, in the current directory.
        remote: Name of the data remote; None for the default one.
        jobs: Transfers at a time.
        force: Replaces a .dvc file that is there.
        desc: What the data is, for people.

    Raises:
        NotFoundError: There is nothing at the target, or no such remote.
        ConflictError: The place is an output already, or tracked by Git.
        RemoteError: A remote failed.
    """
    with held(session) as (project, _):
        setting = resolve_remote(project.config, remote, root=project.root)
        source = resolve_url(project.config, target, root=project.root, base=session.start)
        name = out or os.path.basename(source.url.rstrip("/"))
        top = in_project(project, absolute(name, base=session.start))
        loaded = load(project)
        owner = owner_of(loaded, top)
        if owner is not None and not force:
            raise ConflictError(f"'{owner.file}' exists already", hint="-f replaces what it records")
        refuse_tracked(project, [top] if owner is None else [])
        content: Content = load_by_name("offbranch.experiments.send_data:send_to_remote")(
            project, source, setting, jobs=jobs, reporter=session.reporter
        )
        adding = _Adding(project=project, session=session, loaded=loaded, commit=False, relink=False, desc=desc)
        return _record(adding, top, owner, content)


def _expand(project: Project, session: Session, targets: Sequence[str], *, glob: bool) -> Iterator[RepoPath]:
    for target in targets:
        path = absolute(target, base=session.start)
        if glob and any(char in target for char in "*?["):
            matches = sorted(load_by_name("glob:glob")(path, recursive=True))
            if not matches:
                raise NotFoundError(f"no file matches '{target}'")
            yield from (in_project(project, AbsPath(match)) for match in matches if not match.endswith(DATA_SUFFIX))
            continue
        if not os.path.lexists(path):
            raise NotFoundError(f"'{target}' does not exist", hint="give the path of a file or directory")
        yield in_project(project, path)


@record
class _Adding:
    """One call of `add`."""

    project: Project
    session: Session
    loaded: Pipelines
    commit: bool
    relink: bool
    desc: str | None


def _add_one(adding: _Adding, path: RepoPath, owner: Stage | None) -> Added:
    project = adding.project
    top = next((out.path for out in owner.outs if out.path and overlap(out.path, path)), path) if owner else path
    disk = join(project.root, top)
    if owner is not None and _is_unchanged_since_dvc2(adding, owner, top):
        seen = observe(disk, state=project.state, ignore=project.ignore, rel=top)
        assert seen is not None
        return Added(path=top, data_file=owner.file, content=seen, is_new=False, touched=())
    if adding.commit:
        content: Content | None = _take_in(adding, path, top, owner)
    else:
        content = observe(disk, state=project.state, ignore=project.ignore, rel=top)
    if content is None:
        raise NotFoundError(f"'{top}' does not exist")
    return _record(adding, top, owner, content)


def _record(adding: _Adding, top: RepoPath, owner: Stage | None, content: Content) -> Added:
    """Writes the .dvc file and the ignore entry."""
    project = adding.project
    data_file = owner.file if owner else RepoPath(top + DATA_SUFFIX)
    text = _data_file_text(adding, data_file, owner, top, content)
    is_new = not project.reader.is_file(data_file)
    written = write_if_changed(join(project.root, data_file), text.encode())
    control = source_control(project)
    ignored = control.ignore([top]) if control.unignored([top]) else ()
    touched = ((data_file,) if written else ()) + ignored
    return Added(path=top, data_file=data_file, content=content, is_new=is_new, touched=touched)


def _take_in(adding: _Adding, path: RepoPath, top: RepoPath, owner: Stage | None) -> Content:
    """Puts what was named into the cache; returns what the whole output is then."""
    project, relink, reporter = adding.project, adding.relink, adding.session.reporter
    disk = join(project.root, top)
    cache, state, ignore = project.cache, project.state, project.ignore
    recorded = _recorded(adding, owner, top) if owner is not None and path != top else None
    known = content_of(recorded) if recorded is not None else None
    if known is not None:
        inner = RepoPath(path[len(top) + 1 :])
        content = save_part(
            disk, inner, known, cache=cache, state=state, ignore=ignore, rel=top, relink=relink, reporter=reporter
        )
        if content is not None:
            return content
    return save(disk, cache=cache, state=state, ignore=ignore, rel=top, relink=relink, reporter=reporter)


def _recorded(adding: _Adding, owner: Stage, top: RepoPath) -> LockedItem | None:
    written = next(out.written for out in owner.outs if out.path == top)
    return next((item for item in adding.loaded.locks[owner.address].outs if item.written == written), None)


def _is_unchanged_since_dvc2(adding: _Adding, owner: Stage, top: RepoPath) -> bool:
    """Tells whether a file is what DVC 2 recorded of it; such a record stays as long as the content does."""
    item, disk = _recorded(adding, owner, top), join(adding.project.root, top)
    if item is None or item.md5 is None or item.hash_name is not None:
        return False
    return os.path.isfile(disk) and hash_text_normalised(disk) == item.md5


def _data_file_text(adding: _Adding, data_file: RepoPath, owner: Stage | None, top: RepoPath, content: Content) -> str:
    name, desc = top.rpartition("/")[2], adding.desc
    if owner is None:
        out = Output(written=name, path=top)
        return render_data_file(
            [(replace(out, annotations={"desc": desc} if desc else {}), locked_item(name, content))]
        )
    written = next(out.written for out in owner.outs if out.path == top)
    before = adding.project.reader.read_bytes(data_file).decode()
    recorded = _recorded(adding, owner, top)
    if recorded is not None and recorded.md5 == content.id:
        return before
    new = kept(recorded, locked_item(written, content), adding.project.cache, look_into(join(adding.project.root, top)))
    return update_datafile_text(before, data_file, {written: new})


def _bring_in(project: Project, session: Session, targets: Sequence[str], out: str, *, force: bool) -> RepoPath:
    if len(targets) != 1:
        raise UsageError("-o/--out needs exactly one target")
    source, target = absolute(targets[0], base=session.start), absolute(out, base=session.start)
    if not os.path.lexists(source):
        raise NotFoundError(f"'{targets[0]}' does not exist")
    if out.endswith(("/", os.sep)) or os.path.isdir(target):
        target = AbsPath(os.path.join(target, os.path.basename(source)))
    path = in_project(project, target)
    if os.path.lexists(target) and not force:
        raise ConflictError(f"'{path}' exists already", hint="-f replaces it")
    load_by_name("offbranch.storage.copying:copy_tree")(source, target)
    return path
