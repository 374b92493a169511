"""Renaming data that a .dvc file records: the data itself, its .dvc file, and the lines of `.gitignore`.

The order of writing: the new ignore line, the new .dvc file, the data, then the old ignore line and .dvc file go. Killed in
between, both .dvc files are there and the data has one of its two names; the same command once more completes it.
"""

import errno
import os
import posixpath

from offbranch.api.session import Session, held
from offbranch.base.errors import ConflictError, NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.files import decode, is_really_inside, read_if_there, remove_file, remove_tree, write_if_changed
from offbranch.base.paths import (
    DATA_SUFFIX,
    ROOT,
    AbsPath,
    RepoPath,
    absolute,
    is_private,
    is_same_or_inside,
    join,
    overlap,
    parent,
    relative_to,
)
from offbranch.base.plugins import load as load_by_name
from offbranch.base.records import record
from offbranch.experiments.loading import load
from offbranch.experiments.workbench import source_control, unignore
from offbranch.pipeline.datafile import relocate_datafile_text
from offbranch.pipeline.stage import Pipelines, Stage
from offbranch.project import Project
from offbranch.storage.links import temporary_name


@record
class Moved:
    """Attributes:
    source: Where the data was.
    target: Where it is now.
    data_file: The .dvc file that records it now.
    files: What was written or deleted and belongs into version control.
    has_data: Whether the data was there to be renamed; otherwise only its record was.
    """

    source: RepoPath
    target: RepoPath
    data_file: RepoPath
    files: tuple[RepoPath, ...]
    has_data: bool


def move(source: str, target: str, session: Session) -> Moved:
    """Renames data, or puts it into another directory if `target` is one.

    Raises:
        NotFoundError: Nothing records `source`, or the directory of `target` does not exist.
        UsageError: It is an output of a stage, a part of a tracked directory, or `target` is no place for data.
        ConflictError: Something is at `target` already, or another output contains it.
    """
    with held(session) as (project, _):
        loaded = load(project)
        old = _in_project(project, absolute(source, base=session.start), source)
        if not is_really_inside(join(project.root, old), project.root):
            raise UsageError(
                f"'{source}' leads out of the project through a link", hint="data of a project stays in it"
            )
        stage = _owner(loaded, old, source)
        new = _destination(project, session, loaded, old, target)
        data_file = _new_data_file(stage, old, new)
        text = _new_text(project, stage, new, data_file)
        has_data = _check_free(project, stage, old, new, data_file, text)
        return _carry_out(project, stage, old, new, data_file, text, has_data=has_data)


def _carry_out(
    project: Project, stage: Stage, old: RepoPath, new: RepoPath, data_file: RepoPath, text: str, *, has_data: bool
) -> Moved:
    control = source_control(project)
    is_cached = any(out.cache for out in stage.outs)
    touched = list(control.ignore([new]) if is_cached and control.unignored([new]) else ())
    write_if_changed(join(project.root, data_file), text.encode())
    touched.append(data_file)
    if has_data:
        _rename(join(project.root, old), join(project.root, new))
    if is_cached:
        touched += unignore(project, [old])
    if data_file != stage.file:
        remove_file(join(project.root, stage.file))
        touched.append(stage.file)
    files = tuple(dict.fromkeys(touched))
    return Moved(source=old, target=new, data_file=data_file, files=files, has_data=has_data)


def _in_project(project: Project, path: AbsPath, written: str) -> RepoPath:
    inside = relative_to(path, project.root)
    if inside is None:
        raise UsageError(f"'{written}' is outside of the project", hint="data of a project stays in its directory")
    return inside


def _owner(loaded: Pipelines, path: RepoPath, written: str) -> Stage:
    """Returns the .dvc file that records exactly this path."""
    for stage in loaded.stages:
        for out in stage.outs:
            if out.path is None or not is_same_or_inside(path, out.path):
                continue
            if stage.command is not None:
                raise UsageError(
                    f"'{written}' is an output of the stage '{stage.address}', which would make it there again",
                    hint=f"change its path in '{stage.file}' and in its command, then run: ob repro {stage.address}",
                )
            if path != out.path:
                raise UsageError(
                    f"'{written}' is a part of '{out.path}', which is tracked as a whole",
                    hint=f"rename it with mv, then record the directory anew: ob add {out.path}",
                )
            return stage
    if (named := next((one for one in loaded.stages if one.file == path and one.name is None), None)) is not None:
        data = named.outs[0].path if named.outs else path
        raise UsageError(f"'{written}' is a .dvc file, not data", hint=f"name the data: ob move {data} ...")
    if (broken := loaded.broken.get(path + DATA_SUFFIX)) is not None:
        raise broken
    known = [out.path for stage in loaded.stages if stage.command is None for out in stage.outs if out.path]
    raise NotFoundError(f"no .dvc file records '{written}'", hint=did_you_mean(path, known) or "ob stage list --all")


def _destination(project: Project, session: Session, loaded: Pipelines, old: RepoPath, target: str) -> RepoPath:
    disk = absolute(target, base=session.start)
    # A directory that has a .dvc file, while the old name is gone: what an interrupted move has renamed already.
    is_moved = os.path.lexists(disk + DATA_SUFFIX) and not os.path.lexists(join(project.root, old))
    is_inside = os.path.isdir(disk) and not is_moved
    new = _in_project(project, disk, target)
    if is_inside and new != old:
        new = RepoPath(f"{new}/{posixpath.basename(old)}" if new != ROOT else posixpath.basename(old))
    if is_private(new) or new.endswith(DATA_SUFFIX):
        raise UsageError(f"'{new}' is no place for data", hint="choose another name")
    if new == old:
        raise UsageError(f"'{old}' is there already", hint="give it another name or directory")
    if is_same_or_inside(new, old):
        raise UsageError(f"'{old}' cannot be moved into itself", hint="choose a place outside of it")
    if project.ignore.ignores(new, os.path.isdir(join(project.root, old))):
        raise UsageError(f"'{new}' is left out by .dvcignore", hint=f"ob check-ignore -d {new} shows the pattern")
    above = join(project.root, parent(new))
    if not os.path.isdir(above):
        raise NotFoundError(f"there is no directory '{parent(new)}'", hint=f"mkdir -p {parent(new)}")
    if not is_really_inside(join(project.root, new), project.root):
        raise UsageError(f"'{parent(new)}' leads out of the project", hint="choose a directory of the project")
    for stage in loaded.stages:
        for out in stage.outs:
            if out.path is not None and out.path not in (old, new) and overlap(out.path, new):
                raise ConflictError(
                    f"'{new}' overlaps with '{out.path}', an output of '{stage.address}'",
                    hint="choose a place that no output contains",
                )
    return new


def _new_data_file(stage: Stage, old: RepoPath, new: RepoPath) -> RepoPath:
    if len(stage.outs) != 1:
        raise UsageError(
            f"'{stage.file}' records several things, so none of them can be moved alone",
            hint=f"rename it with mv, and its path in '{stage.file}'",
        )
    return (
        RepoPath(new + DATA_SUFFIX)
        if stage.file == old + DATA_SUFFIX and stage.wdir == parent(stage.file)
        else stage.file
    )


def _new_text(project: Project, stage: Stage, new: RepoPath, data_file: RepoPath) -> str:
    """Returns the .dvc file as it will be: paths are relative to where it is."""
    before, after = stage.wdir, stage.wdir if data_file == stage.file else parent(data_file)

    deps = {
        dep.written: _relative_path(posixpath.join(before, dep.written), after)
        for dep in stage.deps
        if dep.written and before != after and not (dep.source or "://" in dep.written or dep.written.startswith("/"))
    }
    outs = {stage.outs[0].written: _relative_path(new, after)}
    text = decode(project.reader.read_bytes(stage.file), stage.file)
    return relocate_datafile_text(text, stage.file, {"deps": deps, "outs": outs}, None)


def _relative_path(path: str, directory: RepoPath) -> str:
    return posixpath.relpath(posixpath.join("/root", path), posixpath.join("/root", directory))


def _check_free(project: Project, stage: Stage, old: RepoPath, new: RepoPath, data_file: RepoPath, text: str) -> bool:
    """Makes sure that nothing is overwritten; returns whether there is data to be renamed."""
    has_old, has_new = (os.path.lexists(join(project.root, path)) for path in (old, new))
    present = None if data_file == stage.file else read_if_there(project.reader, data_file)
    if present is not None and present != text.encode():
        raise ConflictError(f"'{data_file}' exists already", hint="choose another name, or 'ob remove' that one first")
    # With its .dvc file in place and the old name gone, the new one is ours: a move that was interrupted.
    if has_new and (has_old or present is None):
        raise ConflictError(f"'{new}' exists already", hint="choose another name, or move it out of the way")
    if source_control(project).tracked([new]):
        raise ConflictError(f"'{new}' is tracked by Git", hint=f"git rm --cached '{new}' first, or choose another name")
    return has_old


def _rename(source: AbsPath, target: AbsPath) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise OffbranchError(
                f"cannot move '{source}' to '{target}': {(error.strerror or str(error)).lower()}"
            ) from error
        # Another file system: the whole copy first, under its name only when complete.
        temporary = AbsPath(os.path.join(os.path.dirname(target), temporary_name()))
        load_by_name("offbranch.storage.copying:copy_tree")(source, temporary)
        os.rename(temporary, target)
        remove_tree(source)
