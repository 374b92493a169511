"""Many commits at once, each a known tree with a few files of other content: one `git fast-import` for all of them.

A thousand commits with a tree and a file each take 0.1 s of CPU time this way and 9 s by a process for each object. No ref is
made or moved: whoever asked has the ids, and refers to them in one transaction. Format: git-fast-import(1), Git 2.39.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from offbranch.base.errors import GitError
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath, GitPath
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.git.command import finish_git, git_error
from offbranch.git.ids import BlobId, CommitId, TreeId
from offbranch.git.repository import GitRepo, repo_env, repo_git
from offbranch.git.spawn import Finished

# A name that fast-import needs for a branch; it is reset before the end, so that no such ref comes to be.
_BRANCH = b"refs/ob/not-a-ref"
_CRASH_REPORT = "fast_import_crash_"
# Attributes by which `git add` may change content, whatever it is; the others change line ends only.
_FILTERS = ("filter", "ident", "working-tree-encoding")
_DATE = re.compile(rb"(> )\d+ [+-]\d{4}$", re.MULTILINE)


@record
class CommitDraft:
    """A commit to write.

    Attributes:
        tree: What its files are, but for `files`.
        files: Path -> (mode, blob) of what is put there instead, or added; None for what is removed.
        parent: Its one parent.
        message: The whole message; no newline is added.
        time_s: Seconds since 1970 UTC; None for that of all.
    """

    tree: TreeId
    files: Mapping[GitPath, tuple[int, BlobId | bytes] | None]
    parent: CommitId
    message: str
    time_s: int | None = None


def write_commits(repo: GitRepo, drafts: Sequence[CommitDraft], *, time_s: int | None = None) -> tuple[CommitId, ...]:
    """Stores commits; no ref moves, no hook runs, nothing is signed. Content is stored as it is, see `clean_blobs`.

    Args:
        repo: Where.
        drafts: What to write.
        time_s: Seconds since 1970 UTC, of all of them; now when None.

    Returns:
        The commits, in the order of the drafts. Interrupted, there may be objects that nothing refers to.

    Raises:
        GitError: A path is not allowed in a tree, or a tree or parent does not exist.
    """
    if not drafts:
        return ()
    _sweep_reports(repo)
    people = [b"%s %s" % (role.lower().encode(), who) for role, who in _people(repo, time_s).items()]
    stream = b"".join((*_stream(drafts, b"\n".join(people)),))
    # `--done`: cut short by our end, the stream counts as broken, and Git does nothing about the branch.
    args = ("fast-import", "--quiet", "--force", "--done")
    done = finish_git(repo.root, *args, env=repo.env, input=stream)
    if done.code != 0:
        _sweep_reports(repo)
        raise git_error(repo.root, args, _without_report(done))
    commits = tuple(CommitId(line) for line in done.out.decode().split())
    if len(commits) != len(drafts):
        raise GitError(f"'git fast-import' told {len(commits)} commits of {len(drafts)}", hint="see git --version")
    return commits


def clean_blobs(repo: GitRepo, path: GitPath, contents: Sequence[bytes]) -> tuple[BlobId | bytes, ...]:
    """Returns contents of a file as Git would keep them: what a filter of that path makes of each, or the same bytes.

    Args:
        repo: Where.
        path: The file; its attributes say what is done to it.
        contents: What it holds in a workspace.
    """
    out = repo_git(repo, "check-attr", "-z", "--stdin", *_FILTERS, input=os.fsencode(path) + b"\0")
    is_filtered = any(value not in (b"unspecified", b"unset") for value in out.split(b"\0")[2::3])
    if not is_filtered and not any(b"\r" in content for content in contents):
        return tuple(contents)
    cleaned = {content: _clean(repo, path, content) for content in dict.fromkeys(contents)}
    return tuple(cleaned[content] for content in contents)


def _clean(repo: GitRepo, path: GitPath, content: bytes) -> BlobId:
    args = ("-c", "core.safecrlf=false", "hash-object", "-w", "--stdin", f"--path={path}")
    return BlobId(repo_git(repo, *args, input=content).decode().strip())


def _stream(drafts: Sequence[CommitDraft], people: bytes) -> Iterator[bytes]:
    for mark, draft in enumerate(drafts, 1):
        message = draft.message.encode(errors="surrogateescape")
        who = people if draft.time_s is None else _DATE.sub(rb"\g<1>%d +0000" % draft.time_s, people)
        yield b"commit %s\nmark :%d\n%s\n" % (_BRANCH, mark, who)
        yield b"data %d\n%s\nfrom %s\n" % (len(message), message, draft.parent.encode())
        yield b'M 040000 %s ""\n' % draft.tree.encode()
        for path, entry in draft.files.items():
            if entry is None:
                yield b"D %s\n" % _quoted(path)
                continue
            mode, content = entry
            if isinstance(content, bytes):
                yield b"M %o inline %s\ndata %d\n%s\n" % (mode, _quoted(path), len(content), content)
            else:
                yield b"M %o %s %s\n" % (mode, content.encode(), _quoted(path))
    yield b"reset %s\n" % _BRANCH
    yield b"".join(b"get-mark :%d\n" % mark for mark in range(1, len(drafts) + 1))
    yield b"done\n"


def _quoted(path: GitPath) -> bytes:
    # Git 2.39 takes such paths here, and refuses the tree later: when somebody wants its files.
    if any(part.lower() in ("", ".", "..", ".git") for part in path.split("/")):
        raise GitError(f"cannot use the path '{path}': Git allows no such path in a tree", hint="choose another path")
    text = os.fsencode(path)
    for plain, escaped in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n")):
        text = text.replace(plain, escaped)
    return b'"%s"' % text


def _people(repo: GitRepo, time_s: int | None) -> dict[str, bytes]:
    """Returns author and committer as Git would write them, the login name standing in where nobody is configured."""
    variables: Mapping[str, str] = {}
    found = {}
    for role in ("AUTHOR", "COMMITTER"):
        args = ("var", f"GIT_{role}_IDENT")
        done = finish_git(repo.root, *args, env=repo_env(repo, env=variables))
        if done.code != 0 and not variables:
            variables = load("offbranch.git.identity:fallback_identity")(repo)
            done = finish_git(repo.root, *args, env=repo_env(repo, env=variables))
        if done.code != 0:
            raise git_error(repo.root, args, done)
        who = done.out.strip()
        found[role] = who if time_s is None else _DATE.sub(rb"\g<1>%d +0000" % time_s, who)
    return found


def _without_report(done: Finished) -> Finished:
    lines = done.err.splitlines(keepends=True)
    return Finished(
        code=done.code, out=b"", err=b"".join(line for line in lines if not line.startswith(b"fast-import:"))
    )


def _sweep_reports(repo: GitRepo) -> None:
    """Removes what fast-import wrote down in the Git directory when a stream of ours was cut short."""
    for name in os.listdir(repo.git_dir):
        if not name.startswith(_CRASH_REPORT):
            continue
        path = os.path.join(repo.git_dir, name)
        with open(path, "rb") as file:
            is_ours = _BRANCH in file.read()
        if is_ours:
            remove_file(AbsPath(path))
