"""A definition and the data of revisions -> one `PlotSpec`: which fields are drawn, joined from which files."""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.errors import OffbranchError, did_you_mean
from offbranch.base.paths import RepoPath
from offbranch.base.records import record, replace
from offbranch.experiments.plot_definitions import Definition, shown_path
from offbranch.views.plot import DEFAULT_TEMPLATE, INDEX, REVISION, X_JOINED, Y_JOINED, PlotError, PlotSpec
from offbranch.views.plot_data import Point, Points

FIELD_NOT_FOUND = "FieldNotFoundError"


@record
class Wish:
    """What of a definition the user wants otherwise; None and nothing leave it as it is.

    Attributes:
        x: Field for the horizontal axis.
        y: Field for the vertical axis.
        header: The first row of a table names its columns.
        options: `template`, `title`, `x_label`, `y_label`.
    """

    x: str | None = None
    y: str | None = None
    header: bool | None = None
    options: Mapping[str, str]


@record
class Lines:
    """The lines of one plot: the fields of each, before there are points.

    Attributes:
        pairs: (file of x, field of x), (file of y, field of y); the field of x None for the number of the point.
    """

    pairs: tuple[tuple[tuple[RepoPath, str | None], tuple[RepoPath, str]], ...]


def lines_of(definition: Definition, data: Mapping[RepoPath, Points], wish: Wish) -> Lines:
    """Returns the lines of a plot.

    Raises:
        OffbranchError: There are several files of x, and not as many lines.
    """
    ys = [
        (each.path, wish.y or each.field or data[each.path].last)
        for each in definition.y
        if each.path is not None and each.path in data
    ]
    xs = [(each.path, wish.x or each.field) for each in definition.x] or [(None, wish.x)]
    if len(xs) > 1 and len(xs) != len(definition.y):
        raise OffbranchError(
            f"it has {len(xs)} sources of x and {len(definition.y)} of y",
            hint="give one source of x for all, or one for each of y",
        )
    if len(xs) > 1:
        order = [each.path for each in definition.y]
        xs = [xs[n] for n, path in enumerate(order) if path in data]
    pairs = []
    for n, (path, name) in enumerate(ys):
        x_path, x_name = xs[n] if len(xs) > 1 else xs[0]
        pairs.append(((path if x_path is None else x_path, x_name), (path, str(name))))
    return Lines(pairs=tuple(pairs))


def points_of(
    lines: Lines, data: Mapping[RepoPath, Points], *, rev: str, named: "Naming", name: str
) -> tuple[list[Point], list[PlotError]]:
    """Returns the points of one revision, and why some are missing."""
    points: list[Point] = []
    errors: list[PlotError] = []
    for (x_path, x), (y_path, y) in lines.pairs:
        problem = _missing_field(data, x_path, x) or _missing_field(data, y_path, y)
        if problem is not None:
            errors.append(replace(problem, rev=rev, name=name))
            continue
        rows, others = data[y_path].rows, data[x_path].rows
        if len(rows) != len(others):
            message = (
                f"cannot join '{x}' of '{named.shown(x_path)}' and '{y}' of '{named.shown(y_path)}': "
                f"they have {len(others)} and {len(rows)} points"
            )
            errors.append(PlotError(rev=rev, kind="JoinError", message=message, name=name, is_mistake=True))
            continue
        # A file that numbers its points itself is right: a log may skip steps.
        is_numbered = x is None and all(row.get(INDEX) is not None for row in rows)
        for n, row in enumerate(rows):
            point: dict[str, Any] = dict(row)
            if x is None:
                if not is_numbered:
                    point[INDEX] = n
            else:
                point[named.x] = others[n].get(x)
            if named.y == Y_JOINED:
                point[Y_JOINED] = row.get(y)
            point[REVISION] = rev
            if named.series is not None:
                point[named.series] = named.series_of(y_path, y)
            points.append(point)
    return points, errors


def _missing_field(data: Mapping[RepoPath, Points], path: RepoPath, wanted: str | None) -> PlotError | None:
    if path not in data:
        return PlotError(rev="", kind="FileNotFoundError", message=f"'{path}' is not there", source=path)
    known = data[path].fields
    if wanted is None or wanted in known:
        return None
    return PlotError(
        rev="",
        kind=FIELD_NOT_FOUND,
        message=f"'{path}' has no field '{wanted}'; it has: {', '.join(known)}",
        source=path,
        hint=did_you_mean(wanted, known),
        # Nobody asked for the field that another revision happens to have at its end.
        is_mistake=wanted != data[path].last,
    )


class Naming:
    """How the fields and lines of a plot are called, which must be the same in all revisions."""

    def __init__(self, lines: Sequence[Lines], *, cwd: RepoPath) -> None:
        pairs = [pair for each in lines for pair in each.pairs]
        self._cwd = cwd
        xs = list(dict.fromkeys(x for (_, x), _ in pairs))
        ys = list(dict.fromkeys(y for _, (_, y) in pairs))
        files = list(dict.fromkeys(path for _, (path, _) in pairs))
        self.x = (xs[0] or INDEX) if len(xs) == 1 else X_JOINED
        self.y = ys[0] if len(ys) == 1 else Y_JOINED
        self.x_label = self.x if len(xs) == 1 else "x"
        self.y_label = self.y if len(ys) == 1 else "y"
        parts = (("filename", len(files) > 1), ("field", len(ys) > 1))
        self.series = "::".join(part for part, is_there in parts if is_there) or None
        self._top = _common_directory([self.shown(path) for path in files])

    def shown(self, path: RepoPath) -> str:
        """Returns a file as the user sees it."""
        return shown_path(path, self._cwd)

    def series_of(self, path: RepoPath, field: str) -> str:
        """Returns what tells a line from others."""
        file = posixpath.relpath(self.shown(path), self._top) if self._top else self.shown(path)
        return {"filename": file, "field": field}.get(self.series or "", f"{file}::{field}")


def _common_directory(paths: Sequence[str]) -> str:
    directories = [posixpath.dirname(path) for path in paths]
    return posixpath.commonpath(directories) if directories and all(directories) else ""


def make_spec(
    definition: Definition, wish: Wish, naming: Naming, *, id: str, title: str, points: Sequence[Point]
) -> PlotSpec:
    """Returns the plot of some points."""
    options = {**definition.options, **wish.options}
    return PlotSpec(
        id=id,
        revisions=tuple(dict.fromkeys(str(point[REVISION]) for point in points)),
        template=str(options.get("template") or DEFAULT_TEMPLATE),
        title=str(options.get("title") or title),
        x=naming.x,
        y=naming.y,
        x_label=str(options.get("x_label") or naming.x_label),
        y_label=str(options.get("y_label") or naming.y_label),
        series=naming.series,
        points=tuple(points),
    )
