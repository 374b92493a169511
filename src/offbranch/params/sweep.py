"""Overrides with sweeps to trials: every combination of values, in the order in which the overrides are written."""

from collections.abc import Iterator, Sequence
from itertools import product

from offbranch.base.records import replace
from offbranch.params.overrides import Override


def trials(overrides: Sequence[Override]) -> tuple[tuple[Override, ...], ...]:
    """Returns the trials that overrides stand for.

    Returns:
        The combinations, the last sweep varying fastest; one trial when there is no sweep. In each, an override of one
        value stands where the sweep stood, with a text that reads as just this value.
    """
    return tuple(product(*(tuple(_expanded(override)) for override in overrides)))


def _expanded(override: Override) -> Iterator[Override]:
    if override.sweep is None:
        yield override
        return
    head, equal, _ = override.text.partition("=")
    for value, written in zip(override.sweep, override.sweep_texts, strict=True):
        yield replace(override, value=value, sweep=None, sweep_texts=(), text=f"{head}{equal}{written}")
