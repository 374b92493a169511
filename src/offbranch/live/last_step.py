"""Where a program goes on that resumes: after the last step of the summary, else at the last one of the tables."""

import math
import os
from collections.abc import Mapping
from typing import Any

from offbranch.live.faults import say
from offbranch.live.table import last_step


def next_step(summary: Mapping[str, Any], directory: str) -> Any:
    """Returns the step a resumed program begins with, a number as it counts; None if nothing tells of a step.

    Args:
        summary: What metrics.json holds.
        directory: Of the tables of metrics.
    """
    last: Any = summary.get("step")
    if is_step(last):
        return int(last) + 1 if float(last).is_integer() else last + 1
    ends = (last_step(path) for path in _tables_below(directory))
    found = max((end for end in ends if end is not None), default=0.0)
    if found <= 0:
        return None
    step: Any = int(found) if found.is_integer() else found
    say(
        "warning",
        f"metrics.json does not tell the last step: training goes on at step {step}, the last one with a metric",
    )
    return step


def is_step(value: object) -> bool:
    """Tells whether a value is the number of a step."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _tables_below(directory: str) -> list[str]:
    return [
        os.path.join(place, name) for place, _, files in os.walk(directory) for name in files if name.endswith(".tsv")
    ]
