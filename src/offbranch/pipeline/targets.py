"""What the user means by a target: a stage, a whole file, a group, an output, or a path inside a tracked directory."""

import fnmatch
from collections.abc import Iterable, Iterator

from offbranch.base.errors import NotFoundError, near_names
from offbranch.base.paths import DATA_SUFFIX, LOCK_FILE, PIPELINE_FILE, RepoPath, is_same_or_inside, resolve_in
from offbranch.base.records import record
from offbranch.pipeline.expand import SEPARATOR
from offbranch.pipeline.stage import Pipelines, Stage


@record
class Target:
    """One stage that was asked for.

    Attributes:
        written: What the user wrote.
        stage: The stage it leads to.
        path: The output, or path inside an output, that was named; None when the whole stage is meant.
    """

    written: str
    stage: Stage
    path: RepoPath | None = None


def resolve_targets(
    pipelines: Pipelines,
    targets: Iterable[str],
    *,
    cwd: RepoPath,
    glob: bool = False,
    recursive: bool = False,
) -> tuple[Target, ...]:
    """Returns the stages that targets lead to, in the order of the targets; each stage (or path of one) once.

    Args:
        pipelines: All pipelines of the project.
        targets: As the user wrote them.
        cwd: Directory of the project that they are relative to.
        glob: Stage names may be shell patterns.
        recursive: A directory means all stages defined in it or below.

    Raises:
        NotFoundError: Nothing has that name; near names are offered.
        OffbranchError: The stage or file exists but could not be loaded: why.
    """
    found: dict[tuple[str, RepoPath | None], Target] = {}
    for written in targets:
        for target in _resolve(pipelines, written, cwd, glob=glob, recursive=recursive):
            found.setdefault((target.stage.address, target.path), target)
    return tuple(found.values())


def _resolve(pipelines: Pipelines, written: str, cwd: RepoPath, *, glob: bool, recursive: bool) -> tuple[Target, ...]:
    path = resolve_in(cwd, written)
    if recursive and path is not None and (inside := _defined_in(pipelines, path)):
        return tuple(Target(written=written, stage=stage) for stage in inside)
    file, name = _split(written)
    file_path = resolve_in(cwd, file)
    broken = None
    if file_path is not None:
        broken = _why_broken(pipelines, file_path, name)
        stages = tuple(_named(pipelines, file_path, name, glob=glob))
        if stages:
            if broken is not None:
                raise broken
            return tuple(Target(written=written, stage=stage) for stage in stages)
    if path is not None and (target := _by_output(pipelines, written, path)) is not None:
        return (target,)
    if broken is not None:
        raise broken
    raise _not_found(pipelines, written, file, name, cwd)


def _split(written: str) -> tuple[str, str | None]:
    """Cuts a target into file and stage name; a bare word may be a stage name, so it gets the default file."""
    file, colon, name = written.partition(":")
    if colon:
        return file or PIPELINE_FILE, name
    base = written.rpartition("/")[2]
    if base == PIPELINE_FILE or (written.endswith(DATA_SUFFIX) and base != DATA_SUFFIX):
        return written, None
    return PIPELINE_FILE, written


def _defined_in(pipelines: Pipelines, directory: RepoPath) -> list[Stage]:
    return [stage for stage in pipelines.stages if is_same_or_inside(stage.file, directory) and stage.file != directory]


def _named(pipelines: Pipelines, file: RepoPath, name: str | None, *, glob: bool) -> Iterator[Stage]:
    group = f"{name}{SEPARATOR}"
    members = []
    for stage in pipelines.stages:
        if stage.file != file:
            continue
        if name is None or stage.name == name:
            yield stage
        elif stage.name is not None:
            if glob:
                if fnmatch.fnmatchcase(stage.name, name):
                    yield stage
            elif stage.name.startswith(group):
                members.append(stage)
    yield from members


def _by_output(pipelines: Pipelines, written: str, path: RepoPath) -> Target | None:
    for stage in pipelines.stages:
        for out in stage.outs:
            if out.path is not None and is_same_or_inside(path, out.path):
                return Target(written=written, stage=stage, path=path)
    return None


def _why_broken(pipelines: Pipelines, file: RepoPath, name: str | None) -> Exception | None:
    """Returns why a file, or any stage that a name stands for in it, could not be loaded."""
    if (error := pipelines.broken.get(file)) is not None or not pipelines.broken:
        return error
    # A name stands for itself, for the members of a group, and (a member) for the group it would come from.
    group = (name or "").partition(SEPARATOR)[0]
    for address, reason in pipelines.broken.items():
        of_file, own = _file_and_name(address)
        if of_file == file and (name is None or own in (name, group) or own.startswith(f"{name}{SEPARATOR}")):
            return reason
    return None


def _file_and_name(address: str) -> tuple[str, str]:
    if address.endswith((PIPELINE_FILE, LOCK_FILE, DATA_SUFFIX)):
        return address, ""
    directory, found, name = address.partition(f"{PIPELINE_FILE}:")
    return (directory + PIPELINE_FILE, name) if found else (PIPELINE_FILE, address)


def _not_found(pipelines: Pipelines, written: str, file: str, name: str | None, cwd: RepoPath) -> NotFoundError:
    if name is None:
        files = sorted({_seen_from(cwd, stage.file) for stage in pipelines.stages})
        return NotFoundError(f"'{written}' does not exist", hint=_hint(written, files))
    here = resolve_in(cwd, file)
    names = [stage.name for stage in pipelines.stages if stage.file == here and stage.name is not None]
    if ":" in written:
        if not names:
            return NotFoundError(f"no stage is defined in '{file}'", hint="show all stages: ob stage list --all")
        return NotFoundError(f"no stage '{name}' in '{file}'", hint=_hint(name, names))
    outputs = [_seen_from(cwd, out.path) for stage in pipelines.stages for out in stage.outs if out.path is not None]
    elsewhere = [stage.address for stage in pipelines.stages if stage.name == name]
    if elsewhere:
        hint: str | None = f"a stage of that name is in another directory: {_seen_from(cwd, elsewhere[0])}"
    else:
        hint = _hint(written, [*names, *outputs, *(stage.file for stage in pipelines.stages if stage.name is None)])
    return NotFoundError(f"'{written}' is neither a stage in '{file}' nor an output", hint=hint)


def _seen_from(cwd: RepoPath, path: str) -> str:
    """Returns a path of the project as it is written in a directory of it."""
    if cwd == "":
        return path
    above = cwd.split("/")
    parts = path.split("/")
    while above and parts and above[0] == parts[0]:
        above.pop(0)
        parts.pop(0)
    return "/".join([".."] * len(above) + parts)


def _hint(wanted: str, known: Iterable[str]) -> str:
    near = near_names(wanted, known)
    if near:
        return f"did you mean {' or '.join(repr(name) for name in near)}?"
    return "show all stages: ob stage list --all"
