"""The curves of runs as text: all of them, or on a terminal as many and as large as it has room for."""

from collections.abc import Iterator, Sequence

from offbranch.views.live_series import LiveRun, metrics_of, plots_of_runs
from offbranch.views.plot_text import HEIGHT, plain, render_plots_text

_LOWEST = 5
# Around the lines of a drawing: its title, the names of both axes, their ends, an empty line.
_AROUND = 6
_MOST_NAMED = 3


def render_live(runs: Sequence[LiveRun], *, width: int, rows: int | None = None, color: bool = False) -> str:
    """Returns a drawing of each metric, in the order of their names, and a line for each of those that have no curve.

    Args:
        runs: What to draw.
        width: Columns of the terminal.
        rows: Its lines: drawings become lower, and then lines, until all of it has room; None where there is no end.
        color: Tell runs apart by colours.
    """
    names = metrics_of(runs)
    drawn = [name for name in names if any(name in run.series and run.series[name].steps for run in runs)]
    height, n_drawn = (HEIGHT, len(drawn)) if rows is None else _fitting(drawn, runs, rows - (len(names) - len(drawn)))
    plots = plots_of_runs(runs, drawn[:n_drawn])
    text = render_plots_text(plots, width=width, color=color, height=height)
    listed = [line for name in names if name not in drawn[:n_drawn] for line in _lines(name, runs)]
    room = None if rows is None else max(rows - text.count("\n") - bool(n_drawn), 1)
    if room is not None and len(listed) > room:
        n_left_out = len(listed) - room + 1
        listed = [*listed[: room - 1], f"… and {n_left_out} more; to see one of them: ob live METRIC"]
    return "\n".join(part for part in (text, "".join(f"{line}\n" for line in listed)) if part)


def waiting_line(waiting: Sequence[str], *, has_workers: bool) -> str:
    """Returns what is said of tasks that have not begun."""
    few = ", ".join(waiting[:_MOST_NAMED]) + (", …" if len(waiting) > _MOST_NAMED else "")
    many = "1 task waits" if len(waiting) == 1 else f"{len(waiting)} tasks wait"
    return f"{many} in the queue: {few}" + ("" if has_workers else "; no worker runs: ob queue start")


def _fitting(drawn: Sequence[str], runs: Sequence[LiveRun], rows: int) -> tuple[int, int]:
    """Returns how high drawings may be, and how many of them have room beside a line for each of the others."""
    beside = [_AROUND + sum(name in run.series for run in runs) for name in drawn]
    for n_drawn in range(len(drawn), 0, -1):
        left = rows - sum(beside[:n_drawn]) - sum(each - _AROUND for each in beside[n_drawn:])
        height = min(left // n_drawn, HEIGHT)
        if height >= _LOWEST:
            return height, n_drawn
    height = min(rows - beside[0] - rows // 3, HEIGHT) if drawn else 0
    return (height, 1) if height >= _LOWEST else (HEIGHT, 0)


def _lines(name: str, runs: Sequence[LiveRun]) -> Iterator[str]:
    for run in runs:
        if name in run.series and (newest := run.series[name].newest) is not None:
            yield plain(f"{run.name} ({run.state}): {name} {newest}")
