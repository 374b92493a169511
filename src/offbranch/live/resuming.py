"""Tables of metrics as a program takes them up that may resume: lines that it is going to repeat are removed."""

from offbranch.live.begin import Begun
from offbranch.live.table import Table, cut_repeated, open_table


def open_table_of(begun: Begun, name: str, *, has_timestamp: bool) -> Table:
    """Returns the table of a metric; from now on it is that of the program."""
    path = begun.outlet.table_path(name)
    table = open_table(name, path, has_timestamp=has_timestamp, is_resumed=begun.repeats_from is not None)
    return begun.outlet.writer.tables.setdefault(name, table)


def cut_repeated_of(begun: Begun, table: Table, step: float) -> None:
    """Removes lines of steps that an earlier program had begun and this one repeats.

    Args:
        begun: The `Live`.
        table: Of a metric.
        step: Which it is at.
    """
    table.is_cut = True
    with begun.outlet.faults.during(f"write '{table.path}'"):
        cut_repeated(table.path, max(step, begun.repeats_from or 0), column=1 if table.has_timestamp else 0)
