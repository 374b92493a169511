"""What is read from an index without Git is what Git says, or nothing is said."""

from pathlib import Path

import pytest

from git_repos import commit_all, gp, opened, run, write
from offbranch.base.paths import AbsPath
from offbranch.git import index_names as module
from offbranch.git.ignore import tracked_paths, untracked_files
from offbranch.git.index_names import index_names

ODD = (
    "a b",
    "ä",
    "new\nline",
    "sub/deep/x",
    "sub/y",
    "z" * 200,
    "'q\"",
    "padded-1",
    "padded-12",
    "padded-123",
    "x.dvc",
    "x",
)


def by_git(root: Path, *words: str) -> set[str]:
    return set(run(root, "ls-files", "-z", *words).split("\0")) - {""}


@pytest.fixture
def filled(any_hash_repo: Path) -> Path:
    for path in ODD:
        write(any_hash_repo, path, path)
    commit_all(any_hash_repo)
    return any_hash_repo


def test_all_kinds_of_entries(filled: Path) -> None:
    assert index_names(opened(filled)) == by_git(filled) >= set(ODD)
    blob = run(filled, "rev-parse", "HEAD:x")
    long = "/".join(["d" * 200] * 25)
    stages = "".join(f"100644 {blob} {stage}\tclash\n" for stage in (1, 2, 3))
    run(filled, "update-index", "--index-info", input=f"{stages}100644 {blob}\t{long}\n".encode())
    write(filled, "later", "")
    run(filled, "add", "--intent-to-add", "later")  # these two make version 3
    run(filled, "update-index", "--skip-worktree", "x")
    names = index_names(opened(filled))
    assert names == by_git(filled) and names >= {"clash", long, "later", "x"}
    run(filled, "read-tree", "--empty")
    assert index_names(opened(filled)) == frozenset()


def test_out_of_the_ordinary_is_left_to_git(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = opened(filled)
    run(filled, "update-index", "--index-version=4")
    assert index_names(repo) is None
    run(filled, "update-index", "--index-version=2")
    run(filled, "update-index", "--split-index")
    assert index_names(repo) is None
    run(filled, "update-index", "--no-split-index")
    assert index_names(repo) is not None
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    assert index_names(repo) is None
    assert index_names(repo, AbsPath(str(filled / "nothing"))) is None


def test_a_sparse_index_is_left_to_git(git_repo: Path) -> None:
    write(git_repo, "in/a", "a")
    write(git_repo, "out/b", "b")
    commit_all(git_repo)
    run(git_repo, "sparse-checkout", "set", "--cone", "--sparse-index", "in")
    assert index_names(opened(git_repo)) is None
    assert tracked_paths(opened(git_repo), gp("out", "out/b", "out/c")) == {"out", "out/b"}


def test_an_index_that_is_cut_off_says_nothing_wrong(filled: Path, tmp_path: Path) -> None:
    repo = opened(filled)
    whole, names = (filled / ".git/index").read_bytes(), index_names(repo)
    cut = AbsPath(str(tmp_path / "cut"))
    for n in range(len(whole)):
        Path(cut).write_bytes(whole[:n])
        assert index_names(repo, cut) in (None, names), n


def test_what_is_tracked_needs_no_process(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    repo = opened(filled)
    asked = gp("x", "x.dvc", "sub", "su", "deep/x", "sub/deep", "README", "no")
    assert tracked_paths(repo, asked) == {"x", "x.dvc", "sub", "sub/deep", "README"}
    assert untracked_files(repo, gp("x", "sub/y", "not-there")) == ()


def test_what_may_be_untracked_is_asked_of_git(filled: Path) -> None:
    repo = opened(filled)
    write(filled, "new", "")
    (filled / "x").unlink()
    write(filled, "x/inside", "")
    write(filled, "sub/new", "")
    assert untracked_files(repo, gp("a b", "new")) == ("new",)
    assert untracked_files(repo, gp("x")) == ("x/inside",)
    assert untracked_files(repo, gp("sub")) == ("sub/new",)
