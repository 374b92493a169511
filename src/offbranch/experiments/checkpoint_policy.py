"""When a run makes checkpoints, and the data of which of them is kept (docs/formats/checkpoints.md); pure.

The answer comes from the commits of a chain alone: the same in every clone, for the run that thins out and for `ob gc`.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum

from offbranch.base.config import Config
from offbranch.base.errors import BadInputError, UsageError
from offbranch.base.records import record

LAST_BY_DEFAULT = 3
# What a name of a metric says about which value is better, by the words that it consists of.
_LOWER = frozenset(("loss", "error", "err", "mae", "mse", "rmse", "mape", "wer", "cer", "perplexity", "ppl", "nll"))
_HIGHER = frozenset(
    "acc accuracy auc auroc f1 precision recall map map50 iou miou dice bleu rouge r2 score reward psnr ssim ndcg".split()
)
_WORDS = r"[A-Za-z]+\d*"


class CheckpointMode(Enum):
    """How often a run makes checkpoints."""

    AUTO = "auto"
    EVERY = "every"
    OFF = "off"


@record
class CheckpointPolicy:
    """What becomes of the checkpoints of a run.

    Attributes:
        mode: When one is made; AUTO also makes each that is asked for by name.
        keep: Whose data is kept, as the user wrote it; empty for the usual.
    """

    mode: CheckpointMode = CheckpointMode.AUTO
    keep: str = ""


@record
class Keep:
    """Whose data is kept; a checkpoint that any of these wants is.

    Attributes:
        last: How many of the newest; None for all.
        best: Metric whose best value is wanted, with dots; None for none, the empty text for one whose name tells.
        is_lower_better: Of that metric; None where its name tells.
        every: Those whose number is a multiple; None for none.
    """

    last: int | None = LAST_BY_DEFAULT
    best: str | None = ""
    is_lower_better: bool | None = None
    every: int | None = None


def checkpoint_policy(config: Config, mode: str | None, keep: str | None) -> CheckpointPolicy:
    """Returns what is to become of the checkpoints of a run.

    Args:
        config: Says it where the user does not.
        mode: `auto`, `every` or `off`.
        keep: Whose data is kept.

    Raises:
        UsageError: What is to be kept makes no sense.
        BadInputError: The configuration does not.
    """
    modes = [each.value for each in CheckpointMode]
    if mode is None:
        mode = config.choice("exp", "checkpoint", modes, CheckpointMode.AUTO.value)
    elif mode not in modes:
        raise UsageError(f"'{mode}' does not say when to make checkpoints", hint=f"one of {', '.join(modes)}")
    if keep is None:
        setting = config.settings.get(("exp", "checkpoint_keep"))
        keep = "" if setting is None else setting.value
        try:
            parse_keep(keep)
        except UsageError as error:
            assert setting is not None
            raise BadInputError(
                error.message, path=setting.origin, line=setting.line, key="exp.checkpoint_keep", hint=error.hint
            ) from error
    parse_keep(keep)
    return CheckpointPolicy(mode=CheckpointMode(mode), keep=keep)


def parse_keep(text: str) -> Keep:
    """Reads what the user wants to keep.

    Raises:
        UsageError: It is not of that form.
    """
    if not text.strip():
        return Keep()
    if text.strip() == "all":
        return Keep(last=None, best=None)
    wanted: dict[str, str] = {}
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        if key not in ("last", "best", "every") or not value or key in wanted:
            raise _not_understood(text)
        wanted[key] = value
    best, _, direction = wanted.get("best", "").partition(":")
    if direction not in ("", "min", "max") or (direction and not best):
        raise _not_understood(text)
    return Keep(
        last=_count(wanted.get("last", "1"), text),
        best=best or None,
        is_lower_better={"min": True, "max": False, "": None}[direction],
        every=_count(wanted["every"], text) if "every" in wanted else None,
    )


def kept(keep: Keep, metrics: Sequence[Mapping[str, object]]) -> frozenset[int]:
    """Returns the numbers of the checkpoints whose data is kept.

    Args:
        keep: What is wanted.
        metrics: Of each checkpoint, oldest first, number 1 is the first: flat names with dots -> values.
    """
    n = len(metrics)
    if keep.last is None:
        return frozenset(range(1, n + 1))
    numbers = set(range(max(1, n - keep.last + 1), n + 1)) | ({n} if n else set())
    if keep.every is not None:
        numbers |= set(range(keep.every, n + 1, keep.every))
    best = _best(keep, metrics)
    if best is None and keep.best:
        return frozenset(range(1, n + 1))  # a name that was misspelt shall cost nothing
    return frozenset(numbers if best is None else numbers | {best})


def _best(keep: Keep, metrics: Sequence[Mapping[str, object]]) -> int | None:
    if keep.best is None:
        return None
    name, is_lower = keep.best, keep.is_lower_better
    if not name:
        told = ((each, lower_is_better(each)) for values in metrics for each in values)
        name, is_lower = next(((each, lower) for each, lower in told if lower is not None), ("", None))
    elif is_lower is None:
        is_lower = bool(lower_is_better(name))
    found = [
        (-value if is_lower else value, number)
        for number, values in enumerate(metrics, start=1)
        if isinstance(value := values.get(name), (int, float)) and value == value
    ]
    return max(found)[1] if found else None


def lower_is_better(name: str) -> bool | None:
    """Tells from the name of a metric whether lower values are better; None where it does not say."""
    words = [word.lower() for word in re.findall(_WORDS, name)]
    for word in reversed(words):
        if word in _LOWER or word in _HIGHER:
            return word in _LOWER
    return None


def _count(text: str, whole: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise _not_understood(whole)
    return int(text)


def _not_understood(text: str) -> UsageError:
    return UsageError(
        f"'{text}' does not say which checkpoints to keep",
        hint="last=3, best=val.acc:max or every=10, several with commas between, or all",
    )
