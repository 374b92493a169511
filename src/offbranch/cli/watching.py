"""Waiting between two looks at something that is shown as it changes: a terminal may get another size, a reader may go away."""

import os
import select
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TextIO

from offbranch.base.errors import Interrupted
from offbranch.cli.console import Console
from offbranch.cli.screen import Screen


class Waiting:
    """What a command that follows something calls to sleep.

    Attributes:
        redraw: Called when the terminal has got another size.
    """

    def __init__(self, console: Console) -> None:
        self.redraw: Callable[[], None] | None = None
        self._out = console.out
        self._pipe = _pipe_of(console.out)
        self._size = _size_of(console.out)

    def __call__(self, seconds: float) -> None:
        """Sleeps.

        Raises:
            BrokenPipeError: Nobody reads any more what we write; we would only notice when we write again.
        """
        if self._pipe is None:
            time.sleep(seconds)
        elif self._pipe.poll(seconds * 1000):
            raise BrokenPipeError
        size = _size_of(self._out)
        if size != self._size:
            self._size = size
            if self.redraw is not None:
                self.redraw()


def redraw_each(views: Iterable[Sequence[str]], console: Console, waiting: Waiting | None) -> None:
    """Shows lines in place of those before, until there are no more or Ctrl-C; again when the terminal gets another size."""
    screen = Screen(console.out)
    with until_ctrl_c(screen.end):
        for lines in views:
            screen.show(lines)
            if waiting is not None:
                waiting.redraw = partial(screen.show, lines)


@contextmanager
def until_ctrl_c(end: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Takes Ctrl-C within a `with` for the end of watching, which is no failure; other signals still ask us to stop.

    Args:
        end: Called in either case.
    """
    try:
        yield
    except Interrupted:
        end()
        raise
    except KeyboardInterrupt:
        end()


def _size_of(out: TextIO) -> os.terminal_size | None:
    try:
        return os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return None


def _pipe_of(out: TextIO) -> "select.poll | None":
    """Returns what is woken up when the other end of a pipe is closed; None for what is no pipe."""
    try:
        descriptor = out.fileno()
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return None
    except (OSError, ValueError):
        return None
    poll = select.poll()
    poll.register(descriptor, 0)
    return poll
