"""What machines of a CI have: shallow clones, a detached HEAD, the merge commit of a pull request, and no identity."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from conftest import IDENTITY
from git_repos import run as git
from offbranch.base.paths import AbsPath
from offbranch.git import identity
from offbranch.git.repository import find_repo
from projects import TestProject, make_project

NO_IDENTITY = dict.fromkeys(IDENTITY, "")


@pytest.fixture
def upstream(tmp_path: Path) -> TestProject:
    """A project with results, some history, and a pull request that GitHub has merged on trial."""
    made = make_project(tmp_path / "upstream")
    assert made.ob("repro").code == 0
    made.commit("results")
    made.git("switch", "-qc", "feature")
    made.write("params.yaml", "lr: 0.2\nfail: 0\n")
    made.commit("feature")
    made.git("switch", "-q", "main")
    made.write("README.md", "more\n")
    made.commit("main goes on")
    made.git("switch", "-q", "--detach", "main")
    made.git("merge", "-q", "--no-ff", "-m", "Merge feature into main", "feature")
    made.git("update-ref", "refs/pull/1/merge", "HEAD")
    made.git("switch", "-q", "main")
    return made


def shallow(upstream: TestProject, ref: str = "refs/heads/main") -> TestProject:
    """Does what actions/checkout does: an empty repository, one commit fetched, HEAD detached on it."""
    root = upstream.root.parent / "runner"
    git(upstream.root.parent, "init", "-q", "-b", "unused", str(root))
    git(root, "remote", "add", "origin", f"file://{upstream.root}")
    commit = upstream.git("rev-parse", ref)
    git(root, "fetch", "-q", "--no-tags", "--depth=1", "origin", f"+{commit}:refs/remotes/{ref.removeprefix('refs/')}")
    git(root, "checkout", "-q", "--detach", commit)
    assert git(root, "rev-list", "--count", "HEAD") == "1"
    return TestProject(root)


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/pull/1/merge"])
def test_experiments_work_in_a_shallow_clone_without_a_branch(upstream: TestProject, ref: str) -> None:
    here = shallow(upstream, ref)
    head = here.git("rev-parse", "HEAD")
    assert here.ob("exp", "run", "-n", "one", "-S", "lr=0.3").code == 0
    assert here.ob("exp", "run", "-n", "two", "-S", "lr=0.4", "--temp").code == 0
    assert here.ob("exp", "save", "-n", "three").code == 0
    assert here.git("rev-parse", "HEAD") == head and here.git("branch", "--show-current") == ""
    for name in ("one", "two", "three"):
        assert here.git("rev-parse", f"{here.exps()[name]}^") == head
    for words in (["-n", "5"], ["-A"], ["-a"], ["-n", "-1"]):
        shown = here.ob("exp", "show", "--csv", *words)
        assert shown.code == 0, shown.err
        if words != ["-a"]:
            assert {line.split(",")[0] for line in shown.out.splitlines()[3:]} == {"one", "two", "three"}, words
    assert here.ob("exp", "diff", "one", "two", "--json").json["params"]["params.yaml"]["lr"]["diff"] == pytest.approx(
        0.1
    )
    assert here.ob("exp", "apply", "two").code == 0 and "lr: 0.4" in here.read("params.yaml")
    assert here.ob("exp", "branch", "one", "kept").code == 0
    assert here.ob("exp", "rename", "one", "first").code == 0
    assert here.ob("exp", "remove", "first").code == 0
    assert "two" in here.ob("exp", "list").out


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/pull/1/merge"])
def test_what_a_shallow_clone_pushes_is_whole(upstream: TestProject, ref: str) -> None:
    here = shallow(upstream, ref)
    assert here.ob("exp", "run", "-n", "ci", "-S", "lr=0.3").code == 0
    pushed = here.ob("exp", "push", "origin", "ci", "--no-cache")
    assert pushed.code == 0, pushed.err
    assert upstream.exps() == here.exps()
    upstream.git("fsck", "--connectivity-only")
    shown = upstream.ob("exp", "show", "--csv", "--rev", upstream.git("rev-parse", ref))
    assert [line.split(",")[0] for line in shown.out.splitlines()[3:]] == ["ci"]
    other = upstream.root.parent / "other"
    git(upstream.root.parent, "clone", "-q", str(upstream.root), str(other))
    git(other, "fetch", "-q", "origin", "refs/exps/*:refs/exps/*")
    assert TestProject(other).ob("exp", "apply", "ci").code == 0
    assert "lr: 0.3" in TestProject(other).read("params.yaml")


def test_history_that_is_not_there_is_explained(upstream: TestProject) -> None:
    here = shallow(upstream)
    for words in (("exp", "show", "--rev", "HEAD~1"), ("exp", "diff", "HEAD~1"), ("diff", "HEAD~1")):
        done = here.ob(*words)
        assert done.code == 1 and "git fetch --unshallow" in done.err, words
    here.git("fetch", "-q", "--unshallow", "origin", "main")
    assert here.ob("exp", "diff", "HEAD~1").code == 0


@pytest.mark.parametrize("settings", ["", "[user]\n\tuseConfigOnly = true\n"])
def test_without_an_identity_it_works_and_says_what_to_set(
    upstream: TestProject, settings: str, pinned_environment: Path
) -> None:
    here = shallow(upstream)
    with (pinned_environment / ".gitconfig").open("a") as config:
        config.write(settings)
    for words in (
        ("exp", "run", "-n", "one", "-S", "lr=0.3"),
        ("exp", "run", "-n", "two", "-S", "lr=0.4", "--temp"),
        ("exp", "save", "-n", "three"),
    ):
        done = here.ob(*words, **NO_IDENTITY)
        assert done.code == 0, done.err
        assert done.err.count("git config --global user.name 'Your Name' && git config --global user.email") == 1, words
        assert "@" in here.git("log", "-1", "--format=%ae %ce", here.exps()[words[3]])
    assert "git config" not in here.ob("exp", "run", "--dry", "-S", "lr=0.9", **NO_IDENTITY).err
    here.git("config", "user.name", "CI")
    done = here.ob("exp", "save", "-n", "four", **NO_IDENTITY)
    assert "git config --global user.email you@example.com" in done.err and "user.name" not in done.err
    done = here.ob("exp", "save", "-n", "five", **NO_IDENTITY, EMAIL="ci@example.com")
    assert "git config" not in done.err
    here.git("config", "user.email", "ci@example.com")
    done = here.ob("exp", "save", "-n", "six", **NO_IDENTITY)
    assert "git config" not in done.err
    assert here.git("log", "-1", "--format=%an <%ae>", here.exps()["six"]) == "CI <ci@example.com>"
    assert "git config" not in here.ob("exp", "save", "-n", "seven").err


def test_a_user_without_a_login_name(upstream: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run as some number that no table knows."""
    for name in IDENTITY:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    repo = find_repo(AbsPath(str(upstream.root)), dict(os.environ))
    assert repo is not None
    found: Mapping[str, str] = identity.fallback_identity(repo)
    assert found["GIT_AUTHOR_NAME"] == "user54321" and found["GIT_COMMITTER_EMAIL"].startswith("user54321@")


@pytest.mark.parametrize(
    "words",
    [
        ("exp", "run"),
        ("exp", "show"),
        ("exp", "list"),
        ("exp", "save"),
        ("exp", "diff"),
        ("exp", "apply", "x"),
        ("diff",),
    ],
    ids=" ".join,
)
def test_a_repository_of_another_user_names_the_way_out(upstream: TestProject, words: tuple[str, ...]) -> None:
    here = shallow(upstream)
    done = here.ob(*words, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert done.code == 1 and "dubious ownership" in done.err
    assert f"git config --global --add safe.directory '{here.root}'" in done.err
    assert here.exps() == {}
