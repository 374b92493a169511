"""Names and refs: a round trip, and what Git and DVC would make of them."""

import random
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import UsageError
from offbranch.base.made_up_names import generate_name
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import decode, encode
from offbranch.git.objects import CommitId

commits = st.text("0123456789abcdef", min_size=40, max_size=40).map(CommitId)
names = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)


def is_allowed(name: str) -> bool:
    try:
        check_name(name)
    except UsageError:
        return False
    return True


@given(commits, names.filter(is_allowed))
def test_encode_then_decode(baseline: CommitId, name: str) -> None:
    assert decode(encode(baseline, name)) == (baseline, name)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/exps/exec/EXEC_HEAD",
        "refs/exps/stash",
        "refs/exps/celery/stash",
        "refs/exps/apply/ORIG_HEAD",
        "refs/exps/ab/" + "c" * 38,
        "refs/exps/ab/" + "z" * 38 + "/name",
        "refs/exps/ab/" + "c" * 38 + "/a/b",
        "refs/heads/ab/" + "c" * 38 + "/name",
    ],
)
def test_other_refs_are_no_experiments(ref: str) -> None:
    assert decode(ref) is None


@given(names)
def test_an_allowed_name_is_allowed_by_git(name: str) -> None:
    if is_allowed(name) and "\0" not in name:
        ref = encode(CommitId("a" * 40), name)
        assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "a..b", ".a", "a.lock", "a.", "a~1", "a^", "a:b", "a[b]", "@", "-x", "a@{b"]
)
def test_bad_names_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(UsageError, match="invalid experiment name"):
        check_name(name)


def test_automatic_names_are_free_and_do_not_depend_on_the_users_seed() -> None:
    taken: set[str] = set()
    for _ in range(300):
        name = generate_name(taken, random.Random(7))
        assert name not in taken
        check_name(name)
        taken.add(name)
