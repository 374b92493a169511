"""What happens to a shared queue on other machines, brought here before somebody looks, and again while he goes on looking.

Where the clone shares no queue nothing is loaded and nothing is done.
"""

import time
from collections.abc import Callable
from typing import Any

from offbranch.api.session import Session, need_git, opened
from offbranch.base.events import NullReporter
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.queue.remote.shared_signs import may_share

CHANGES = "offbranch.api.queue_remote_changes"
# Between two questions to the Git remote; each is one connection.
PAUSE_S = 5.0


class News:
    """Asks now and then, for who waits or watches.

    Args:
        session: Where.
        is_offline: Never ask.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, session: Session, *, is_offline: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._clock = clock
        self._asked: float | None = None
        self.is_wanted = not is_offline and _may_share(session)

    @property
    def next_s(self) -> float | None:
        """When there is something to ask again, by the clock; None where there never is."""
        return None if not self.is_wanted or self._asked is None else self._asked + PAUSE_S

    def bring(self) -> None:
        """Asks, unless that was done a moment ago; that the Git remote cannot be reached is told once."""
        due = self.next_s
        if not self.is_wanted or (due is not None and self._clock() < due):
            return
        if load(f"{CHANGES}:bring_news")(self._session) is False:
            self._session = replace(self._session, reporter=NullReporter())
        self._asked = self._clock()


def bring_news(session: Session, *, is_offline: bool = False) -> None:
    """Asks once."""
    News(session, is_offline=is_offline).bring()


def tell_changes(session: Session) -> Any:
    """Tells others what was changed in the queue here; returns the `SyncReport`, or None where nobody is to know."""
    if not _may_share(session):
        return None
    return load(f"{CHANGES}:tell_changes")(session)


def _may_share(session: Session) -> bool:
    with opened(session) as project:
        return may_share(need_git(project), project.environment)
