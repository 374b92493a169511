"""Plots of some revisions: definitions and files of each -> `Plots`. What cannot be read of one does not hide the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from offbranch.base.errors import BadInputError, NotFoundError, OffbranchError, did_you_mean
from offbranch.base.events import Progressed, Reporter
from offbranch.base.paths import RepoPath, is_same_or_inside, resolve_in
from offbranch.base.records import record, replace
from offbranch.experiments.plot_definitions import (
    Definition,
    chosen,
    definition_of_file,
    definitions_of,
    files_of,
    shown_id,
    shown_path,
)
from offbranch.experiments.plot_files import PlotRevision
from offbranch.views.plot import Picture, PlotError, Plots, PlotSpec
from offbranch.views.plot_data import Points, is_picture, read_points
from offbranch.views.plot_points import Lines, Naming, Wish, lines_of, make_spec, points_of

FindTemplate = Callable[[str], Any]


@record
class PlotQuery:
    """What to draw.

    Attributes:
        targets: Files, directories, ids or dvc.yaml files; everything that is defined if there are none.
        wish: What of the definitions is to be otherwise.
        cwd: Directory of the project that the user is in.
    """

    targets: tuple[str, ...]
    wish: Wish
    cwd: RepoPath


def collect_plots(
    revisions: Sequence[PlotRevision], query: PlotQuery, find_template: FindTemplate, reporter: Reporter
) -> Plots:
    """Returns the plots of revisions, drawn together.

    Where revisions define a plot differently, the first of them says how it is drawn.

    Raises:
        NotFoundError: A target is nothing in any of the revisions, or a template does not exist.
        BadInputError: A template is malformed.
    """
    errors: list[PlotError] = []
    known, defining = _known(revisions, errors)
    definitions = _wanted(known, revisions, query)
    names: dict[str, None] = {}
    specs: list[PlotSpec] = []
    pictures: list[Picture] = []
    for n, definition in enumerate(definitions):
        reporter.emit(Progressed(what="reading plots", done=n, total=len(definitions), unit="files"))
        for one in _expanded(definition, known, revisions, query, errors):
            name = shown_id(one, known if one is definition else (), cwd=query.cwd)
            names[name] = None
            drawing = _Drawing(one, name, query, errors, defining.get((definition.file, definition.id)))
            if one.is_path and is_picture(one.id):
                pictures += drawing.pictures(revisions)
            elif (spec := drawing.spec(revisions)) is not None:
                specs.append(spec)
    templates = {spec.template: find_template(spec.template) for spec in specs}
    return Plots(
        names=tuple(names),
        specs=tuple(specs),
        pictures=tuple(pictures),
        errors=tuple(dict.fromkeys(errors)),
        templates=templates,
    )


def _known(
    revisions: Sequence[PlotRevision], errors: list[PlotError]
) -> tuple[tuple[Definition, ...], dict[tuple[str, str], list[str]]]:
    """Returns the definitions of all revisions, those of the first one before others; and which revisions have each."""
    found: dict[tuple[str, str], Definition] = {}
    defining: dict[tuple[str, str], list[str]] = {}
    for revision in revisions:
        if revision.pipelines is None:
            problem = revision.error or OffbranchError("its pipelines cannot be read")
            errors.append(_error(problem, revision.name, is_mistake=True))
            continue
        definitions, wrong = definitions_of(revision.pipelines)
        for each in definitions:
            found.setdefault((each.file, each.id), each)
            defining.setdefault((each.file, each.id), []).append(revision.name)
        for bad in (*revision.pipelines.broken.values(), *wrong):
            errors.append(_error(bad, revision.name, is_mistake=True))
    return tuple(found.values()), defining


def _wanted(known: Sequence[Definition], revisions: Sequence[PlotRevision], query: PlotQuery) -> tuple[Definition, ...]:
    if not query.targets:
        return tuple(known)
    found: dict[tuple[str, str], Definition] = {}
    for target in query.targets:
        for each in chosen(known, target, cwd=query.cwd) or (_of_file(target, known, revisions, query.cwd),):
            found.setdefault((each.file, each.id), each)
            # Files of a directory that are defined by themselves are drawn as that says.
            inside = (one for one in known if one.is_path and each.is_path and one.id.startswith(f"{each.id}/"))
            found.update(((one.file, one.id), one) for one in inside if (one.file, one.id) not in found)
    return tuple(found.values())


def _of_file(target: str, known: Sequence[Definition], revisions: Sequence[PlotRevision], cwd: RepoPath) -> Definition:
    """Returns the plot of a file that nothing defines, or that lies in a directory that something does."""
    path = resolve_in(cwd, target)
    if path:
        for each in known:
            if each.is_path and path.startswith(f"{each.id}/"):
                return _narrowed(each, path)
        if any(_there(revision, path) for revision in revisions):
            return definition_of_file(path)
    names = [shown_id(each, known, cwd=cwd) for each in known]
    names += [shown_path(file, cwd) for each in revisions if each.pipelines for file in files_of(each.pipelines)]
    names = list(dict.fromkeys(names))
    raise NotFoundError(
        f"'{target}' is neither a plot nor a file that one could be made from",
        hint=did_you_mean(target, names) or (f"plots: {', '.join(names[:8])}" if names else None),
    )


def _there(revision: PlotRevision, path: RepoPath) -> bool:
    try:
        return bool(revision.files.expand(path))
    except OffbranchError:
        return True


def _expanded(
    definition: Definition,
    known: Sequence[Definition],
    revisions: Sequence[PlotRevision],
    query: PlotQuery,
    errors: list[PlotError],
) -> Iterable[Definition]:
    """Returns a plot as itself, a directory as one for each file that it holds in any of the revisions.

    A file that is defined by itself, too, is left to that definition.
    """
    if not definition.is_path:
        return (definition,)
    found: dict[RepoPath, None] = {}
    for revision in revisions:
        try:
            found.update(dict.fromkeys(revision.files.expand(RepoPath(definition.id))))
        except OffbranchError as error:
            errors.append(_error(error, revision.name, name=shown_path(definition.id, query.cwd)))
    if not found or list(found) == [definition.id]:
        return (definition,)
    inside = [RepoPath(each.id) for each in known if each.is_path and each.id.startswith(f"{definition.id}/")]
    own = (path for path in sorted(found) if not any(is_same_or_inside(path, other) for other in inside))
    return [_narrowed(definition, path) for path in own]


def _narrowed(definition: Definition, path: RepoPath) -> Definition:
    """Returns the plot of one file of a directory of plots."""
    own = tuple(replace(each, path=path) for each in definition.y)
    return replace(definition, id=path, y=own)


class _Drawing:
    """One plot, of several revisions.

    A revision that does not define it itself is drawn as well if it has all its files: a plot that was defined later is
    there to be looked at for earlier experiments, too.

    Args:
        defining: The revisions that define it; None where none does, and the user asked for it.
    """

    def __init__(
        self,
        definition: Definition,
        name: str,
        query: PlotQuery,
        errors: list[PlotError],
        defining: Sequence[str] | None,
    ) -> None:
        self._definition = definition
        self._name = name
        self._query = query
        self._errors = errors
        self._defining = defining

    def pictures(self, revisions: Sequence[PlotRevision]) -> list[Picture]:
        """Returns an image as it is in each revision."""
        path = RepoPath(self._definition.id)
        found = []
        for revision in self._able(revisions):
            try:
                content = revision.files.read(path)
            except (OffbranchError, OSError) as error:
                self._note(error, revision.name, path)
                continue
            found.append(Picture(id=self._name, rev=revision.name, path=path, content=content))
        return found

    def spec(self, revisions: Sequence[PlotRevision]) -> PlotSpec | None:
        """Returns the plot, or None if no revision has a point of it."""
        data = _with_same_defaults({revision.name: self._data(revision) for revision in self._able(revisions)})
        lines: dict[str, Lines] = {}
        for rev, files in data.items():
            try:
                lines[rev] = lines_of(self._definition, files, self._query.wish)
            except OffbranchError as error:
                self._errors.append(_error(error, rev, name=self._name, is_mistake=True))
        naming = Naming(tuple(lines.values()), cwd=self._query.cwd)
        points = []
        for rev, each in lines.items():
            own, errors = points_of(each, data[rev], rev=rev, named=naming, name=self._name)
            points += own
            self._errors += errors
        if not points:
            return None
        return make_spec(self._definition, self._query.wish, naming, id=self._name, title=self._name, points=points)

    def _able(self, revisions: Sequence[PlotRevision]) -> list[PlotRevision]:
        return [
            each
            for each in revisions
            if self._defining is None
            or each.name in self._defining
            or all(_there(each, path) for path in self._definition.paths)
        ]

    def _data(self, revision: PlotRevision) -> Mapping[RepoPath, Points]:
        """Returns the points of each file of the plot that can be read."""
        found: dict[RepoPath, Points] = {}
        wish = self._query.wish.header
        header = bool(self._definition.options.get("header", True)) if wish is None else wish
        for path in self._definition.paths:
            try:
                points = read_points(revision.files.read(path), path, header=header)
            except (OffbranchError, OSError) as error:
                self._note(error, revision.name, path)
                continue
            if points.rows and points.last is not None:
                found[path] = points
            else:
                message = f"'{shown_path(path, self._query.cwd)}' has no points"
                self._errors.append(
                    PlotError(rev=revision.name, kind="NoPointsError", message=message, name=self._name, source=path)
                )
        return found

    def _note(self, error: Exception, rev: str, path: RepoPath) -> None:
        is_mistake = isinstance(error, BadInputError)
        self._errors.append(_error(error, rev, name=self._name, source=path, is_mistake=is_mistake))


def _with_same_defaults(data: Mapping[str, Mapping[RepoPath, Points]]) -> dict[str, dict[RepoPath, Points]]:
    """Returns the same with the fields that are drawn unasked being those of the first revision."""
    first: dict[RepoPath, str | None] = {}
    return {
        rev: {path: replace(points, last=first.setdefault(path, points.last)) for path, points in files.items()}
        for rev, files in data.items()
    }


def _error(
    error: Exception, rev: str, *, name: str | None = None, source: str | None = None, is_mistake: bool = False
) -> PlotError:
    if isinstance(error, FileNotFoundError) and source is not None:
        message = f"there is no file '{source}'"
    else:
        message = error.message if isinstance(error, OffbranchError) else str(error)
    return PlotError(
        rev=rev,
        kind=type(error).__name__,
        message=message,
        name=name,
        source=source,
        hint=error.hint if isinstance(error, OffbranchError) else None,
        is_mistake=is_mistake,
    )
