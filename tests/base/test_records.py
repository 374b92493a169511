"""Our records behave as frozen, slotted, keyword-only dataclasses do."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.records import as_dict, field, fields_of, positional_record, record, replace


@record
class Base:
    """A base."""


@record
class Point(Base):
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.x + self.y


@record
class Point3(Point):
    z: int = 3


@positional_record
class Pair:
    left: int
    right: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    x: int
    y: int = 2
    tags: list[str] = dataclasses.field(default_factory=list)


@given(st.integers(), st.integers(), st.lists(st.text()))
def test_values_equality_and_copies_are_those_of_a_dataclass(x: int, y: int, tags: list[str]) -> None:
    ours, theirs = Point(x=x, y=y, tags=tags), Standard(x=x, y=y, tags=tags)
    assert as_dict(ours) == dataclasses.asdict(theirs)
    assert ours == Point(x=x, y=y, tags=list(tags))
    assert (replace(ours, x=1) == ours) == (dataclasses.replace(theirs, x=1) == theirs)
    assert repr(ours).partition("(")[2] == repr(theirs).partition("(")[2]
    assert ours.total == x + y


def test_defaults_are_made_for_each_instance() -> None:
    one, two = Point(x=1), Point(x=1)
    one.tags.append("a")
    assert two.tags == []
    assert one.y == 2


def test_frozen_slotted_and_keyword_only() -> None:
    point: Any = Point(x=1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    with pytest.raises(AttributeError):
        _ = point.__dict__
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[misc]
    with pytest.raises(TypeError, match="x"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="nosuch"):
        Point(x=1, nosuch=2)  # type: ignore[call-arg]


def test_inherited_attributes_come_first() -> None:
    assert fields_of(Point3) == ("x", "y", "tags", "z")
    assert as_dict(Point3(x=1, z=9)) == {"x": 1, "y": 2, "tags": [], "z": 9}
    assert isinstance(Point3(x=1), Base)
    assert Point3(x=1) != Point(x=1)


def test_positional_records_and_hashes() -> None:
    assert Pair(1, 2) == Pair(left=1, right=2)
    assert len({Pair(1), Pair(1, 0), Pair(2)}) == 2
    assert hash(Pair(1)) == hash((1, 0))
    with pytest.raises(TypeError):
        hash(Point(x=1))


def test_a_class_may_define_its_own_equality_and_text() -> None:
    @record
    class Own:
        a: int
        b: int = 0

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and self.a == other.a

        def __hash__(self) -> int:
            return self.a

        def __repr__(self) -> str:
            return "own"

    assert Own(a=1, b=1) == Own(a=1, b=2)
    assert hash(Own(a=3)) == 3
    assert repr(Own(a=1)) == "own"
