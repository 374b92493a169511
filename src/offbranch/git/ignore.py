"""What Git ignores and tracks, and the lines of `.gitignore` files that we generate."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence

from offbranch.base.files import atomic_write, remove_file
from offbranch.base.paths import GitPath, join
from offbranch.git.index_names import index_names
from offbranch.git.repository import GitRepo, repo_git

# Beyond this many paths it is quicker to list all tracked files than to let Git match each path against each.
_MAX_PATHSPECS = 64


def ignored_paths(repo: GitRepo, paths: Sequence[GitPath]) -> frozenset[GitPath]:
    """Returns those of the paths that a rule tells Git to ignore.

    Only the rules count, not whether a path is tracked (`--no-index`): whoever asks wants to know whether a
    rule has to be written. A rule for directories only (`out/`) applies to a directory on disk, or to a path given as
    `out/`. What lies beyond a symbolic link or in another repository is never ignored.
    """
    reachable = [path for path in paths if path and _is_reachable(repo, path)]
    plainly = frozenset(path for path in reachable if _is_plainly_ignored(repo, path))
    asked = [path for path in reachable if path not in plainly]
    return plainly | _told_to_ignore(repo, asked) if asked else plainly


def _is_plainly_ignored(repo: GitRepo, path: GitPath) -> bool:
    """Tells whether a line of ours in the `.gitignore` of its directory says so, and no line there can say otherwise."""
    directory, _, name = path.removesuffix("/").rpartition("/")
    where = join(repo.root, f"{directory}/.gitignore" if directory else ".gitignore")
    try:
        text = "" if os.path.islink(where) else _text_of(where)  # Git does not follow a link
    except OSError:
        return False
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return entry_line(name) in lines and not any(line.startswith("!") for line in lines)


def _told_to_ignore(repo: GitRepo, asked: Sequence[GitPath]) -> frozenset[GitPath]:
    # check-ignore refuses literal path specifications, and only at the beginning does a colon mean anything.
    specs = {"./" + path if path.startswith(":") else path: path for path in asked}
    lines = b"".join(os.fsencode(spec) + b"\0" for spec in specs)
    args = ("check-ignore", "--no-index", "-z", "--stdin")
    out = repo_git(repo, *args, input=lines, ok=(0, 1), env={"GIT_LITERAL_PATHSPECS": "0"})
    return frozenset(specs[os.fsdecode(spec)] for spec in out.split(b"\0") if spec)


def tracked_paths(repo: GitRepo, paths: Sequence[GitPath]) -> frozenset[GitPath]:
    """Returns those of the paths that are in the user's index, as a file or as a directory with files."""
    if not paths:
        return frozenset()
    names: Iterable[str] | None = index_names(repo)
    if names is None:
        specs = paths if len(paths) <= _MAX_PATHSPECS and all(paths) else ()
        names = map(os.fsdecode, repo_git(repo, "ls-files", "-z", "--", *specs).split(b"\0"))
    known: set[str] = set()
    for path in names:
        while path and path not in known:
            known.add(path)
            path = path.rpartition("/")[0]
    return frozenset(path for path in paths if path in known or (not path and known))


def with_entry(text: str, name: str, *, ahead_of: Collection[str] = ()) -> str:
    """Returns the text of a `.gitignore` with a line for a name in the same directory; unchanged if it is there.

    Args:
        ahead_of: Names; the line is put before the first of theirs, else at the end.
    """
    line = entry_line(name)
    if line in text.splitlines():
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    if ahead_of:
        lines, behind = text.splitlines(keepends=True), {entry_line(other) for other in ahead_of}
        place = next((n for n, other in enumerate(lines) if other.rstrip("\r\n") in behind), None)
        if place is not None:
            return "".join((*lines[:place], line + end, *lines[place:]))
    return text + ("" if not text or text.endswith("\n") else end) + line + end


def without_entry(text: str, name: str) -> str:
    """Returns the text of a `.gitignore` without the line for a name; all other lines stay to the byte."""
    unwanted = {entry_line(name), entry_line(name).replace("\\ ", " ")}
    return "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\r\n") not in unwanted)


def entry_line(name: str) -> str:
    """Returns the line that makes Git ignore exactly one name of the same directory.

    Same escapes as DVC 3.67, and two more: a blank at the end, which Git would otherwise drop, and a line end, for which
    there is only the sign for any one character.
    """
    escaped = "".join("\\" + c if c in "\\*?[]!#" else "?" if c in "\r\n" else c for c in name)
    stripped = escaped.rstrip(" ")
    return "/" + stripped + "\\ " * (len(escaped) - len(stripped))


def _is_reachable(repo: GitRepo, path: str) -> bool:
    """Tells whether all directories above a path that exist are real ones of this repository; Git fails on others."""
    parts = path.rstrip("/").split("/")
    for n in range(1, len(parts)):
        where = join(repo.root, "/".join(parts[:n]))
        try:
            is_directory = stat.S_ISDIR(os.lstat(where).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return True
        if not is_directory or os.path.lexists(os.path.join(where, ".git")):
            return False
    return True


def write_ignore_entries(
    repo: GitRepo, paths: Sequence[GitPath], *, ahead_of: Sequence[GitPath] = ()
) -> tuple[GitPath, ...]:
    """Adds a line for each path to the `.gitignore` of its directory; returns the files that changed.

    Args:
        ahead_of: Paths whose lines, where they have any, come after the new ones.
    """
    changed: dict[GitPath, None] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        file = GitPath(f"{directory}/.gitignore" if directory else ".gitignore")
        where = join(repo.root, file)
        before = _text_of(where)
        beside = [rest[2] for rest in (other.rpartition("/") for other in ahead_of) if rest[0] == directory]
        after = with_entry(before, name, ahead_of=beside)
        if after != before:
            os.makedirs(os.path.dirname(where), exist_ok=True)
            atomic_write(where, os.fsencode(after))
            changed[file] = None
    return tuple(changed)


def remove_ignore_entries(repo: GitRepo, paths: Sequence[GitPath]) -> tuple[GitPath, ...]:
    """Removes the line for each path from the `.gitignore` of its directory; returns the files that changed.

    A file that holds nothing any more is removed as well.
    """
    changed: dict[GitPath, None] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        file = GitPath(f"{directory}/.gitignore" if directory else ".gitignore")
        where = join(repo.root, file)
        before = _text_of(where)
        after = without_entry(before, name)
        if after != before:
            if after.strip():
                atomic_write(where, os.fsencode(after))
            else:
                remove_file(where)
            changed[file] = None
    return tuple(changed)


def untracked_files(repo: GitRepo, paths: Sequence[GitPath]) -> tuple[GitPath, ...]:
    """Returns the files on disk that Git neither tracks nor ignores, of those at or below `paths` if any are given."""
    if _are_all_tracked(repo, paths):
        return ()
    specs = paths if len(paths) <= _MAX_PATHSPECS and all(paths) else ()
    out = repo_git(repo, "ls-files", "-z", "--others", "--exclude-standard", "--", *specs)
    found = (GitPath(os.fsdecode(path)) for path in out.split(b"\0") if path and not path.endswith(b"/"))
    if specs or not paths or not all(paths):
        return tuple(found)
    wanted = frozenset(paths)
    return tuple(path for path in found if path in wanted or any(above in wanted for above in _ancestors(path)))


def _are_all_tracked(repo: GitRepo, paths: Sequence[GitPath]) -> bool:
    """Tells whether all that is on disk of some files is tracked for sure; never of directories."""
    names = index_names(repo) if paths else None
    if names is None:
        return False
    for path in paths:
        try:
            mode = os.lstat(join(repo.root, path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if path not in names or stat.S_ISDIR(mode):
            return False
    return True


def ignored_files(repo: GitRepo, paths: Sequence[GitPath]) -> tuple[GitPath, ...]:
    """Returns the files on disk at or below `paths` that Git ignores and does not track."""
    if not paths:
        return ()
    out = repo_git(repo, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *paths)
    return tuple(GitPath(os.fsdecode(path)) for path in out.split(b"\0") if path and not path.endswith(b"/"))


def stage_files(repo: GitRepo, paths: Sequence[GitPath]) -> None:
    """Adds files to the user's index, as `git add` does; only for commands that promise it."""
    repo_git(repo, "add", "--", *paths)


def _ancestors(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _text_of(where: str) -> str:
    try:
        with open(where, "rb") as file:
            return os.fsdecode(file.read())
    except FileNotFoundError:
        return ""
