"""What sharing decides, without a repository: every case of two ends, and which experiments a name means."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import UsageError
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.share_ages import parse_limit
from offbranch.experiments.share_pull import plan_pull_refs
from offbranch.experiments.share_push import plan_push_refs
from offbranch.experiments.sharing import MOVING, Shared, ShareState
from offbranch.git.ids import CommitId

BASE = CommitId("0" * 40)
# Two lines of commits that begin at the baseline: a chain is one of its beginnings.
LINES = tuple(tuple(CommitId(f"{letter}{n}".ljust(40, "0")) for n in range(1, 4)) for letter in "ab")
chains = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(LINES), st.integers(1, 3)).map(lambda found: found[0][: found[1]][::-1]),
)


def experiment(chain: tuple[CommitId, ...], name: str = "x") -> Experiment:
    return Experiment(name=name, baseline=BASE, commit=chain[0], ref=f"refs/exps/{name}")


def plan_push(ours: tuple[CommitId, ...], theirs: tuple[CommitId, ...] | None, *, force: bool) -> Shared:
    one = experiment(ours)
    there: Mapping[str, Experiment] = {one.ref: experiment(theirs)} if theirs else {}
    return plan_push_refs([one], there, {one.ref: ours}, force=force)[0]


def plan_pull(theirs: tuple[CommitId, ...], ours: tuple[CommitId, ...] | None, *, force: bool) -> Shared:
    one = experiment(theirs)
    here: Mapping[str, Experiment] = {one.ref: experiment(ours)} if ours else {}
    return plan_pull_refs([one], here, {one.ref: theirs}, {one.ref: ours} if ours else {}, force=force)[0]


@given(chains.filter(bool), chains, st.booleans())
def test_a_push_loses_nothing_without_force(
    ours: tuple[CommitId, ...], theirs: tuple[CommitId, ...] | None, force: bool
) -> None:
    done = plan_push(ours, theirs, force=force)
    after = ours if done.state in MOVING else theirs
    assert after is not None
    if not force:
        assert theirs is None or set(theirs) <= set(after)
    assert done.old == (theirs[0] if theirs else None)
    assert plan_push(ours, after, force=force).state in (ShareState.SAME, ShareState.DIVERGED)
    if force:
        assert after == ours


@given(chains.filter(bool), chains, st.booleans())
def test_a_pull_loses_nothing_without_force(
    theirs: tuple[CommitId, ...], ours: tuple[CommitId, ...] | None, force: bool
) -> None:
    done = plan_pull(theirs, ours, force=force)
    after = theirs if done.state in MOVING else ours
    assert after is not None
    if not force:
        assert ours is None or set(ours) <= set(after)
    assert plan_pull(theirs, after, force=force).state in (ShareState.SAME, ShareState.DIVERGED)
    if done.state is ShareState.SAME:
        assert set(theirs) <= set(after)


@given(chains.filter(bool), chains)
def test_after_a_push_a_pull_has_nothing_to_do(ours: tuple[CommitId, ...], theirs: tuple[CommitId, ...] | None) -> None:
    done = plan_push(ours, theirs, force=True)
    after = ours if done.state in MOVING else theirs
    assert after is not None
    assert plan_pull(after, ours, force=False).state is ShareState.SAME


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 30 * 86400), ("2w", 14 * 86400), ("12h", 12 * 3600), ("1y", 365 * 86400), ("5M", 300), ("90s", 90)],
)
def test_an_age_counts_from_now(text: str, seconds: int) -> None:
    assert parse_limit(text, now_utc=1e9) == 1e9 - seconds


def test_a_date_is_its_beginning() -> None:
    assert parse_limit("2001-09-09", now_utc=2e9) == 999993600


@given(st.text(max_size=8))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        parse_limit(text, now_utc=1e9)
    except UsageError as error:
        assert error.hint
