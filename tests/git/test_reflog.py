from pathlib import Path

import pytest

from git_repos import commit_all, opened
from offbranch.base.records import replace
from offbranch.git.objects import CommitId
from offbranch.git.reflog import drop_reflog_entry, read_reflog
from offbranch.git.refs import ANY, RefUpdate, list_refs, update_refs

REF = "refs/exps/celery/stash"


def pushed(path: Path, count: int) -> list[CommitId]:
    """Pushes new commits on a list kept in a reflog; newest first."""
    names = []
    for number in range(count):
        name = CommitId(commit_all(path, f"commit {number}"))
        update = RefUpdate(ref=REF, new=name, old=ANY)
        update_refs(opened(path), [update], message=f"commit: dvc-exp:a:b:q{number}", create_reflog=True)
        names.insert(0, name)
    return names


@pytest.mark.parametrize("plain_refs", [True, False])
def test_entries_newest_first(any_hash_repo: Path, plain_refs: bool) -> None:
    repo = replace(opened(any_hash_repo), plain_refs=plain_refs)
    assert read_reflog(repo, REF) == ()
    names = pushed(any_hash_repo, 3)
    entries = read_reflog(repo, REF)
    assert [e.new for e in entries] == names
    assert [e.message for e in entries] == [f"commit: dvc-exp:a:b:q{n}" for n in (2, 1, 0)]
    assert all(e.time_s > 1_600_000_000 for e in entries)


def test_entry_whose_object_is_gone_hides_no_other(git_repo: Path) -> None:
    names = pushed(git_repo, 2)
    (git_repo / ".git/objects" / names[1][:2] / names[1][2:]).unlink()
    assert [e.new for e in read_reflog(opened(git_repo), REF)] == names


def test_dropping_moves_the_ref_and_the_last_removes_it(git_repo: Path) -> None:
    repo = opened(git_repo)
    newest, middle, oldest = pushed(git_repo, 3)
    drop_reflog_entry(repo, REF, 1)
    assert [e.new for e in read_reflog(repo, REF)] == [newest, oldest]
    drop_reflog_entry(repo, REF, 0)
    assert list_refs(repo, REF) == ((REF, oldest),)
    drop_reflog_entry(repo, REF, 0)
    assert list_refs(repo, REF) == ()
    assert read_reflog(repo, REF) == ()
    assert middle
