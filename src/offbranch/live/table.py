"""The table of one metric on disk: whole lines, appended; made with its first line in one step.

Any number of processes may append to one table: each line goes out by one write to a file opened for appending.
"""

import math
import os

from offbranch.live.formats import header, replace_file, temporary_number

_APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CREATE = _APPEND | os.O_CREAT | os.O_EXCL
# Of the end of a table, where the last step is looked for.
_END_BYTES = 1 << 16
_NEW = _APPEND | os.O_CREAT | os.O_TRUNC


class Table:
    """One metric: where its table is, and the lines that are not there yet.

    Attributes:
        rows: Lines that wait; appended to by any thread, taken by one at a time.
        has_timestamp: Whether the table has a column of times: as it was begun.
        is_cut: Whether lines that a resumed program repeats have been looked for.
        n_before: Bytes of the file that an earlier program has left, where it is not known yet whether they are repeated.
        plain: A line may be `step<TAB>value` without more.
    """

    __slots__ = ("has_timestamp", "is_cut", "n_before", "name", "path", "plain", "rows")

    def __init__(self, name: str, path: str, *, has_timestamp: bool, is_cut: bool) -> None:
        self.name = name
        self.path = path
        self.has_timestamp = has_timestamp
        self.is_cut = is_cut
        self.n_before = 0
        self.plain = not has_timestamp and os.linesep == "\n"
        self.rows: list[str] = []

    def append(self, text: str) -> None:
        """Appends lines to the file; it is made if it is not there.

        Raises:
            OSError: It cannot be written; then nothing of it has been.
        """
        content = text.encode("utf-8", "backslashreplace")
        try:
            descriptor = os.open(self.path, _APPEND)
        except FileNotFoundError:
            if self._create(content):
                return
            descriptor = os.open(self.path, _APPEND)
        try:
            _write_whole(descriptor, content)
        finally:
            os.close(descriptor)

    def _create(self, content: bytes) -> bool:
        """Makes the file with its first lines; False if these are still to be appended, because somebody else was quicker."""
        first = header(self.name, has_timestamp=self.has_timestamp).encode("utf-8", "backslashreplace")
        temporary = f"{self.path}.ob-tmp-{temporary_number()}"
        try:
            _write_new(temporary, first + content)
            if not _has_linked(temporary, self.path):
                _create_slowly(self.path, first)
                return False
            return True
        except FileExistsError:
            return False
        finally:
            _unlink(temporary)


def open_table(name: str, path: str, *, has_timestamp: bool, is_resumed: bool) -> Table:
    """Returns the table of a metric; one that is there keeps its columns.

    Args:
        name: Of the metric, with all of its parts.
        path: Of the file, which need not be there.
        has_timestamp: Whether a new one gets a column of times.
        is_resumed: The program goes on from an earlier one, whose lines may have to be cut.
    """
    try:
        with open(path, "rb") as file:
            first = file.readline()
        if first.endswith(b"\n"):
            has_timestamp = first.startswith(b"timestamp\t")
    except (OSError, ValueError):
        pass
    return Table(name, path, has_timestamp=has_timestamp, is_cut=not is_resumed)


def cut_repeated(path: str, step: float, *, column: int) -> int:
    """Removes the last lines of a table that are of a step that is logged anew, and a line without an end.

    Args:
        path: Of the table.
        step: Lines of this step or a later one at the end go.
        column: Number of the column of steps.

    Returns:
        Bytes that are left.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return 0
    if not lines or not lines[0].endswith(b"\n"):
        os.unlink(path)  # without its first line it is begun anew
        return 0
    kept = _not_repeated(lines, step, column)
    n_left = sum(map(len, kept))
    if len(kept) < len(lines):
        os.truncate(path, n_left)
    return n_left


def drop_repeated(path: str, n_bytes: int, step: float, *, column: int) -> None:
    """Removes lines of an earlier program that have been logged anew, before those that this one has appended.

    Args:
        path: Of the table.
        n_bytes: What the earlier one had left.
        step: Lines of this step or a later one at the end of that go.
        column: Number of the column of steps.
    """
    with open(path, "rb") as file:
        before = file.read(n_bytes)
        kept = b"".join(_not_repeated(before.splitlines(keepends=True), step, column))
        if kept == before:
            return
        replace_file(path, kept + file.read())
        late = file.read()  # what another thread had begun to append to the old file
    if late:
        with open(path, "ab") as file:
            file.write(late)


def _not_repeated(lines: list[bytes], step: float, column: int) -> list[bytes]:
    n_kept = len(lines)
    while n_kept > 1 and not (lines[n_kept - 1].endswith(b"\n") and _step_of(lines[n_kept - 1], column) < step):
        n_kept -= 1
    return lines[:n_kept]


def last_step(path: str) -> float | None:
    """Returns the step of the last whole line of a table; None if there is none."""
    try:
        with open(path, "rb") as file:
            first = file.readline()
            size = file.seek(0, os.SEEK_END)
            file.seek(max(len(first), size - _END_BYTES))
            *lines, _ = file.read().split(b"\n")
    except OSError:
        return None
    column = 1 if first.startswith(b"timestamp\t") else 0
    steps = (_step_of(line, column) for line in reversed(lines))
    return next((step for step in steps if math.isfinite(step)), None)


def _step_of(line: bytes, column: int) -> float:
    fields = line.split(b"\t")
    try:
        return float(fields[column])
    except (IndexError, ValueError):  # the rest of a value that has lines
        return float("-inf")


def _write_whole(descriptor: int, content: bytes) -> None:
    """Writes all or nothing, so that a full disk leaves no half of a line."""
    before = os.fstat(descriptor).st_size
    n_written = 0
    try:
        while n_written < len(content):
            n_written += os.write(descriptor, content[n_written:] if n_written else content)
    except OSError:
        if n_written and os.fstat(descriptor).st_size == before + n_written:
            os.ftruncate(descriptor, before)
        raise


def _has_linked(source: str, path: str) -> bool:
    """Gives a file another name; False on a file system without hard links.

    Raises:
        FileExistsError: There is a file of this name.
    """
    try:
        os.link(source, path)
    except (FileExistsError, TimeoutError):  # the latter is that of a signal handler
        raise
    except OSError:
        return False
    return True


def _write_new(path: str, content: bytes) -> None:
    try:
        descriptor = os.open(path, _NEW, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, _NEW, 0o666)
    try:
        _write_whole(descriptor, content)
    finally:
        os.close(descriptor)


def _create_slowly(path: str, first: bytes) -> None:
    try:
        descriptor = os.open(path, _CREATE, 0o666)
    except FileExistsError:
        return
    try:
        _write_whole(descriptor, first)
    except OSError:
        _unlink(path)  # rows without a header would be taken for one
        raise
    finally:
        os.close(descriptor)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
