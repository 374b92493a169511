"""What `ob doctor` finds: one fact about the project or the machine, how good it is, and the way out."""

from enum import Enum

from offbranch.base.records import record


class Health(Enum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@record
class Finding:
    """Attributes:
    area: What it is about, one word: `git`, `cache`, `links`, ...
    text: One sentence, lower case.
    hint: The way out; only where something is not well.
    """

    area: str
    health: Health
    text: str
    hint: str | None = None


def ok(area: str, text: str) -> Finding:
    """Returns a finding that all is well."""
    return Finding(area=area, health=Health.OK, text=text)


def warning(area: str, text: str, hint: str) -> Finding:
    """Returns a finding of something that works but may surprise."""
    return Finding(area=area, health=Health.WARNING, text=text, hint=hint)


def problem(area: str, text: str, hint: str) -> Finding:
    """Returns a finding of something that does not work."""
    return Finding(area=area, health=Health.PROBLEM, text=text, hint=hint)
