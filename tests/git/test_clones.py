"""Repositories of others, opened by their url."""

import os
from pathlib import Path

import pytest

from git_repos import run as git
from offbranch.base.errors import GitError, LockedError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.git import clones
from offbranch.git.clones import clone_place, is_git_url, local_path_of, open_clone, open_git_url, without_credentials
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import resolve_revision
from offbranch.git.repository import GitRepo


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with two branches and a tag; its default branch is `trunk`."""
    root = tmp_path / "origin"
    root.mkdir()
    git(root, "init", "-q", "-b", "trunk")
    (root / "a").write_text("1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    git(root, "tag", "v1")
    git(root, "branch", "other")
    return root


def opened(url: str, tmp_path: Path, *, fetch: bool = True) -> GitRepo:
    return open_clone(url, cache_dir=AbsPath(str(tmp_path / "cache")), env=os.environ, fetch=fetch)


def head(repo: GitRepo, rev: str = "HEAD") -> CommitId | None:
    return resolve_revision(repo, rev)


def test_a_copy_is_made_once_and_brought_up_to_date_when_asked(origin: Path, tmp_path: Path) -> None:
    url = origin.as_uri()
    repo = opened(url, tmp_path)
    first = git(origin, "rev-parse", "HEAD")
    assert head(repo) == head(repo, "trunk") == head(repo, "v1") == head(repo, "other") == first
    with ObjectReader(repo) as objects:
        assert [entry.name for entry in objects.tree(objects.commit(CommitId(first)).tree)] == ["a"]
    (origin / "a").write_text("2\n")
    git(origin, "commit", "-qam", "two")
    git(origin, "branch", "-D", "other")
    second = git(origin, "rev-parse", "HEAD")
    assert head(opened(url, tmp_path, fetch=False)) == first
    again = opened(url, tmp_path)
    assert (head(again), head(again, "other")) == (second, None)
    git(origin, "checkout", "-qb", "main")
    git(origin, "commit", "-q", "--allow-empty", "-m", "three")
    assert head(opened(url, tmp_path)) == git(origin, "rev-parse", "main")  # the default branch is another now
    assert os.listdir(tmp_path / "cache" / "clones") and not list((tmp_path / "cache").rglob(".ob-tmp-*"))


def test_what_is_on_this_machine_is_opened_as_it_is(origin: Path, tmp_path: Path) -> None:
    git(origin, "clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    cache = AbsPath(str(tmp_path / "cache"))
    for url in ("origin", str(origin), origin.as_uri(), "bare.git", (tmp_path / "bare.git").as_uri()):
        repo = open_git_url(url, base=AbsPath(str(tmp_path)), cache_dir=cache, env=os.environ)
        assert head(repo) == git(origin, "rev-parse", "HEAD")
    assert not os.path.exists(cache)
    with pytest.raises(GitError, match="'nothing' is not a Git repository"):
        open_git_url("nothing", base=AbsPath(str(tmp_path)), cache_dir=cache, env=os.environ)


def test_a_damaged_or_half_made_copy_is_made_again(origin: Path, tmp_path: Path) -> None:
    url = origin.as_uri()
    place = Path(clone_place(url, AbsPath(str(tmp_path / "cache"))))
    place.mkdir(parents=True)
    (place / "junk").write_text("left by something")
    assert head(opened(url, tmp_path)) == git(origin, "rev-parse", "HEAD")


def test_failures_name_the_url_but_no_password(tmp_path: Path) -> None:
    for url in ("file:///nowhere/at/all", "http://bob:secret@127.0.0.1:9/x.git"):
        with pytest.raises(GitError, match="cannot reach the Git repository") as caught:
            opened(url, tmp_path)
        told = f"{caught.value.message} {caught.value.hint}"
        assert "secret" not in told and "bob" not in told
    with pytest.raises(UsageError):
        opened("--upload-pack=touch x", tmp_path)
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and "secret" in path.read_text()]
    assert not left


def test_no_password_is_kept(origin: Path, tmp_path: Path, pinned_environment: Path) -> None:
    config = pinned_environment / ".gitconfig"
    config.write_text(
        config.read_text() + f'[url "{origin.as_uri()}"]\n\tinsteadOf = https://ann:secret@example.org/x\n'
    )
    repo = opened("https://ann:secret@example.org/x", tmp_path)
    assert head(repo) == git(origin, "rev-parse", "HEAD")
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"secret" in path.read_bytes()]
    assert clone_place("https://ann:other@example.org/x/", AbsPath("/c")) == clone_place(
        "https://example.org/x", AbsPath("/c")
    )


def test_two_at_once_wait_for_each_other(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = origin.as_uri()
    place = clone_place(url, AbsPath(str(tmp_path / "cache")))
    monkeypatch.setattr(clones, "_WAIT_S", 0.0)
    with clones.hold_lock(AbsPath(f"{place}.lock")), pytest.raises(LockedError):
        opened(url, tmp_path)
    opened(url, tmp_path)


@pytest.mark.parametrize(
    ("text", "is_url"),
    [
        ("https://example.org/x.git", True),
        ("git@example.org:team/x.git", True),
        ("example.org:x", True),
        ("../x", False),
        ("/srv/x.git", False),
        ("C:\\x", False),
        (".", False),
    ],
)
def test_urls_and_paths_are_told_apart(text: str, is_url: bool) -> None:
    assert is_git_url(text) is is_url
    assert (local_path_of(text, base=AbsPath("/nowhere")) is None) is is_url


def test_credentials_are_taken_out_of_text() -> None:
    text = "fatal: unable to access 'https://ann:s3cret@example.org/x.git/': and http://tok@h/ and ssh://h/x"
    assert without_credentials(text) == (
        "fatal: unable to access 'https://example.org/x.git/': and http://h/ and ssh://h/x"
    )
