"""Applying an experiment: what it says beforehand, what it keeps, and that going back brings everything back."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from git_repos import state_of_user
from killing import workspace
from offbranch.api.exp import RunRequest, run
from offbranch.api.exp_keep import apply, save
from offbranch.base.errors import BaselineMismatchError, ConflictError, StageFailedError
from offbranch.base.paths import RepoPath
from offbranch.experiments.apply import Applied
from offbranch.experiments.save import SaveRequest
from projects import DVC_YAML, SIMPLE, TestProject, make_project

PARTS = """\
  parts:
    cmd: mkdir -p parts && cp params.yaml parts/a && echo b > parts/b
    deps:
    - params.yaml
    outs:
    - parts
"""
FILES = {**SIMPLE, "dvc.yaml": DVC_YAML + PARTS, "code/old.py": "old\n", "doc.txt": "doc\n", ".gitignore": "*.log\n"}


def with_experiment(root: Path, files: dict[str, str] = FILES) -> TestProject:
    """A project whose experiment changes, adds and removes files; the workspace is as it was committed."""
    made = make_project(root, files)
    assert made.ob("repro").code == 0
    made.commit("results")
    made.write("code/new.py", "new\n")
    made.write("kept.log", "a log\n")
    made.write("doc.txt", "of the experiment\n")
    made.write("params.yaml", "lr: 0.5\nfail: 0\n")
    (made.root / "code/old.py").unlink()
    assert made.ob("repro").code == 0
    save(SaveRequest(name="one", include=(RepoPath("code/new.py"), RepoPath("kept.log"))), made.session())
    made.git("checkout", "-q", "--", ".")
    (made.root / "code/new.py").unlink()
    (made.root / "kept.log").unlink()
    assert made.ob("checkout").code == 0
    return made


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return with_experiment(tmp_path / "p")


def edited_parameters(project: TestProject) -> None:
    project.write("params.yaml", "lr: 77 # a thought\nfail: 0\n")


def staged_then_edited(project: TestProject) -> None:
    project.write("doc.txt", "staged\n")
    project.git("add", "doc.txt")
    project.write("doc.txt", "edited after that\n")


def untracked_in_the_way(project: TestProject) -> None:
    project.write("code/new.py", "mine\n")


def ignored_in_the_way(project: TestProject) -> None:
    project.write("kept.log", "my own log\n")


def deleted_here(project: TestProject) -> None:
    (project.root / "doc.txt").unlink()


def deleted_there_edited_here(project: TestProject) -> None:
    project.write("code/old.py", "edited\n")


def output_by_hand(project: TestProject) -> None:
    project.write("model.txt", "made by hand\n")


def directory_by_hand(project: TestProject) -> None:
    project.write("parts/a", "by hand\n")
    project.write("parts/c/deep", "more\n")
    (project.root / "parts/b").unlink()


def link_in_the_way(project: TestProject) -> None:
    (project.root / "kept.log").symlink_to("doc.txt")


def everything(project: TestProject) -> None:
    for work in WORK[:-1]:
        if work is not ignored_in_the_way and work is not deleted_here:
            work(project)


def nothing(project: TestProject) -> None:
    assert project.git("status", "--porcelain") == ""


WORK: tuple[Callable[[TestProject], None], ...] = (
    nothing,
    edited_parameters,
    staged_then_edited,
    untracked_in_the_way,
    ignored_in_the_way,
    link_in_the_way,
    deleted_here,
    deleted_there_edited_here,
    output_by_hand,
    directory_by_hand,
    everything,
)


@pytest.mark.parametrize("work", WORK)
def test_going_back_brings_back_every_byte(project: TestProject, work: Callable[[TestProject], None]) -> None:
    work(project)
    before, user = workspace(project), state_of_user(project.root)[:2]
    foreseen = apply("one", project.session(), dry=True)
    assert workspace(project) == before
    assert foreseen.is_dry and foreseen.saved is None
    applied = apply("one", project.session())
    assert project.read("params.yaml") == "lr: 0.5\nfail: 0\n"
    assert project.read("model.txt") == "model 0.5\n"
    assert project.read("kept.log") == "a log\n"
    assert changes_of(applied) == changes_of(foreseen)
    assert bool(applied.saved) == bool(applied.kept)
    # What is gone could not have been kept by accident: neither an index nor a cache of the user's is asked.
    apply(applied.saved or "HEAD", project.session())
    if applied.saved:
        assert workspace(project) == before
    assert state_of_user(project.root)[:2] == user


def changes_of(applied: Applied) -> tuple[object, ...]:
    return applied.written, applied.overwritten, applied.deleted, sorted(applied.kept), sorted(applied.outputs)


def test_gc_keeps_outputs_that_were_changed_by_hand(project: TestProject) -> None:
    output_by_hand(project)
    directory_by_hand(project)
    before = workspace(project)
    applied = apply("one", project.session())
    assert set(applied.kept) == {"model.txt", "parts"}
    assert project.ob("gc", "-w", "-f").code == 0
    assert project.ob("exp", "apply", str(applied.saved)).code == 0
    assert workspace(project) == before


def test_an_earlier_state_can_be_gone_back_to(project: TestProject) -> None:
    output_by_hand(project)
    first = apply("one", project.session())
    project.write("model.txt", "by hand again\n")
    project.write("params.yaml", "lr: 9\nfail: 0\n")
    second = apply("one", project.session())
    assert first.saved != second.saved
    apply(str(first.saved), project.session())
    assert project.read("model.txt") == "made by hand\n"
    apply(str(second.saved), project.session())
    assert (project.read("model.txt"), project.read("params.yaml")) == ("by hand again\n", "lr: 9\nfail: 0\n")


def test_what_is_said_beforehand(project: TestProject) -> None:
    edited_parameters(project)
    output_by_hand(project)
    told = project.ob("exp", "apply", "--dry-run", "one")
    assert told.code == 0
    assert told.out == (
        "Would write code/new.py\n"
        "Would write kept.log\n"
        "Would overwrite doc.txt\n"
        "Would overwrite dvc.lock\n"
        "Would overwrite metrics.json\n"
        "Would overwrite params.yaml  (your changes are kept first)\n"
        "Would delete code/old.py\n"
        "Would check out model.txt  (your changes are kept first)\n"
        "Would check out parts/\n"
    )
    assert project.ob("exp", "apply", "one").code == 0
    again = project.ob("exp", "apply", "one", "--dry")
    assert again.out == "The workspace is as 'one' has it already.\n"


def test_a_directory_in_the_way_is_refused_and_nothing_changes(project: TestProject) -> None:
    project.write("kept.log/inside", "mine\n")
    before = workspace(project)
    with pytest.raises(ConflictError, match=r"kept\.log"):
        apply("one", project.session())
    assert workspace(project) == before


@pytest.mark.parametrize("edited", [True, False])
def test_a_directory_that_becomes_a_file_keeps_what_is_in_it(project: TestProject, edited: bool) -> None:
    project.git("rm", "-rq", "--cached", "code")
    for name in ("old.py",):
        (project.root / "code" / name).unlink()
    (project.root / "code").rmdir()
    project.write("code", "a file now\n")
    project.git("add", "code")
    save(SaveRequest(name="two"), project.session())
    project.git("reset", "-q", "--hard")
    if edited:
        project.write("code/old.py", "edited\n")
    before = workspace(project)
    applied = apply("two", project.session())
    assert project.read("code") == "a file now\n"
    assert applied.kept == (("code/old.py",) if edited else ())
    if edited:
        apply(str(applied.saved), project.session())
        assert workspace(project) == before
    else:
        with pytest.raises(ConflictError, match="in the way"):
            apply("HEAD", project.session())


def test_a_project_below_the_top_of_its_repository(tmp_path: Path) -> None:
    inner = with_experiment(tmp_path / "top/inner")
    top = tmp_path / "top"
    (inner.root / ".git").rename(top / ".git")
    inner.git("-C", str(top), "config", "core.worktree", str(top))
    inner.git("-C", str(top), "config", "--unset", "core.worktree")
    inner.commit("moved down")
    (top / "beside.txt").write_text("of the experiment\n")
    inner.git("-C", str(top), "add", "beside.txt")
    inner.write("params.yaml", "lr: 4\nfail: 0\n")
    save(SaveRequest(name="two"), inner.session())
    inner.git("checkout", "-q", "--", "params.yaml")
    inner.git("-C", str(top), "rm", "-q", "--cached", "beside.txt")
    (top / "beside.txt").write_text("mine\n")
    applied = apply("two", inner.session())
    assert (top / "beside.txt").read_text() == "of the experiment\n"
    assert "beside.txt" in applied.kept
    apply(str(applied.saved), inner.session())
    assert (top / "beside.txt").read_text() == "mine\n"


def chain(project: TestProject) -> tuple[str, str, str]:
    """Makes an experiment of two commits; returns (baseline, middle, tip)."""
    base = project.git("rev-parse", "HEAD")
    tree = project.git("rev-parse", "refs/exps/" + base[:2] + "/" + base[2:] + "/one^{tree}")
    middle = project.git("commit-tree", "-p", base, "-m", "first", tree)
    tip = project.git("commit-tree", "-p", middle, "-m", "second", tree)
    project.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/steps", tip)
    return base, middle, tip


def test_which_baseline_a_revision_has(project: TestProject) -> None:
    base, middle, tip = chain(project)
    one = project.exps()["one"]
    with pytest.raises(StageFailedError):
        run(RunRequest(overrides=("fail=3",), name="bad"), project.session(), rng=random.Random(1))
    project.git("branch", "side", "HEAD~1")
    head = project.git("commit", "-q", "--allow-empty", "-m", "later") or project.git("rev-parse", "HEAD")
    experiments = ("one", one, one[:9], f"refs/exps/{base[:2]}/{base[2:]}/one", middle, "steps", tip, "bad")
    for name in experiments:
        found = apply(name, project.session(), dry=True)
        assert (found.baseline, found.head) == (base, head), name
        with pytest.raises(BaselineMismatchError) as caught:
            apply(name, project.session(), strict_baseline=True)
        assert str(caught.value) == f"'{name}' started from {base[:7]}, and HEAD is {head[:7]}"
    for name in ("HEAD~2", "side", "main", "HEAD"):
        assert apply(name, project.session(), dry=True, strict_baseline=True).baseline is None, name


def test_strict_baseline_by_configuration(project: TestProject) -> None:
    project.write(".dvc/config", "[exp]\n    strict_baseline = true\n")
    project.commit("strict")
    refused = project.ob("exp", "apply", "one")
    assert refused.code == 1
    assert "error: 'one' started from " in refused.err
    assert project.ob("config", "exp.strict_baseline", "false").code == 0
    allowed = project.ob("exp", "apply", "one")
    assert allowed.code == 0
    assert "warning: 'one' started from " in allowed.err
