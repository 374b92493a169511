import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_repos import commit_all, opened, run
from offbranch.base.errors import ConflictError, GitError
from offbranch.git.objects import CommitId, ObjectName
from offbranch.git.refs import (
    ANY,
    NamesOfCommit,
    RefUpdate,
    all_branches,
    all_tags,
    commit_history,
    is_valid_ref,
    list_refs,
    may_have_refs,
    names_of_commits,
    resolve_revision,
    update_refs,
)
from offbranch.git.repository import GitRepo, head_commit


@pytest.fixture
def two(git_repo: Path) -> tuple[CommitId, CommitId]:
    first = run(git_repo, "rev-parse", "HEAD")
    return CommitId(first), CommitId(commit_all(git_repo, "second"))


def refs(repo: GitRepo, prefix: str = "refs/x") -> dict[str, ObjectName]:
    return dict(list_refs(repo, prefix))


def test_whether_there_may_be_a_ref_is_told_without_a_process(repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    def told(*names: str) -> list[bool]:
        return [may_have_refs(repo, name) for name in names]

    assert told("refs/x/", "refs/x/a") == [False, False]
    update_refs(repo, [RefUpdate(ref="refs/x/a", new=two[0], old=None)])
    assert told("refs/x/", "refs/x/a", "refs/x/b", "refs/y/") == [True, True, False, False]
    run(Path(repo.root), "pack-refs", "--all")
    assert told("refs/x/", "refs/x/a", "refs/x/b") == [True, True, False]


def test_create_update_delete_with_what_is_expected(repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    first, second = two
    update_refs(repo, [RefUpdate(ref="refs/x/a", new=first, old=None), RefUpdate(ref="refs/x/b", new=first, old=ANY)])
    assert refs(repo) == {"refs/x/a": first, "refs/x/b": first}
    update_refs(
        repo, [RefUpdate(ref="refs/x/a", new=second, old=first), RefUpdate(ref="refs/x/b", new=None, old=first)]
    )
    assert refs(repo) == {"refs/x/a": second}
    update_refs(repo, [RefUpdate(ref="refs/x/a", new=None, old=ANY), RefUpdate(ref="refs/x/none", new=None, old=ANY)])
    assert refs(repo) == {}


@pytest.mark.parametrize("bad", ["wrong_old", "exists", "missing", "must_not_exist", "delete_missing", "collision"])
def test_conflict_changes_nothing_at_all(repo: GitRepo, two: tuple[CommitId, CommitId], bad: str) -> None:
    first, second = two
    update_refs(repo, [RefUpdate(ref="refs/x/a", new=first, old=None)])
    update = {
        "wrong_old": RefUpdate(ref="refs/x/a", new=second, old=second),
        "exists": RefUpdate(ref="refs/x/a", new=second, old=None),
        "missing": RefUpdate(ref="refs/x/c", new=second, old=first),
        "must_not_exist": RefUpdate(ref="refs/x/a", new=None, old=None),
        "delete_missing": RefUpdate(ref="refs/x/c", new=None, old=first),
        "collision": RefUpdate(ref="refs/x/a/deeper", new=second, old=None),
    }[bad]
    with pytest.raises(ConflictError, match=r"^cannot update refs: .*refs/x/"):
        update_refs(repo, [RefUpdate(ref="refs/x/new", new=first, old=None), update])
    assert refs(repo) == {"refs/x/a": first}


def test_refusal_of_another_kind_is_a_git_error(repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    with pytest.raises(GitError, match="invalid ref format"):
        update_refs(repo, [RefUpdate(ref="refs/x/a..b", new=two[0], old=None)])
    with pytest.raises(GitError, match="nonexistent object"):
        update_refs(repo, [RefUpdate(ref="refs/x/a", new=CommitId("1" * 40), old=None)])


def test_symbolic_ref_itself_is_changed(git_repo: Path, repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    run(git_repo, "symbolic-ref", "refs/x/sym", "refs/heads/main")
    update_refs(repo, [RefUpdate(ref="refs/x/sym", new=None, old=ANY)])
    assert refs(repo) == {}
    assert head_commit(repo) == two[1]


def test_reflog_only_when_asked(git_repo: Path, repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    update_refs(repo, [RefUpdate(ref="refs/x/a", new=two[0], old=None)], message="no")
    update_refs(repo, [RefUpdate(ref="refs/x/b", new=two[0], old=None)], message="commit: yes", create_reflog=True)
    assert not (git_repo / ".git/logs/refs/x/a").exists()
    assert (git_repo / ".git/logs/refs/x/b").read_text().endswith("\tcommit: yes\n")


def test_many_refs_in_one_transaction_and_listing_by_prefix(any_hash_repo: Path) -> None:
    repo = opened(any_hash_repo)
    head = head_commit(repo)
    names = [f"refs/exps/aa/{n:04}" for n in range(300)]
    update_refs(repo, [RefUpdate(ref=name, new=head, old=None) for name in names])
    assert [ref for ref, _ in list_refs(repo, "refs/exps/aa")] == names
    assert list_refs(repo, "refs/exps/a") == ()
    assert [ref for ref, _ in list_refs(repo)] == [*names, "refs/heads/main"]


def test_resolve(git_repo: Path, repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    first, second = two
    run(git_repo, "tag", "-a", "v1", "-m", "annotated", first)
    for text in ("HEAD~1", "v1", first, first[:10], "main^", ":/first"):
        assert resolve_revision(repo, text) == first
    assert resolve_revision(repo, "@") == second
    nothing = ("", "nothing", "--all", "-h", "--git-dir", "HEAD:README", "^HEAD", "HEAD..HEAD", "a\nb", "x\0", "1" * 40)
    for text in (*nothing, "HEAD@{9999}", "README", "refs/heads/"):
        assert resolve_revision(repo, text) is None, text


def test_resolve_a_branch_that_looks_like_an_option(git_repo: Path, repo: GitRepo) -> None:
    head = head_commit(repo)
    run(git_repo, "update-ref", "refs/heads/--all", head)
    assert resolve_revision(repo, "--all") == head


def test_names_branches_tags_history(git_repo: Path, repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    first, second = two
    run(git_repo, "branch", "old", first)
    run(git_repo, "tag", "light", first)
    run(git_repo, "tag", "-a", "note", "-m", "x", second)
    run(git_repo, "tag", "-a", "nested", "-m", "x", "note")
    run(git_repo, "tag", "tree", "HEAD^{tree}")
    assert names_of_commits(repo) == {
        first: NamesOfCommit(branches=("old",), tags=("light",)),
        second: NamesOfCommit(branches=("main",), tags=("nested", "note")),
    }
    assert all_branches(repo) == (("main", second), ("old", first))
    assert all_tags(repo) == (("light", first), ("nested", second), ("note", second))


def test_history(git_repo: Path, repo: GitRepo, two: tuple[CommitId, CommitId]) -> None:
    first, second = two
    run(git_repo, "checkout", "--quiet", "-b", "side", first)
    side = CommitId(commit_all(git_repo, "side"))
    run(git_repo, "checkout", "--quiet", "main")
    run(git_repo, "merge", "--quiet", "--no-ff", "-m", "merge", "side")
    merge = head_commit(repo)
    assert commit_history(repo, merge, None) == (merge, second, first)
    assert commit_history(repo, merge, 2) == (merge, second)
    assert commit_history(repo, merge, 0) == ()
    assert set(commit_history(repo, merge, None, first_parent=False)) == {merge, second, first, side}


PIECES = st.sampled_from(
    [
        "a",
        "b",
        "ä",
        "/",
        ".",
        "..",
        ".lock",
        "@",
        "{",
        "@{",
        "~",
        "^",
        ":",
        "?",
        "*",
        "[",
        "]",
        "\\",
        " ",
        "\x7f",
        "\t",
        "-",
    ]
)


@settings(max_examples=120, deadline=None)
@given(pieces=st.lists(st.lists(PIECES, max_size=6).map("".join), min_size=1, max_size=12))
def test_valid_refs_are_what_git_says(pieces: list[str]) -> None:
    for piece in pieces:
        name = "refs/" + piece
        allowed = subprocess.run(["git", "check-ref-format", name], check=False).returncode == 0
        assert is_valid_ref(name) == allowed, name


@pytest.mark.parametrize("name", ["", "@", "a", "refs//a", "/refs/a", "refs/a/", "refs/a.lock/b"])
def test_invalid_refs(name: str) -> None:
    assert not is_valid_ref(name)
    assert subprocess.run(["git", "check-ref-format", name], check=False).returncode != 0
