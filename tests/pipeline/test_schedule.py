"""Handing out stages: only when all they need has ended, in execution order, each once."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from offbranch.pipeline.schedule import Schedule


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]], set[str]]:
    """Addresses in an order that respects what they need, and those of them that are chosen."""
    names = [f"s{n}" for n in range(draw(st.integers(0, 12)))]
    needs = {name: sorted(draw(st.sets(st.sampled_from(names[:n])))) if n else [] for n, name in enumerate(names)}
    chosen = draw(st.sets(st.sampled_from(names))) if names else set()
    return names, needs, chosen


def behind(name: str, needs: dict[str, list[str]]) -> set[str]:
    return {other for needed in needs[name] for other in (needed, *behind(needed, needs))}


@given(graphs(), st.integers(1, 4), st.integers(0, 1 << 32).map(random.Random))
def test_nothing_starts_before_what_it_needs_and_everything_starts_once(
    graph: tuple[list[str], dict[str, list[str]], set[str]], jobs: int, rng: random.Random
) -> None:
    names, needs, chosen = graph
    order = [name for name in names if name in chosen]
    schedule = Schedule(order, needs)
    running: list[str] = []
    ended: set[str] = set()
    taken: list[str] = []
    while True:
        name = schedule.take() if len(running) < jobs else None
        if name is not None:
            assert behind(name, needs) & chosen <= ended
            taken.append(name)
            running.append(name)
        elif running:
            over = running.pop(rng.randrange(len(running)))
            ended.add(over)
            schedule.end(over)
        else:
            break
    assert sorted(taken) == sorted(order)
    assert jobs > 1 or taken == order


def test_the_first_in_order_comes_first_also_when_it_was_given_back() -> None:
    schedule = Schedule(["a", "b", "c"], {"c": ["a"]})
    assert [schedule.take(), schedule.take(), schedule.take()] == ["a", "b", None]
    schedule.end("a")
    schedule.give_back("b")
    assert [schedule.take(), schedule.take(), schedule.take()] == ["b", "c", None]


def test_a_long_chain_of_stages_that_are_not_chosen_is_followed() -> None:
    names = [f"s{n}" for n in range(5000)]
    schedule = Schedule([names[0], names[-1]], {b: [a] for a, b in itertools.pairwise(names)})
    assert [schedule.take(), schedule.take()] == [names[0], None]
    schedule.end(names[0])
    assert schedule.take() == names[-1]
