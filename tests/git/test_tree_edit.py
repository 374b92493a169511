"""A tree with changes is the one that an index would have made, and costs no more where there are many other files."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_repos import files_of, make_repo, opened, run
from offbranch.base.paths import GitPath
from offbranch.git import tree_edit
from offbranch.git.objects import MODE_EXECUTABLE, MODE_FILE, MODE_LINK, BlobId, TreeId, empty_tree, write_blob
from offbranch.git.repository import GitRepo
from offbranch.git.tree_edit import write_tree_with

Wanted = dict[str, tuple[int, bytes] | None]
NAMES = [
    "a",
    "a/b",
    "a.b",
    "a-b",
    "a0",
    "d/e",
    "d/e/f",
    "d/e/f/g",
    "d/.gitignore",
    ".gitignore",
    ".dvc/x",
    "x y",
    "\xe9",
]
ENTRIES = st.tuples(st.sampled_from([MODE_FILE, MODE_EXECUTABLE, MODE_LINK]), st.sampled_from([b"", b"1", b"2"]))
CHANGES = st.dictionaries(st.sampled_from(NAMES), st.none() | ENTRIES, max_size=6)


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    path = make_repo(tmp_path_factory.mktemp("edit") / "repo", f"--object-format={request.param}")
    return opened(path)


@settings(max_examples=30)
@given(before=CHANGES, after=CHANGES)
def test_it_is_what_an_index_makes(
    repo: GitRepo, before: dict[str, tuple[int, bytes]], after: dict[str, tuple[int, bytes]]
) -> None:
    def stored(changes: dict[str, tuple[int, bytes]]) -> dict[GitPath, tuple[int, BlobId] | None]:
        return {
            GitPath(p): None if each is None else (each[0], write_blob(repo, each[1])) for p, each in changes.items()
        }

    def by_index(base: TreeId, changes: dict[GitPath, tuple[int, BlobId] | None]) -> TreeId:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tree_edit, "_nested", lambda _: None)
            return write_tree_with(repo, base, changes)

    base = by_index(empty_tree(repo), stored(before))
    edited = write_tree_with(repo, base, stored(after))
    assert edited == by_index(base, stored(after))
    files_of(repo, edited)


@pytest.mark.parametrize(
    "path", ["a/", "/a", "a//b", ".", "..", "a/..", ".git", "a/.GIT/b", "git~1", "a.", "a:b", "a\\b", ""]
)
def test_about_such_paths_git_is_asked(path: str) -> None:
    assert tree_edit._nested({GitPath("b"): None, GitPath(path): None}) is None


def test_other_files_cost_nothing(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "repo")
    repo = opened(path)
    blob = write_blob(repo, b"1")
    many = {GitPath(f"{n // 100}/{n}"): (MODE_FILE, blob) for n in range(1000)}
    base = write_tree_with(repo, empty_tree(repo), dict(many))

    def n_objects() -> int:
        return int(run(path, "count-objects").split()[0])

    before = n_objects()
    tree = write_tree_with(repo, base, {GitPath("7/new"): (MODE_FILE, blob)})
    assert n_objects() == before + 2
    assert set(files_of(repo, tree)) == {*many, "7/new"}
    assert write_tree_with(repo, tree, {GitPath("7/new"): None}) == base
