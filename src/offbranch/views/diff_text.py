"""An `ExperimentDiff` as text, Markdown or JSON."""

from collections.abc import Iterator
from typing import Any

from offbranch.experiments.diff_record import Change, Changes, ExperimentDiff
from offbranch.views.cells import DEFAULT_PRECISION, value_text
from offbranch.views.markdown import grid

_NOT_SUPPORTED = "diff not supported"
_DIGITS_OF_DIFFERENCE = 12


def render_diff_text(diff: ExperimentDiff, *, no_path: bool = False, precision: int | None = None) -> str:
    """Returns aligned tables of the metrics and of the parameters that differ; empty when nothing does."""
    tables = ["\n".join(aligned_table(rows)) + "\n" for rows in _tables(diff, no_path, precision)]
    return "\n".join(tables)


def render_diff_markdown(diff: ExperimentDiff, *, no_path: bool = False, precision: int | None = None) -> str:
    """Returns the same tables in Markdown, each followed by an empty line."""
    return "".join(grid(rows[0], rows[1:]) for rows in _tables(diff, no_path, precision))


def diff_to_json(diff: ExperimentDiff) -> dict[str, Any]:
    """Returns `exp diff --json`: file -> name -> old, new and, for numbers, diff."""
    return {"metrics": _changes_to_json(diff.metrics), "params": _changes_to_json(diff.params)}


def _changes_to_json(changes: Changes) -> dict[str, Any]:
    return {path: {name: change_to_json(each) for name, each in names.items()} for path, names in changes.items()}


def change_to_json(change: Change) -> dict[str, Any]:
    """Returns old, new and, for numbers, diff."""
    both = {"old": change.old, "new": change.new}
    return both if change.difference is None else {**both, "diff": change.difference}


def _tables(diff: ExperimentDiff, no_path: bool, precision: int | None) -> Iterator[list[list[str]]]:
    digits = DEFAULT_PRECISION if precision is None else precision
    # Parameters are what the user wrote: they are rounded only on request.
    for title, changes, limit in (("Metric", diff.metrics, digits), ("Param", diff.params, precision)):
        if changes:
            rows = [["Path", title, diff.old_name, diff.new_name, "Change"]]
            for path, names in changes.items():
                rows += [[path, name, *_cells(change, limit)] for name, change in names.items()]
            yield [row[1:] if no_path else row for row in rows]


def _cells(change: Change, precision: int | None) -> Iterator[str]:
    yield _text(change.old, precision)
    yield _text(change.new, precision)
    # A difference is computed: twelve digits hide what binary fractions make of 0.01 - 0.001.
    yield (
        _NOT_SUPPORTED
        if change.difference is None
        else _text(change.difference or 0, precision or _DIGITS_OF_DIFFERENCE)
    )


def _text(value: Any, precision: int | None) -> str:
    if value is None:
        return "-"
    return str(value) if precision is None else value_text(value, precision)


def aligned_table(rows: list[list[str]]) -> list[str]:
    """Returns lines whose columns stand below each other, as in DVC's tables of differences."""
    cells = [[" ".join(text.splitlines()) for text in row] for row in rows]
    head, *body = cells
    # Two blanks after a head beside the two between columns, as DVC's tables have them.
    widths = [max(len(title) + 2, *(len(row[n]) for row in body)) for n, title in enumerate(head)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
