"""Entries in DVC's path lock (`.dvc/tmp/rwlock`), which tell both tools what a running stage reads and writes.

Format and rules: docs/formats/locks-and-private-files.md. The project lock is free while a stage's command runs, so that
the command may call `ob` or `dvc`; these entries remain. Entries of dead processes are dropped.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from offbranch.base.errors import LockedError
from offbranch.base.files import atomic_write
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath, overlap
from offbranch.base.processes import start_time, this_process

_WAIT_S = 5.0


@contextmanager
def hold_paths(tmp_dir: AbsPath, *, reads: Iterable[AbsPath], writes: Iterable[AbsPath]) -> Iterator[None]:
    """Holds paths for reading and writing for the length of a `with`.

    Raises:
        LockedError: Another live process reads or writes an overlapping path.
    """
    process = this_process()
    mine = {"pid": process.pid, "cmd": process.command}
    file, guard = AbsPath(os.path.join(tmp_dir, "rwlock")), AbsPath(os.path.join(tmp_dir, "rwlock.lock"))
    reads, writes = tuple(reads), tuple(writes)
    with hold_lock(guard, wait_s=_WAIT_S):
        table = _read(file)
        _refuse_if_busy(table, reads, writes, mine)
        for path in reads:
            infos = table["read"].setdefault(path, [])
            if mine not in infos:
                infos.append(mine)
        for path in writes:
            table["write"][path] = mine
        _write(file, table)
    try:
        yield
    finally:
        with hold_lock(guard, wait_s=_WAIT_S):
            table = _read(file)
            for path in reads:
                table["read"][path] = [info for info in table["read"].get(path, ()) if info != mine]
            for path in writes:
                if table["write"].get(path) == mine:
                    del table["write"][path]
            _write(file, table)


def _refuse_if_busy(
    table: dict[str, dict[str, Any]], reads: tuple[str, ...], writes: tuple[str, ...], mine: dict[str, Any]
) -> None:
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


def _read(path: AbsPath) -> dict[str, dict[str, Any]]:
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


def _write(path: AbsPath, table: dict[str, dict[str, Any]]) -> None:
    table = {"read": {path: infos for path, infos in table["read"].items() if infos}, "write": table["write"]}
    atomic_write(path, json.dumps({kind: paths for kind, paths in table.items() if paths}).encode())
