"""The session of a command: where the user is, with the console as its reporter."""

from offbranch.api.session import Session
from offbranch.cli.console import Console


def session_of(console: Console) -> Session:
    """Returns the session that a command hands to `api`."""
    return Session(start=console.start, environment=console.environment, reporter=console)
