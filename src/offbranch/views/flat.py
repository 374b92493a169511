"""The values of a revision by file and dotted name, and which file a name of the user's means."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.records import record
from offbranch.params.lookup import flatten

State = dict[str, Any]


class Kind(Enum):
    """What a column holds."""

    FIXED = "fixed"
    METRIC = "metric"
    PARAM = "param"
    DEP = "dep"


Place = tuple[Kind, str]
Flat = dict[Place, Mapping[str, Any] | None]


@record
class Known:
    """The names that some revisions have.

    Attributes:
        full: `path:name` -> where it is.
        plain: Dotted name alone -> all places that have it.
    """

    full: Mapping[str, tuple[Place, str]]
    plain: Mapping[str, Sequence[tuple[Place, str]]]

    def find(self, name: str) -> tuple[Place, str] | None:
        """Returns where a name is, None when it is nowhere.

        Raises:
            UsageError: Several files have it.
        """
        if (exact := self.full.get(name)) is not None:
            return exact
        places = self.plain.get(name, ())
        if len(places) > 1:
            full = [f"{path}:{inner}" for (_, path), inner in places]
            raise UsageError(f"'{name}' is ambiguous: several files have it", hint=f"give one of {', '.join(full)}")
        return places[0] if places else None

    def resolve(self, name: str, *, what: str = "name") -> tuple[Place, str]:
        """Returns where a name is.

        Raises:
            NotFoundError: It is nowhere; near names are offered.
            UsageError: Several files have it.
        """
        found = self.find(name)
        if found is None:
            raise NotFoundError(f"unknown {what} '{name}'", hint=self.near(name))
        return found

    def near(self, name: str, more: Iterable[str] = ()) -> str:
        """Returns the hint for a name that is nowhere."""
        known = (*self.plain, *self.full, *more)
        odd = next((each for each in self.plain if each.startswith(name) and each[len(name) :][:1] in "-/ @+"), None)
        if odd is not None and odd != name:
            return f"a name with other signs is written in backticks: `{odd}`"
        return did_you_mean(name, known) or "give the name of a metric or parameter as 'ob exp show' heads it"


def flat_values(data: Mapping[str, Any]) -> Flat:
    """Returns the values of a revision by file and dotted name; None for a file that could not be read."""
    flat: Flat = {
        (kind, path): None if "error" in entry else dict(_leaves(entry))
        for kind, section in ((Kind.METRIC, "metrics"), (Kind.PARAM, "params"))
        for path, entry in data[section].items()
    }
    flat.update(((Kind.DEP, path), {path: entry["hash"]}) for path, entry in data["deps"].items())
    return flat


def names_of(everything: Iterable[Flat]) -> dict[Place, dict[str, None]]:
    """Returns the dotted names per file, both in the order of first appearance."""
    files: dict[Place, dict[str, None]] = {}
    for flat in everything:
        for file, values in flat.items():
            known = files.setdefault(file, {})
            if values is not None and not values.keys() <= known.keys():
                known.update(dict.fromkeys(values))
    return files


def known_names(everything: Iterable[Flat]) -> Known:
    """Returns the names by which the values of some revisions can be meant."""
    full: dict[str, tuple[Place, str]] = {}
    plain: dict[str, list[tuple[Place, str]]] = {}
    for place, names in names_of(everything).items():
        for name in names:
            if place[0] is not Kind.DEP:
                full.setdefault(f"{place[1]}:{name}", (place, name))
            plain.setdefault(name, []).append((place, name))
    return Known(full=full, plain=plain)


def _leaves(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    data = entry.get("data")
    if isinstance(data, Mapping):
        for name, value in flatten(data):
            if not (isinstance(value, Mapping) and not value):
                yield name, value
