import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_repos import commit_all, files_of, gp, make_repo, opened, run, state_of_user, write
from offbranch.base.errors import GitError, NotFoundError
from offbranch.base.paths import GitPath
from offbranch.base.processes import host_name
from offbranch.git.objects import (
    MODE_EXECUTABLE,
    MODE_FILE,
    MODE_LINK,
    BlobId,
    CommitId,
    ObjectName,
    ObjectReader,
    TreeEntry,
    TreeId,
    diff_trees,
    write_blob,
    write_commit,
)
from offbranch.git.records import parse_commit
from offbranch.git.repository import GitRepo, head_commit
from offbranch.git.tree_edit import write_tree_with

ODD_NAMES = ["a b", "ä", 'quo"te', "new\nline", "tab\t", "*?[x]", "-rf", os.fsdecode(b"in\xffvalid"), ":(top)x"]


def tree_of(path: Path, revision: str = "HEAD") -> TreeId:
    return TreeId(run(path, "rev-parse", revision + "^{tree}"))


@pytest.fixture(params=["loose", "packed"])
def stored(request: pytest.FixtureRequest, any_hash_repo: Path) -> Path:
    """A repository with two commits, files of odd names, a link, an executable and a deep directory."""
    for name in ODD_NAMES:
        write(any_hash_repo, name, name.encode(errors="surrogateescape"))
    write(any_hash_repo, "deep/er/big", b"\0\n" * 100_000)
    write(any_hash_repo, "empty", b"")
    write(any_hash_repo, "run.sh", "#!/bin/sh\n").chmod(0o755)
    (any_hash_repo / "link").symlink_to("deep/er")
    commit_all(any_hash_repo, "second")
    if request.param == "packed":
        run(any_hash_repo, "gc", "--quiet")
        assert not list((any_hash_repo / ".git/objects").glob("[0-9a-f][0-9a-f]/*"))
    return any_hash_repo


def test_everything_of_a_commit_can_be_read(stored: Path) -> None:
    repo = opened(stored)
    with ObjectReader(repo) as objects:
        commit = objects.commit(head_commit(repo))
        assert (commit.message, commit.author, commit.committer) == ("second\n", *["Ann Dev <ann@example.com>"] * 2)
        assert objects.commits(commit.parents)[0].parents == ()
        assert commit.tree == tree_of(stored)
        entries = {e.name: e for e in objects.tree(commit.tree)}
        assert set(entries) == {*ODD_NAMES, "README", "deep", "empty", "run.sh", "link"}
        assert entries["run.sh"].mode == MODE_EXECUTABLE
        assert (entries["link"].mode, objects.blob(BlobId(entries["link"].id))) == (MODE_LINK, b"deep/er")
        for name in ODD_NAMES:
            assert objects.blob(BlobId(entries[name].id)) == name.encode(errors="surrogateescape")
        big = objects.find(commit.tree, GitPath("deep/er/big"))
        assert big is not None
        assert objects.blob(BlobId(big.id)) == b"\0\n" * 100_000
        assert objects.find(commit.tree, GitPath("")) == TreeEntry(0o40000, "", ObjectName(commit.tree))
        for missing in gp("deep/er/none", "none", "README/x", "link/big", "deep/er/big/x"):
            assert objects.find(commit.tree, missing) is None


def test_many_at_once_with_missing_odd_and_repeated_names(stored: Path) -> None:
    repo = opened(stored)
    head = head_commit(repo)
    with ObjectReader(repo) as objects:
        names = [head, "HEAD:a b", "1" * len(head), "nothing here", "", "a\nb", head, "HEAD^{tree}", "HEAD:empty"]
        found = objects.read_many(names)
        assert {name: kind for name, (kind, _) in found.items()} == {
            head: "commit",
            "HEAD:a b": "blob",
            "HEAD^{tree}": "tree",
            "HEAD:empty": "blob",
        }
        assert found[ObjectName("HEAD:empty")][1] == b""
        assert objects.read("HEAD:a b") == ("blob", b"a b")


def test_more_than_any_pipe_holds(git_repo: Path, repo: GitRepo) -> None:
    for n in range(400):
        write(git_repo, f"files/{n}", os.urandom(2_000))
    commit_all(git_repo)
    run(git_repo, "gc", "--quiet")
    ids = [line.split()[2] for line in run(git_repo, "ls-tree", "HEAD:files").splitlines()]
    with ObjectReader(repo) as objects:
        found = objects.read_many([*ids, *("2" * 39 + f"{n % 10}" for n in range(9000))])
    assert len(found) == 400
    assert {len(content) for _, content in found.values()} == {2_000}


def test_missing_and_wrong_kind(git_repo: Path, repo: GitRepo) -> None:
    head = head_commit(repo)
    with ObjectReader(repo) as objects:
        with pytest.raises(NotFoundError, match=f"^Git has no object '{'1' * 40}'") as caught:
            objects.blob(BlobId("1" * 40))
        assert caught.value.hint == "git fsck tells what is missing"
        with pytest.raises(NotFoundError):
            objects.read("no such name")
        with pytest.raises(GitError, match="is a commit, not a tree"):
            objects.tree(TreeId(head))


def test_missing_history_of_a_shallow_clone_is_explained(git_repo: Path, tmp_path: Path) -> None:
    first = CommitId(run(git_repo, "rev-parse", "HEAD"))
    commit_all(git_repo)
    run(tmp_path, "clone", "--quiet", "--depth=1", f"file://{git_repo}", "clone")
    with ObjectReader(opened(tmp_path / "clone")) as objects, pytest.raises(NotFoundError) as caught:
        objects.commit(first)
    assert caught.value.hint == "this clone has no older history: git fetch --unshallow"


@pytest.mark.parametrize("packed", [False, True])
def test_replaced_objects_are_read_as_git_reads_them(git_repo: Path, packed: bool) -> None:
    old = run(git_repo, "rev-parse", "HEAD:README")
    new = run(git_repo, "hash-object", "-w", "--stdin", input=b"other\n")
    run(git_repo, "replace", old, new)
    if packed:
        run(git_repo, "pack-refs", "--all")
        (git_repo / ".git/refs/replace").rmdir()
    with ObjectReader(opened(git_repo)) as objects:
        assert objects.blob(BlobId(old)) == b"other\n"


def test_damaged_loose_object_is_left_to_git(git_repo: Path, repo: GitRepo) -> None:
    name = run(git_repo, "rev-parse", "HEAD:README")
    path = git_repo / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(b"rubbish")
    with ObjectReader(repo) as objects, pytest.raises((NotFoundError, GitError)):
        objects.blob(BlobId(name))


def test_objects_borrowed_from_another_repository(git_repo: Path, tmp_path: Path) -> None:
    run(tmp_path, "clone", "--quiet", "--shared", str(git_repo), "clone")
    with ObjectReader(opened(tmp_path / "clone")) as objects:
        assert objects.read("HEAD:README") == ("blob", b"hello\n")


def test_commit_of_other_encodings_signatures_and_careless_programs() -> None:
    content = (
        b"tree " + b"1" * 40 + b"\nparent " + b"2" * 40 + b"\nparent " + b"3" * 40 + b"\n"
        b"author J\xf6rg <j@x> 1700000000 -0330\ncommitter C D <c@d> 1700000001 +0530\n"
        b"encoding ISO-8859-1\ngpgsig -----BEGIN\n committer nobody\n -----END\n\nsch\xf6n\n\nno end"
    )
    commit = parse_commit(CommitId("0" * 40), content)
    assert (commit.author, commit.committer) == ("Jörg <j@x>", "C D <c@d>")
    assert (commit.commit_time, commit.utc_offset_s) == (1700000001, 19800)
    assert commit.parents == ("2" * 40, "3" * 40)
    assert commit.message == "schön\n\nno end"
    negative = parse_commit(CommitId("0" * 40), content.replace(b"+0530", b"-0330"))
    assert negative.utc_offset_s == -12600
    odd = parse_commit(CommitId("0" * 40), b"tree 1\nauthor x\ncommitter x <y>\n\nm\xff")
    assert (odd.commit_time, odd.message) == (0, "m\udcff")


@pytest.mark.parametrize(
    "message", ["dvc: commit experiment 44136f", "", "a\n", "\n\nlead", "ü # not a comment\n# x", "a\r\n"]
)
def test_message_is_kept_to_the_byte(any_hash_repo: Path, message: str) -> None:
    repo = opened(any_hash_repo)
    name = write_commit(repo, tree=tree_of(any_hash_repo), parents=[head_commit(repo)], message=message)
    with ObjectReader(repo) as objects:
        commit = objects.commit(name)
        assert objects.read(name)[1].partition(b"\n\n")[2] == message.encode()
    assert (commit.message, commit.parents) == (message, (head_commit(repo),))


def test_time_and_identity_can_be_given(repo: GitRepo, git_repo: Path) -> None:
    tree = tree_of(git_repo)
    both = [
        write_commit(
            repo, tree=tree, parents=[], message="m", identity=("A B", "a@b"), time_s=1700000000, utc_offset_s=-12600
        )
        for _ in range(2)
    ]
    assert both[0] == both[1]
    with ObjectReader(repo) as objects:
        commit = objects.commit(both[0])
    assert (commit.author, commit.committer) == ("A B <a@b>", "A B <a@b>")
    assert (commit.commit_time, commit.utc_offset_s) == (1700000000, -12600)


def test_no_signature_whatever_is_configured(repo: GitRepo, git_repo: Path) -> None:
    run(git_repo, "config", "commit.gpgSign", "true")
    run(git_repo, "config", "gpg.program", "false")
    name = write_commit(repo, tree=tree_of(git_repo), parents=[], message="m")
    assert "gpgsig" not in run(git_repo, "cat-file", "commit", name)


@pytest.mark.parametrize(
    ("configured", "name", "mail"),
    [({}, None, None), ({"user.name": "Eve"}, "Eve", None), ({"committer.email": "c@c"}, None, "c@c")],
)
@pytest.mark.parametrize("use_config_only", ["true", "false"])
def test_identity_falls_back_to_the_login_name(
    git_repo: Path,
    monkeypatch: pytest.MonkeyPatch,
    configured: dict[str, str],
    name: str | None,
    mail: str | None,
    use_config_only: str,
) -> None:
    for variable in [v for v in os.environ if v.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_")) or v == "EMAIL"]:
        monkeypatch.delenv(variable)
    # Without it Git may guess an address from the machine's name.
    run(git_repo, "config", "user.useConfigOnly", use_config_only)
    for key, value in configured.items():
        run(git_repo, "config", key, value)
    repo = opened(git_repo)
    with ObjectReader(repo) as objects:
        committer = objects.commit(write_commit(repo, tree=tree_of(git_repo), parents=[], message="m")).committer
    if use_config_only == "false":
        assert "<" in committer
        return
    login = __import__("pwd").getpwuid(os.getuid()).pw_name
    assert committer == f"{name or login} <{mail or f'{login}@{host_name()}'}>"


def test_blob_is_stored_without_filters(any_hash_repo: Path) -> None:
    write(any_hash_repo, ".gitattributes", "* text eol=crlf\n")
    repo = opened(any_hash_repo)
    name = write_blob(repo, b"a\r\nb\0\n")
    with ObjectReader(repo) as objects:
        assert objects.blob(name) == b"a\r\nb\0\n"


def test_tree_with_changes(any_hash_repo: Path) -> None:
    write(any_hash_repo, "d/one", "1")
    write(any_hash_repo, "d/two", "2")
    write(any_hash_repo, "file", "f")
    commit_all(any_hash_repo)
    before = state_of_user(any_hash_repo)
    repo = opened(any_hash_repo)
    blob = write_blob(repo, b"new")
    base = tree_of(any_hash_repo)
    changes: dict[GitPath, tuple[int, BlobId] | None] = {GitPath(name): (MODE_FILE, blob) for name in ODD_NAMES}
    changes |= {GitPath("d/one"): None, GitPath("not/there"): None, GitPath("file/now/deep"): (MODE_EXECUTABLE, blob)}
    changed = files_of(repo, write_tree_with(repo, base, changes))
    expected = {"README": b"hello\n", "d/two": b"2", "file/now/deep": b"new", **dict.fromkeys(ODD_NAMES, b"new")}
    assert changed == expected
    over_directory = write_tree_with(repo, base, {GitPath("d"): (MODE_FILE, blob), GitPath("d/one"): None})
    assert files_of(repo, over_directory) == {"README": b"hello\n", "d": b"new", "file": b"f"}
    assert write_tree_with(repo, base, {}) == base
    assert state_of_user(any_hash_repo) == before


@pytest.mark.parametrize("path", ["../x", ".git/config", "a/../x", "/x", "a/.git/x", "a//x"])
def test_tree_refuses_paths_that_lead_outside(repo: GitRepo, git_repo: Path, path: str) -> None:
    with pytest.raises(GitError, match="allows no such path"):
        write_tree_with(repo, tree_of(git_repo), {GitPath(path): (MODE_FILE, write_blob(repo, b"x"))})


def test_difference_of_trees(any_hash_repo: Path) -> None:
    for name in (*ODD_NAMES, "gone", "kind", "mode", "same", "content"):
        write(any_hash_repo, name, f"{name!r} old")
    commit_all(any_hash_repo)
    for name in (*ODD_NAMES, "gone", "kind"):
        (any_hash_repo / name).unlink()
    (any_hash_repo / "kind").symlink_to("same")
    (any_hash_repo / "mode").chmod(stat.S_IRWXU)
    write(any_hash_repo, "content", "new")
    write(any_hash_repo, "renamed", "'gone' old")
    commit_all(any_hash_repo)
    repo = opened(any_hash_repo)
    changes = diff_trees(repo, tree_of(any_hash_repo, "HEAD~1"), tree_of(any_hash_repo))
    statuses = {c.path: c.status for c in changes}
    expected = dict.fromkeys([*ODD_NAMES, "gone"], "D")
    assert statuses == {**expected, "content": "M", "kind": "T", "mode": "M", "renamed": "A"}
    by_path = {c.path: c for c in changes}
    assert (by_path[GitPath("mode")].old_mode, by_path[GitPath("mode")].new_mode) == (MODE_FILE, MODE_EXECUTABLE)
    assert by_path[GitPath("gone")].new_id == repo.null_id
    assert by_path[GitPath("renamed")].new_id == run(any_hash_repo, "rev-parse", "HEAD:renamed")
    assert diff_trees(repo, tree_of(any_hash_repo), tree_of(any_hash_repo)) == ()


NAMES = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/f", "x y", "é"])
CONTENTS = st.sampled_from([b"", b"1", b"2\n"])


@settings(max_examples=15, deadline=None)
@given(before=st.dictionaries(NAMES, CONTENTS), after=st.dictionaries(NAMES, CONTENTS))
def test_difference_written_back_gives_the_other_tree(
    before: dict[str, bytes], after: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = make_repo(tmp_path_factory.mktemp("r") / "repo")
    repo = opened(path)
    blobs = {content: write_blob(repo, content) for content in (b"", b"1", b"2\n")}
    a, b = (
        write_tree_with(repo, tree_of(path), {GitPath(p): (MODE_FILE, blobs[c]) for p, c in files.items()})
        for files in (before, after)
    )
    back = {c.path: (c.new_mode, BlobId(c.new_id)) if c.status != "D" else None for c in diff_trees(repo, a, b)}
    assert write_tree_with(repo, a, back) == b
