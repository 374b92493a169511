"""Which stage may be taken up next, given which have ended: the part of running stages side by side that only thinks.

Knows addresses and what needs what, nothing else. Stages are handed out in execution order; with one at a time that is the
execution order itself.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence


class Schedule:
    """Hands out stages whose needs have all ended. Each is taken once, and ended once.

    Args:
        order: Addresses in execution order.
        needs: Address -> what it directly needs; also through addresses that are not in `order`.
    """

    def __init__(self, order: Sequence[str], needs: Mapping[str, Iterable[str]]) -> None:
        self._order = order
        self.position = {address: n for n, address in enumerate(order)}
        self._feeds: dict[str, list[str]] = {}
        self._missing: dict[str, int] = {}
        for address in order:
            before = _nearest(address, needs, self.position)
            self._missing[address] = len(before)
            for needed in before:
                self._feeds.setdefault(needed, []).append(address)
        # In order, so it is a heap already.
        self._ready = [n for n, address in enumerate(order) if not self._missing[address]]

    def take(self) -> str | None:
        """Returns the first stage that may be taken up now, None if there is none."""
        return self._order[heapq.heappop(self._ready)] if self._ready else None

    def give_back(self, address: str) -> None:
        """Makes a stage that was taken available again."""
        heapq.heappush(self._ready, self.position[address])

    def end(self, address: str) -> None:
        """Notes that a stage has ended, however: what only waited for it becomes available."""
        for fed in self._feeds.get(address, ()):
            self._missing[fed] -= 1
            if not self._missing[fed]:
                heapq.heappush(self._ready, self.position[fed])


def _nearest(address: str, needs: Mapping[str, Iterable[str]], chosen: Mapping[str, int]) -> set[str]:
    """Returns the chosen stages that a stage needs, directly or through others that are not chosen."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(needs.get(address, ()))
    while waiting:
        needed = waiting.pop()
        if needed in chosen:
            found.add(needed)
        elif needed not in seen:
            seen.add(needed)
            waiting.extend(needs.get(needed, ()))
    return found
