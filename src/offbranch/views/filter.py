"""Which experiments are shown: those for which a condition holds, that have some tags, and the best of them.

Works on the structure of `exp show --json`, so every form shows the same. The workspace stays, and each baseline that
still has experiments; what was left out is on no line.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.records import record
from offbranch.views.flat import Flat, Known, Place, State, flat_values, known_names
from offbranch.views.options import ShowOptions
from offbranch.views.where import Expression, parse_where
from offbranch.views.where_values import MISSING, Tags

# Known of every experiment; a parameter or metric of the same name is meant by its full name (`params.yaml:name`).
_OWN: Mapping[str, Callable[["_Candidate"], Any]] = {
    "name": lambda each: each.range["name"] or MISSING,
    "rev": lambda each: each.tip["rev"],
    "state": lambda each: each.state,
    "baseline": lambda each: each.baseline["name"] or each.baseline["rev"][:7],
    "created": lambda each: (each.tip["data"] or {}).get("timestamp") or MISSING,
    "tag": lambda each: each.tags,
    "tags": lambda each: each.tags,
    "checkpoints": lambda each: each.range.get("n_checkpoints", 0),
    "note": lambda each: (each.tip.get("labels") or {}).get("note") or MISSING,
}


@record
class _Candidate:
    """One experiment.

    Attributes:
        baseline: The state it stands below.
        range: What stands there.
        flat: Its values.
    """

    baseline: State
    range: State
    flat: Flat

    @property
    def tip(self) -> State:
        tip: State = self.range["revs"][0]
        return tip

    @property
    def tags(self) -> Tags:
        return Tags((self.tip.get("labels") or {}).get("tags", ()))

    @property
    def state(self) -> str:
        executor = self.range["executor"]
        return "success" if executor is None else str(executor["state"])

    def value(self, place: tuple[Place, str]) -> Any:
        """Returns the value at a place; missing where it is null, or its file could not be read."""
        file, name = place
        value = (self.flat.get(file) or {}).get(name)
        return MISSING if value is None else value


def filter_states(states: Sequence[State], options: ShowOptions) -> tuple[State, ...]:
    """Returns the states with those experiments only that are asked for.

    Raises:
        UsageError: The condition makes no sense, a name is ambiguous, or values are not numbers.
        NotFoundError: A name or tag is not known.
    """
    _check(options)
    flats = {id(state): flat_values(state["data"]) if state["data"] else {} for state in _tips(states)}
    known = known_names(flats.values())
    candidates = [
        _Candidate(baseline=state, range=each, flat=flats[id(each["revs"][0])])
        for state in states
        for each in state["experiments"] or ()
    ]
    candidates = _tagged(candidates, options.tags)
    if options.where is not None:
        candidates = _holding(candidates, parse_where(options.where), known)
    if options.best is not None and options.by is not None:
        candidates = _best(candidates, options.best, options.by, known, lowest=options.minimize)
    return _rebuilt(states, candidates)


def _check(options: ShowOptions) -> None:
    if (options.best is None) != (options.by is None):
        missing, given = ("--by", "--best") if options.by is None else ("--best", "--by")
        raise UsageError(f"{given} needs {missing}", hint="e.g. --best 5 --by accuracy; --minimize for a loss")
    if options.minimize and options.best is None:
        raise UsageError("--minimize goes with --best and --by", hint="to sort: --sort-by COLUMN --sort-order asc")
    if options.best is not None and options.best < 1:
        raise UsageError(f"--best needs a number above 0, found {options.best}", hint="e.g. --best 5 --by accuracy")


def _tips(states: Sequence[State]) -> list[State]:
    return [*states, *(each["revs"][0] for state in states for each in state["experiments"] or ())]


def _tagged(candidates: Sequence[_Candidate], tags: Sequence[str]) -> list[_Candidate]:
    known = {tag for each in candidates for tag in each.tags}
    for tag in tags:
        if tag not in known:
            hint = did_you_mean(tag, known) or "ob exp tag lists the tags there are"
            raise NotFoundError(f"none of these experiments has the tag '{tag}'", hint=hint)
    return [each for each in candidates if set(tags) <= set(each.tags)]


def _holding(candidates: Sequence[_Candidate], condition: Expression, known: Known) -> list[_Candidate]:
    places: dict[str, tuple[Place, str]] = {}
    for name in condition.names:
        if name in _OWN:
            continue
        place = known.find(name)
        if place is None:
            hint = known.near(name, _OWN)
            raise NotFoundError(f"unknown name '{name}' in the condition {condition.text!r}", hint=hint)
        places[name] = place

    def values(each: _Candidate) -> dict[str, Any]:
        own = {name: _OWN[name](each) for name in condition.names if name in _OWN}
        return {**own, **{name: each.value(place) for name, place in places.items()}}

    return [each for each in candidates if condition.holds(values(each))]


def _best(candidates: Sequence[_Candidate], n: int, by: str, known: Known, *, lowest: bool) -> list[_Candidate]:
    """Returns the best, best first; of equals the one that stood first. What failed or waits is not among them."""
    place = known.resolve(by, what="metric or parameter")
    ranked: list[tuple[float, _Candidate]] = []
    for each in candidates:
        value = each.value(place) if each.state in ("success", "running") else MISSING
        if value is MISSING or value != value:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"cannot rank by '{by}': it is {value!r} in '{each.range['name']}', no number")
        ranked.append((value if lowest else -value, each))
    return [each for _, each in sorted(ranked, key=lambda pair: pair[0])[:n]]


def _rebuilt(states: Sequence[State], candidates: Sequence[_Candidate]) -> tuple[State, ...]:
    kept: dict[int, list[State]] = {}
    for each in candidates:
        kept.setdefault(id(each.baseline), []).append(each.range)
    return tuple(
        {**state, "experiments": kept.get(id(state))}
        for state in states
        if state["rev"] == "workspace" or id(state) in kept
    )
