"""The index of the queue: what commits of tasks, attempts and experiments say, so that none of them is read twice.

SQLite in WAL mode, derived data only. A commit never changes, so a row is right for ever and nothing has to be kept in step:
the file may be deleted, cut short, of another version, on a full disk or read-only at any moment, and whoever finds it so goes
on without it. Every row carries a check sum of itself, so that a damaged file costs time and never an answer.
"""

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from offbranch.base.paths import AbsPath, join
from offbranch.base.plugins import load
from offbranch.experiments.leases import QUEUE_DIR

FORMAT_VERSION = 2
FILE = f"{QUEUE_DIR}/index.sqlite"
# Who cannot write at once leaves it: the next command reads these commits again, and tries again.
_WAIT_FOR_LOCK_S = 0.1
_TABLE = "CREATE TABLE fact (key TEXT PRIMARY KEY, checksum INT, data TEXT) WITHOUT ROWID"

Fact = Mapping[str, Any]


class Index:
    """Handle on the index of one project; opened at the first question.

    Several processes may use one file at once; one handle is used from one thread.

    Args:
        root: The project root.
    """

    def __init__(self, root: AbsPath) -> None:
        self._path = join(root, FILE)
        self._connection: Any = None
        self._is_usable = True

    def read(self, kinds: Iterable[str]) -> dict[str, Fact]:
        """Returns everything that is known whose key begins with one of some words; nothing where the file cannot be used."""
        if not os.path.exists(self._path):
            return {}
        # By the primary key; what follows a blank in ASCII is "!".
        ranges = " OR ".join(f"key BETWEEN '{kind} ' AND '{kind}!'" for kind in kinds)
        rows = self._ask(f"SELECT key, checksum, data FROM fact WHERE {ranges}")
        sound = [(key, data) for key, checksum, data in rows if _checksum(key, data) == checksum]
        try:
            facts = json.loads(f"[{','.join([data for _, data in sound])}]")
        except ValueError:
            return {}
        return {key: fact for (key, _), fact in zip(sound, facts, strict=True)}

    def write(self, facts: Mapping[str, Fact]) -> None:
        """Adds facts, by key; never fails."""
        encode = json.JSONEncoder(separators=(",", ":")).encode
        texts = ((key, encode(fact)) for key, fact in facts.items())
        rows = [(key, _checksum(key, data), data) for key, data in texts]
        self._write("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", rows)

    def drop(self, keys: Iterable[str]) -> None:
        """Removes facts; never fails."""
        self._write("DELETE FROM fact WHERE key = ?", [(key,) for key in keys])

    def close(self) -> None:
        """Closes the file; the handle may be used again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        sqlite3 = load("sqlite3")
        try:
            rows: list[tuple[Any, ...]] = self._connect(sqlite3).execute(statement).fetchall()
            return rows
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            self._give_up(sqlite3, error)
            return []

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        sqlite3 = load("sqlite3")
        for _ in range(2):  # once more after a damaged file has been removed
            try:
                connection = self._connect(sqlite3)
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany(statement, rows)
                return
            except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
                if not self._give_up(sqlite3, error):
                    return

    def _connect(self, sqlite3: Any) -> Any:
        if not self._is_usable:
            raise OSError("the index could not be used before")
        if self._connection is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=_WAIT_FOR_LOCK_S, isolation_level=None)
            _prepare(self._connection)
        return self._connection

    def _give_up(self, sqlite3: Any, error: Exception) -> bool:
        """Leaves a file that failed; returns whether a fresh one may be tried because this one was damaged."""
        self.close()
        is_damaged = isinstance(error, UnicodeDecodeError) or (
            isinstance(error, sqlite3.DatabaseError)
            and (not isinstance(error, sqlite3.OperationalError) or str(error).startswith("no such"))
        )
        self._is_usable = is_damaged
        if is_damaged:
            try:
                for suffix in ("-wal", "-shm", ""):
                    if os.path.lexists(self._path + suffix):
                        os.unlink(self._path + suffix)
            except OSError:
                self._is_usable = False
        return self._is_usable


def _prepare(connection: Any) -> None:
    # Losing power may lose the file: it is derived. Readers of a WAL never wait for who writes, nor the other way round.
    connection.execute("PRAGMA synchronous = OFF")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == FORMAT_VERSION:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != FORMAT_VERSION:  # nobody else made it while we waited
            connection.execute("DROP TABLE IF EXISTS fact")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def _checksum(key: Any, data: Any) -> int:
    return zlib.crc32(f"{key} {data}".encode("utf-8", "surrogatepass"))
