"""Paths of a project never lead out of it; near names."""

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import Interrupted, did_you_mean, near_names
from offbranch.base.paths import (
    AbsPath,
    RepoPath,
    is_external,
    is_same_or_inside,
    join,
    overlap,
    relative_to,
    resolve_in,
)

part = st.sampled_from(["a", "b", "..", ".", "c d", "é"])


@given(st.lists(part, max_size=6), st.lists(st.sampled_from(["a", "b"]), max_size=3))
def test_what_is_written_stays_inside_or_is_none(written: list[str], base: list[str]) -> None:
    found = resolve_in(RepoPath("/".join(base)), "/".join(written))
    real = posixpath.normpath("/top/" + "/".join((*base, *written)))
    if found is None:
        assert not (real + "/").startswith("/top/") or ".." in written
    else:
        assert join(AbsPath("/top"), found) == real
        assert relative_to(AbsPath(real), AbsPath("/top")) == found


def test_inside_and_overlap() -> None:
    assert is_same_or_inside("a/b", "a")
    assert is_same_or_inside("a", "")
    assert not is_same_or_inside("ab", "a")
    assert overlap("a", "a/b")
    assert overlap("a/b", "a")
    assert not overlap("a/b", "a/c")


def test_external_paths() -> None:
    assert is_external("/x")
    assert is_external("s3://b/k")
    assert not is_external("../x")


def test_near_names_count_a_swap_as_one() -> None:
    assert near_names("trian", ["train", "prepare", "evaluate"]) == ("train",)
    assert near_names("x", ["train"]) == ()
    assert did_you_mean("evalute", ["evaluate"]) == "did you mean 'evaluate'?"
    assert did_you_mean("zzz", ["evaluate"]) is None


@given(st.text(min_size=1, max_size=8))
def test_a_name_is_nearest_to_itself(name: str) -> None:
    assert near_names(name, [name, name + "xxxx"])[0] == name


def test_who_bears_failures_does_not_bear_a_stop() -> None:
    assert not issubclass(Interrupted, Exception)
