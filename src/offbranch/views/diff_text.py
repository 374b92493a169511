"""An `ExperimentDiff` as text, Markdown or JSON.

Of parameters and metrics exactly as DVC prints it; sections that were asked for beyond these follow.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.experiments.diff_record import Change, Changes, CodeDiff, CodeFile, ExperimentDiff
from offbranch.views.cells import DEFAULT_PRECISION, value_text
from offbranch.views.markdown import grid

_NOT_SUPPORTED = "diff not supported"
_DIGITS_OF_DIFFERENCE = 12
_STATUS: Mapping[str, str] = {"A": "added", "M": "modified", "D": "deleted", "T": "type changed"}


def render_diff_text(diff: ExperimentDiff, *, no_path: bool = False, precision: int | None = None) -> str:
    """Returns aligned tables of what differs, then the code; empty when nothing does."""
    tables = ["\n".join(aligned_table(rows)) + "\n" for rows in _tables(diff, no_path, precision)]
    return "\n".join([*tables, *_code_parts(diff.code)])


def render_diff_markdown(diff: ExperimentDiff, *, no_path: bool = False, precision: int | None = None) -> str:
    """Returns the same tables in Markdown, those of metrics and parameters also where nothing differs."""
    tables = "\n".join(grid(rows[0], rows[1:]) for rows in _tables(diff, no_path, precision, with_empty=True))
    parts = list(_code_parts(diff.code))
    fence = _fence(parts)
    return tables + "".join(f"{fence}diff\n{part}{fence}\n\n" for part in parts)


def diff_to_json(diff: ExperimentDiff) -> dict[str, Any]:
    """Returns `exp diff --json`: file -> name -> old, new and, for numbers, diff; other sections if asked for."""
    found: dict[str, Any] = {"metrics": _changes_to_json(diff.metrics), "params": _changes_to_json(diff.params)}
    more = {"deps": diff.deps, "outs": diff.outs, "env": diff.environment}
    found |= {name: _changes_to_json(changes) for name, changes in more.items() if changes is not None}
    if diff.code is not None:
        found["code"] = {"files": _files_to_json(diff.code), "patch": diff.code.patch}
    return found


def _files_to_json(code: CodeDiff) -> dict[str, Any]:
    names = ("added", "deleted")
    return {
        file.path: {
            "status": _STATUS.get(file.status, file.status),
            **{name: getattr(file, name) for name in names if getattr(file, name) is not None},
            "code": file.is_code,
        }
        for file in code.files
    }


def _code_parts(code: CodeDiff | None) -> Iterator[str]:
    """Yields the patch, then a line for each file that it leaves out."""
    if code is None or not code.files:
        return
    if code.patch:
        yield code.patch
    left_out = [file for file in code.files if not file.is_code]
    if left_out and not code.is_summary:
        yield "".join(f"{_summary(file)}\n" for file in left_out)


def _summary(file: CodeFile) -> str:
    what = _STATUS.get(file.status, file.status)
    lines = "binary" if file.added is None else f"+{file.added} -{file.deleted}"
    return f"{what}: {file.path} ({lines})"


def _fence(parts: list[str]) -> str:
    """Returns a fence that no line of the parts can end."""
    fence = "```"
    while any(fence in part for part in parts):
        fence += "`"
    return fence


def _changes_to_json(changes: Changes) -> dict[str, Any]:
    return {path: {name: change_to_json(each) for name, each in names.items()} for path, names in changes.items()}


def change_to_json(change: Change) -> dict[str, Any]:
    """Returns old, new and, for numbers, diff."""
    both = {"old": change.old, "new": change.new}
    return both if change.difference is None else {**both, "diff": change.difference}


def _tables(
    diff: ExperimentDiff, no_path: bool, precision: int | None, *, with_empty: bool = False
) -> Iterator[list[list[str]]]:
    digits = DEFAULT_PRECISION if precision is None else precision
    # Parameters are what the user wrote: they are rounded only on request.
    for title, changes, limit in (("Metric", diff.metrics, digits), ("Param", diff.params, precision)):
        if changes or with_empty:
            rows = [["Path", title, diff.old_name, diff.new_name, "Change"]]
            for path, names in changes.items():
                rows += [[path, name, *_cells(change, limit)] for name, change in names.items()]
            yield [row[1:] if no_path else row for row in rows]
    for title, more in (("Dependency", diff.deps), ("Output", diff.outs), ("Environment", diff.environment)):
        if more:
            rows = [["Path", title, diff.old_name, diff.new_name]]
            for path, names in more.items():
                rows += [[path, name, _text(each.old, None), _text(each.new, None)] for name, each in names.items()]
            yield rows


def _cells(change: Change, precision: int | None) -> Iterator[str]:
    yield _text(change.old, precision)
    yield _text(change.new, precision)
    # A difference is computed: twelve digits hide what binary fractions make of 0.01 - 0.001.
    yield (
        _NOT_SUPPORTED
        if change.difference is None
        else _text(change.difference or 0, _DIGITS_OF_DIFFERENCE if precision is None else precision)
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
