"""The record of a comparison: how the parameters and metrics of two revisions differ."""

from collections.abc import Mapping
from typing import Any

from offbranch.base.records import record


@record
class Change:
    """One value in both revisions.

    Attributes:
        old, new: None where there is none; a list as text.
        difference: `new - old` where both are numbers.
    """

    old: Any
    new: Any
    difference: float | None


Changes = Mapping[str, Mapping[str, Change]]


@record
class ExperimentDiff:
    """What differs, by file and dotted name; files in the order of the revisions, names sorted.

    Attributes:
        old_name, new_name: The revisions as the user named them.
    """

    old_name: str
    new_name: str
    metrics: Changes
    params: Changes
