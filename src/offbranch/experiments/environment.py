"""What is known of how a side came about: its commit, its commands, its run, and the packages that it asks for.

The commit and the files are the same everywhere; what was noted of a run (`run_environment.py`) is only on the machine
it ran on. What is not known is left out, never guessed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from offbranch.base.errors import OffbranchError
from offbranch.base.files import read_text
from offbranch.experiments.attempts import read_records
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.requirements import requirements_of
from offbranch.experiments.run_environment import read_environment_of
from offbranch.experiments.sides import Side
from offbranch.git.objects import Commit
from offbranch.pipeline.lockfile import parse_lock
from offbranch.project import Project

# What is noted of some sides only. That a side lacks the note does not make it another.
NOTED: Final = frozenset(("commit", "run", "system", "packages"))
Groups = Mapping[str, Mapping[str, Any]]


def environments_of(project: Project, sides: Sequence[Side]) -> tuple[Groups, ...]:
    """Returns for each side group -> name -> value; a group of `NOTED` is there only where something is known."""
    by_commit: dict[str | None, Attempt] = {attempt.commit: attempt for attempt in read_records(project.root)}
    return tuple(dict(_groups(project, side, by_commit)) for side in sides)


def _groups(
    project: Project, side: Side, by_commit: Mapping[str | None, Attempt]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    attempt = side.attempt
    if side.commit is not None:
        yield "commit", _of_commit(side.commit)
        attempt = attempt or by_commit.get(side.commit.id)
    if attempt is not None:
        yield "run", _of_run(attempt)
        noted = read_environment_of(project.root, attempt.id)
        if noted is not None:
            yield "system", noted.system
            if noted.packages:
                yield "packages", noted.packages
    yield "commands", dict(_commands(side))
    yield from requirements_of(side.files).items()


def _of_commit(commit: Commit) -> dict[str, str]:
    # The time is told in UTC, so that sides made in different zones can be compared.
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(commit.commit_time))
    return {"author": commit.author, "created": made}


def _of_run(attempt: Attempt) -> dict[str, Any]:
    found: dict[str, Any] = {
        "command": attempt.process.command,
        "host": attempt.process.host,
        "where": attempt.where.value,
    }
    if attempt.overrides:
        found["overrides"] = " ".join(attempt.overrides)
    if attempt.ended_utc is not None:
        found["seconds"] = round(attempt.ended_utc - attempt.started_utc, 1)
    if attempt.cause:
        found["cause"] = attempt.cause
    return found


def _commands(side: Side) -> Iterator[tuple[str, str]]:
    """Yields the commands that were run, as the lock files record them."""
    for path in side.wanted.locks:
        try:
            stages = parse_lock(read_text(side.files, path), path)
        except (OSError, OffbranchError):
            continue
        directory = path.rpartition("/")[0]
        for name, locked in stages.items():
            command = locked.command
            shown = command if isinstance(command, str) else " && ".join(map(str, command or ()))
            if shown:
                yield (f"{directory}:{name}" if directory else name), shown
