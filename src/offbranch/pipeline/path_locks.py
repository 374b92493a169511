"""Entries in DVC's path lock (`.dvc/tmp/rwlock`), which tell both tools what a running stage reads and writes.

Format and rules: docs/formats/locks-and-private-files.md. The project lock is free while a stage's command runs, so that
the command may call `ob` or `dvc`; these entries remain. Entries of dead processes are dropped.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from offbranch.base.errors import LockedError
from offbranch.base.files import atomic_write
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath, overlap
from offbranch.base.processes import start_time, this_process

_WAIT_S = 5.0
_Table = dict[str, dict[str, Any]]


class PathLocks:
    """The entries of this process: several stages may hold the same path, which has one entry as long as one of them does.

    Args:
        tmp_dir: Where the table is.
    """

    def __init__(self, tmp_dir: AbsPath) -> None:
        self._file = AbsPath(os.path.join(tmp_dir, "rwlock"))
        self._guard = AbsPath(os.path.join(tmp_dir, "rwlock.lock"))
        self._readers: Counter[AbsPath] = Counter()
        self._writers: Counter[AbsPath] = Counter()

    @contextmanager
    def hold(self, *, reads: Iterable[AbsPath], writes: Iterable[AbsPath]) -> Iterator[None]:
        """Holds paths for reading and writing for the length of a `with`.

        Raises:
            LockedError: Another live process reads or writes an overlapping path.
        """
        process = this_process()
        mine = {"pid": process.pid, "cmd": process.command}
        reads, writes = tuple(dict.fromkeys(reads)), tuple(dict.fromkeys(writes))
        with hold_lock(self._guard, wait_s=_WAIT_S):
            table = _read(self._file)
            _refuse_if_busy(table, reads, writes, mine)
            _enter(table, reads, writes, mine)
            _write(self._file, table)
        self._readers.update(reads)
        self._writers.update(writes)
        try:
            yield
        finally:
            self._readers.subtract(reads)
            self._writers.subtract(writes)
            with hold_lock(self._guard, wait_s=_WAIT_S):
                table = _read(self._file)
                _leave(table, [path for path in reads if not self._readers[path]], "read", mine)
                _leave(table, [path for path in writes if not self._writers[path]], "write", mine)
                _write(self._file, table)


def _enter(table: _Table, reads: Iterable[str], writes: Iterable[str], mine: dict[str, Any]) -> None:
    for path in reads:
        infos = table["read"].setdefault(path, [])
        if mine not in infos:
            infos.append(mine)
    for path in writes:
        table["write"][path] = mine


def _leave(table: _Table, paths: Iterable[str], kind: str, mine: dict[str, Any]) -> None:
    for path in paths:
        if kind == "read":
            table["read"][path] = [info for info in table["read"].get(path, ()) if info != mine]
        elif table["write"].get(path) == mine:
            del table["write"][path]


def _refuse_if_busy(table: _Table, reads: tuple[str, ...], writes: tuple[str, ...], mine: dict[str, Any]) -> None:
    held = [(path, info) for path, info in table["write"].items()]
    for wanted in (*reads, *writes):
        _refuse(wanted, held, mine)
    held = [(path, info) for path, infos in table["read"].items() for info in infos]
    for wanted in writes:
        _refuse(wanted, held, mine)


def _refuse(wanted: str, held: list[tuple[str, Any]], mine: dict[str, Any]) -> None:
    for path, info in held:
        if info != mine and overlap(path, wanted):
            raise LockedError(
                f"'{wanted}' is in use by process {info['pid']} ({info['cmd']})",
                hint="wait until it has finished, or end that process",
            )


def _read(path: AbsPath) -> _Table:
    """Returns the table without entries of dead processes; an unreadable file is an empty table."""
    try:
        with open(path, encoding="utf-8") as file:
            raw = json.loads(file.read() or "{}")
        reads = {path: [info for info in infos if _is_live(info)] for path, infos in raw.get("read", {}).items()}
        writes = {path: info for path, info in raw.get("write", {}).items() if _is_live(info)}
    except (OSError, ValueError, AttributeError, TypeError):
        reads, writes = {}, {}
    return {"read": {path: infos for path, infos in reads.items() if infos}, "write": writes}


def _is_live(info: Any) -> bool:
    return isinstance(info, dict) and isinstance(info.get("pid"), int) and start_time(info["pid"]) is not None


def _write(path: AbsPath, table: _Table) -> None:
    table = {"read": {path: infos for path, infos in table["read"].items() if infos}, "write": table["write"]}
    atomic_write(path, json.dumps({kind: paths for kind, paths in table.items() if paths}).encode())
