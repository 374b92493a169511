"""The content of a file as the points of a plot: CSV, TSV, JSON, YAML.

Numbers are numbers whatever the format: in CSV a column becomes one of numbers when every cell of it that is not empty is
one. What is no number for JSON (nan, infinity) and empty cells of such a column are null, which a line has as a gap.
"""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from json import loads
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.files import decode
from offbranch.base.records import record
from offbranch.base.yaml import load_yaml

Point = Mapping[str, Any]
PICTURES: Mapping[str, str] = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".png": "image/png", ".svg": "image/svg+xml",
}  # fmt: skip
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_ONE = r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(_ONE, re.ASCII)
# Whole columns, a number on each line.
_NUMBERS = re.compile(rf"(?:{_ONE}\n)++", re.ASCII)
_INTEGERS = re.compile(r"(?:[+-]?(?:0|[1-9]\d{0,17})\n)++", re.ASCII)
_NO_NUMBER = frozenset(("nan", "inf", "infinity"))
_BIG_CELL = 1 << 24


@record
class Points:
    """What a file holds.

    Attributes:
        rows: One map per point, in order; not all need have the same fields.
        last: The field that is drawn unless another is asked for: the last one of the first point.
    """

    rows: tuple[Point, ...]
    last: str | None

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field of any point."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))


def suffix_of(path: str) -> str:
    """Returns the ending of a file name in lower case, with its point."""
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :].lower() if "." in name[1:] else ""


def is_picture(path: str) -> bool:
    """Tells whether a file is shown as it is."""
    return suffix_of(path) in PICTURES


def read_points(content: bytes, path: str, *, header: bool = True) -> Points:
    """Returns the points in a file.

    Args:
        content: What it holds.
        path: Its name, which decides the format.
        header: The first row of a CSV or TSV file names its columns; otherwise they are called `0`, `1`, ...

    Raises:
        BadInputError: The format is none of these, or the content is malformed.
    """
    suffix = suffix_of(path)
    if suffix in _DELIMITERS:
        return _table(decode(content.removeprefix(b"\xef\xbb\xbf"), path), path, _DELIMITERS[suffix], header)
    if suffix == ".json":
        return _points_in(_json(content, path))
    if suffix in (".yaml", ".yml"):
        return _points_in(load_yaml(decode(content, path), path))
    raise BadInputError(
        "a plot cannot be made from this kind of file",
        path=path,
        hint=f"name it .csv, .tsv, .json or .yaml, or as an image: {', '.join(PICTURES)}",
    )


def clean(value: Any) -> Any:
    """Returns data that JSON can say: infinity and nan as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): clean(each) for key, each in value.items()}
    return [clean(each) for each in value] if isinstance(value, list) else value


def _table(text: str, path: str, delimiter: str, header: bool) -> Points:
    csv.field_size_limit(_BIG_CELL)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise BadInputError(f"not valid CSV: {error}", path=path, line=reader.line_num) from error
    if not rows:
        return Points(rows=(), last=None)
    width = len(rows[0])
    if max(map(len, rows)) > width:
        _refuse_long_row(text, path, delimiter, width)
    names = rows.pop(0) if header else [str(n) for n in range(width)]
    if len(set(names)) < width:
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInputError(
            f"two columns are called '{twice}'", path=path, line=1, hint="without a header: --no-header"
        )
    if min(map(len, rows), default=width) < width:
        rows = [row + [""] * (width - len(row)) for row in rows]
    columns = [_typed(cells) for cells in zip(*rows, strict=True)]
    points = tuple(dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True))
    return Points(rows=points, last=names[-1])


def _refuse_long_row(text: str, path: str, delimiter: str, width: int) -> None:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    for row in reader:
        if len(row) > width:
            raise BadInputError(
                f"this row has {len(row)} cells, the first one has {width}", path=path, line=reader.line_num
            )


def _typed(cells: Sequence[str]) -> Sequence[Any]:
    """Returns a column as numbers if it is one of numbers, and otherwise as it is."""
    text = "\n".join(cells) + "\n"
    if text.count("\n") == len(cells):  # nearly all columns; the rest of this function is slow
        if _INTEGERS.fullmatch(text):
            return list(map(int, cells))
        if _NUMBERS.fullmatch(text):
            values = list(map(float, cells))
            return values if all(map(math.isfinite, values)) else [x if math.isfinite(x) else None for x in values]
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or not all(_is_number(cell) for cell in filled) or all(not _NUMBER.fullmatch(c) for c in filled):
        return cells
    return [_number(cell.strip()) for cell in cells]


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None or cell.lstrip("+-").lower() in _NO_NUMBER


def _number(cell: str) -> float | int | None:
    if not _NUMBER.fullmatch(cell):
        return None
    if cell.lstrip("+-").isdigit() and len(cell) < 20:
        return int(cell)
    value = float(cell)
    return value if math.isfinite(value) else None


def _json(content: bytes, path: str) -> Any:
    try:
        return loads(content)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        reason = str(getattr(error, "msg", "") or "it is not UTF-8 or nested too deeply")
        raise BadInputError(f"not valid JSON: {reason[:1].lower()}{reason[1:]}", path=path, line=line) from error


def _points_in(data: Any) -> Points:
    """Returns the first list of maps at any depth; what other lists have under other names is added to the same points."""
    lists = list(_lists_of_maps(data))
    if not lists:
        return Points(rows=(), last=None)
    rows = [dict(row) for row in lists[0]]
    last = list(rows[0])[-1] if rows[0] else None
    known = {name for row in rows for name in row}
    for other in lists[1:]:
        names = {name for row in other for name in row}
        if names.isdisjoint(known):
            known |= names
            for row, more in zip(rows, other, strict=False):
                row.update(more)
    return Points(rows=tuple(clean(row) for row in rows), last=None if last is None else str(last))


def _lists_of_maps(data: Any) -> Iterator[list[dict[Any, Any]]]:
    if isinstance(data, list):
        if data and all(isinstance(row, dict) for row in data):
            yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _lists_of_maps(value)
