"""Brings the files of a `Live` up to date, and reads them. Its methods of these names."""

from typing import Any, Protocol

from offbranch.live.formats import read_json
from offbranch.live.outlet import Outlet


class Logging(Protocol):
    """What these methods need of a `Live`."""

    _outlet: Outlet
    _is_inert: bool
    _step: Any

    def flush(self) -> None:
        """See `Live.flush`."""
        ...

    def make_summary(self) -> None:
        """See below."""
        ...

    def make_dvcyaml(self) -> None:
        """See below."""
        ...

    def make_report(self) -> None:
        """See below."""
        ...

    def read_latest(self) -> dict[str, Any]:
        """See below."""
        ...


def make_summary(self: Logging) -> None:
    """Writes metrics.json."""
    if not self._is_inert:
        if self._step is not None:
            self._outlet.summary["step"] = self._step
        self._outlet.write_summary()


def make_dvcyaml(self: Logging) -> None:
    """Tells dvc.yaml of the files."""
    if not self._is_inert:
        self._outlet.write_dvcyaml(anyway=True)


def make_report(self: Logging) -> None:
    """Makes the report."""
    if not self._is_inert:
        self._outlet.write_report()


def sync(self: Logging) -> None:
    """Writes everything that `next_step` writes, without ending the step."""
    self.flush()
    self.make_summary()
    self.make_dvcyaml()
    self.make_report()


def read_latest(self: Logging) -> dict[str, Any]:
    """Returns what is in metrics.json."""
    return read_json(self._outlet.file("metrics.json"))


def read_step(self: Logging) -> int:
    """Returns the last step that is in metrics.json, 0 if there is none."""
    found = self.read_latest().get("step", 0)
    return found if isinstance(found, int) else 0
