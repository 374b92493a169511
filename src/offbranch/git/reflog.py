"""Reflogs used as lists: a ref whose older values are found only in its log (as `git stash` keeps its entries).

Entries are counted from the newest, which is 0.
"""

import os

from offbranch.base.records import record
from offbranch.git.ids import ObjectName
from offbranch.git.repository import GitRepo, repo_git


@record
class ReflogEntry:
    """One value that a ref had.

    Attributes:
        new: The object it was set to.
        time_s: When, in seconds since 1970 UTC.
        message: What was said.
    """

    new: ObjectName
    time_s: int
    message: str


def read_reflog(repo: GitRepo, ref: str) -> tuple[ReflogEntry, ...]:
    """Returns the log of a ref, newest first; empty when there is none."""
    lines = _lines_of_file(repo, ref) if repo.plain_refs else _lines_of_git(repo, ref)
    entries = []
    for line in lines:
        head, _, message = line.partition("\t")
        words = head.split(" ")
        if len(words) >= 4:
            entries.append(ReflogEntry(new=ObjectName(words[1]), time_s=int(words[-2]), message=message))
    return tuple(entries)


def _lines_of_file(repo: GitRepo, ref: str) -> list[str]:
    """Reads the file, because `git log` fails on the whole log when one of its objects is gone."""
    try:
        with open(os.path.join(repo.common_dir, "logs", *ref.split("/")), "rb") as file:
            return file.read().decode("utf-8", "surrogateescape").split("\n")[::-1]
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return []


def _lines_of_git(repo: GitRepo, ref: str) -> list[str]:
    args = ("log", "--walk-reflogs", "-z", "--format=old %H %gd %gs", "--date=unix", ref, "--")
    out = repo_git(repo, *args, ok=(0, 128)).decode("utf-8", "surrogateescape")
    lines = []
    for line in filter(None, out.split("\0")):
        old, name, selector, message = line.strip("\n").split(" ", 3)
        lines.append(f"{old} {name} {selector.rpartition('@{')[2].rstrip('}')} +0000\t{message}")
    return lines


def drop_reflog_entry(repo: GitRepo, ref: str, position: int) -> None:
    """Removes one entry; the ref moves to the newest that is left and disappears with the last one."""
    repo_git(repo, "reflog", "delete", "--rewrite", "--updateref", f"{ref}@{{{position}}}")
    if not repo_git(repo, "reflog", "show", "-n1", ref, "--", ok=(0, 128)).strip():
        repo_git(repo, "update-ref", "-d", "--no-deref", ref)
