"""Tables of metrics as a program takes them up that may resume: lines that it repeats are removed.

Where nothing tells of a step, those that are there may be of a program that was killed in its first one, or of one that has no
steps and is added to. This program's own first step tells which.
"""

import math
from functools import partial

from offbranch.base.records import replace
from offbranch.live.begin import Begun
from offbranch.live.table import Table, cut_repeated, drop_repeated, open_table


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
        n_left = cut_repeated(table.path, max(step, begun.repeats_from or 0), column=_column(table))
        table.n_before = n_left if begun.repeats_from == math.inf else 0


def begin_steps(begun: Begun) -> Begun:
    """Hears that a program has steps: what it has logged until now is its first one.

    So lines of an earlier program that had not come to its second are repeated.
    """
    if begun.repeats_from != math.inf or begun.outlet.is_guest:
        return begun
    writer = begun.outlet.writer
    for table in list(writer.tables.values()):
        if table.n_before:
            with begun.outlet.faults.during(f"write '{table.path}'"):
                writer.apart(partial(drop_repeated, table.path, table.n_before, 0, column=_column(table)))
    return replace(begun, repeats_from=0)


def _column(table: Table) -> int:
    return 1 if table.has_timestamp else 0
