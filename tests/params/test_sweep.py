"""Grids: counted without expansion, expanded lazily and in order; globs over the options of a group."""

from itertools import islice, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import UsageError
from offbranch.params.overrides import Override, parse_override
from offbranch.params.sweep import expand_globs, grid_of, trials

lengths = st.lists(st.none() | st.integers(1, 5), max_size=5)


def overrides(sizes: list[int | None]) -> list[Override]:
    """One override per size: a sweep over so many values, or a plain one."""
    return [
        parse_override(f"k{n}=7" if size is None else f"k{n}=choice({','.join(map(str, range(size)))})")
        for n, size in enumerate(sizes)
    ]


@given(sizes=lengths)
def test_trials_are_the_grid_in_order(sizes: list[int | None]) -> None:
    given_ = overrides(sizes)
    grid = grid_of(given_)
    found = [tuple(each.value for each in trial) for trial in trials(given_)]
    values: list[list[int]] = [[7] if size is None else list(range(size)) for size in sizes]
    assert found == list(product(*values)) == sorted(found)
    assert len(found) == grid.n_trials and grid.lengths == tuple(size for size in sizes if size is not None)
    assert grid.is_sweep == any(size is not None for size in sizes)
    assert all(each.sweep is None and parse_override(each.text) == each for trial in trials(given_) for each in trial)


def test_a_grid_beyond_all_bounds_is_counted_and_begun() -> None:
    given_ = [parse_override(f"{key}=range(0,1000)") for key in "abcd"]
    assert grid_of(given_).n_trials == 10**12 and grid_of(given_).keys == ("a", "b", "c", "d")
    second = next(islice(trials(given_), 1, None))
    assert [each.value for each in second] == [0, 0, 0, 1]


def options_of(group: str) -> tuple[str, ...] | None:
    return ("mysql", "pg", "pg_old") if group == "db" else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db=glob(*)", ["mysql", "pg", "pg_old"]),
        ("db=glob(pg*)", ["pg", "pg_old"]),
        ("db=glob([m*,pg])", ["mysql", "pg"]),
        ("db=glob(*,exclude=*_old)", ["mysql", "pg"]),
        ("+db=glob(pg)", ["pg"]),
    ],
)
def test_a_glob_is_a_sweep_over_the_options_of_its_group(text: str, expected: list[str]) -> None:
    expanded = expand_globs([parse_override("a=1,2"), parse_override(text)], options_of)
    assert grid_of(expanded).lengths == (2, len(expected))
    sign = "+" if text.startswith("+") else ""
    found = [trial[1].text for trial in trials(expanded)]
    assert found == 2 * [f"{sign}db={option}" for option in expected]


@pytest.mark.parametrize(
    ("text", "groups", "message", "hint"),
    [
        ("db=glob(*)", None, "these parameters are not composed", "list the values"),
        ("x=glob(*)", options_of, "there is no config group 'x'", "list the values"),
        ("db=glob(mysq)", options_of, "it fits no option of 'db'", "did you mean 'mysql'?"),
        ("db=glob(zzz*)", options_of, "it fits no option of 'db'", "its options are mysql, pg, pg_old"),
    ],
)
def test_a_glob_that_leads_nowhere(text: str, groups: object, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        expand_globs([parse_override(text)], groups)  # type: ignore[arg-type]
    assert message in raised.value.message and text in raised.value.message
    assert hint in (raised.value.hint or "")


def test_a_deletion_of_a_glob_is_refused() -> None:
    with pytest.raises(UsageError, match="no choice of values"):
        parse_override("~db=glob(*)")


def test_options_with_odd_names_are_written_so_that_they_are_read_back() -> None:
    names = ["1", "a b", "a,b", "it's", "null", "true", "x=y", "ünï", "c:\\d"]
    (expanded,) = expand_globs([parse_override("db=glob(*)")], lambda _: names)
    assert [parse_override(trial.text).value for (trial,) in trials([expanded])] == names


def test_a_glob_is_for_the_composed_file_only() -> None:
    with pytest.raises(UsageError, match=r"'other\.yaml' is not composed"):
        expand_globs([parse_override("other.yaml:db=glob(*)")], options_of)
