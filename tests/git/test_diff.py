"""Git's own diff between trees and the work tree: numbers, patches, and that nothing of the user's is touched."""

from pathlib import Path

import pytest

from git_repos import commit_all, gp, opened, run, state_of_user, write
from offbranch.git.diff import changed_files, ids_on_disk, open_comparison, patch_of, stat_of
from offbranch.git.objects import TreeId

ODD = ("with blank", "ünï", "line\nend", "tab\there", "*", ":colon", '"quoted"')


def tree_of(path: Path, revision: str = "HEAD") -> TreeId:
    return TreeId(run(path, "rev-parse", revision + "^{tree}"))


@pytest.fixture
def two(any_hash_repo: Path) -> Path:
    """A repository whose last commit changes, adds, removes and converts files."""
    repo = any_hash_repo
    for name in ("changed", "gone", "binary", "mode", "becomes-link", *ODD):
        write(repo, f"d/{name}", "one\0" if name == "binary" else "one\n")
    commit_all(repo)
    for name in ("changed", "new", "binary", *ODD):
        write(repo, f"d/{name}", "two\0" if name == "binary" else "two\n")
    (repo / "d/gone").unlink()
    (repo / "d/mode").chmod(0o755)
    (repo / "d/becomes-link").unlink()
    (repo / "d/becomes-link").symlink_to("changed")
    commit_all(repo)
    return repo


def described(path: Path, old: TreeId | None, new: TreeId | None) -> dict[str, tuple[object, ...]]:
    before = state_of_user(path)
    with open_comparison(opened(path), old, new) as compared:
        found = {c.path: (c.status, c.added, c.deleted) for c in changed_files(compared)}
    assert state_of_user(path) == before
    return found


WANTED = {
    **{f"d/{name}": ("M", 1, 1) for name in ("changed", *ODD)},
    "d/new": ("A", 1, 0),
    "d/gone": ("D", 0, 1),
    "d/binary": ("M", None, None),
    "d/mode": ("M", 0, 0),
    "d/becomes-link": ("T", 1, 1),
}


def test_two_trees(two: Path) -> None:
    assert described(two, tree_of(two, "HEAD~1"), tree_of(two)) == WANTED
    assert described(two, tree_of(two), tree_of(two)) == {}


def test_a_tree_and_the_work_tree_either_way(two: Path) -> None:
    old = tree_of(two, "HEAD~1")
    assert described(two, old, None) == WANTED
    back = described(two, None, old)
    assert back.keys() == WANTED.keys()
    assert back["d/new"] == ("D", 0, 1) and back["d/gone"] == ("A", 1, 0)
    with pytest.raises(ValueError, match="must be a tree"), open_comparison(opened(two), None, None):
        pass


def test_untracked_files_take_part_only_if_the_tree_has_them(two: Path) -> None:
    new = tree_of(two)
    run(two, "reset", "--quiet", "--mixed", "HEAD~1")
    write(two, "mine", "untracked\n")
    write(two, ".gitignore", "new\n")
    assert described(two, new, None) == {}
    write(two, "d/new", "three\n")
    assert described(two, new, None) == {"d/new": ("M", 1, 1)}
    (two / "d/new").unlink()
    write(two, "d/new/inside", "a directory now\n")
    assert described(two, new, None) == {"d/new": ("D", 0, 1)}


def test_patches_and_summaries(two: Path) -> None:
    run(two, "config", "diff.noprefix", "true")
    run(two, "config", "diff.external", "false")
    old, new = tree_of(two, "HEAD~1"), tree_of(two)
    with open_comparison(opened(two), old, new) as compared:
        patch = patch_of(compared, gp("d/changed", "d/*"))
        assert patch.count("diff --git") == 2, "paths are taken literally"
        assert "--- a/d/changed\n+++ b/d/changed\n@@ -1 +1 @@\n-one\n+two\n" in patch
        assert "\x1b[" in patch_of(compared, gp("d/changed"), color=True)
        assert "d/changed" in stat_of(compared)
        assert max(map(len, stat_of(compared, width=40).splitlines())) <= 60
    with open_comparison(opened(two), None, old) as compared:
        assert "--- a/d/changed\n+++ b/d/changed\n@@ -1 +1 @@\n-two\n+one\n" in patch_of(compared, gp("d/changed"))


def test_ids_on_disk_are_those_git_would_give(two: Path) -> None:
    run(two, "config", "core.autocrlf", "input")
    write(two, "d/changed", "two\r\n")
    repo = opened(two)
    known = dict(
        line.split("\t")[::-1] for line in run(two, "-c", "core.quotePath=off", "ls-tree", "-r", "HEAD").split("\n")
    )
    paths = gp("d/changed", "d/becomes-link", "d/ünï", "d/*")
    assert {path: str(id) for path, id in ids_on_disk(repo, paths).items()} == {
        path: known[path].split(" ")[2] for path in paths
    }
    assert ids_on_disk(repo, gp("d/line\nend")) == {}
