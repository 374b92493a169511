"""What the commit of a checkpoint says of itself, and how a user names one of a chain (docs/formats/checkpoints.md); pure.

Where such a name leads is resolved in `refs.py`.
"""

import json
import re
from collections.abc import Sequence

from offbranch.base.errors import NotFoundError
from offbranch.base.paths import ROOT, RepoPath, resolve_in
from offbranch.base.records import record
from offbranch.experiments.asked import Asked, asked_from_json
from offbranch.git.records import Commit

HEADER = "ob-checkpoint"
LAST = "last"
# Compiled where a name is looked up: most commands that load this have none.
_NUMBERED = rf"(?s:(.+)@(\d+|{LAST}))"
_STEPS_BACK = r"(?s:([^~^:]+)([~^].*))"


@record
class CheckpointMark:
    """What a commit says of the checkpoint that it is.

    Attributes:
        number: Its number in the chain, from 1.
        step: The step of the training; None where the command did not say it.
        stage: The stage that ran, or whose end it is.
        ended: Stages that the run had brought to their end by then.
        keep: Whose data is kept, in the user's words; empty for the usual.
        live: What Live had written, as paths of the project.
        asked: What the run was asked for; None where that is not said.
    """

    number: int
    step: int | None = None
    stage: str = ""
    keep: str = ""
    live: tuple[RepoPath, ...] = ()
    ended: frozenset[str] = frozenset()
    asked: Asked | None = None


@record
class NameParts:
    """A name of a user's that may stand for one commit of a chain.

    Attributes:
        name: Of the experiment.
        number: Of the checkpoint, from 1; None for the newest.
        back: What comes behind in the language of Git, as `~1`; empty for nothing.
    """

    name: str
    number: int | None = None
    back: str = ""


def mark_of(commit: Commit) -> CheckpointMark | None:
    """Returns what a commit says of the checkpoint that it is; None for any other commit, and where it makes no sense."""
    text = commit.header(HEADER)
    if text is None:
        return None
    try:
        data = json.loads(text)
        step = data.get("step")
        return CheckpointMark(
            number=int(data["number"]),
            step=None if step is None else int(step),
            stage=str(data.get("stage") or ""),
            keep=str(data.get("keep") or ""),
            live=tuple(path for each in data.get("live") or () if (path := resolve_in(ROOT, str(each)))),
            ended=frozenset(map(str, data.get("ended") or ())),
            asked=None if data.get("run") is None else asked_from_json(data["run"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def split_name(text: str) -> NameParts | None:
    """Returns the parts of `NAME@3`, `NAME@last`, `NAME~1` or `NAME@3~1`; None for any other text."""
    found = re.fullmatch(_STEPS_BACK, text)
    name, back = (found[1], found[2]) if found is not None else (text, "")
    numbered = re.fullmatch(_NUMBERED, name)
    if numbered is None:
        return NameParts(name=name, back=back) if back else None
    return NameParts(name=numbered[1], number=None if numbered[2] == LAST else int(numbered[2]), back=back)


def number_chain(chain: Sequence[Commit]) -> tuple[int | None, ...]:
    """Returns the number of each commit of a chain, both newest first.

    They are what the commits say. Where none says anything, as in a chain of DVC 2, they are counted; one that says nothing
    beside others that do is the end of a run, and has no number.
    """
    marks = [mark_of(commit) for commit in chain]
    if not any(marks):
        return tuple(range(len(chain), 0, -1))
    return tuple(None if mark is None else mark.number for mark in marks)


def count_checkpoints(numbers: Sequence[int | None]) -> int:
    """Returns how many commits of a chain are checkpoints."""
    return sum(number is not None for number in numbers)


def pick(name: str, number: int | None, chain: Sequence[Commit]) -> Commit:
    """Returns the commit of a chain, newest first, that a number stands for; the newest for None.

    A commit without a number has that of its place, unless another has it.

    Raises:
        NotFoundError: There is none; the message says how many there are.
    """
    if number is None:
        return chain[0]
    numbers = number_chain(chain)
    if number in numbers:
        return chain[numbers.index(number)]
    if 1 <= number <= len(chain) and numbers[-number] is None:
        return chain[-number]
    if len(chain) == 1 and mark_of(chain[0]) is None:
        raise NotFoundError(
            f"'{name}@{number}' does not exist: '{name}' has no checkpoints", hint=f"give its name: {name}"
        )
    raise NotFoundError(f"'{name}@{number}' does not exist: {_how_many(name, numbers)}", hint=_which(name, numbers))


def _how_many(name: str, numbers: Sequence[int | None]) -> str:
    n = count_checkpoints(numbers)
    return f"'{name}' has {n} checkpoint{'' if n == 1 else 's'}"


def _which(name: str, numbers: Sequence[int | None]) -> str:
    known = [number for number in numbers if number is not None]
    if len(known) < 2:
        return "".join(f"it is {name}@{number}" for number in known) or f"give its name: {name}"
    return f"{name}@{min(known)} to {name}@{max(known)}; {name}@{LAST} is the newest"
