"""The `Live`s that are open in this process: what is done about them at its end, in a forked child, and before others look."""

import atexit
import os
import weakref
from typing import Protocol


class Open(Protocol):
    """What is open."""

    def flush(self) -> None:
        """Writes what waits to be written."""
        ...

    def leave(self) -> None:
        """Does what has to be done at the end of the process where `end` was not called."""
        ...

    def forked(self) -> None:
        """Begins anew in a forked child."""
        ...


_open: "weakref.WeakSet[Open]" = weakref.WeakSet()
_has_hooks: list[bool] = []


def enter(opened: Open) -> None:
    """Notes that something is open; it is forgotten when nobody uses it any more."""
    if not _has_hooks:
        _has_hooks.append(True)
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_in_child)
    _open.add(opened)


def flush_all() -> None:
    """Writes all that waits."""
    for opened in list(_open):
        opened.flush()


def _at_exit() -> None:
    for opened in list(_open):
        opened.leave()


def _in_child() -> None:
    for opened in list(_open):
        opened.forked()
