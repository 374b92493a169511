"""Which name a new experiment gets, and that a free one is found without a process."""

import random
from pathlib import Path

import pytest

from git_repos import make_repo, opened, run
from offbranch.base.errors import ConflictError
from offbranch.base.made_up_names import generate_name
from offbranch.experiments.naming import choose_name
from offbranch.experiments.refs import encode
from offbranch.git.repository import GitRepo, head_commit


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return opened(make_repo(tmp_path / "repo"))


def add(repo: GitRepo, name: str) -> None:
    run(Path(repo.root), "update-ref", encode(head_commit(repo), name), "HEAD")


@pytest.mark.parametrize("are_packed", [False, True])
def test_a_free_name_needs_no_process(repo: GitRepo, monkeypatch: pytest.MonkeyPatch, are_packed: bool) -> None:
    add(repo, "one")
    if are_packed:
        run(Path(repo.root), "pack-refs", "--all", "--prune")
    monkeypatch.setenv("PATH", "/nowhere")
    made_up = generate_name((), random.Random(1))
    assert choose_name("two", repo, head_commit(repo), random.Random(1), force=False) == "two"
    assert choose_name(None, repo, head_commit(repo), random.Random(1), force=False) == made_up


@pytest.mark.parametrize("are_packed", [False, True])
def test_a_taken_name_is_refused_or_passed_over(repo: GitRepo, are_packed: bool) -> None:
    made_up = generate_name((), random.Random(1))
    add(repo, made_up)
    add(repo, f"{made_up}-longer")
    if are_packed:
        run(Path(repo.root), "pack-refs", "--all", "--prune")
    baseline = head_commit(repo)
    with pytest.raises(ConflictError, match="exists already"):
        choose_name(made_up, repo, baseline, random.Random(1), force=False)
    assert choose_name(made_up, repo, baseline, random.Random(1), force=True) == made_up
    assert choose_name(made_up[:-1], repo, baseline, random.Random(1), force=False) == made_up[:-1]
    assert choose_name(None, repo, baseline, random.Random(1), force=False) != made_up


def test_a_name_that_the_queue_needs(repo: GitRepo) -> None:
    baseline, made_up = head_commit(repo), generate_name((), random.Random(1))
    with pytest.raises(ConflictError, match="waits in the queue"):
        choose_name("q", repo, baseline, random.Random(1), force=False, reserved=frozenset({"q"}))
    chosen = choose_name(None, repo, baseline, random.Random(1), force=False, reserved=frozenset({made_up}))
    assert chosen != made_up


def test_another_users_repository_is_asked_about(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git may refuse to read it, which is to be found out before anything is done."""
    monkeypatch.setattr("os.geteuid", lambda: 54321)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Exception, match="git"):
        choose_name("free", repo, head_commit(repo), random.Random(1), force=False)
