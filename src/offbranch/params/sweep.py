"""Overrides with sweeps to trials: every combination of values, in the order in which the overrides are written.

A grid is counted without being expanded, and expanded one trial at a time: a thousand million trials take no memory.
"""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product
from math import prod

from offbranch.base.errors import UsageError, did_you_mean
from offbranch.base.paths import PARAMS_FILE
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.params.overrides import Override

# Gives the options of a group of a composed configuration, in order; None where there is no such group.
OptionsOf = Callable[[str], Sequence[str] | None]


@record
class Grid:
    """What the sweeps of some overrides come to.

    Attributes:
        keys: The swept keys, in the order of the overrides.
        lengths: How many values each has.
    """

    keys: tuple[str, ...]
    lengths: tuple[int, ...]

    @property
    def is_sweep(self) -> bool:
        """Whether anything is swept, and be it over one value."""
        return bool(self.keys)

    @property
    def n_trials(self) -> int:
        """The number of combinations; 1 where nothing is swept."""
        return prod(self.lengths)


def grid_of(overrides: Sequence[Override]) -> Grid:
    """Returns what is swept, counted and not expanded."""
    swept = [override for override in overrides if override.sweep is not None]
    return Grid(
        keys=tuple(override.key for override in swept),
        lengths=tuple(len(override.sweep or ()) for override in swept),
    )


def trials(overrides: Sequence[Override]) -> Iterator[tuple[Override, ...]]:
    """Yields the trials that overrides stand for.

    The combinations come with the last sweep varying fastest; one trial when there is no sweep. In each, an override of one
    value stands where the sweep stood, with a text that reads as just this value.
    """
    return product(*(tuple(_expanded(override)) for override in overrides))


def expand_globs(overrides: Sequence[Override], options_of: OptionsOf | None) -> tuple[Override, ...]:
    """Returns overrides in which every `group=glob(...)` is a sweep over the options of that group.

    Args:
        overrides: In their order.
        options_of: Knows the groups; None where parameters are not composed, so that there are none.

    Raises:
        UsageError: A glob where there are no groups, of a group that does not exist, or that fits none of its options.
    """
    return tuple(override if override.glob is None else _from_options(override, options_of) for override in overrides)


def _from_options(override: Override, options_of: OptionsOf | None) -> Override:
    assert override.glob is not None
    if options_of is None or override.file != PARAMS_FILE:
        raise UsageError(
            f"invalid value for --set-param '{override.text}': glob chooses among the options of a config group, and"
            + (" these parameters are not composed" if options_of is None else f" '{override.file}' is not composed"),
            hint="list the values: 'KEY=a,b'"
            + ("; or turn on Hydra: ob config hydra.enabled true" if options_of is None else ""),
        )
    options = options_of(override.key)
    if options is None:
        raise UsageError(
            f"invalid value for --set-param '{override.text}': there is no config group '{override.key}'",
            hint="list the values: 'KEY=a,b'",
        )
    include, exclude = override.glob
    chosen = tuple(
        option
        for option in options
        if any(fnmatchcase(option, pattern) for pattern in include)
        and not any(fnmatchcase(option, pattern) for pattern in exclude)
    )
    if not chosen:
        near = did_you_mean(include[0], options) if include else None
        raise UsageError(
            f"invalid value for --set-param '{override.text}': it fits no option of '{override.key}'",
            hint=near or f"its options are {', '.join(options) or 'none'}",
        )
    written = load("offbranch.params.overrides_hydra:written_as_text")
    return replace(override, glob=None, sweep=chosen, sweep_texts=tuple(written(option) for option in chosen))


def _expanded(override: Override) -> Iterator[Override]:
    if override.sweep is None:
        yield override
        return
    head, equal, _ = override.text.partition("=")
    for value, written in zip(override.sweep, override.sweep_texts, strict=True):
        yield replace(override, value=value, sweep=None, sweep_texts=(), text=f"{head}{equal}{written}")
