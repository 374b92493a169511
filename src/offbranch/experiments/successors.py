"""Which commit took the place of one that was rewritten: the same author and moment, or the same change.

An amendment, a rebase, a cherry-pick and a filter keep who made a change and when (git-commit(1), "author"). Where they
did not, the change itself is compared by its patch id (git-patch-id(1)).
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence

from offbranch.base.errors import GitError
from offbranch.base.files import atomic_write
from offbranch.base.paths import OB_DIR, AbsPath, join
from offbranch.base.records import record
from offbranch.git.ids import CommitId, is_hex
from offbranch.git.objects import Commit
from offbranch.git.repository import GitRepo, repo_git

FILE = f"{OB_DIR}/patch-ids.json"
# History since the oldest lost baseline is read no further than that, and the changes of so many of its newest commits.
_MAX_COMMITS = 5_000
_MAX_PATCHES = 200
_FORMAT = "%H%x00%an <%ae>%x00%at%x00%P%x00%s"


@record
class _Candidate:
    commit: CommitId
    author: str
    author_time: int
    is_ordinary: bool
    subject: str


def find_successors(repo: GitRepo, lost: Sequence[Commit], *, root: AbsPath) -> dict[CommitId, CommitId]:
    """Returns for each commit the one that took its place, where it can be told; the newest if there are several.

    Args:
        repo: Where.
        lost: Commits that no branch reaches.
        root: The project root, where patch ids are remembered: they never change.
    """
    if not lost:
        return {}
    candidates = _candidates(repo, min(commit.commit_time for commit in lost))
    found: dict[CommitId, CommitId] = {}
    for commit in lost:
        same = [c for c in candidates if (c.author, c.author_time) == (commit.author, commit.author_time)]
        subject = commit.message.lstrip("\n").partition("\n")[0].strip()
        alike = [c for c in same if c.subject == subject]
        # Several commits of one second (a script made them) are only told apart by their subject.
        best = alike or (same if len(same) == 1 else [])
        if best:
            found[commit.id] = best[0].commit
    rest = [commit.id for commit in lost if commit.id not in found and len(commit.parents) < 2]
    ordinary = [c.commit for c in candidates if c.is_ordinary][:_MAX_PATCHES]
    return {**found, **_by_change(repo, rest, ordinary, root)} if rest and ordinary else found


def _candidates(repo: GitRepo, since_s: int) -> tuple[_Candidate, ...]:
    """Returns the commits of all branches since a moment, newest first: a successor is never older."""
    # Not `git log`, which obeys the user's settings for it.
    args = ("rev-list", "--no-commit-header", f"--format={_FORMAT}", "--encoding=UTF-8", f"--since=@{since_s}")
    try:
        out = repo_git(repo, *args, f"-n{_MAX_COMMITS}", "--branches", "--tags", "--remotes", "HEAD", "--")
    except GitError:
        return ()  # a broken history: the baseline is shown all the same
    found = []
    for line in out.decode("utf-8", "surrogateescape").split("\n"):
        fields = line.split("\0")
        if len(fields) == 5 and fields[2].isdigit():
            commit, author, time_s, parents, subject = fields
            found.append(
                _Candidate(
                    commit=CommitId(commit),
                    author=author,
                    author_time=int(time_s),
                    is_ordinary=" " not in parents,
                    subject=subject.strip(),
                )
            )
    return tuple(found)


def _by_change(
    repo: GitRepo, lost: Iterable[CommitId], candidates: Sequence[CommitId], root: AbsPath
) -> dict[CommitId, CommitId]:
    ids = _patch_ids(repo, (*lost, *candidates), root)
    by_id: dict[str, CommitId] = {}
    for commit in candidates:
        if ids.get(commit):
            by_id.setdefault(ids[commit], commit)
    return {commit: by_id[ids[commit]] for commit in lost if ids.get(commit) in by_id}


def _patch_ids(repo: GitRepo, commits: Sequence[CommitId], root: AbsPath) -> Mapping[str, str]:
    """Returns the patch ids of commits; an empty text for one that changes nothing."""
    known = _read(root)
    unknown = [commit for commit in commits if commit not in known]
    if not unknown:
        return known
    try:
        patches = repo_git(
            repo,
            "diff-tree",
            "--stdin",
            "--root",
            "-p",
            "--no-ext-diff",
            "--no-textconv",
            input="\n".join((*unknown, "")).encode(),
        )
        lines = repo_git(repo, "patch-id", "--stable", input=patches).decode().splitlines()
    except GitError:
        return known
    found = {commit: patch for patch, _, commit in (line.partition(" ") for line in lines)}
    ids: dict[str, str] = {commit: known.get(commit, "") for commit in commits}
    ids.update(found)
    _write(root, ids)
    return ids


def _read(root: AbsPath) -> dict[str, str]:
    try:
        with open(join(root, FILE), encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {commit: patch for commit, patch in data.items() if is_hex(commit) and isinstance(patch, str)}


def _write(root: AbsPath, ids: Mapping[str, str]) -> None:
    try:
        os.makedirs(join(root, OB_DIR), exist_ok=True)
        atomic_write(join(root, FILE), json.dumps(ids).encode())
    except OSError:
        pass  # it only saves time
