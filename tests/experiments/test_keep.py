"""Apply, branch, rename, remove, save: what changes, and what must not."""

import hashlib
import random
from pathlib import Path

import pytest

from git_repos import state_of_user
from offbranch.api.exp import RunRequest, run
from offbranch.api.exp_keep import apply, branch, remove, rename, save
from offbranch.base.errors import (
    BaselineMismatchError,
    ConflictError,
    MissingDataError,
    NotFoundError,
    StageFailedError,
    UsageError,
)
from offbranch.base.events import Warned
from offbranch.base.paths import RepoPath
from offbranch.experiments.remove import Removal
from offbranch.experiments.save import SaveRequest
from projects import Recorder, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    for name, lr in (("one", "0.2"), ("two", "0.3")):
        run(RunRequest(overrides=(f"lr={lr}",), name=name), made.session(), rng=random.Random(1))
    return made


def test_apply_brings_code_parameters_metrics_and_outputs(project: TestProject) -> None:
    index, head, *_ = state_of_user(project.root)
    applied = apply("one", project.session())
    assert applied.commit == project.exps()["one"]
    assert project.read("params.yaml").startswith("# learning rate\nlr: 0.2")
    assert project.read("model.txt") == "model 0.2\n"
    assert project.read("metrics.json") == '{"acc": 0.2}\n'
    assert state_of_user(project.root)[:2] == (index, head)
    assert project.ob("status").out == "Data and pipelines are up to date.\n"


def test_apply_saves_what_it_overwrites(project: TestProject) -> None:
    project.write("params.yaml", "lr: 77\nfail: 0\n")
    project.write("mine.txt", "untracked\n")
    applied = apply("one", project.session())
    assert applied.saved is not None
    assert project.read("mine.txt") == "untracked\n"
    assert project.file_at(applied.saved, "params.yaml") == "lr: 77\nfail: 0"
    project.git("restore", f"--source={applied.saved}", "--worktree", "--", ":/")
    assert project.read("params.yaml") == "lr: 77\nfail: 0\n"


def test_apply_keeps_an_output_that_was_changed_by_hand(project: TestProject) -> None:
    project.write("model.txt", "made by hand\n")
    apply("one", project.session())
    digest = hashlib.md5(b"made by hand\n").hexdigest()
    assert (project.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).read_bytes() == b"made by hand\n"


def test_apply_across_baselines_says_so_or_is_refused(project: TestProject) -> None:
    old = project.git("rev-parse", "HEAD")
    project.write("new.txt", "committed later\n")
    head = project.commit("later")
    applied = apply("one", project.session())
    assert (applied.baseline, applied.head) == (old, head)
    with pytest.raises(BaselineMismatchError) as caught:
        apply("two", project.session(), strict_baseline=True)
    assert (caught.value.experiment_baseline, caught.value.head) == (old, head)


def test_apply_of_a_failed_attempt_and_of_nothing(project: TestProject) -> None:
    with pytest.raises(StageFailedError):
        run(RunRequest(overrides=("lr=0.9", "fail=2"), name="bad"), project.session())
    apply("bad", project.session())
    assert project.read("params.yaml") == "# learning rate\nlr: 0.9\nfail: 2\n"
    with pytest.raises(NotFoundError) as caught:
        apply("onn", project.session())
    assert caught.value.hint == "did you mean 'one'?"


def test_a_file_the_experiment_lacks_is_removed_only_if_git_has_it(project: TestProject) -> None:
    project.write("later.txt", "in a later commit\n")
    project.commit("later")
    project.write("local.txt", "only here\n")
    project.git("add", "local.txt")
    apply("one", project.session())
    assert not project.exists("later.txt")
    assert project.read("local.txt") == "only here\n"


def test_branch_points_to_the_experiment(project: TestProject) -> None:
    assert branch("one", project.session()).branch == "one-branch"
    assert project.git("rev-parse", "refs/heads/one-branch") == project.exps()["one"]
    assert project.git("symbolic-ref", "HEAD") == "refs/heads/main"
    with pytest.raises(ConflictError, match="exists already"):
        branch("one", project.session())
    with pytest.raises(UsageError):
        branch("one", project.session(), branch_name="a..b")


def test_rename_keeps_commit_and_baseline(project: TestProject) -> None:
    before = project.exps()
    assert rename("one", "first", project.session()).new.name == "first"
    assert project.exps() == {"first": before["one"], "two": before["two"]}
    unchanged = rename("first", "first", project.session())
    assert unchanged.new == unchanged.old
    with pytest.raises(ConflictError):
        rename("first", "two", project.session())
    rename("first", "two", project.session(), force=True)
    assert project.exps() == {"two": before["one"]}


def test_remove_checks_all_names_first(project: TestProject) -> None:
    with pytest.raises(NotFoundError, match="nothing was removed"):
        remove(Removal(names=("one", "nosuch")), project.session())
    assert set(project.exps()) == {"one", "two"}
    assert remove(Removal(names=("one",), dry=True), project.session()).names == ("one",)
    assert set(project.exps()) == {"one", "two"}
    assert remove(Removal(names=("one",)), project.session()).names == ("one",)
    assert set(project.exps()) == {"two"}


def test_remove_takes_patterns(project: TestProject) -> None:
    assert remove(Removal(names=("o*", "tw?"), dry=True), project.session()).names == ("one", "two")
    assert remove(Removal(names=("o*",)), project.session()).names == ("one",)
    assert set(project.exps()) == {"two"}
    with pytest.raises(NotFoundError, match="nothing was removed"):
        remove(Removal(names=("x*", "two")), project.session())
    assert set(project.exps()) == {"two"}


def test_remove_by_selector_keep_and_attempts(project: TestProject) -> None:
    with pytest.raises(StageFailedError):
        run(RunRequest(overrides=("lr=0.9", "fail=2"), name="bad"), project.session())
    first = project.git("rev-parse", "HEAD")
    project.commit("second baseline")
    run(RunRequest(overrides=("lr=0.7",), name="three"), project.session())
    assert remove(Removal(revs=(first,), dry=True), project.session()).names == ("one", "two", "bad")
    assert remove(Removal(names=("three",), keep=True), project.session()).names == ("one", "two", "bad")
    assert set(project.exps()) == {"three"}
    assert project.git("for-each-ref", "refs/ob") == ""
    remove(Removal(everything=True), project.session())
    assert project.exps() == {}
    with pytest.raises(UsageError):
        remove(Removal(), project.session())


def test_names_go_before_the_beginnings_of_commit_ids(project: TestProject) -> None:
    commit = project.exps()["two"]
    project.git(
        "update-ref", f"{project.git('for-each-ref', '--format=%(refname)', 'refs/exps')[:51]}/{commit[:6]}", "HEAD"
    )
    assert set(project.exps()) == {"one", "two", commit[:6]}
    removed = remove(Removal(names=(commit[:6],)), project.session())
    assert removed.names == (commit[:6],)
    assert set(project.exps()) == {"one", "two"}
    assert remove(Removal(names=(commit[:6],)), project.session()).names == ("two",)


def test_a_branch_of_a_chain_is_at_the_commit_that_was_named(project: TestProject) -> None:
    tip = project.exps()["two"]
    above = project.git("commit-tree", "-p", tip, "-m", "more", f"{tip}^{{tree}}")
    ref = project.git("for-each-ref", "--format=%(refname)", "refs/exps/*/*/two")
    project.git("update-ref", ref, above)
    assert branch(tip, project.session(), branch_name="middle").commit == tip
    assert branch(ref, project.session()).branch == "two-branch"
    assert project.git("rev-parse", "two-branch") == above


def test_save_takes_the_workspace_as_it_is(project: TestProject) -> None:
    project.write("params.yaml", "lr: 5\nfail: 0\n")
    project.write("model.txt", "by hand\n")
    project.write("left.txt", "untracked\n")
    project.write("taken.log", "ignored but asked for\n")
    project.write(".gitignore", project.read(".gitignore") + "*.log\n")
    recorder = Recorder()
    user = state_of_user(project.root)[:2]
    made = save(SaveRequest(name="saved", include=(RepoPath("taken.log"),)), project.session(recorder))
    assert state_of_user(project.root)[:2] == user
    names = project.git("ls-tree", "-r", "--name-only", made.commit).split()
    assert "taken.log" in names
    assert "left.txt" not in names
    assert any("left.txt" in warning.text for warning in recorder.of(Warned))
    assert project.file_at(made.commit, "params.yaml") == "lr: 5\nfail: 0"
    assert "model.txt" in project.file_at(made.commit, "dvc.lock")
    with pytest.raises(ConflictError):
        save(SaveRequest(name="saved"), project.session())
    save(SaveRequest(name="saved", force=True), project.session())


def test_an_output_that_is_missing_is_not_blamed_on_its_command(project: TestProject) -> None:
    (project.root / "model.txt").unlink()
    lock = project.read("dvc.lock")
    with pytest.raises(MissingDataError, match=r"of 'train': 'model\.txt' does not exist") as error:
        save(SaveRequest(name="saved"), project.session())
    assert error.value.hint == "bring it back: ob checkout; or make it: ob repro train"
    assert (project.read("dvc.lock"), set(project.exps())) == (lock, {"one", "two"})


def test_include_is_seen_from_the_directory_of_the_user(project: TestProject) -> None:
    project.write("sub/extra.txt", "extra\n")
    made = save(SaveRequest(name="s", include=(RepoPath("extra.txt"),)), project.session(cwd="sub"))
    assert project.file_at(made.commit, "sub/extra.txt") == "extra"
    with pytest.raises(UsageError, match="not below the project"):
        save(SaveRequest(name="t", include=(RepoPath("../../elsewhere"),)), project.session(cwd="sub"))
