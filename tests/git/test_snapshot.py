import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_repos import commit_all, files_of, gp, make_repo, opened, run, state_of_user, write
from offbranch.base.errors import GitError
from offbranch.git.snapshot import files_to_add, snapshot_tree


def snapshot(path: Path, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Takes a snapshot, checks that nothing of the user's changed, and returns its files."""
    before = state_of_user(path)
    repo = opened(path)
    tree = snapshot_tree(repo, include=gp(*include), exclude=gp(*exclude))
    assert state_of_user(path) == before
    return files_of(repo, tree)


def test_changed_deleted_staged_and_untracked(any_hash_repo: Path) -> None:
    for name in ("changed", "deleted", "unstaged_deletion", "same"):
        write(any_hash_repo, name, "old")
    commit_all(any_hash_repo)
    write(any_hash_repo, "changed", "new")
    (any_hash_repo / "deleted").unlink()
    run(any_hash_repo, "rm", "--quiet", "--cached", "unstaged_deletion")
    write(any_hash_repo, "staged", "first")
    run(any_hash_repo, "add", "staged")
    write(any_hash_repo, "staged", "then changed")
    write(any_hash_repo, "untracked", "x")
    expected = {"README": b"hello\n", "changed": b"new", "same": b"old", "staged": b"then changed"}
    assert snapshot(any_hash_repo) == expected


def test_nothing_changed_gives_the_tree_of_head(git_repo: Path) -> None:
    assert snapshot_tree(opened(git_repo)) == run(git_repo, "rev-parse", "HEAD^{tree}")


def test_change_in_the_moment_after_staging_is_seen(git_repo: Path) -> None:
    # The file keeps its size and its time stamp, and the index is as old as the file: only the content tells.
    run(git_repo, "config", "core.trustctime", "false")
    path = write(git_repo, "racy", "aaaa")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    run(git_repo, "add", "racy")
    with open(path, "r+") as file:
        file.write("bbbb")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    os.utime(git_repo / ".git" / "index", (1_000_000_000, 1_000_000_000))
    assert snapshot(git_repo)["racy"] == b"bbbb"


def test_index_whose_time_stamps_are_stale_is_not_refreshed(git_repo: Path) -> None:
    os.utime(git_repo / "README", (1, 1))
    assert snapshot(git_repo) == {"README": b"hello\n"}


def test_included_files_and_directories_even_ignored_ones(git_repo: Path) -> None:
    write(git_repo, ".gitignore", "*.log\n/out/\n")
    commit_all(git_repo)
    for name in ("a.log", "out/x", "out/deep/y.log", "other"):
        write(git_repo, name, name)
    (git_repo / "out" / "link").symlink_to("/etc")
    os.mkfifo(git_repo / "out" / "pipe")
    found = snapshot(git_repo, include=("a.log", "out", "missing", "missing/too", "README", "README/x"))
    assert found.keys() == {".gitignore", "README", "a.log", "out/x", "out/deep/y.log", "out/link"}
    assert found["out/link"] == b"/etc"
    assert snapshot(git_repo, include=("out",), exclude=("out/deep", "out/link")).keys() == {
        ".gitignore",
        "README",
        "out/x",
    }
    assert "other" in snapshot(git_repo, include=("",))


def test_excluded_files_and_directories_leave_the_tree(git_repo: Path) -> None:
    for name in ("tmp/repro.dat", "tmp/keep", "dir/a", "dir/b/c", "dirx"):
        write(git_repo, name, name)
    commit_all(git_repo)
    assert snapshot(git_repo, exclude=("tmp/repro.dat", "dir", "missing")).keys() == {"README", "tmp/keep", "dirx"}


def test_file_that_became_a_directory_and_the_reverse(git_repo: Path) -> None:
    write(git_repo, "file", "x")
    write(git_repo, "dir/x", "x")
    commit_all(git_repo)
    (git_repo / "file").unlink()
    write(git_repo, "file/inside", "y")
    shutil.rmtree(git_repo / "dir")
    write(git_repo, "dir", "z")
    assert snapshot(git_repo) == {"README": b"hello\n"}
    assert snapshot(git_repo, include=("file", "dir")) == {"README": b"hello\n", "file/inside": b"y", "dir": b"z"}


def test_nothing_is_taken_from_beyond_a_symbolic_link(git_repo: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside", "secret", "s")
    write(git_repo, "dir/secret", "mine")
    commit_all(git_repo)
    shutil.rmtree(git_repo / "dir")
    (git_repo / "dir").symlink_to(tmp_path / "outside")
    assert snapshot(git_repo, include=("dir/secret",)) == {"README": b"hello\n"}
    assert snapshot(git_repo, include=("dir",))["dir"] == os.fsencode(tmp_path / "outside")


def test_nothing_is_taken_from_submodules_and_other_repositories(git_repo: Path, tmp_path: Path) -> None:
    make_repo(tmp_path / "library")
    for name in ("lib", "absent"):
        run(git_repo, "submodule", "--quiet", "add", str(tmp_path / "library"), name)
    commit_all(git_repo)
    run(git_repo, "submodule", "--quiet", "deinit", "--force", "absent")
    write(git_repo, "lib/new", "x")
    write(git_repo, "absent/new", "x")
    make_repo(git_repo / "nested")
    (git_repo / "empty").mkdir()
    run(git_repo / "empty", "init", "--quiet")
    found = snapshot(
        git_repo, include=("lib", "lib/new", "absent", "absent/new", "nested/README", "empty", ".git/HEAD")
    )
    assert found.keys() == {"README", ".gitmodules", "lib", "absent"}
    assert found["lib"].decode() == run(tmp_path / "library", "rev-parse", "HEAD")
    assert files_to_add(opened(git_repo), gp("nested", "")) == gp(".gitmodules", "README")


def test_odd_file_names(any_hash_repo: Path) -> None:
    names = ["a b", "ä/ö", 'quo"te', "new\nline", "*?[x]", "-rf", ":(top)x", os.fsdecode(b"in\xffvalid"), "back\\slash"]
    for name in names[:5]:
        write(any_hash_repo, name, "old")
    commit_all(any_hash_repo)
    for name in names:
        write(any_hash_repo, name, "new")
    found = snapshot(any_hash_repo, include=tuple(names), exclude=("README", "*"))
    assert found == dict.fromkeys(names, b"new")


def test_without_an_index_file(git_repo: Path) -> None:
    write(git_repo, "README", "changed\n")
    write(git_repo, "untracked", "x")
    (git_repo / ".git" / "index").unlink()
    assert snapshot(git_repo) == {"README": b"changed\n"}


def test_before_the_first_commit(tmp_path: Path) -> None:
    run(tmp_path, "init", "--quiet", "new")
    assert snapshot(tmp_path / "new") == {}
    write(tmp_path / "new", "a", "1")
    run(tmp_path / "new", "add", "a")
    assert snapshot(tmp_path / "new") == {"a": b"1"}


def test_split_index(git_repo: Path) -> None:
    run(git_repo, "config", "core.splitIndex", "true")
    for n in range(20):
        write(git_repo, f"f{n}", "old")
    commit_all(git_repo)
    write(git_repo, "f3", "new")
    write(git_repo, "staged", "s")
    run(git_repo, "add", "staged")
    assert list((git_repo / ".git").glob("sharedindex.*"))
    found = snapshot(git_repo)
    assert (len(found), found["f3"], found["staged"]) == (22, b"new", b"s")


@pytest.mark.parametrize("sparse_index", ["--sparse-index", "--no-sparse-index"])
def test_sparse_checkout(git_repo: Path, sparse_index: str) -> None:
    for name in ("in/a", "out/b", "out/deep/c"):
        write(git_repo, name, "old")
    commit_all(git_repo)
    run(git_repo, "sparse-checkout", "set", "--cone", sparse_index, "in")
    assert not (git_repo / "out").exists()
    write(git_repo, "in/a", "new")
    expected = {"README": b"hello\n", "in/a": b"new", "out/b": b"old", "out/deep/c": b"old"}
    assert snapshot(git_repo) == expected
    write(git_repo, "out/extra", "x")
    assert snapshot(git_repo, include=("out/extra",)) == {**expected, "out/extra": b"x"}
    assert snapshot(git_repo, exclude=("out",)) == {"README": b"hello\n", "in/a": b"new"}


def test_intent_to_add_counts_as_staged(git_repo: Path) -> None:
    write(git_repo, "meant", "x")
    run(git_repo, "add", "--intent-to-add", "meant")
    assert snapshot(git_repo)["meant"] == b"x"
    (git_repo / "meant").unlink()
    assert "meant" not in snapshot(git_repo)


def test_merge_in_progress_takes_what_is_on_disk(git_repo: Path) -> None:
    write(git_repo, "both", "base\n")
    write(git_repo, "gone", "base\n")
    commit_all(git_repo)
    run(git_repo, "checkout", "--quiet", "-b", "side")
    write(git_repo, "both", "side\n")
    write(git_repo, "gone", "side\n")
    commit_all(git_repo)
    run(git_repo, "checkout", "--quiet", "main")
    write(git_repo, "both", "main\n")
    (git_repo / "gone").unlink()
    commit_all(git_repo)
    with pytest.raises(AssertionError):
        run(git_repo, "merge", "side")
    assert run(git_repo, "ls-files", "--unmerged")
    (git_repo / "gone").unlink()
    found = snapshot(git_repo)
    assert found.keys() == {"README", "both"}
    assert found["both"].startswith(b"<<<<<<<")


@pytest.fixture
def filtered(git_repo: Path) -> Path:
    """A repository whose *.big files are stored as a pointer, as git-lfs does."""
    program = "import sys; data = sys.stdin.buffer.read(); sys.stdout.write(f'pointer {len(data)}')"
    write(git_repo.parent, "clean.py", program)
    run(git_repo, "config", "filter.pointer.clean", f"{sys.executable} {git_repo.parent}/clean.py")
    run(git_repo, "config", "filter.pointer.smudge", "cat")
    write(git_repo, ".gitattributes", "*.big filter=pointer\n*.txt text\n")
    commit_all(git_repo)
    return git_repo


def test_clean_filters_apply(filtered: Path) -> None:
    write(filtered, "tracked.big", "x" * 100)
    commit_all(filtered)
    write(filtered, "tracked.big", "x" * 2000)
    write(filtered, "new.big", "x" * 30)
    found = snapshot(filtered, include=("new.big",))
    assert (found["tracked.big"], found["new.big"]) == (b"pointer 2000", b"pointer 30")


def test_required_filter_that_fails_fails_the_snapshot(filtered: Path) -> None:
    run(filtered, "config", "filter.pointer.clean", "false")
    run(filtered, "config", "filter.pointer.required", "true")
    write(filtered, "new.big", "x")
    with pytest.raises(GitError, match=r"clean filter 'pointer' failed"):
        snapshot_tree(opened(filtered), include=gp("new.big"))
    assert os.listdir(filtered / ".git" / "offbranch") == []


@pytest.mark.parametrize("safe", ["false", "true"])
def test_line_endings_are_normalised(filtered: Path, safe: str) -> None:
    run(filtered, "config", "core.autocrlf", "input")
    run(filtered, "config", "core.safecrlf", safe)
    write(filtered, "new.txt", "a\r\nb\r\n")
    write(filtered, "README", "changed\r\n")
    found = snapshot(filtered, include=("new.txt",))
    assert (found["new.txt"], found["README"]) == (b"a\nb\n", b"changed\n")


def test_linked_work_tree_has_its_own_index(git_repo: Path, tmp_path: Path) -> None:
    run(git_repo, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    write(tmp_path / "linked", "staged", "x")
    run(tmp_path / "linked", "add", "staged")
    write(tmp_path / "linked", "README", "there\n")
    assert snapshot(tmp_path / "linked") == {"README": b"there\n", "staged": b"x"}
    assert snapshot(git_repo) == {"README": b"hello\n"}


def test_stash_and_lock_of_the_user_do_not_matter(git_repo: Path) -> None:
    write(git_repo, "README", "stashed\n")
    run(git_repo, "stash")
    write(git_repo, ".git/index.lock", b"")
    write(git_repo, "README", "now\n")
    assert snapshot(git_repo) == {"README": b"now\n"}
    assert run(git_repo, "show", "stash@{0}:README") == "stashed"


def test_submodule_with_a_new_commit(git_repo: Path, tmp_path: Path) -> None:
    make_repo(tmp_path / "library")
    run(git_repo, "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    commit_all(git_repo)
    moved = commit_all(git_repo / "lib")
    assert snapshot(git_repo)["lib"].decode() == moved


def test_index_of_a_killed_command_is_swept(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = write(git_repo, ".git/offbranch/index-1-aa", b"")
    snapshot_tree(opened(git_repo))
    assert old.exists()
    now = old.stat().st_ctime
    monkeypatch.setattr("offbranch.git.index.time.time", lambda: now + 2 * 24 * 3600)
    snapshot_tree(opened(git_repo))
    assert not old.exists()


NAMES = ["a", "b", "d/a", "d/e/f", "x y", "é.log"]
EDITS = st.lists(
    st.tuples(st.sampled_from(["write", "delete", "stage", "unstage", "intend"]), st.sampled_from(NAMES)), max_size=8
)


@settings(max_examples=25, deadline=None)
@given(committed=st.sets(st.sampled_from(NAMES)), edits=EDITS)
def test_random_edits_and_stagings(
    committed: set[str], edits: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = make_repo(tmp_path_factory.mktemp("r") / "repo")
    write(path, ".git/info/exclude", "*.log\n")
    for name in sorted(committed):
        write(path, name, "committed")
    run(path, "add", "--force", "--all")
    run(path, "commit", "--quiet", "--allow-empty", "-m", "base")
    for number, (edit, name) in enumerate(edits):
        if edit == "write":
            write(path, name, f"{number:09}")
        elif edit == "delete":
            (path / name).unlink(missing_ok=True)
        elif edit == "unstage":
            run(path, "rm", "--quiet", "--cached", "--force", "--ignore-unmatch", "--", name)
        elif (path / name).exists():
            run(path, "add", "--force", *(["--intent-to-add"] if edit == "intend" else []), "--", name)
    # What is wanted, said with Git's own words on a copy: every tracked path that exists, with its content on disk.
    tracked = [n for n in run(path, "ls-files", "-z").split("\0") if n]
    expected = {name: (path / name).read_bytes() for name in tracked if (path / name).exists()}
    assert snapshot(path) == expected
    copy = shutil.copytree(path, path.parent / "copy", symlinks=True)
    run(copy, "add", "-u")
    assert run(copy, "write-tree") == snapshot_tree(opened(path))
    everything = {n: (path / n).read_bytes() for n in NAMES if (path / n).exists()}
    assert snapshot(path, include=tuple(NAMES)) == {**expected, **everything}
