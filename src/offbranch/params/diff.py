"""What differs between two nested values, key by key: parameters, metrics."""

from typing import Any

from offbranch.base.records import record
from offbranch.params.lookup import MISSING, flatten


@record
class ValueChange:
    """One key whose value differs.

    Attributes:
        key: Dotted path; empty when the whole is a single value.
        old: The value before, MISSING when there was none.
        new: The value after, MISSING when there is none.
        difference: New minus old where both are numbers (true and false are 1 and 0), None otherwise.
    """

    key: str
    old: Any
    new: Any
    difference: int | float | None


def diff_values(old: Any, new: Any) -> tuple[ValueChange, ...]:
    """Returns the keys that differ, in the order of `old`, then those only in `new`.

    Values are compared as the pipeline compares them: 1, 1.0 and true are equal. Lists are compared as a whole.

    Args:
        old: Nested data, or MISSING for nothing at all.
        new: Likewise.
    """
    before = {} if old is MISSING else dict(flatten(old))
    after = {} if new is MISSING else dict(flatten(new))
    changes = []
    for key in (*before, *(key for key in after if key not in before)):
        a, b = before.get(key, MISSING), after.get(key, MISSING)
        # Not a number differs from itself; two of them at one key are no change.
        if a != b and not (a != a and b != b):
            changes.append(ValueChange(key=key, old=a, new=b, difference=_difference(a, b)))
    return tuple(changes)


def _difference(a: Any, b: Any) -> int | float | None:
    return b - a if isinstance(a, int | float) and isinstance(b, int | float) else None
