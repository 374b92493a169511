import os
from pathlib import Path

import pytest

from git_repos import commit_all, make_repo, opened, run, write
from offbranch.base.errors import GitError
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.git.repository import (
    GitRepo,
    current_branch,
    find_repo,
    head_commit,
    is_shallow,
    operation_in_progress,
)


def find(path: Path, **env: str) -> GitRepo | None:
    return find_repo(AbsPath(str(path)), {**os.environ, **env})


def test_found_from_the_top_a_directory_and_a_file(git_repo: Path) -> None:
    write(git_repo, "a/b/c", b"")
    for start in (git_repo, git_repo / "a/b", git_repo / "a/b/c"):
        repo = find(start)
        assert repo is not None
        assert repo.root == str(git_repo)
        assert repo.git_dir == repo.common_dir == str(git_repo / ".git")
        assert (repo.hash_name, repo.plain_refs) == ("sha1", True)


def test_found_through_a_symbolic_link_as_git_does(git_repo: Path, tmp_path: Path) -> None:
    (git_repo / "sub").mkdir()
    (tmp_path / "link").symlink_to(git_repo / "sub")
    found = find(tmp_path / "link")
    assert found is not None
    assert found.root == run(tmp_path / "link", "rev-parse", "--show-toplevel")


def test_none_outside_inside_the_git_directory_and_in_a_bare_repository(git_repo: Path, tmp_path: Path) -> None:
    run(tmp_path, "init", "--bare", "--quiet", "bare")
    assert find(tmp_path) is None
    assert find(git_repo / ".git" / "refs") is None
    assert find(tmp_path / "bare") is None
    run(git_repo, "config", "core.bare", "true")
    assert find(git_repo) is None


def test_a_git_directory_that_is_none_is_passed_over(git_repo: Path) -> None:
    (git_repo / "sub" / ".git").mkdir(parents=True)
    found = find(git_repo / "sub")
    assert found is not None
    assert found.root == str(git_repo)


def test_ceiling_is_obeyed(git_repo: Path) -> None:
    (git_repo / "a" / "b").mkdir(parents=True)
    assert find(git_repo / "a" / "b", GIT_CEILING_DIRECTORIES=str(git_repo)) is None
    assert find(git_repo / "a" / "b", GIT_CEILING_DIRECTORIES=str(git_repo.parent)) is not None


def test_variables_of_a_hook_do_not_mislead(git_repo: Path, tmp_path: Path) -> None:
    other = make_repo(tmp_path / "other")
    found = find(git_repo, GIT_DIR=str(other / ".git"), GIT_INDEX_FILE="nowhere")
    assert found is not None
    assert found.root == str(git_repo)
    assert "GIT_DIR" not in found.env


def test_linked_work_tree(git_repo: Path, tmp_path: Path) -> None:
    run(git_repo, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    linked = opened(tmp_path / "linked")
    assert linked.common_dir == str(git_repo / ".git")
    assert linked.git_dir == str(git_repo / ".git" / "worktrees" / "linked")
    commit_all(tmp_path / "linked", "there")
    assert current_branch(linked) == "side"
    assert head_commit(linked) == run(tmp_path / "linked", "rev-parse", "HEAD")
    assert head_commit(opened(git_repo)) == run(git_repo, "rev-parse", "main")


def test_submodule_and_separate_git_directory(git_repo: Path, tmp_path: Path) -> None:
    make_repo(tmp_path / "library")
    run(git_repo, "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    inside = opened(git_repo / "lib")
    assert inside.root == str(git_repo / "lib")
    assert inside.git_dir == str(git_repo / ".git" / "modules" / "lib")
    run(tmp_path, "init", "--quiet", "--separate-git-dir", str(tmp_path / "elsewhere"), str(tmp_path / "apart"))
    apart = opened(tmp_path / "apart")
    assert (apart.root, apart.git_dir) == (str(tmp_path / "apart"), str(tmp_path / "elsewhere"))


def test_configured_work_tree(git_repo: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    run(git_repo, "config", "core.worktree", str(tmp_path))
    found = find(git_repo)
    assert found is not None
    assert found.root == str(tmp_path)
    run(git_repo, "config", "core.worktree", "../../tree")
    assert find(git_repo) is None


def test_sha256(tmp_path: Path) -> None:
    repo = opened(make_repo(tmp_path / "r", "--object-format=sha256"))
    assert repo.hash_name == "sha256"
    assert len(repo.null_id) == 64
    assert head_commit(repo) == run(tmp_path / "r", "rev-parse", "HEAD")


def test_reftable_is_left_to_git(git_repo: Path) -> None:
    run(git_repo, "config", "extensions.refStorage", "reftable")
    assert not opened(git_repo).plain_refs


@pytest.mark.parametrize("plain_refs", [True, False])
def test_head_loose_packed_and_detached(git_repo: Path, repo: GitRepo, plain_refs: bool) -> None:
    repo = replace(repo, plain_refs=plain_refs)
    first = run(git_repo, "rev-parse", "HEAD")
    run(git_repo, "branch", "main2")
    assert (head_commit(repo), current_branch(repo)) == (first, "main")
    run(git_repo, "pack-refs", "--all")
    assert (head_commit(repo), current_branch(repo)) == (first, "main")
    second = commit_all(git_repo, "second")
    assert (head_commit(repo), current_branch(repo)) == (second, "main")
    run(git_repo, "checkout", "--quiet", "--detach", first)
    assert (head_commit(repo), current_branch(repo)) == (first, None)
    run(git_repo, "checkout", "--quiet", "-b", "feature/ä x".replace(" ", "-"))
    assert (head_commit(repo), current_branch(repo)) == (first, "feature/ä-x")


def test_head_by_symbolic_branch_and_by_link(git_repo: Path, repo: GitRepo) -> None:
    first = run(git_repo, "rev-parse", "HEAD")
    run(git_repo, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    run(git_repo, "symbolic-ref", "HEAD", "refs/heads/alias")
    assert head_commit(repo) == first
    (git_repo / ".git" / "HEAD").unlink()
    (git_repo / ".git" / "HEAD").symlink_to("refs/heads/main")
    assert (head_commit(repo), current_branch(repo)) == (first, "main")


@pytest.mark.parametrize("plain_refs", [True, False])
def test_no_commit_yet(tmp_path: Path, plain_refs: bool) -> None:
    run(tmp_path, "init", "--quiet", "new")
    repo = replace(opened(tmp_path / "new"), plain_refs=plain_refs)
    assert current_branch(repo) == "main"
    with pytest.raises(GitError, match=r"^the Git repository has no commit yet$") as caught:
        head_commit(repo)
    assert caught.value.hint == "git commit --allow-empty -m 'first commit' makes one"


def conflicting(path: Path) -> None:
    """Leaves branches main and side that change the same file."""
    run(path, "checkout", "--quiet", "-b", "side")
    write(path, "README", "side\n")
    commit_all(path, "side")
    run(path, "checkout", "--quiet", "main")
    write(path, "README", "main\n")
    commit_all(path, "main")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("merge", "side"), "merge"),
        (("rebase", "side"), "rebase"),
        (("rebase", "--apply", "side"), "rebase"),
        (("cherry-pick", "side"), "cherry-pick"),
        (("revert", "HEAD~1"), "revert"),
        (("bisect", "start"), "bisect"),
    ],
)
def test_operation_in_progress(git_repo: Path, repo: GitRepo, command: tuple[str, ...], expected: str) -> None:
    conflicting(git_repo)
    if expected == "revert":
        write(git_repo, "README", "main again\n")
        commit_all(git_repo)
    assert operation_in_progress(repo) is None
    try:
        run(git_repo, *command)
    except AssertionError:
        pass
    assert operation_in_progress(repo) == expected


def test_mail_being_applied(git_repo: Path, repo: GitRepo) -> None:
    conflicting(git_repo)
    patch = run(git_repo, "format-patch", "--stdout", "-1", "side").encode()
    with pytest.raises(AssertionError):
        run(git_repo, "am", input=patch + b"\n")
    assert operation_in_progress(repo) == "am"


def test_shallow(git_repo: Path, repo: GitRepo, tmp_path: Path) -> None:
    commit_all(git_repo)
    run(tmp_path, "clone", "--quiet", "--depth=1", f"file://{git_repo}", "clone")
    assert not is_shallow(repo)
    assert is_shallow(opened(tmp_path / "clone"))
