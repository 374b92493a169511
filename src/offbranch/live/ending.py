"""How a `Live` ends: well, by a failure, or because another process turns out to be the one that logs."""

from typing import Any, Protocol

from offbranch.live.begin import Begun
from offbranch.live.finish import finish
from offbranch.live.last_step import is_step
from offbranch.live.outlet import Outlet
from offbranch.live.registry import Open, ended
from offbranch.live.surroundings import is_late_rank


class Ending(Open, Protocol):
    """What is needed of a `Live`."""

    _begun: Begun
    _outlet: Outlet
    _is_inert: bool
    _is_ahead: bool
    _monitor: Any
    _saved: str | None
    _step: Any


def end(live: Ending, *, failure: str | None) -> None:
    """Writes everything, and saves an experiment where one is to be saved.

    Args:
        live: What ends.
        failure: Name of the exception that ends the program, None if it ends well.
    """
    retire_if_late(live)
    if live._is_inert:
        return
    _stop_monitor(live)
    if live._is_ahead and is_step(live._outlet.summary.get("step")):
        # `next_step` has begun a step that does not come.
        live._step, live._is_ahead = live._outlet.summary["step"], False
    live.flush()
    if live._outlet.is_guest:
        return
    if live._step is not None:
        live._outlet.summary["step"] = live._step
    live._saved = finish(live._begun, live._saved, failure=failure)
    ended(live)


def retire_if_late(live: Ending) -> None:
    """Leaves logging to the process of rank 0, where it is known only by now that this is another one."""
    if not live._is_inert and is_late_rank():
        live._is_inert = True
        _stop_monitor(live)
        if live._outlet.signals is not None:
            live._outlet.signals.end()


def _stop_monitor(live: Ending) -> None:
    monitor, live._monitor = live._monitor, None
    if monitor is not None:
        monitor.stop()
