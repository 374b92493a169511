"""What the pipelines of one revision say about plots: every definition, of stages and of the top level, in one form.

Pure: made from resolved pipelines; the files that a definition names are looked for by who draws it.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.paths import PIPELINE_FILE, ROOT, RepoPath, is_same_or_inside, parent, resolve_in
from offbranch.base.records import field, record
from offbranch.pipeline.stage import OutputKind, Pipelines, PlotDefinition

AXES = ("x", "y")


@record
class Source:
    """A field of a file.

    Attributes:
        path: The file, or directory of files; None for "that of y", where x is not given by file.
        field: Its column; None for the one that is chosen without a definition.
    """

    path: RepoPath | None
    field: str | None = None


@record
class Definition:
    """One plot, or one directory of plots.

    Attributes:
        id: A path of the project, or the name it was given.
        is_path: Which of the two.
        file: The dvc.yaml that defines it at its top level; empty for an output of a stage, or a file that was asked for.
        x: Where x comes from; none for the number of the point.
        y: Where y comes from, one per line of the plot.
        options: `template`, `title`, `x_label`, `y_label`, `header`, as far as given.
    """

    id: str
    is_path: bool
    y: tuple[Source, ...]
    file: str = ""
    x: tuple[Source, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Its id, with the file that defines it."""
        return f"{self.file}::{self.id}" if self.file else self.id

    @property
    def paths(self) -> tuple[RepoPath, ...]:
        """Every file or directory that it names."""
        return tuple(dict.fromkeys(each.path for each in (*self.y, *self.x) if each.path is not None))


def definitions_of(pipelines: Pipelines) -> tuple[tuple[Definition, ...], tuple[BadInputError, ...]]:
    """Returns the plots of the top level, then those of stages, each in the order of files; and what is wrong with others."""
    found: list[Definition] = []
    wrong: list[BadInputError] = []
    for each in pipelines.top_plots:
        try:
            found.append(_of_top_level(each))
        except BadInputError as error:
            wrong.append(error)
    found += _of_stages(pipelines)
    return tuple({(each.file, each.id): each for each in found}.values()), tuple(wrong)


def definition_of_file(path: RepoPath) -> Definition:
    """Returns the plot of a file or directory that nothing defines."""
    return Definition(id=path, is_path=True, y=(Source(path=path),))


def chosen(definitions: Sequence[Definition], target: str, *, cwd: RepoPath) -> tuple[Definition, ...]:
    """Returns the definitions that a target names: by id, by address, by path or directory, or by the file they are in.

    Args:
        definitions: All there are.
        target: As the user wrote it.
        cwd: Directory of the project that paths are seen from.
    """
    path = resolve_in(cwd, target)
    found = [each for each in definitions if target == each.id and not each.is_path]
    found += [each for each in definitions if each.is_path and each.id == path]
    file, separator, id = target.rpartition("::")
    if separator:
        where = resolve_in(cwd, file)
        found += [
            each
            for each in definitions
            if each.file == where and id in (each.id, posixpath.relpath(each.id, cwd or "."), _inside(each))
        ]
    if not found and path is not None:
        found = [each for each in definitions if each.file == path]
    if not found and path is not None:
        found = [each for each in definitions if is_same_or_inside(each.id if each.is_path else _directory(each), path)]
    return tuple({(each.file, each.id): each for each in found}.values())


def _directory(definition: Definition) -> RepoPath:
    """Returns the directory of the file that defines a plot."""
    return parent(RepoPath(definition.file))


def _inside(definition: Definition) -> str:
    """Returns the id as the file that defines it has it."""
    return posixpath.relpath(definition.id, parent(RepoPath(definition.file)) or ".")


def _of_top_level(written: PlotDefinition) -> Definition:
    base = parent(written.file)
    options = written.options
    y_by_file = options.get("y") if isinstance(options.get("y"), Mapping) else None
    x = options.get("x")
    if isinstance(x, Mapping):
        sources = tuple(_sources(x, base, written))
    else:
        sources = tuple(Source(path=None, field=each) for each in _fields(x) if each is not None)
    others = {name: value for name, value in options.items() if name not in AXES}
    if y_by_file is not None:
        y = tuple(_sources(y_by_file, base, written))
        return Definition(id=written.id, is_path=False, file=written.file, x=sources, y=y, options=others)
    path = _place(written.id, base, written)
    y = tuple(Source(path=path, field=each) for each in _fields(options.get("y")))
    return Definition(id=path, is_path=True, file=written.file, x=sources, y=y, options=others)


def _sources(by_file: Mapping[str, Any], base: RepoPath, written: PlotDefinition) -> Iterator[Source]:
    for file, fields in by_file.items():
        path = _place(file, base, written)
        yield from (Source(path=path, field=each) for each in _fields(fields))


def _fields(value: Any) -> Sequence[str | None]:
    if isinstance(value, list):
        return value or (None,)
    return (value,)


def _place(path: str, base: RepoPath, written: PlotDefinition) -> RepoPath:
    place = resolve_in(base, path)
    if not place:
        raise BadInputError(
            f"'{path}' is not a file of the project",
            path=written.file,
            key=f"plots.{written.id}",
            hint="a plot is made from files of the project",
        )
    return place


def _of_stages(pipelines: Pipelines) -> Iterator[Definition]:
    for stage in pipelines.stages:
        for out in stage.outs:
            if out.kind is not OutputKind.PLOT or out.path is None:
                continue
            options: dict[str, Any] = {}
            for each in out.plot:
                options.update(each)
            x = options.pop("x", None)
            y = options.pop("y", None)
            yield Definition(
                id=out.path,
                is_path=True,
                x=() if x is None else (Source(path=None, field=x),),
                y=(Source(path=out.path, field=y),),
                options=options,
            )


def shown_id(definition: Definition, others: Sequence[Definition], *, cwd: RepoPath) -> str:
    """Returns how a plot is called: its id, a path as seen from `cwd`; with its file, where another has the same id."""
    own = shown_path(definition.id, cwd) if definition.is_path else definition.id
    if definition.file and any(each.id == definition.id and each.file != definition.file for each in others):
        return f"{shown_path(definition.file, cwd)}::{own}"
    return own


def shown_path(path: str, cwd: RepoPath) -> str:
    """Returns a path of the project as seen from one of its directories."""
    return path if cwd == ROOT else posixpath.relpath(path, cwd)


def files_of(pipelines: Pipelines) -> tuple[str, ...]:
    """Returns the dvc.yaml files of a revision, as targets."""
    return tuple(path for path in pipelines.files if path.rpartition("/")[2] == PIPELINE_FILE)
