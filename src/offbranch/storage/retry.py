"""Trying again what may have failed by chance: a growing wait in between, a little of it random."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from offbranch.base.errors import RemoteError

T = TypeVar("T")

ATTEMPTS = 5
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 20.0


def with_retries(
    action: Callable[[], T],
    *,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], object] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> T:
    """Returns what an action returns, called again after failures that may go away by themselves.

    Waits 0.5, 1, 2, 4 … seconds, at most 20, each shortened by up to a half so that many do not come back at once.

    Args:
        action: Called from the start each time.
        attempts: Calls at most.
        sleep: Waits; may raise to give up.
        chance: Gives numbers from 0 to 1.

    Raises:
        RemoteError: The last failure, or the first that is not transient.
    """
    wait_s = _FIRST_WAIT_S
    for _ in range(attempts - 1):
        try:
            return action()
        except RemoteError as error:
            if not error.is_transient:
                raise
        sleep(wait_s * (1 - chance() / 2))
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
    return action()
