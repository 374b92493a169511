"""`.dvcignore`: which paths of a project are left out of data and of the search for pipeline files.

The files have Git's syntax and count for everything below them. They are read once per directory, when a path there
is first asked about; the matcher (`ignore_patterns.py`) is only loaded when some file really holds a pattern.
Always left out are the directories `.dvc`, `.git` and `.hg`, and any directory below the root that is itself a project.
"""

import os
from typing import Protocol

from offbranch.base.errors import BadInputError
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.paths import DVC_DIR, IGNORE_FILE, AbsPath, RepoPath, join, parent
from offbranch.base.plugins import load

IGNORED_DIRECTORIES = frozenset({DVC_DIR, ".git", ".hg"})
PATTERN_MATCHER = "offbranch.storage.ignore_patterns:PatternFile"


class Matcher(Protocol):
    """The patterns of one file."""

    def verdict(self, path: str, is_dir: bool, /) -> bool | None:
        """Returns True to ignore, False to keep, None when no pattern speaks of the path (relative to the file)."""
        ...


class IgnoreRules:
    """The ignore files of one project, as they were when first read. Used from one thread."""

    def __init__(self, root: AbsPath) -> None:
        self.root = root
        self._chains: dict[RepoPath, tuple[tuple[str, Matcher], ...]] = {}
        self._directories: dict[RepoPath, bool] = {RepoPath(""): False}

    def ignores(self, path: RepoPath, is_dir: bool) -> bool:
        """Tells whether a path of the project is left out, for itself or because a directory above it is."""
        if path == "":
            return False
        if is_dir:
            return self._ignores_directory(path)
        above = parent(path)
        name = path[len(above) + 1 :] if above else path
        return name.startswith(TEMPORARY_PREFIX) or self._ignores_directory(above) or self.matches(path, False)

    def has_patterns(self, directory: RepoPath) -> bool:
        """Tells whether any pattern counts inside a directory; if not, its plain files need not be asked about."""
        return bool(self._chain(directory))

    def matches(self, path: RepoPath, is_dir: bool) -> bool:
        """Tells whether a pattern ignores the path itself; the directories above it are not considered."""
        for prefix, matcher in self._chain(parent(path)):
            verdict = matcher.verdict(path[len(prefix) :], is_dir)
            if verdict is not None:
                return verdict
        return False

    def _ignores_directory(self, path: RepoPath) -> bool:
        known = self._directories.get(path)
        if known is None:
            known = self._directories[path] = (
                path.rpartition("/")[2] in IGNORED_DIRECTORIES
                or self._ignores_directory(parent(path))
                or self.matches(path, True)
                or os.path.isdir(join(self.root, f"{path}/{DVC_DIR}"))
            )
        return known

    def _chain(self, directory: RepoPath) -> tuple[tuple[str, Matcher], ...]:
        """Returns (prefix to cut off, patterns) of the files that count in a directory, nearest first."""
        known = self._chains.get(directory)
        if known is None:
            above = self._chain(parent(directory)) if directory else ()
            matcher = self._read(directory)
            own = () if matcher is None else ((f"{directory}/" if directory else "", matcher),)
            known = self._chains[directory] = own + above
        return known

    def _read(self, directory: RepoPath) -> Matcher | None:
        try:
            with open(os.path.join(join(self.root, directory), IGNORE_FILE), "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        lines = data.decode("utf-8-sig", "surrogateescape").splitlines()
        patterns = [line for line in lines if line.strip() and not line.startswith("#")]
        if not patterns:
            return None
        try:
            matcher: Matcher = load(PATTERN_MATCHER)(patterns)
        except ValueError as error:
            name = f"{directory}/{IGNORE_FILE}" if directory else IGNORE_FILE
            raise BadInputError(f"a pattern cannot be understood: {error}", path=name) from error
        return matcher


def load_ignore_rules(root: AbsPath) -> IgnoreRules:
    """Returns the rules of the project at `root`; nothing is read before it is needed."""
    return IgnoreRules(root)
