"""`Plots` as text for a terminal: curves, points, bars and tables of counts, as the template of a plot asks for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from offbranch.base.plugins import load
from offbranch.views.cells import value_text
from offbranch.views.plot import REVISION, Plots, PlotSpec
from offbranch.views.plot_data import Point

HEIGHT = 16
_MIN_WIDTH = 40
_MAX_WIDTH = 160
_MOST_BARS = 40
_MOST_CLASSES = 30
_CODES = {"magenta": 35, "cyan": 36, "yellow": 33, "green": 32, "blue": 34, "red": 31, "white": 37}
_CURVES = "offbranch.views.plot_curves"


def render_plots_text(
    plots: Plots, *, width: int = 80, color: bool = False, precision: int = 5, height: int = HEIGHT
) -> str:
    """Returns every plot with its title; images are named, as they cannot be drawn.

    Args:
        plots: What to draw.
        width: Columns of the terminal.
        color: Tell lines apart by colours.
        precision: Digits after the point, of numbers in tables and bars.
        height: Lines of a drawing of curves, without what is around it.
    """
    width = min(max(width, _MIN_WIDTH), _MAX_WIDTH)
    specs = {spec.id: spec for spec in plots.specs}
    parts: list[str] = []
    for name in plots.names:
        if name in specs:
            parts.append(_drawing(specs[name], width, color, precision, height))
        revs = [picture.rev for picture in plots.pictures if picture.id == name]
        if revs:
            parts.append(f"{plain(name)}\n  an image, of {', '.join(map(plain, revs))}\n")
    return "\n".join(parts)


def _drawing(spec: PlotSpec, width: int, color: bool, precision: int, height: int) -> str:
    if spec.template.startswith("confusion"):
        body = _counts(spec, precision)
    elif spec.template.startswith("bar_horizontal"):
        body = _bars(spec, width, precision)
    else:
        body = _curves(spec, width, color, height)
    return f"{plain(spec.title)}\n" + "".join(f"{line}\n" for line in body)


def _lines(spec: PlotSpec) -> dict[str, list[Point]]:
    """Returns the points of each line by its label: the revision, and what tells its lines apart."""
    found: dict[str, list[Point]] = {}
    for point in spec.points:
        label = str(point[REVISION])
        if spec.series is not None:
            label += f" {point[spec.series]}"
        found.setdefault(plain(label), []).append(point)
    return found


def _curves(spec: PlotSpec, width: int, color: bool, height: int) -> Iterator[str]:
    make = load(f"{_CURVES}:Curve")
    curves = []
    names = _names_of_x(spec)
    for label, points in _lines(spec).items():
        pairs = [
            (_place(point.get(spec.x), n, names), y)
            for n, point in enumerate(points)
            if (y := _number(point.get(spec.y))) is not None
        ]
        if pairs:
            curves.append(make(label=label, xs=[x for x, _ in pairs], ys=[y for _, y in pairs]))
    if not curves:
        yield f"  '{plain(spec.y)}' has no numbers"
        return
    frame = load(f"{_CURVES}:Frame")(
        x_label=plain(spec.x_label), y_label=plain(spec.y_label), width=width, height=height
    )
    drawn = load(f"{_CURVES}:draw_curves")(curves, frame, color=color, is_cloud=spec.template.startswith("scatter"))
    yield from drawn.splitlines()
    if names:
        first, *_, last = (*names, next(reversed(names)))
        yield f"  {plain(spec.x_label)}: 0 is {plain(first)}, {len(names) - 1} is {plain(last)}"
    for mark, name, label in load(f"{_CURVES}:legend")([curve.label for curve in curves], color=color):
        yield f"  \x1b[{_CODES[name]}m{mark}\x1b[0m {label}" if name else f"  {mark} {label}"


def _names_of_x(spec: PlotSpec) -> dict[str, int]:
    """Returns the texts on the horizontal axis, dates as an example, by their places on it; nothing where there are numbers."""
    texts = dict.fromkeys(str(x) for point in spec.points if (x := point.get(spec.x)) is not None)
    if all(_number(text) is not None for text in texts):
        return {}
    return {text: n for n, text in enumerate(texts)}


def _place(x: object, n: int, names: Mapping[str, int]) -> float:
    if names:
        return names.get(str(x), n)
    number = _number(x)
    return n if number is None else number


def _bars(spec: PlotSpec, width: int, precision: int) -> Iterator[str]:
    lines = _lines(spec)
    rows = [
        (plain(str(point.get(spec.y))), label, value)
        for label, points in lines.items()
        for point in points
        if (value := _number(point.get(spec.x))) is not None
    ]
    if spec.template == "bar_horizontal_sorted":
        rows.sort(key=lambda row: -row[2])
    else:
        places = {name: n for n, name in enumerate(dict.fromkeys(row[0] for row in rows))}
        rows.sort(key=lambda row: places[row[0]])
    names = (f"{name} ({label})" if len(lines) > 1 else name for name, label, _ in rows[:_MOST_BARS])
    shown = [(_shortened(name, width // 2), value) for name, (_, _, value) in zip(names, rows, strict=False)]
    texts = [value_text(value, precision) for _, value in shown]
    beside = max((len(name) for name, _ in shown), default=0)
    room = max(10, width - beside - max(map(len, texts), default=0) - 4)
    most = max((abs(value) for _, value in shown), default=0) or 1
    for (name, value), text in zip(shown, texts, strict=True):
        bar = "█" * round(abs(value) / most * room) or "▏"
        yield f"  {name.ljust(beside)} {bar} {text}"
    if len(rows) > _MOST_BARS:
        yield f"  ... and {len(rows) - _MOST_BARS} more"


def _counts(spec: PlotSpec, precision: int) -> Iterator[str]:
    """Yields one table per line of the plot: columns are values of x, rows of y; of many the most frequent."""
    for label, points in _lines(spec).items():
        counts = Counter((plain(str(point.get(spec.x))), plain(str(point.get(spec.y)))) for point in points)
        xs, x_left = _classes(counts, 0)
        ys, y_left = _classes(counts, 1)
        rows = [[f"{plain(spec.y_label)} \\ {plain(spec.x_label)}", *xs]]
        for y in ys:
            found = [counts.get((x, y), 0) for x in xs]
            if spec.template == "confusion_normalized":
                total = sum(count for (_, name), count in counts.items() if name == y) or 1
                rows.append([y, *(value_text(count / total, min(precision, 2)) for count in found)])
            else:
                rows.append([y, *map(str, found)])
        yield f"  {label}"
        yield from (f"    {line}" for line in _aligned(rows))
        if x_left or y_left:
            yield f"    ... and {x_left} more columns, {y_left} more rows"


def _classes(counts: Mapping[tuple[str, str], int], axis: int) -> tuple[list[str], int]:
    """Returns the values of an axis in their order, and how many others there are no room for."""
    totals: Counter[str] = Counter()
    for key, count in counts.items():
        totals[key[axis]] += count
    shown = [name for name, _ in totals.most_common(_MOST_CLASSES)]
    return sorted(shown, key=_by_number), len(totals) - len(shown)


def _by_number(text: str) -> tuple[float, str]:
    number = _number(text)
    return (float("inf") if number is None else number, text)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


def _shortened(text: str, size: int) -> str:
    """Returns a text whose middle is left out where it is too long: what tells it from others is mostly at its end."""
    half = (size - 1) // 2
    return text if len(text) <= size else f"{text[:half]}…{text[-half:]}"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number - number == 0 else None


def plain(text: str) -> str:
    """Returns a text without what would move the cursor or change colours."""
    return "".join(char if char.isprintable() else "?" for char in text)
