"""History rewritten under experiments: they are shown, listed, applied, compared, pushed and removed as before."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from git_repos import run as git
from offbranch.api.exp import RunRequest, run
from offbranch.api.exp_keep import apply, branch, remove
from offbranch.api.show import exp_diff, exp_list, exp_show, exp_table
from offbranch.base.environ import read_environment
from offbranch.base.paths import AbsPath
from offbranch.experiments.remove import Removal
from offbranch.experiments.successors import FILE
from offbranch.views.listing import ListOptions, listing_to_json, render_listing
from offbranch.views.options import ShowOptions
from offbranch.views.text import render_text
from projects import TestProject, make_project

Rewrite = Callable[[TestProject], None]
NOW_S = 1_700_000_000.0


def show(project: TestProject, **options: Any) -> tuple[dict[str, Any], ...]:
    return exp_show(ShowOptions(**options), start=AbsPath(str(project.root)), environment=read_environment())


def listed(project: TestProject, **options: Any) -> list[Any]:
    found = exp_list(ListOptions(**options), start=AbsPath(str(project.root)), environment=read_environment())
    return listing_to_json(found)


def names(states: Any) -> list[str]:
    return [each["name"] for state in states for each in state["experiments"] or ()]


def lost(states: Any) -> list[dict[str, Any]]:
    return [state for state in states if state.get("rewritten")]


def at(project: TestProject, time_s: int, *args: str) -> None:
    """Runs Git at a moment: what is rewritten keeps its author's time and gets another committer's."""
    git(project.root, *args, env={"GIT_AUTHOR_DATE": f"{time_s} +0000", "GIT_COMMITTER_DATE": f"{time_s} +0000"})


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    """A project with three commits after the first, and one experiment of the last."""
    made = make_project(tmp_path / "p")
    for n, subject in enumerate(("prepare", "tune the model", "tidy up")):
        made.write(f"notes{n}.txt", f"{subject}\n" * 5)
        made.git("add", "-A")
        at(made, 1_700_000_000 + n * 100, "commit", "-qm", subject)
    run(RunRequest(overrides=("lr=0.2",), name="one"), made.session(), rng=random.Random(1))
    made.git("checkout", "-q", "--", ".")
    return made


def amend(project: TestProject) -> None:
    project.write("notes2.txt", "other words\n")
    project.git("commit", "-qa", "--amend", "-m", "tidy up, and more")


def rebase(project: TestProject) -> None:
    project.git("checkout", "-q", "-b", "upstream", "HEAD~2")
    project.write("upstream.txt", "of somebody else\n")
    project.commit("upstream")
    project.git("rebase", "-q", "upstream", "main")
    project.git("branch", "-D", "upstream")


def squash(project: TestProject) -> None:
    editor = "sed -i.bak -e '2,$s/^pick/squash/'"
    git(project.root, "rebase", "-q", "-i", "HEAD~3", env={"GIT_SEQUENCE_EDITOR": editor, "GIT_EDITOR": "true"})


def branch_deleted(project: TestProject) -> None:
    project.git("checkout", "-q", "-b", "other", "HEAD~1")
    project.git("branch", "-D", "main")


def reset_hard(project: TestProject) -> None:
    project.git("reset", "-q", "--hard", "HEAD~1")


def filter_branch(project: TestProject) -> None:
    git(
        project.root,
        *("filter-branch", "-f", "--msg-filter", "sed s/tidy/clean/", "HEAD~2..HEAD"),
        env={"FILTER_BRANCH_SQUELCH_WARNING": "1"},
    )
    project.git("update-ref", "-d", "refs/original/refs/heads/main")


def cherry_pick_to_orphan(project: TestProject) -> None:
    tip = project.git("rev-parse", "HEAD")
    project.git("checkout", "-q", "--orphan", "fresh", "HEAD~1")
    project.git("commit", "-qm", "a new beginning")
    project.git("cherry-pick", tip)
    project.git("branch", "-D", "main")


def force_pulled(project: TestProject) -> None:
    """Somebody else has amended the commit and pushed it by force; their committer's time is later."""
    there = project.root.parent / "there.git"
    git(project.root, "clone", "-q", "--bare", str(project.root), str(there))
    theirs = TestProject(project.root.parent / "theirs")
    git(project.root, "clone", "-q", str(there), str(theirs.root))
    theirs.git("commit", "-q", "--amend", "--reset-author", "-m", "tidy up")
    theirs.git("push", "-q", "--force")
    project.git("remote", "add", "origin", str(there))
    project.git("fetch", "-q", "origin")
    project.git("reset", "-q", "--hard", "origin/main")


def gc_after_expiry(project: TestProject) -> None:
    amend(project)
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")


def reset_by_rebase_of_date(project: TestProject) -> None:
    """Only the change itself tells: another author, another moment, another subject."""
    project.git("commit", "-q", "--amend", "--author", "Bob <bob@example.com>", "--date", "1700009999 +0000", "-m", "x")


# Whether Git can tell which commit took the place of the baseline.
REWRITES: dict[str, tuple[Rewrite, bool]] = {
    "amend": (amend, True),
    "rebase": (rebase, True),
    "squash": (squash, False),
    "branch deleted": (branch_deleted, False),
    "reset --hard": (reset_hard, False),
    "filter-branch": (filter_branch, True),
    "cherry-pick onto an orphan": (cherry_pick_to_orphan, True),
    "force-pulled": (force_pulled, True),
    "gc after the reflog expired": (gc_after_expiry, True),
    "another author and date": (reset_by_rebase_of_date, True),
}


@pytest.fixture(params=REWRITES)
def rewritten(request: pytest.FixtureRequest, project: TestProject) -> tuple[TestProject, str, bool]:
    """The project after its history was rewritten, the old baseline, and whether its successor can be told."""
    baseline = project.git("rev-parse", "HEAD")
    rewrite, has_successor = REWRITES[request.param]
    rewrite(project)
    assert project.git("rev-parse", "HEAD") != baseline
    return project, baseline, has_successor


def test_it_is_shown_and_listed(rewritten: tuple[TestProject, str, bool]) -> None:
    project, baseline, has_successor = rewritten
    for options in ({}, {"all_commits": True}):
        states = show(project, **options)
        assert names(states) == ["one"]
        (state,) = lost(states)
        assert state is states[-1]
        assert (state["rev"], state["subject"], state["reason"]) == (baseline, "tidy up", "rewritten")
        assert state["replaced_by"] == (project.git("rev-parse", "HEAD") if has_successor else None)
        assert state["data"]["params"]["params.yaml"]["data"]["lr"] == 0.1
        assert names(listed(project, **options)) == ["one"]
        assert [each["replaced_by"] for each in lost(listed(project, **options))] == [state["replaced_by"]]
    assert show(project) == show(project), "what was remembered says the same"


def test_revisions_that_are_named_and_the_flag_leave_it_out(rewritten: tuple[TestProject, str, bool]) -> None:
    project, baseline, _ = rewritten
    for options in ({"revs": ("HEAD",)}, {"num": 1}, {"all_branches": True}, {"hide_rewritten": True}):
        assert names(show(project, **options)) == []
    for options in ({"revs": ("HEAD",)}, {"num": 1}, {"hide_rewritten": True}):
        assert listed(project, **options) == []
    assert names(show(project, all_commits=True, hide_rewritten=True)) == []
    assert listed(project, all_commits=True, hide_rewritten=True) == []
    assert names(show(project, revs=(baseline,))) == ["one"]


def test_it_is_applied_compared_and_made_a_branch(rewritten: tuple[TestProject, str, bool]) -> None:
    project, baseline, _ = rewritten
    applied = apply("one", project.session())
    assert (applied.commit, applied.baseline) == (project.exps()["one"], baseline)
    assert "lr: 0.2" in project.read("params.yaml")
    diff = exp_diff("HEAD", "one", start=AbsPath(str(project.root)), environment=read_environment())
    assert "lr" in str(diff)
    assert branch("one", project.session()).branch == "one-branch"
    assert lost(show(project)) == [], "a branch reaches the baseline again"


def test_it_is_pushed_and_removed(rewritten: tuple[TestProject, str, bool]) -> None:
    project, baseline, _ = rewritten
    there = project.root.parent / "elsewhere.git"
    git(project.root, "init", "-q", "--bare", str(there))
    ref = f"refs/exps/{baseline[:2]}/{baseline[2:]}/one"
    project.git("push", "-q", str(there), f"{ref}:{ref}")
    assert git(there, "rev-parse", f"{ref}~1") == baseline
    assert remove(Removal(names=("one",)), project.session()).names == ("one",)
    assert (names(show(project)), listed(project)) == ([], [])


def test_how_it_reads(project: TestProject) -> None:
    old = project.git("rev-parse", "--short=7", "HEAD")
    amend(project)
    new = project.git("rev-parse", "--short=7", "HEAD")
    heading = f"baseline rewritten: 'tidy up', now {new}"
    table = exp_table(ShowOptions(), start=AbsPath(str(project.root)), environment=read_environment())
    lines = render_text(table, now_s=NOW_S).splitlines()
    at_line = lines.index(heading)
    assert lines[at_line - 1] == ""
    assert lines[at_line + 1].startswith(old)
    found = exp_list(ListOptions(), start=AbsPath(str(project.root)), environment=read_environment())
    assert render_listing(found).splitlines()[0] == f"{old} ({heading}):"


def test_a_shallow_clone_does_not_claim_to_know(project: TestProject, tmp_path: Path) -> None:
    project.write("later.txt", "later\n")
    project.commit("later")
    clone = TestProject(tmp_path / "clone")
    git(project.root, "clone", "-q", "--depth", "1", f"file://{project.root}", str(clone.root))
    clone.git("fetch", "-q", "origin", "refs/exps/*:refs/exps/*")
    (state,) = lost(show(clone))
    assert (state["reason"], state["subject"], state["replaced_by"]) == ("shallow", "tidy up", None)
    assert names(show(clone)) == ["one"]
    assert names(listed(clone)) == ["one"]


def test_a_commit_that_is_missing_altogether_is_shown_and_says_so(project: TestProject) -> None:
    baseline = project.git("rev-parse", "HEAD")
    reset_hard(project)
    (project.root / ".git/objects" / baseline[:2] / baseline[2:]).unlink()
    states = show(project)
    (state,) = lost(states)
    assert (state["rev"], state["reason"], state["subject"]) == (baseline, "missing", None)
    assert baseline in state["error"]["msg"]
    (experiment,) = state["experiments"]
    assert experiment["revs"][0]["data"]["params"]["params.yaml"]["data"]["lr"] == 0.2
    found = exp_list(ListOptions(), start=AbsPath(str(project.root)), environment=read_environment())
    assert render_listing(found).startswith(f"{baseline[:7]} (baseline commit missing in this clone):\n")


def test_a_missing_one_does_not_hide_the_others(project: TestProject) -> None:
    baseline = project.git("rev-parse", "HEAD")
    amend(project)
    gone = "1" * 40
    commit = project.exps()["one"]
    project.git("update-ref", f"refs/exps/{gone[:2]}/{gone[2:]}/ghost", commit)
    assert [(state["rev"], state["reason"]) for state in lost(show(project))] == [
        (baseline, "rewritten"),
        (gone, "missing"),
    ]


def test_what_a_tag_or_a_remote_branch_reaches_is_not_lost(project: TestProject) -> None:
    baseline = project.git("rev-parse", "HEAD")
    reset_hard(project)
    for ref in ("refs/tags/kept", "refs/remotes/origin/topic", "refs/heads/topic"):
        project.git("update-ref", ref, baseline)
        assert lost(show(project)) == []
        assert names(show(project, all_commits=True)) == ["one"]
        project.git("update-ref", "-d", ref)
    assert len(lost(show(project))) == 1


def test_a_failed_attempt_of_a_lost_baseline_is_shown_too(project: TestProject) -> None:
    with pytest.raises(Exception, match="exited with 3"):
        run(RunRequest(overrides=("lr=0.7", "fail=3"), name="bad"), project.session(), rng=random.Random(1))
    amend(project)
    assert names(show(project)) == ["one", "bad"]


def test_several_commits_of_one_second_are_told_apart_by_their_subject(project: TestProject) -> None:
    when = 1_700_001_000
    for n in range(3):
        project.write("same.txt", f"{n}\n")
        project.git("add", "-A")
        at(project, when, "commit", "-qm", f"step {n}")
    run(RunRequest(overrides=("lr=0.3",), name="two"), project.session(), rng=random.Random(1))
    project.git("checkout", "-q", "--", ".")
    project.git("rebase", "-q", "--force-rebase", "HEAD~3")
    state = next(each for each in lost(show(project)) if each["subject"] == "step 2")
    assert state["replaced_by"] == project.git("rev-parse", "HEAD")


def test_what_is_remembered_of_changes_may_be_lost_or_damaged(project: TestProject) -> None:
    reset_by_rebase_of_date(project)
    first = show(project)
    file = project.root / FILE
    assert file.is_file()
    for damaged in ("", "[1]", "{", '{"zz": 1}', json.dumps({project.git("rev-parse", "HEAD"): 5})):
        file.write_text(damaged)
        assert show(project) == first
    file.unlink()
    file.mkdir()
    assert show(project) == first


def test_one_process_more_and_none_without_other_baselines(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def count(repo: Any, baselines: tuple[str, ...]) -> set[str]:
        asked.append(baselines)
        return set()

    monkeypatch.setattr("offbranch.experiments.lost_baselines._ask", count)
    show(project)
    assert asked == []
    baseline = project.git("rev-parse", "HEAD")
    project.git("commit", "-q", "--allow-empty", "-m", "next")
    show(project)
    assert asked == [(baseline,)]
