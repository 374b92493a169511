"""Lists of files as text, as a tree and as the JSON of DVC 3.67; pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from offbranch.experiments.inventory import InventoryEntry


def entry_to_json(entry: InventoryEntry, shown: str) -> dict[str, Any]:
    """Returns one entry of `ls --json`."""
    return {
        "isout": entry.is_out,
        "isdir": entry.is_dir,
        "isexec": entry.is_exec,
        "size": entry.size,
        "md5": entry.id,
        "path": shown,
    }


def size_text(size: int | None) -> str:
    """Returns a number of bytes in at most five characters: `999`, `1.00k`, `12.3M`; nothing for an unknown one."""
    if size is None:
        return ""
    number = float(size)
    for unit in ("", "k", "M", "G", "T", "P"):
        if number < 999.5:
            digits = 0 if not unit else 2 if number < 9.995 else 1 if number < 99.95 else 0
            return f"{number:.{digits}f}{unit}"
        number /= 1024
    return f"{number:.0f}E"


def file_lines(rows: Sequence[tuple[InventoryEntry, str]], *, size: bool, hash: bool) -> Iterator[str]:
    """Yields one line per entry: size and hash if wanted, then its name.

    Args:
        rows: Each entry with its name as it is to be shown.
        size: Show sizes.
        hash: Show object ids; `-` for what has none.
    """
    columns: list[list[str]] = []
    if size:
        sizes = [size_text(entry.size) for entry, _ in rows]
        width = max(map(len, sizes), default=0)
        columns.append([text.rjust(width) for text in sizes])
    if hash:
        ids = [entry.id or "-" for entry, _ in rows]
        width = max(map(len, ids), default=0)
        columns.append([text.ljust(width) for text in ids])
    columns.append([name for _, name in rows])
    return ("  ".join(cells) for cells in zip(*columns, strict=True))


def tree_rows(top: InventoryEntry, name: str, entries: Iterable[InventoryEntry]) -> list[tuple[InventoryEntry, str]]:
    """Returns the entries below a directory, each with its name behind the branches of a tree.

    Args:
        top: The directory.
        name: What it is called.
        entries: What is below it, each directory before what it holds.
    """
    children: dict[str, list[InventoryEntry]] = {}
    for entry in entries:
        children.setdefault(entry.path.rpartition("/")[0], []).append(entry)
    rows = [(top, name)]

    def add(path: str, indent: str) -> None:
        below = children.get(path, [])
        for number, entry in enumerate(below, 1):
            is_last = number == len(below)
            rows.append((entry, f"{indent}{'└── ' if is_last else '├── '}{entry.path.rpartition('/')[2]}"))
            add(entry.path, indent + ("    " if is_last else "│   "))

    add(top.path, "")
    return rows
