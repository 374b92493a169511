"""How progress leaves the program: frozen events handed to a `Reporter`.

Each package defines its own events beside the code that emits them; only the general ones are here. Nothing below
`api` prints; the console, `--json` and tests match on the types.
"""

from typing import Protocol

from offbranch.base.records import record


@record
class Event:
    """Something that happened; what it was is its type."""


@record
class Notice(Event):
    """A sentence for the user that changes no result."""

    text: str


@record
class Warned(Event):
    """Something the user should know, though the command goes on."""

    text: str
    hint: str | None = None


@record
class Progressed(Event):
    """Work of known or unknown size moved on.

    Attributes:
        what: Names the piece of work, e.g. `hashing data`; the same text means the same bar.
        done: Amount done so far, in `unit`.
        total: Amount in all, None while unknown.
        unit: `bytes`, or what is counted: `files`, `trials`.
    """

    what: str
    done: int
    total: int | None
    unit: str


class Reporter(Protocol):
    """Takes events. Called from the thread that works, in the order of events; must return quickly and not raise."""

    def emit(self, event: Event) -> None:
        """Takes one event."""
        ...


class NullReporter:
    """Drops every event."""

    def emit(self, event: Event) -> None:
        """Does nothing."""
