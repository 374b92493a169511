"""Tags and notes: the algebra of merging, what is stored in Git, and that they follow their experiment."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_repos import opened as open_repo
from git_repos import run as git
from git_repos import state_of_user
from offbranch.api.exp import RunRequest, run
from offbranch.api.exp_keep import remove, rename, save
from offbranch.api.labels import MAX_NOTE_BYTES, labels, note, tag
from offbranch.api.show import exp_show
from offbranch.base.environ import read_environment
from offbranch.base.errors import ConflictError, NotFoundError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.experiments import labels as stored
from offbranch.experiments.label_records import (
    NO_LABELS,
    Labels,
    check_tag,
    clean_note,
    labels_from_json,
    labels_to_json,
    merge_records,
    with_note,
    with_tags,
    without_tags,
)
from offbranch.experiments.labels import change_labels, merge_labels
from offbranch.experiments.refs import resolve_experiment
from offbranch.experiments.remove import Removal
from offbranch.experiments.save import SaveRequest
from offbranch.git.ids import CommitId
from offbranch.views.options import ShowOptions
from projects import TestProject, make_project

tags_ = st.lists(st.sampled_from(("a", "b", "c", "d")), max_size=4).map(lambda each: tuple(sorted(set(each))))
times = st.floats(0, 100, allow_nan=False)
records = st.builds(Labels, tags=tags_, note=st.sampled_from(("", "x", "y", "z")), updated_utc=times, noted_utc=times)


@given(records, records, records)
def test_merging_does_not_depend_on_the_order(base: Labels, ours: Labels, theirs: Labels) -> None:
    assert merge_records(base, ours, theirs) == merge_records(base, theirs, ours)


@given(records, records)
def test_merging_with_oneself_changes_nothing(base: Labels, ours: Labels) -> None:
    assert merge_records(base, ours, ours) == ours


@given(records, records, records, records)
def test_merging_three_is_the_same_in_whatever_groups(base: Labels, a: Labels, b: Labels, c: Labels) -> None:
    left = merge_records(base, merge_records(base, a, b), c)
    assert left == merge_records(base, a, merge_records(base, b, c))


@given(records, tags_, tags_)
def test_what_one_side_adds_or_removes_is_so_afterwards(
    base: Labels, added: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    ours = with_tags(base, added, now_utc=200)
    theirs = without_tags(base, gone, now_utc=200)
    merged = merge_records(base, ours, theirs)
    assert set(merged.tags) == (set(base.tags) | (set(added) - set(base.tags))) - (set(gone) & set(base.tags))


@given(records, st.text(max_size=5), st.text(max_size=5))
def test_the_note_written_later_is_kept(base: Labels, first: str, second: str) -> None:
    ours = with_note(base, first, now_utc=300)
    theirs = with_note(base, second, now_utc=400)
    if theirs is not base:
        assert merge_records(base, ours, theirs).note == clean_note(second)


@given(records, st.text(max_size=5), times)
def test_a_later_change_counts_as_later_whatever_the_clock_says(base: Labels, text: str, now: float) -> None:
    changed = with_note(base, text, now_utc=now)
    assert changed is base or changed.updated_utc > base.updated_utc


@given(records)
def test_the_stored_form_is_read_back(labels_: Labels) -> None:
    assert labels_from_json(json.loads(json.dumps(labels_to_json(labels_)))) == labels_


@pytest.mark.parametrize("bad", ["", "-x", "a b", "a,b", "a\nb", "it's", "`", "x" * 101, "\x07", "a\u00a0b"])
def test_tags_that_may_not_be(bad: str) -> None:
    with pytest.raises(UsageError):
        check_tag(bad)


@pytest.mark.parametrize("good", ["best", "v1.2", "paper/fig-3", "größe", "lr:low", "x" * 100])
def test_tags_that_may_be(good: str) -> None:
    assert check_tag(good) == good


@pytest.mark.parametrize(
    "bad", [None, [], {}, {"version": 2}, {"version": 1}, {"version": 1, "tags": 5, "note": "", "updated_utc": 0}]
)
def test_what_is_not_the_stored_form_is_refused(bad: object) -> None:
    with pytest.raises(ValueError):
        labels_from_json(bad)


def test_a_note_sends_no_codes_to_a_terminal() -> None:
    note_ = with_note(NO_LABELS, " \x1b[2Jred\r\nsecond\tline\x07\n", now_utc=1).note
    assert note_ == "\N{REPLACEMENT CHARACTER}[2Jred\nsecond\tline\N{REPLACEMENT CHARACTER}"
    assert labels_from_json({**labels_to_json(NO_LABELS), "note": "\x1b[2J"}).note == "\N{REPLACEMENT CHARACTER}[2J"


def test_a_tag_of_somebody_else_that_may_not_be_is_left_out() -> None:
    data = {**labels_to_json(NO_LABELS), "tags": ["fine", "not fine", 7]}
    assert labels_from_json(data).tags == ("fine",)


# In a repository


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    for name, lr in (("one", "0.2"), ("two", "0.3")):
        run(RunRequest(overrides=(f"lr={lr}",), name=name), made.session(), rng=random.Random(1))
    return made


def written(project: TestProject) -> dict[str, tuple[tuple[str, ...], str]]:
    return {each.experiment.name: (each.labels.tags, each.labels.note) for each in labels(project.session())}


def label_refs(project: TestProject) -> list[str]:
    lines = project.git("for-each-ref", "--format=%(refname)", "refs/ob/labels").splitlines()
    return [line.rpartition("/")[2] for line in lines]


def test_tags_and_notes_are_kept_in_git_and_nothing_of_the_users_changes(project: TestProject) -> None:
    index, head, *_ = state_of_user(project.root)
    tag("one", ("best", "paper"), project.session())
    note("one", "  good\nbut slow \n", project.session())
    tag("one", ("paper",), project.session(), remove=True)
    tag("two", ("best",), project.session())
    assert written(project) == {"one": (("best",), "good\nbut slow"), "two": (("best",), "")}
    assert state_of_user(project.root)[:2] == (index, head)
    (ref, _) = project.git("for-each-ref", "--format=%(refname)", "refs/ob/labels").splitlines()
    assert project.git("log", "--format=%s", ref).splitlines() == ["ob: labels of one"] * 3
    assert project.git("ls-tree", ref) == ""
    assert json.loads(project.git("log", "-1", "--format=%b", ref))["note"] == "good\nbut slow"


def test_what_changes_nothing_writes_nothing(project: TestProject) -> None:
    tag("one", ("best",), project.session())
    before = project.git("for-each-ref")
    tag("one", ("best",), project.session())
    note("one", "", project.session())
    assert project.git("for-each-ref") == before


def test_mistakes(project: TestProject) -> None:
    with pytest.raises(NotFoundError) as unknown:
        tag("onn", ("x",), project.session())
    assert unknown.value.hint == "did you mean 'one'?"
    tag("one", ("best",), project.session())
    with pytest.raises(NotFoundError, match="has no tag 'bets'") as absent:
        tag("one", ("bets",), project.session(), remove=True)
    assert absent.value.hint == "did you mean 'best'?"
    with pytest.raises(UsageError, match="invalid tag"):
        tag("one", ("a b",), project.session())
    with pytest.raises(UsageError, match="longer than"):
        note("one", "x" * (MAX_NOTE_BYTES + 1), project.session())
    assert written(project) == {"one": (("best",), "")}


def test_they_follow_a_rename_and_go_with_the_experiment(project: TestProject) -> None:
    tag("one", ("best",), project.session())
    note("two", "second", project.session())
    rename("one", "first", project.session())
    assert written(project) == {"first": (("best",), ""), "two": ((), "second")}
    rename("first", "two", project.session(), force=True)
    assert written(project) == {"two": (("best",), "")}
    assert label_refs(project) == ["two"]
    remove(Removal(names=("two",)), project.session())
    assert label_refs(project) == []


def test_an_experiment_without_labels_that_replaces_one_with_some_has_none(project: TestProject) -> None:
    tag("two", ("best",), project.session())
    rename("one", "two", project.session(), force=True)
    assert (written(project), label_refs(project)) == ({}, [])


def test_a_new_experiment_has_nothing_of_one_that_another_tool_removed(project: TestProject) -> None:
    for name in ("one", "two"):
        tag(name, ("best",), project.session())
        project.git("update-ref", "-d", resolve_experiment(open_repo(project.root), name).ref)
    save(SaveRequest(name="one"), project.session())
    run(RunRequest(name="two"), project.session())
    assert (written(project), label_refs(project)) == ({}, [])


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_experiment_that_takes_the_place_of_another_keeps_its_labels(project: TestProject, is_packed: bool) -> None:
    for name in ("one", "two"):
        tag(name, ("best",), project.session())
    if is_packed:
        project.git("pack-refs", "--all")
    save(SaveRequest(name="one", force=True), project.session())
    run(RunRequest(name="two", force=True), project.session())
    assert written(project) == {"one": (("best",), ""), "two": (("best",), "")}


def test_a_rename_that_fails_moves_nothing(project: TestProject) -> None:
    tag("one", ("best",), project.session())
    with pytest.raises(ConflictError):
        rename("one", "two", project.session())
    assert written(project) == {"one": (("best",), "")}


def test_dry_removal_keeps_them(project: TestProject) -> None:
    tag("one", ("best",), project.session())
    remove(Removal(names=("one",), dry=True), project.session())
    assert written(project) == {"one": (("best",), "")}


def test_they_are_on_the_tip_in_json_and_nothing_is_where_there_are_none(project: TestProject) -> None:
    tag("one", ("best",), project.session())
    states = exp_show(ShowOptions(), start=AbsPath(str(project.root)), environment=read_environment())
    shown = {each["name"]: each["revs"][0].get("labels") for each in states[1]["experiments"]}
    assert shown == {"one": {"tags": ["best"], "note": ""}, "two": None}


def test_what_is_no_label_of_ours_is_read_as_none(project: TestProject) -> None:
    tag("one", ("best",), project.session())
    ref = project.git("for-each-ref", "--format=%(refname)", "refs/ob/labels")
    project.git("update-ref", ref, "HEAD")
    assert written(project) == {}
    tag("one", ("again",), project.session())
    assert written(project) == {"one": (("again",), "")}


def test_two_writers_at_once_are_noticed(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = open_repo(project.root)
    experiment = resolve_experiment(repo, "one")
    change_labels(repo, experiment, with_tags(NO_LABELS, ("a",), now_utc=1))
    old = project.git("rev-parse", project.git("for-each-ref", "--format=%(refname)", "refs/ob/labels"))
    change_labels(repo, experiment, with_tags(NO_LABELS, ("b",), now_utc=2))
    monkeypatch.setattr(stored, "_commit_of", lambda *_: CommitId(old))
    with pytest.raises(ConflictError):
        change_labels(repo, experiment, with_tags(NO_LABELS, ("c",), now_utc=3))
    monkeypatch.undo()
    assert written(project) == {"one": (("b",), "")}


def test_gc_of_git_keeps_them(project: TestProject) -> None:
    tag("one", ("best",), project.session())
    note("one", "kept", project.session())
    project.git("gc", "-q", "--prune=now")
    assert written(project) == {"one": (("best",), "kept")}
    assert project.ob("gc", "-w", "--dry").code == 0


def clone_of(project: TestProject, tmp_path: Path) -> TestProject:
    clone = TestProject(tmp_path / "clone")
    git(project.root, "clone", "-q", str(project.root), str(clone.root))
    clone.git("fetch", "-q", "origin", "refs/exps/*:refs/exps/*", "refs/ob/labels/*:refs/ob/labels/*")
    return clone


def test_two_clones_are_merged_in_either_order_to_the_same_commit(project: TestProject, tmp_path: Path) -> None:
    tag("one", ("old", "both"), project.session(), clock=lambda: 100.0)
    clone = clone_of(project, tmp_path)
    tag("one", ("mine",), project.session(), clock=lambda: 200.0)
    note("one", "mine", project.session(), clock=lambda: 300.0)
    tag("one", ("old",), clone.session(), remove=True, clock=lambda: 400.0)
    note("one", "theirs", clone.session(), clock=lambda: 250.0)
    ref = project.git("for-each-ref", "--format=%(refname)", "refs/ob/labels")
    ours, theirs = CommitId(project.git("rev-parse", ref)), CommitId(clone.git("rev-parse", ref))
    clone.git("fetch", "-q", "origin", ref)
    project.git("fetch", "-q", str(clone.root), ref)
    here, there = open_repo(project.root), open_repo(clone.root)
    merged = merge_labels(here, ours, theirs)
    assert merged == merge_labels(here, theirs, ours) == merge_labels(there, theirs, ours)
    assert merge_labels(here, ours, ours) == ours
    assert merge_labels(here, merged, ours) == merge_labels(here, ours, merged) == merged
    project.git("update-ref", ref, merged)
    assert written(project) == {"one": (("both", "mine"), "mine")}
    assert set(project.git("log", "-1", "--format=%P", merged).split()) == {ours, theirs}


def test_labels_without_a_common_past_are_put_together(project: TestProject, tmp_path: Path) -> None:
    clone = clone_of(project, tmp_path)
    tag("one", ("mine",), project.session())
    tag("one", ("theirs",), clone.session())
    ref = project.git("for-each-ref", "--format=%(refname)", "refs/ob/labels")
    theirs = CommitId(clone.git("rev-parse", ref))
    project.git("fetch", "-q", str(clone.root), ref)
    merged = merge_labels(open_repo(project.root), CommitId(project.git("rev-parse", ref)), theirs)
    project.git("update-ref", ref, merged)
    assert written(project) == {"one": (("mine", "theirs"), "")}
