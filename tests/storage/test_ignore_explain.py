"""The reason that is given for a path is the decision that is made about it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.ignore import load_ignore_rules
from offbranch.storage.ignore_explain import Explainer

LINES = [
    "*.log",
    "!keep.log",
    "/data",
    "build/",
    "**/tmp",
    "a/**",
    "!a/b",
    "# c",
    "",
    "[ab]",
    "?",
    "!*/",
    "x y",
    "\\#c",
]
NAMES = ["a", "b", "data", "build", "tmp", "x.log", "keep.log", "#c", ".git", ".dvc", "x y"]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(LINES), max_size=6),
    st.lists(st.sampled_from(LINES), max_size=4),
    st.lists(paths, min_size=1, max_size=5),
    st.booleans(),
)
def test_as_the_rules_decide(tmp_path: Path, top: list[str], inner: list[str], asked: list[str], is_dir: bool) -> None:
    (tmp_path / "a").mkdir(exist_ok=True)
    (tmp_path / ".dvcignore").write_text("\n".join(top))
    (tmp_path / "a" / ".dvcignore").write_text("\n".join(inner))
    root = AbsPath(str(tmp_path))
    rules, explainer = load_ignore_rules(root), Explainer(root)
    for path in map(RepoPath, asked):
        reason = explainer.explain(path, is_dir)
        if set(path.split("/")[-1:]) & {".git", ".dvc"} and not is_dir:
            continue  # of a name that is not there, a directory is assumed
        assert (reason is not None and reason.is_ignored) == rules.ignores(path, is_dir), (path, reason)
        if reason is not None and reason.file:
            lines = (tmp_path / reason.file).read_text().splitlines()
            assert lines[reason.line - 1] == reason.pattern


@pytest.mark.parametrize(("path", "pattern"), [(".git/x", ".git/"), ("sub/.dvc", ".dvc/"), (".hg", ".hg/")])
def test_what_is_always_left_out(path: str, pattern: str, tmp_path: Path) -> None:
    reason = Explainer(AbsPath(str(tmp_path))).explain(RepoPath(path), False)
    assert reason is not None and (reason.file, reason.line, reason.pattern) == ("", 0, pattern)


def test_a_project_inside(tmp_path: Path) -> None:
    (tmp_path / "inner/.dvc").mkdir(parents=True)
    explainer = Explainer(AbsPath(str(tmp_path)))
    reason = explainer.explain(RepoPath("inner/file"), False)
    assert reason is not None and reason.is_ignored and reason.pattern == "inner/.dvc"
    assert explainer.explain(RepoPath(""), True) is None
