import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_repos import commit_all, files_of, gp, make_repo, opened, run, state_of_user, write
from offbranch.base.errors import ConflictError, GitError
from offbranch.git.checkout import TreeCheckout, apply_tree_checkout, plan_tree_checkout
from offbranch.git.objects import ObjectName, TreeChange, TreeId, write_blob
from offbranch.git.snapshot import snapshot_tree


def tree_of(path: Path, revision: str = "HEAD") -> TreeId:
    return TreeId(run(path, "rev-parse", revision + "^{tree}"))


def branch_with(path: Path, files: dict[str, bytes | None]) -> TreeId:
    """Makes a tree from the present one (None removes), and puts the work tree back."""
    for name, content in files.items():
        where = path / name
        if content is None or where.is_dir():
            shutil.rmtree(where) if where.is_dir() and not where.is_symlink() else where.unlink()
    for name, content in files.items():
        if content is not None:
            write(path, name, content)
    commit_all(path)
    tree = tree_of(path)
    run(path, "reset", "--quiet", "--hard", "HEAD~1")
    run(path, "clean", "-ffdxq")
    return tree


def on_disk(path: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(path)): os.fsencode(os.readlink(p)) if p.is_symlink() else p.read_bytes()
        for p in path.rglob("*")
        if ".git" not in p.relative_to(path).parts and (p.is_symlink() or p.is_file())
    }


def go(path: Path, to: TreeId, *, overwrite: bool = False) -> TreeCheckout:
    """Goes from the workspace as it is to a tree; the user's index and HEAD must not notice."""
    repo = opened(path)
    before = state_of_user(path)
    plan = plan_tree_checkout(repo, snapshot_tree(repo), to)
    apply_tree_checkout(repo, plan, overwrite=overwrite)
    assert state_of_user(path) == before
    return plan


def test_only_what_differs_is_written(any_hash_repo: Path) -> None:
    write(any_hash_repo, "same", "1")
    write(any_hash_repo, "changed", "1")
    write(any_hash_repo, "gone/deep/x", "1")
    commit_all(any_hash_repo)
    tree = branch_with(any_hash_repo, {"changed": b"2", "gone": None, "new/deep/y": b"3"})
    inode = (any_hash_repo / "same").stat().st_ino
    write(any_hash_repo, "untracked", "u")
    plan = go(any_hash_repo, tree)
    assert [(c.path, c.status) for c in plan.changes] == [("changed", "M"), ("gone/deep/x", "D"), ("new/deep/y", "A")]
    assert on_disk(any_hash_repo) == {
        "README": b"hello\n",
        "same": b"1",
        "changed": b"2",
        "new/deep/y": b"3",
        "untracked": b"u",
    }
    assert not (any_hash_repo / "gone").exists()
    assert (any_hash_repo / "same").stat().st_ino == inode
    assert go(any_hash_repo, tree).changes == ()  # the new file is untracked still, but it is there
    assert run(any_hash_repo, "diff", "--cached") == ""


def test_changes_of_the_user_are_part_of_what_we_come_from(git_repo: Path) -> None:
    tree = tree_of(git_repo)
    write(git_repo, "README", "edited")
    assert [c.path for c in go(git_repo, tree).changes] == ["README"]
    assert on_disk(git_repo) == {"README": b"hello\n"}


def test_modes_links_and_kinds(git_repo: Path) -> None:
    for name in ("script", "to_link", "to_dir"):
        write(git_repo, name, "x")
    write(git_repo, "dir/a", "x")
    (git_repo / "link_to_dir").symlink_to("dir")
    commit_all(git_repo)
    start = tree_of(git_repo)
    (git_repo / "script").chmod(0o755)
    (git_repo / "to_link").unlink()
    (git_repo / "to_link").symlink_to("README")
    (git_repo / "to_dir").unlink()
    write(git_repo, "to_dir/inside/f", "f")
    shutil.rmtree(git_repo / "dir")
    write(git_repo, "dir", "now a file")
    (git_repo / "link_to_dir").unlink()
    write(git_repo, "link_to_dir/f", "f")
    commit_all(git_repo)
    there, end = on_disk(git_repo), tree_of(git_repo)
    run(git_repo, "reset", "--quiet", "--hard", "HEAD~1")
    here = on_disk(git_repo)
    repo = opened(git_repo)
    apply_tree_checkout(repo, plan_tree_checkout(repo, start, end))
    assert on_disk(git_repo) == there
    assert os.access(git_repo / "script", os.X_OK)
    apply_tree_checkout(repo, plan_tree_checkout(repo, end, start))
    assert on_disk(git_repo) == here
    assert not os.access(git_repo / "script", os.X_OK)


def test_untracked_file_in_the_way_blocks_unless_it_is_equal(git_repo: Path) -> None:
    tree = branch_with(git_repo, {"one": b"new", "two": b"new", "dir/three": b"new"})
    for name, content in (("one", "mine"), ("two", "new"), ("dir", "mine too")):
        write(git_repo, name, content)
    before = on_disk(git_repo)
    repo = opened(git_repo)
    plan = plan_tree_checkout(repo, snapshot_tree(repo), tree)
    assert plan.blocked == ("dir/three", "one")
    with pytest.raises(ConflictError, match=r"^cannot write 'dir/three' and 1 more: something Git does not track"):
        apply_tree_checkout(repo, plan)
    with pytest.raises(ConflictError, match=r"^cannot write 'dir/three':"):
        apply_tree_checkout(repo, plan, overwrite=True)
    assert on_disk(git_repo) == before
    (git_repo / "dir").unlink()
    go(git_repo, tree, overwrite=True)
    assert on_disk(git_repo) == {"README": b"hello\n", "one": b"new", "two": b"new", "dir/three": b"new"}


def test_untracked_directory_in_the_way_is_never_removed(git_repo: Path) -> None:
    write(git_repo, "data/tracked", "x")
    commit_all(git_repo)
    tree = branch_with(git_repo, {"data": b"file"})
    write(git_repo, "data/precious", "p")
    repo = opened(git_repo)
    plan = plan_tree_checkout(repo, snapshot_tree(repo), tree)
    assert plan.blocked == ("data",)
    with pytest.raises(ConflictError):
        apply_tree_checkout(repo, plan, overwrite=True)
    assert on_disk(git_repo)["data/precious"] == b"p"


def test_empty_directory_is_not_in_the_way(git_repo: Path) -> None:
    tree = branch_with(git_repo, {"out": b"file"})
    (git_repo / "out" / "empty").mkdir(parents=True)
    go(git_repo, tree)
    assert on_disk(git_repo)["out"] == b"file"


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_is_written_or_removed_through_a_link(git_repo: Path, tmp_path: Path, overwrite: bool) -> None:
    write(git_repo, "dir/old", "x")
    commit_all(git_repo)
    tree = branch_with(git_repo, {"dir/new": b"new", "dir/old": None})
    outside = write(tmp_path / "outside", "old", "kept").parent
    shutil.rmtree(git_repo / "dir")
    (git_repo / "dir").symlink_to(outside)
    repo = opened(git_repo)
    for start in (snapshot_tree(repo), tree_of(git_repo)):
        plan = plan_tree_checkout(repo, start, tree)
        assert plan.blocked == ("dir/new",)
        with pytest.raises(ConflictError):
            apply_tree_checkout(repo, plan, overwrite=overwrite)
    assert on_disk(outside) == {"old": b"kept"}
    only_removal = plan_tree_checkout(repo, tree_of(git_repo), branch_less(git_repo))
    apply_tree_checkout(repo, only_removal)
    assert on_disk(outside) == {"old": b"kept"}


def branch_less(path: Path) -> TreeId:
    """The tree of the first commit."""
    return tree_of(path, "HEAD~1")


@pytest.mark.parametrize("path", ["../escaped", ".git/hooks/evil", "dir/../../escaped"])
def test_tree_of_an_enemy_writes_nothing(git_repo: Path, path: str) -> None:
    repo = opened(git_repo)
    evil = TreeChange(
        path=gp(path)[0],
        status="A",
        old_mode=0,
        new_mode=0o100755,
        old_id=repo.null_id,
        new_id=ObjectName(write_blob(repo, b"evil")),
    )
    gone = TreeChange(
        path=gp("README")[0], status="D", old_mode=0o100644, new_mode=0, old_id=repo.null_id, new_id=repo.null_id
    )
    plan = TreeCheckout(changes=(evil, gone), blocked=(), submodules=())
    with pytest.raises(GitError, match="allows no such path"):
        apply_tree_checkout(repo, plan)
    assert (git_repo / "README").exists()
    assert not (git_repo.parent / "escaped").exists()


def test_filters_and_attributes_of_the_tree_apply(git_repo: Path) -> None:
    program = write(git_repo.parent, "smudge.py", "import sys; print(sys.stdin.read()[::-1], end='')")
    run(git_repo, "config", "filter.turn.smudge", f"{sys.executable} {program}")
    run(git_repo, "config", "filter.turn.clean", f"{sys.executable} {program}")
    write(git_repo, "sub/early.dat", "none")
    commit_all(git_repo)
    new = {".gitattributes": b"*.dat filter=turn\n*.txt text eol=crlf\n", "sub/early.dat": b"abc", "x.txt": b"a\nb\n"}
    tree = branch_with(git_repo, new)
    assert files_of(opened(git_repo), tree)["sub/early.dat"] == b"cba"
    go(git_repo, tree)
    assert on_disk(git_repo)["sub/early.dat"] == b"abc"
    assert on_disk(git_repo)["x.txt"] == b"a\r\nb\r\n"
    # Equal after filters, so it is in nobody's way.
    repo = opened(git_repo)
    assert plan_tree_checkout(repo, snapshot_tree(repo), tree).blocked == ()


def test_submodules_are_left_alone(git_repo: Path, tmp_path: Path) -> None:
    make_repo(tmp_path / "library")
    run(git_repo, "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    commit_all(git_repo)
    with_library = tree_of(git_repo)
    commit_all(git_repo / "lib")
    repo = opened(git_repo)
    plan = plan_tree_checkout(repo, snapshot_tree(repo), with_library)
    assert (plan.changes, plan.blocked, plan.submodules) == ((), (), ("lib",))
    apply_tree_checkout(repo, plan)


def test_sparse_checkout_gets_the_changed_files(git_repo: Path) -> None:
    write(git_repo, "out/a", "1")
    write(git_repo, "out/b", "1")
    commit_all(git_repo)
    tree = branch_with(git_repo, {"out/a": b"2"})
    run(git_repo, "sparse-checkout", "set", "--cone", "in")
    go(git_repo, tree)
    assert on_disk(git_repo) == {"README": b"hello\n", "out/a": b"2"}


NAMES = st.sampled_from(["a", "b", "d", "d/a", "d/b", "d/e/f", "x y", "new\nline", os.fsdecode(b"\xff")])
FILES = st.dictionaries(NAMES, st.sampled_from([b"", b"1", b"2\n"])).map(
    lambda files: {n: c for n, c in files.items() if not any(o.startswith(n + "/") for o in files)}
)


@settings(max_examples=25, deadline=None)
@given(before=FILES, after=FILES)
def test_there_and_back(
    before: dict[str, bytes], after: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = make_repo(tmp_path_factory.mktemp("r") / "repo")
    a, b = branch_with(path, {**before, "README": None}), branch_with(path, {**after, "README": None})
    repo = opened(path)
    start = tree_of(path)
    for here, there, expected in (
        (start, a, before),
        (a, b, after),
        (b, a, before),
        (a, start, {"README": b"hello\n"}),
    ):
        plan = plan_tree_checkout(repo, here, there)
        assert plan.blocked == ()
        apply_tree_checkout(repo, plan)
        assert on_disk(path) == expected
        assert plan_tree_checkout(repo, there, there).changes == ()
