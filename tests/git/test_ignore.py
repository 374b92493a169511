import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_repos import commit_all, gp, make_repo, opened, run, write
from offbranch.git.ignore import (
    entry_line,
    ignored_paths,
    remove_ignore_entries,
    stage_files,
    tracked_paths,
    untracked_files,
    with_entry,
    without_entry,
    write_ignore_entries,
)


def test_ignored_by_any_rule(git_repo: Path) -> None:
    write(git_repo, ".gitignore", "*.log\n/out/\n!keep.log\n")
    write(git_repo, "sub/.gitignore", "/model\n")
    write(git_repo, ".git/info/exclude", "secret\n")
    write(git_repo, "tracked.log", "x")
    run(git_repo, "add", "--force", "tracked.log")
    (git_repo / "out").mkdir()
    asked = ("a.log", "keep.log", "out", "out/x", "sub/model", "model", "sub/secret", "tracked.log", "new\n.log", "")
    assert ignored_paths(opened(git_repo), gp(*asked)) == {
        "a.log",
        "out",
        "out/x",
        "sub/model",
        "sub/secret",
        "tracked.log",
        "new\n.log",
    }
    (git_repo / "out").rmdir()
    assert ignored_paths(opened(git_repo), gp("out", "out/")) == {"out/"}
    assert ignored_paths(opened(git_repo), ()) == frozenset()
    assert ignored_paths(opened(git_repo), gp("README")) == frozenset()


def test_paths_beyond_links_and_in_other_repositories_do_not_stop_the_rest(git_repo: Path, tmp_path: Path) -> None:
    make_repo(tmp_path / "library")
    run(git_repo, "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    (git_repo / "link").symlink_to("/etc")
    write(git_repo, ".gitignore", "*\n")
    asked = gp("link/x", "lib/x", "link", "a", "README/x")
    assert ignored_paths(opened(git_repo), asked) == {"link", "a"}
    assert tracked_paths(opened(git_repo), gp("link/x", "lib", "lib/README", "README")) == {"lib", "README"}


def test_entries_are_written_beside_what_they_ignore(git_repo: Path) -> None:
    repo = opened(git_repo)
    write(git_repo, ".gitignore", b"# \xff")
    assert write_ignore_entries(repo, gp("model", "new/dir/out", "model")) == (".gitignore", "new/dir/.gitignore")
    assert (git_repo / ".gitignore").read_bytes() == b"# \xff\n/model\n"
    assert (git_repo / "new/dir/.gitignore").read_bytes() == b"/out\n"
    assert write_ignore_entries(repo, gp("model", "new/dir/out")) == ()


def test_untracked_and_staged(git_repo: Path) -> None:
    repo = opened(git_repo)
    write(git_repo, ".gitignore", "*.log\n")
    for name in ("a.log", "*", "dir/b", "new\nline"):
        write(git_repo, name, "x")
    make_repo(git_repo / "nested")
    assert set(untracked_files(repo, ())) == {".gitignore", "*", "dir/b", "new\nline"}
    assert untracked_files(repo, gp("dir", "*")) == ("*", "dir/b")
    stage_files(repo, gp("*", "dir/b"))
    assert run(git_repo, "diff", "--cached", "--name-only", "-z").split("\0") == ["*", "dir/b", ""]


@pytest.mark.parametrize("n_more", [0, 100])
def test_tracked_files_and_directories(git_repo: Path, n_more: int) -> None:
    for name in ("dir/a", "dir/deep/b", "*", "ä b", "new\nline"):
        write(git_repo, name, name)
    commit_all(git_repo)
    write(git_repo, "staged", "x")
    write(git_repo, "untracked", "x")
    run(git_repo, "add", "staged")
    (git_repo / "dir/a").unlink()
    known = ("dir", "dir/a", "dir/deep", "*", "ä b", "new\nline", "staged", "")
    asked = (*known, "untracked", "di", "dir/", "d*", "none", *(f"none{n}" for n in range(n_more)))
    assert tracked_paths(opened(git_repo), gp(*asked)) == set(known)
    assert tracked_paths(opened(git_repo), ()) == frozenset()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a[1].txt", "/a\\[1\\].txt"),
        ("b*c", "/b\\*c"),
        ("d?e", "/d\\?e"),
        ("f!g", "/f\\!g"),
        ("#h", "/\\#h"),
        ("back\\s", "/back\\\\s"),
        ("x y", "/x y"),
        ("end  ", "/end\\ \\ "),
    ],
)
def test_line_for_a_name(name: str, line: str) -> None:
    assert entry_line(name) == line


def test_entry_is_added_once_and_taken_away_alone() -> None:
    assert with_entry("", "a") == "/a\n"
    assert with_entry("# mine", "a") == "# mine\n/a\n"
    assert with_entry("x\r\n", "a") == "x\r\n/a\r\n"
    assert with_entry("/a\n/b\n", "a") == "/a\n/b\n"
    assert without_entry("# mine\r\n/a\r\n\r\n/ab\n/a", "a") == "# mine\r\n\r\n/ab\n"
    assert without_entry("/x y \n", "x y ") == ""


def test_removing_entries(git_repo: Path) -> None:
    repo = opened(git_repo)
    write(git_repo, ".gitignore", "# mine\n/a\n/b\n")
    write(git_repo, "sub/.gitignore", "/x\n")
    assert remove_ignore_entries(repo, gp("a", "sub/x", "sub/nothing", "none/y")) == (".gitignore", "sub/.gitignore")
    assert (git_repo / ".gitignore").read_text() == "# mine\n/b\n"
    assert not (git_repo / "sub/.gitignore").exists()
    assert remove_ignore_entries(repo, gp("a")) == ()


# Git ends a rule at a line break, and its names cannot hold NUL or `/`.
NAMES = st.text(st.sampled_from(":ab*?[]!#\\ é.-^{}$~'\""), min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..", ".git")
)


def told_by_git(root: Path, paths: Sequence[str]) -> set[str]:
    lines = "".join(f"./{path}\0" for path in paths).encode()
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"], cwd=root, input=lines, capture_output=True
    )
    return {path.removeprefix("./") for path in done.stdout.decode().split("\0") if path}


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("/out\n", True),
        ("/out\r\n/b\r\n", True),
        ("# !\n/out", True),
        ("/out\n!out\n", False),
        ("!/out\n/out\n", False),
        ("\ufeff/out\n", False),
        ("/out \n", False),
        ("out\n", False),
        ("/out\x0c\n", False),
        ("/out/\n", False),
        ("", False),
    ],
)
def test_a_line_of_ours_is_told_without_a_process(
    git_repo: Path, text: str, is_plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(git_repo, ".gitignore", text)
    repo = opened(git_repo)
    assert ignored_paths(repo, gp("out")) == told_by_git(git_repo, ["out"])
    if is_plain:
        with monkeypatch.context() as patched:
            patched.setenv("PATH", "/nowhere")
            assert ignored_paths(repo, gp("out")) == {"out"}
    write(git_repo, "rules", text)
    (git_repo / ".gitignore").unlink()
    (git_repo / ".gitignore").symlink_to("rules")
    assert ignored_paths(repo, gp("out")) == told_by_git(git_repo, ["out"])


@settings(max_examples=10, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=12, unique=True), others=st.lists(NAMES, max_size=12))
def test_git_ignores_exactly_the_entries(
    names: list[str], others: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = make_repo(tmp_path_factory.mktemp("r") / "repo")
    text = ""
    for name in names:
        text = with_entry(text, name)
    write(path, ".gitignore", text)
    asked = gp(*names, *others, *(f"sub/{name}" for name in names))
    assert ignored_paths(opened(path), asked) == set(names) == told_by_git(path, asked)
    for name in names:
        text = without_entry(text, name)
    assert text == ""
