"""Which line of which `.dvcignore` decides about a path; the same decision as `IgnoreRules`, with its reason."""

import os

from offbranch.base.files import decode
from offbranch.base.paths import DVC_DIR, IGNORE_FILE, AbsPath, RepoPath, join, parent
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.storage.ignore import IGNORED_DIRECTORIES, PATTERN_MATCHER, Matcher


@record
class Reason:
    """Why a path is left out, or (a pattern with `!`) kept.

    Attributes:
        file: The ignore file; empty for what is always left out.
        line: In it, from 1; 0 for what is always left out.
        pattern: As written.
        is_ignored: Whether the path is left out.
    """

    file: str
    line: int
    pattern: str
    is_ignored: bool


class Explainer:
    """The ignore files of a project with their lines; each is read when first needed."""

    def __init__(self, root: AbsPath) -> None:
        self.root = root
        self._files: dict[RepoPath, tuple[tuple[int, str, Matcher], ...]] = {}

    def explain(self, path: RepoPath, is_dir: bool) -> Reason | None:
        """Returns what decides about a path, beginning with the directories above it; None when nothing does."""
        if path == "":
            return None
        above = self.explain(parent(path), True)
        if above is not None and above.is_ignored:
            return above
        name = path.rpartition("/")[2]
        if name in IGNORED_DIRECTORIES and (is_dir or not os.path.lexists(join(self.root, path))):
            return Reason(file="", line=0, pattern=f"{name}/", is_ignored=True)
        directory = parent(path)
        while True:
            for line, pattern, matcher in self._lines(directory):
                inner = path[len(directory) + 1 :] if directory else path
                if (verdict := matcher.verdict(inner, is_dir)) is not None:
                    file = f"{directory}/{IGNORE_FILE}" if directory else IGNORE_FILE
                    return Reason(file=file, line=line, pattern=pattern, is_ignored=verdict)
            if directory == "":
                break
            directory = parent(directory)
        if is_dir and os.path.isdir(join(self.root, f"{path}/{DVC_DIR}")):
            return Reason(file="", line=0, pattern=f"{path}/{DVC_DIR}", is_ignored=True)
        return None

    def _lines(self, directory: RepoPath) -> tuple[tuple[int, str, Matcher], ...]:
        """Returns the patterns of one file, the last first: that is the one that counts."""
        known = self._files.get(directory)
        if known is None:
            name = f"{directory}/{IGNORE_FILE}" if directory else IGNORE_FILE
            try:
                with open(join(self.root, name), "rb") as file:
                    lines = decode(file.read(), name).splitlines()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                lines = []
            known = self._files[directory] = tuple(
                (number, line, load(PATTERN_MATCHER)([line]))
                for number, line in reversed(list(enumerate(lines, 1)))
                if line.strip() and not line.startswith("#")
            )
        return known
