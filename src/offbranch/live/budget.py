"""How much of a program's time may go into something that can wait: so much at the start, then a share of what passes."""

import time


class Budget:
    """Counts seconds that were spent.

    Args:
        at_start_s: What may be spent at once.
        share: Part of the time that passes which may be spent.
    """

    __slots__ = ("_allowed_s", "_began", "_share", "_spent_s")

    def __init__(self, *, at_start_s: float, share: float) -> None:
        self._allowed_s = at_start_s
        self._share = share
        self._began = time.monotonic()
        self._spent_s = 0.0

    def allows(self, now: float) -> bool:
        """Tells whether something may be spent at a time of the monotonic clock."""
        return self._spent_s <= self._allowed_s + self._share * (now - self._began)

    def spend(self, seconds: float) -> None:
        """Notes what was spent."""
        self._spent_s += seconds
