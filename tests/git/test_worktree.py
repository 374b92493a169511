import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from git_repos import commit_all, make_repo, opened, run, write
from offbranch.base.errors import GitError
from offbranch.base.locks import is_locked
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.git.objects import CommitId, TreeId
from offbranch.git.repository import GitRepo, current_branch, find_repo, head_commit
from offbranch.git.snapshot import snapshot_tree
from offbranch.git.worktree import open_working_copy, remove_pool


@pytest.fixture(params=[True, False], ids=["by hand", "by git"])
def repo(request: pytest.FixtureRequest, git_repo: Path) -> GitRepo:
    write(git_repo, "dir/a", "a")
    write(git_repo, "b", "b")
    commit_all(git_repo)
    return replace(opened(git_repo), plain_refs=request.param)


@pytest.fixture
def pool(repo: GitRepo) -> AbsPath:
    return AbsPath(os.path.join(repo.root, "pool"))


def tree_of(repo: GitRepo, revision: str = "HEAD") -> TreeId:
    return TreeId(run(Path(repo.root), "rev-parse", revision + "^{tree}"))


def files(root: str) -> dict[str, str]:
    top = Path(root)
    return {
        str(p.relative_to(top)): p.read_text()
        for p in top.rglob("*")
        if p.is_file() and p.relative_to(top) != Path(".git")
    }


CLEAN = {"README": "hello\n", "dir/a": "a", "b": "b"}


def test_files_index_and_head_are_as_asked(repo: GitRepo, pool: AbsPath) -> None:
    write(Path(repo.root), "b", "changed")
    tree, head = snapshot_tree(repo), head_commit(repo)
    with open_working_copy(repo, pool, tree, head) as copy:
        assert files(copy.root) == {**CLEAN, "b": "changed"}
        assert (head_commit(copy.repo), current_branch(copy.repo)) == (head, None)
        top = Path(copy.root)
        assert run(top, "write-tree") == tree
        assert run(top, "status", "--short") == "M  b"
        assert run(top, "rev-parse", "--show-toplevel") == copy.root
        found = find_repo(AbsPath(copy.root + "/dir"), os.environ)
        assert found is not None
        assert replace(found, plain_refs=repo.plain_refs) == copy.repo
        assert run(top, "fsck", "--connectivity-only") == ""


def test_user_sees_nothing_but_in_the_list_of_work_trees(repo: GitRepo, pool: AbsPath) -> None:
    user = Path(repo.root)
    index, refs = (user / ".git/index").read_bytes(), run(user, "for-each-ref")
    with open_working_copy(repo, pool, tree_of(repo), head_commit(repo)):
        assert run(user, "status", "--short", "--untracked-files=all") == ""
        assert run(user, "for-each-ref") == refs
        listed = run(user, "worktree", "list", "--porcelain")
        assert f"worktree {pool}/slot-1" in listed
        assert "locked temporary working copy of offbranch (ob)" in listed
        run(user, "worktree", "prune")
        run(user, "gc", "--quiet", "--prune=now")
    assert (user / ".git/index").read_bytes() == index
    assert current_branch(repo) == "main"


def test_slot_is_used_again_and_only_differences_are_written(repo: GitRepo, pool: AbsPath) -> None:
    user, first = Path(repo.root), head_commit(repo)
    with open_working_copy(repo, pool, tree_of(repo), first) as copy:
        slot = Path(copy.root)
        inode = (slot / "README").stat().st_ino
        write(slot, "b", "damaged")
        (slot / "dir/a").unlink()
        (slot / "dir").rmdir()
        (slot / "dir").symlink_to(user)
        for name in ("untracked", "ignored/x", "new/deep/y"):
            write(slot, name, "x")
        write(slot, ".gitignore", "/ignored\n")
        run(slot, "init", "--quiet", "nested")
    assert "README" in os.listdir(user)
    assert files(str(slot)).keys() == {"README", "b"}
    write(user, "new", "n")
    second = CommitId(commit_all(user))
    with open_working_copy(repo, pool, tree_of(repo), second) as copy:
        assert copy.root == str(slot)
        assert files(copy.root) == {**CLEAN, "new": "n"}
        assert head_commit(copy.repo) == second
        assert (slot / "README").stat().st_ino == inode
        assert run(slot, "status", "--short") == ""
    with open_working_copy(repo, pool, tree_of(repo, first), first) as copy:
        assert files(copy.root) == CLEAN


def test_slots_in_use_are_not_shared(repo: GitRepo, pool: AbsPath) -> None:
    tree, head = tree_of(repo), head_commit(repo)
    with open_working_copy(repo, pool, tree, head) as one, open_working_copy(repo, pool, tree, head) as two:
        assert one.root != two.root
        assert one.repo.git_dir != two.repo.git_dir
        assert is_locked(AbsPath(one.root + ".lock"))
        write(Path(one.root), "b", "one")
        assert files(two.root) == CLEAN
        assert remove_pool(repo, pool) == (one.root, two.root)
        assert files(two.root) == CLEAN
    assert not is_locked(AbsPath(one.root + ".lock"))
    assert remove_pool(repo, pool) == ()
    assert not os.path.exists(one.root)
    assert len(run(Path(repo.root), "worktree", "list").splitlines()) == 1


def test_discarded_slot_leaves_nothing(repo: GitRepo, pool: AbsPath) -> None:
    with open_working_copy(repo, pool, tree_of(repo), head_commit(repo), discard=True) as copy:
        os.chmod(write(Path(copy.root), "locked/file", "x").parent, 0o500)
    assert not os.path.exists(copy.root)
    assert not os.path.exists(copy.repo.git_dir)


def test_failure_inside_still_frees_and_tidies(repo: GitRepo, pool: AbsPath) -> None:
    with pytest.raises(ZeroDivisionError), open_working_copy(repo, pool, tree_of(repo), head_commit(repo)) as copy:
        write(Path(copy.root), "left", "x")
        raise ZeroDivisionError
    assert files(copy.root) == CLEAN
    assert not is_locked(AbsPath(copy.root + ".lock"))


@pytest.mark.fault
def test_slot_of_a_killed_process_is_put_in_order(repo: GitRepo, pool: AbsPath) -> None:
    head = head_commit(repo)
    program = (
        "import os, sys, signal\n"
        "from offbranch.base.records import replace\n"
        "from offbranch.git.repository import find_repo\n"
        "from offbranch.git.worktree import open_working_copy\n"
        "root, pool, tree, head, plain = sys.argv[1:]\n"
        "repo = replace(find_repo(root, os.environ), plain_refs=plain == 'True')\n"
        "with open_working_copy(repo, pool, tree, head) as copy:\n"
        "    open(copy.root + '/left', 'w').close()\n"
        "    open(copy.root + '/b', 'w').close()\n"
        "    open(copy.repo.git_dir + '/index.lock', 'w').close()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    argv = [sys.executable, "-c", program, repo.root, pool, tree_of(repo), head, str(repo.plain_refs)]
    done = subprocess.run(argv, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    slot = os.path.join(pool, "slot-1")
    assert os.path.exists(os.path.join(slot, "left"))
    with open_working_copy(repo, pool, tree_of(repo), head) as copy:
        assert copy.root == slot
        assert files(slot) == CLEAN


@pytest.mark.parametrize("damage", ["index", "git_dir", "git_file", "head", "files", "all"])
def test_damaged_slot_is_made_anew(repo: GitRepo, pool: AbsPath, damage: str) -> None:
    with open_working_copy(repo, pool, tree_of(repo), head_commit(repo)) as copy:
        pass
    git_dir = Path(copy.repo.git_dir)
    if damage == "index":
        (git_dir / "index").write_bytes(b"rubbish")
    elif damage == "git_dir":
        shutil.rmtree(git_dir)
    elif damage == "git_file":
        write(Path(copy.root), ".git", "gitdir: /nowhere\n")
    elif damage == "head":
        (git_dir / "HEAD").write_text("rubbish")
    elif damage == "files":
        shutil.rmtree(copy.root)
    else:
        shutil.rmtree(pool)
    with open_working_copy(repo, pool, tree_of(repo), head_commit(repo)) as again:
        assert files(again.root) == CLEAN
        assert head_commit(again.repo) == head_commit(repo)
        assert run(Path(again.root), "status", "--short") == ""
    assert len(run(Path(repo.root), "worktree", "list").splitlines()) == 2


def test_repository_that_was_moved(repo: GitRepo, pool: AbsPath, tmp_path: Path) -> None:
    with open_working_copy(repo, pool, tree_of(repo), head_commit(repo)):
        pass
    Path(repo.root).rename(tmp_path / "moved")
    moved = replace(opened(tmp_path / "moved"), plain_refs=repo.plain_refs)
    new_pool = AbsPath(str(tmp_path / "moved" / "pool"))
    with open_working_copy(moved, new_pool, tree_of(moved), head_commit(moved)) as copy:
        assert files(copy.root) == CLEAN
        assert copy.repo.common_dir == str(tmp_path / "moved" / ".git")
    assert len(run(tmp_path / "moved", "worktree", "list").splitlines()) == 2


def test_sparse_checkout_of_the_user_does_not_reach_here(repo: GitRepo, pool: AbsPath) -> None:
    run(Path(repo.root), "sparse-checkout", "set", "--cone", "nowhere")
    with open_working_copy(repo, pool, tree_of(repo), head_commit(repo)) as copy:
        assert files(copy.root) == CLEAN


def test_from_a_linked_work_tree_of_the_user(repo: GitRepo, tmp_path: Path) -> None:
    run(Path(repo.root), "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    linked = replace(opened(tmp_path / "linked"), plain_refs=repo.plain_refs)
    pools = (AbsPath(str(tmp_path / "linked" / "pool")), AbsPath(os.path.join(repo.root, "pool")))
    with (
        open_working_copy(linked, pools[0], tree_of(linked), head_commit(linked)) as one,
        open_working_copy(repo, pools[1], tree_of(repo), head_commit(repo)) as two,
    ):
        assert files(one.root) == files(two.root) == CLEAN
        assert one.repo.git_dir != two.repo.git_dir
    assert run(tmp_path / "linked", "status", "--short") == ""


def test_tree_that_does_not_exist(repo: GitRepo, pool: AbsPath) -> None:
    with (
        pytest.raises(GitError, match="read-tree"),
        open_working_copy(repo, pool, TreeId("1" * 40), head_commit(repo)),
    ):
        raise AssertionError("it cannot open")
    with open_working_copy(repo, pool, tree_of(repo), head_commit(repo)) as copy:
        assert files(copy.root) == CLEAN


def test_sha256_and_filters(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "repo", "--object-format=sha256")
    write(path, ".gitattributes", "*.txt text eol=crlf\n")
    write(path, "a.txt", "a\n")
    commit_all(path)
    repo = opened(path)
    with open_working_copy(repo, AbsPath(str(tmp_path / "pool")), tree_of(repo), head_commit(repo)) as copy:
        assert (Path(copy.root) / "a.txt").read_bytes() == b"a\r\n"
        assert snapshot_tree(copy.repo) == tree_of(repo)
