"""Many commits by one process: the same objects as one by one, and nothing else in the repository."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_repos import commit_all, files_of, make_repo, opened, run, state_of_user, write
from offbranch.base.errors import GitError
from offbranch.base.paths import GitPath
from offbranch.git.many_commits import CommitDraft, clean_blobs, write_commits
from offbranch.git.objects import (
    MODE_EXECUTABLE,
    MODE_FILE,
    BlobId,
    CommitId,
    ObjectReader,
    TreeId,
    write_blob,
    write_commit,
)
from offbranch.git.repository import GitRepo, head_commit
from offbranch.git.tree_edit import write_tree_with

ODD_NAMES = [
    "a b",
    "ä",
    'quo"te',
    "new\nline",
    "tab\t",
    "*?[x]",
    "-rf",
    os.fsdecode(b"in\xffvalid"),
    "back\\slash",
    "d/e/f",
]


def draft(repo: GitRepo, message: str = "m", **files: bytes) -> CommitDraft:
    head = head_commit(repo)
    tree = TreeId(run(Path(repo.root), "rev-parse", f"{head}^{{tree}}"))
    contents: dict[GitPath, tuple[int, BlobId | bytes]] = {GitPath(p): (MODE_FILE, c) for p, c in files.items()}
    return CommitDraft(tree=tree, files=contents, parent=head, message=message)


def test_they_are_what_one_by_one_would_be(any_hash_repo: Path) -> None:
    repo = opened(any_hash_repo)
    before = state_of_user(any_hash_repo)
    base = draft(repo)
    blob = write_blob(repo, b"known already")
    messages = ["one line", 'subject\n\n{\n "ä": 1\n}\n', "", "\n\nodd\n"]
    drafts = [
        CommitDraft(
            tree=base.tree,
            files={GitPath(name): (MODE_FILE, f"{name} {n}".encode(errors="surrogateescape")) for name in ODD_NAMES}
            | {GitPath("run.sh"): (MODE_EXECUTABLE, blob)},
            parent=base.parent,
            message=message,
        )
        for n, message in enumerate(messages)
    ]
    made = write_commits(repo, drafts, time_s=1_700_000_000)
    for commit, each in zip(made, drafts, strict=True):
        changes = {
            path: (mode, write_blob(repo, content) if isinstance(content, bytes) else content)
            for path, (mode, content) in each.files.items()
        }
        tree = write_tree_with(repo, each.tree, {path: (mode, BlobId(id)) for path, (mode, id) in changes.items()})
        alone = write_commit(repo, tree=tree, parents=(each.parent,), message=each.message, time_s=1_700_000_000)
        assert commit == alone
    assert state_of_user(any_hash_repo) == before
    run(any_hash_repo, "fsck", "--strict", "--no-dangling")


@settings(max_examples=15)
@given(contents=st.lists(st.binary(max_size=40), min_size=1, max_size=150))
def test_any_number_in_their_order(contents: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_repo(tmp_path_factory.mktemp("many") / "r")
    repo = opened(path)
    made = write_commits(repo, [draft(repo, f"commit {n}", params=content) for n, content in enumerate(contents)])
    with ObjectReader(repo) as objects:
        commits = objects.commits(made)
        assert [commit.message for commit in commits] == [f"commit {n}" for n in range(len(contents))]
        found = [objects.find(commit.tree, GitPath("params")) for commit in commits]
        assert [objects.blob(BlobId(entry.id)) for entry in found if entry] == contents
    assert run(path, "for-each-ref").count("\n") == 0


def test_none_is_nothing(tmp_path: Path) -> None:
    assert write_commits(opened(make_repo(tmp_path / "r")), []) == ()


def test_without_identity_the_login_name_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo_dir = make_repo(tmp_path / "r")
    for role in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{role}_{what}")
    run(repo_dir, "config", "user.useConfigOnly", "true")
    repo = opened(repo_dir)
    one = draft(repo)
    (made,) = write_commits(repo, [one], time_s=5)
    assert made == write_commit(repo, tree=one.tree, parents=(one.parent,), message="m", time_s=5)


def test_hooks_are_not_run_and_objects_of_others_are_found(tmp_path: Path) -> None:
    origin = make_repo(tmp_path / "origin")
    run(tmp_path, "clone", "--quiet", "--shared", str(origin), "clone")
    hook = tmp_path / "clone/.git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hook-ran\n")
    hook.chmod(0o755)
    repo = opened(tmp_path / "clone")
    (made,) = write_commits(repo, [draft(repo, params=b"x")])
    with ObjectReader(repo) as objects:
        assert files_of(repo, objects.commit(made).tree) == {"README": b"hello\n", "params": b"x"}
    assert not (tmp_path / "clone/hook-ran").exists()


def test_a_failure_leaves_no_report_and_no_ref(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "r")
    repo = opened(path)
    before = state_of_user(path)
    wrong = CommitDraft(tree=TreeId("1" * 40), files={}, parent=CommitId("2" * 40), message="m")
    with pytest.raises(GitError, match="fast-import"):
        write_commits(repo, [draft(repo), wrong])
    for name in ("../x", ".git/x", "d/.GIT/x", "/x", "d//x"):
        with pytest.raises(GitError, match="no such path"):
            write_commits(repo, [draft(repo, **{name: b""})])
    assert state_of_user(path) == before


def test_reports_of_cut_streams_are_swept_and_those_of_others_stay(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "r")
    ours = write(path, ".git/fast_import_crash_1", "...\n  commit refs/ob/not-a-ref\n")
    theirs = write(path, ".git/fast_import_crash_2", "...\n  commit refs/heads/main\n")
    repo = opened(path)
    write_commits(repo, [draft(repo)])
    assert not ours.exists() and theirs.exists()


@pytest.mark.parametrize(
    ("attributes", "config", "content", "expected"),
    [
        ("", (), b"a\n", b"a\n"),
        ("", (), b"a\r\n", b"a\r\n"),
        ("* text=auto\n", (), b"a\r\nb\r\n", b"a\nb\n"),
        ("", ("core.autocrlf", "true"), b"a\r\n", b"a\n"),
        ("*.yaml filter=upper\n", ("filter.upper.clean", "tr a-z A-Z"), b"lr: 1\n", b"LR: 1\n"),
        ("*.yaml -filter\n", ("filter.upper.clean", "tr a-z A-Z"), b"lr: 1\n", b"lr: 1\n"),
        ("*.yaml working-tree-encoding=UTF-16LE\n", (), "ä\n".encode("utf-16-le"), "ä\n".encode()),
    ],
)
def test_content_is_what_git_add_would_keep(
    attributes: str, config: tuple[str, ...], content: bytes, expected: bytes, tmp_path: Path
) -> None:
    path = make_repo(tmp_path / "r")
    write(path, ".gitattributes", attributes)
    commit_all(path)
    if config:
        run(path, "config", *config)
    repo = opened(path)
    (found,) = clean_blobs(repo, GitPath("d/params.yaml"), [content])
    with ObjectReader(repo) as objects:
        assert (found if isinstance(found, bytes) else objects.blob(found)) == expected


def test_a_required_filter_that_fails_is_an_error(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "r")
    write(path, ".gitattributes", "*.yaml filter=secret\n")
    run(path, "config", "filter.secret.clean", "false")
    run(path, "config", "filter.secret.required", "true")
    with pytest.raises(GitError, match="hash-object"):
        clean_blobs(opened(path), GitPath("params.yaml"), [b"x"])
