"""Remembers what commits hold between two commands: commit id -> DATA as `exp show --json` prints it.

Commits do not change, so a row is never wrong; the format version and the project's directory in the repository are part
of the file's head. The file may be deleted, damaged, or impossible to write at any moment: that only costs time.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from offbranch.base.files import atomic_write
from offbranch.base.paths import OB_DIR, AbsPath, GitPath, join
from offbranch.base.records import record
from offbranch.git.ids import CommitId

FORMAT_VERSION = 1
FILE = f"{OB_DIR}/rows.jsonl"
# About 25 MB at the size of a usual row. What one command shows is kept all the same: it will be shown again.
MAX_ROWS = 20_000
MAX_ROWS_OF_ONE = 200_000


@record
class Row:
    """One commit.

    Attributes:
        time_s: When it was committed, in seconds since 1970 UTC.
        parents: Its parents, in order.
        data: `params`, `metrics`, `deps`, `outs` and `meta`; no error in it.
        checkpoint: `number` and `step` of the checkpoint that it is; None where it is none.
    """

    time_s: int
    parents: tuple[CommitId, ...]
    data: Mapping[str, Any]
    checkpoint: Mapping[str, Any] | None = None


class RowCache:
    """The remembered rows of one project. Lines are understood only when asked for.

    Args:
        root: The project root.
        prefix: Its directory in the repository.
        use_old: Take rows of earlier commands into account; without, they are only replaced.
    """

    def __init__(self, root: AbsPath, prefix: GitPath, *, use_old: bool = True) -> None:
        self._path = join(root, FILE)
        self._head = json.dumps({"format": "ob rows", "version": FORMAT_VERSION, "prefix": prefix})
        self._lines = _read_lines(self._path, self._head)
        self._usable = set(self._lines) if use_old else set()
        self._used: dict[str, None] = {}
        self._new: dict[str, str] = {}

    def get(self, commit: CommitId) -> Row | None:
        """Returns the row of a commit."""
        if commit not in self._usable:
            return None
        try:
            time_s, parents, data, *more = json.loads(self._lines[commit])
            checkpoint = more[0] if more else None
            self._used[commit] = None
            return Row(time_s=int(time_s), parents=tuple(parents), data=data, checkpoint=checkpoint)
        except (ValueError, TypeError):
            self._usable.discard(commit)
            return None

    def put(self, commit: CommitId, row: Row) -> None:
        """Adds a row; `save` writes it."""
        if not any("error" in entry for kind in ("params", "metrics") for entry in row.data[kind].values()):
            values = (row.time_s, row.parents, row.data, *(() if row.checkpoint is None else (row.checkpoint,)))
            self._new[commit] = json.dumps(values, separators=(",", ":"), default=str)

    def save(self) -> None:
        """Writes the new rows, those that were asked for, and the youngest of the others, where that is possible."""
        if not self._new:
            return
        # Old ones first: where there are too many, the same ones are found by the next command, which asks in the same order.
        asked = {commit: self._lines[commit] for commit in self._used if commit not in self._new} | self._new
        asked = dict(list(asked.items())[:MAX_ROWS_OF_ONE])
        others = [(commit, line) for commit, line in self._lines.items() if commit not in asked]
        kept = [*others[len(others) - max(0, min(len(others), MAX_ROWS - len(asked))) :], *asked.items()]
        text = "\n".join([self._head, *(f"{commit} {line}" for commit, line in kept), ""])
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            atomic_write(self._path, text.encode())
        except OSError:
            pass


def _read_lines(path: AbsPath, head: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            first, *lines = file.read().split("\n")
    except (OSError, ValueError):
        return {}
    if first != head:
        return {}
    return {commit: line for commit, blank, line in (line.partition(" ") for line in lines) if blank}
