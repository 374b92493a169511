"""Where data may be in a project: inside, not private, not Git's, and no output of something else."""

import os
from collections.abc import Sequence

from offbranch.base.errors import ConflictError, UsageError
from offbranch.base.events import Reporter
from offbranch.base.files import write_if_changed
from offbranch.base.paths import DATA_SUFFIX, AbsPath, RepoPath, join, overlap, relative_to
from offbranch.base.records import record
from offbranch.experiments.placed import remember_outputs
from offbranch.experiments.workbench import source_control
from offbranch.pipeline.stage import Pipelines, Stage
from offbranch.project import Project
from offbranch.storage.checkout import apply_checkout
from offbranch.storage.checkout_plan import plan_checkout
from offbranch.storage.objects import Content


@record
class Place:
    """Where imported data goes.

    Attributes:
        path: The data.
        data_file: Its .dvc file.
        owner: What has the path as its output already; None if nothing has.
    """

    path: RepoPath
    data_file: RepoPath
    owner: Stage | None


def new_place(project: Project, loaded: Pipelines, out: AbsPath, name: str, *, force: bool) -> Place:
    """Returns the place for data that comes from elsewhere.

    Args:
        project: Whose.
        loaded: Its pipelines.
        out: A path; a directory that exists gets the data below it, by its name.
        name: Of the data where it comes from.
        force: What is there may be replaced.

    Raises:
        ConflictError: Something is there, or the path belongs to something else.
        UsageError: It is no place for data.
    """
    taken = owner_of(loaded, path) if (path := relative_to(out, project.root)) else None
    if os.path.isdir(out) and (taken is None or taken.file != f"{path}{DATA_SUFFIX}"):
        out = AbsPath(os.path.join(out, name))
    path = in_project(project, out)
    owner = owner_of(loaded, path)
    data_file = RepoPath(path + DATA_SUFFIX)
    if owner is not None and owner.file != data_file:
        raise ConflictError(f"'{path}' belongs to '{owner.file}'", hint="choose another place with -o")
    if not force and os.path.lexists(out):
        raise ConflictError(f"'{path}' exists already", hint="-f replaces it")
    if not force and owner is not None and not owner.deps:
        raise ConflictError(f"'{data_file}' exists already", hint="-f replaces what it records")
    if owner is None:
        refuse_tracked(project, [path])
    return Place(path=path, data_file=data_file, owner=owner)


def put(project: Project, path: RepoPath, content: Content, reporter: Reporter, *, force: bool) -> None:
    """Makes a path of the workspace hold a content of the cache, and remembers that it was put there.

    Raises:
        ConflictError: Files that are in no cache would be lost and `force` is not given, or it is behind a link.
    """
    plan = plan_checkout(
        join(project.root, path),
        content.id,
        cache=project.cache,
        state=project.state,
        ignore=project.ignore,
        rel=path,
        executable=content.is_executable,
    )
    apply_checkout(
        plan, cache=project.cache, state=project.state, ignore=project.ignore, force=force, reporter=reporter
    )
    remember_outputs(project, {path: content.id})


def write_record(project: Project, place: Place, text: str) -> tuple[RepoPath, ...]:
    """Writes a .dvc file and has Git ignore the data; returns the files that belong into version control."""
    target = join(project.root, place.data_file)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    written = write_if_changed(target, text.encode())
    control = source_control(project)
    ignored = control.ignore([place.path]) if control.unignored([place.path]) else ()
    return ((place.data_file,) if written else ()) + ignored


def in_project(project: Project, path: AbsPath) -> RepoPath:
    """Returns a path that data may have, as path of the project.

    Raises:
        UsageError: It is outside, private to Git or the project, or left out by .dvcignore.
    """
    inside = relative_to(path, project.root)
    if not inside:
        raise UsageError(
            f"'{path}' is outside of the project" if inside is None else "the project itself cannot be added to itself",
            hint="'ob add PATH -o NAME' copies data from elsewhere into the project",
        )
    if inside == ".dvc" or inside.startswith((".dvc/", ".git/")) or inside == ".git":
        raise UsageError(f"'{inside}' is private to the project and cannot be added")
    if project.ignore.ignores(inside, os.path.isdir(path)):
        raise UsageError(f"'{inside}' is left out by .dvcignore", hint="remove the pattern, or add another path")
    return inside


def owner_of(loaded: Pipelines, path: RepoPath) -> Stage | None:
    """Returns the .dvc stage whose output a path is, or lies in.

    Raises:
        ConflictError: The path overlaps with another output.
    """
    for stage in loaded.stages:
        for out in stage.outs:
            if out.path is None or not overlap(out.path, path):
                continue
            if stage.command is None and (path == out.path or path.startswith(f"{out.path}/")):
                return stage
            raise ConflictError(
                f"'{path}' overlaps with '{out.path}', an output of '{stage.address}'",
                hint="an output of a stage is recorded by 'ob repro' or 'ob commit'",
            )
    return None


def refuse_tracked(project: Project, paths: Sequence[RepoPath]) -> None:
    """Makes sure that Git tracks none of some paths.

    Raises:
        ConflictError: It does.
    """
    tracked = source_control(project).tracked(paths)
    for path in paths:
        if path in tracked:
            raise ConflictError(
                f"'{path}' is tracked by Git, so it cannot be kept in the cache as well",
                hint=f"git rm -r --cached '{path}' && git commit -m 'stop tracking {path}', then add it",
            )
