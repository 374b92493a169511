"""Baselines that no branch, tag, remote-tracking branch or HEAD reaches any more: what became of them.

A commit is left behind when it is amended, rebased, squashed or filtered, when its branch is deleted or reset. The refs of
experiments keep it alive, so nothing is lost; but it is on no branch, and whoever looks there does not see it.
"""

from collections.abc import Collection, Iterator, Mapping
from enum import Enum

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.git.command import finish_git
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit, ObjectReader
from offbranch.git.repository import GitRepo, is_shallow

# A command line holds so many ids on every system; more baselines than that take another process.
_AT_ONCE = 10_000


class Why(Enum):
    """Why nothing reaches a baseline; the values are those of `exp show --json`."""

    REWRITTEN = "rewritten"
    SHALLOW = "shallow"
    MISSING = "missing"


@record
class LostBaseline:
    """A baseline that nothing reaches.

    Attributes:
        commit: Its id.
        why: SHALLOW: this clone has too little history to tell; MISSING: the commit is not here.
        subject: First line of its message; empty when it is missing.
        replaced_by: The commit that took its place, where that can be told.
        time_s: When it was committed; 0 when it is missing.
    """

    commit: CommitId
    why: Why
    subject: str = ""
    replaced_by: CommitId | None = None
    time_s: int = 0


def find_lost(
    repo: GitRepo, objects: ObjectReader, baselines: Collection[CommitId], *, root: AbsPath
) -> tuple[LostBaseline, ...]:
    """Returns those of some baselines that nothing reaches, newest first, missing ones last.

    One process when all are reached, none when there is no baseline.

    Args:
        repo: Where.
        objects: Reads the commits.
        baselines: What to look at.
        root: The project root, where something is remembered to be faster the next time.
    """
    if not baselines:
        return ()
    unreached, missing = _unreached(repo, tuple(baselines))
    commits: dict[CommitId, Commit] = {}
    for commit in unreached:
        try:
            commits[commit] = objects.commit(commit)
        except OffbranchError:
            missing.add(commit)
    shallow = bool(commits) and is_shallow(repo)
    successors: Mapping[CommitId, CommitId] = {}
    if commits and not shallow:
        find = load("offbranch.experiments.successors:find_successors")  # most projects never need it
        successors = find(repo, tuple(commits.values()), root=root)
    found = [*_described(commits, successors, Why.SHALLOW if shallow else Why.REWRITTEN)]
    found += [LostBaseline(commit=commit, why=Why.MISSING) for commit in missing]
    return tuple(sorted(found, key=lambda lost: (-lost.time_s, lost.commit)))


def _described(
    commits: Mapping[CommitId, Commit], successors: Mapping[CommitId, CommitId], why: Why
) -> Iterator[LostBaseline]:
    for name, commit in commits.items():
        yield LostBaseline(
            commit=name,
            why=why,
            subject=commit.message.lstrip("\n").partition("\n")[0].strip(),
            replaced_by=successors.get(name),
            time_s=commit.commit_time,
        )


def _unreached(repo: GitRepo, baselines: tuple[CommitId, ...]) -> tuple[set[CommitId], set[CommitId]]:
    """Returns the baselines that nothing reaches, and those that Git does not have."""
    unreached: set[CommitId] = set()
    missing: set[CommitId] = set()
    for start in range(0, len(baselines), _AT_ONCE):
        part = baselines[start : start + _AT_ONCE]
        found = _ask(repo, part)
        if found is not None:
            unreached |= found
            continue
        # Git names the first bad object and gives up: each is asked about on its own.
        for commit in part:
            alone = _ask(repo, (commit,))
            if alone is None:
                missing.add(commit)
            else:
                unreached |= alone
    return unreached, missing


def _ask(repo: GitRepo, baselines: tuple[CommitId, ...]) -> set[CommitId] | None:
    args = ("rev-list", *baselines, "--not", "--branches", "--tags", "--remotes", "HEAD", "--")
    done = finish_git(repo.root, *args, env=repo.env)
    return {CommitId(line) for line in done.out.decode().split()} & set(baselines) if done.code == 0 else None
