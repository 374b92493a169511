"""The state database: what was hashed before, so that an unchanged file is never read again.

SQLite, derived data only: it may be deleted at any moment, and whenever it is corrupt, locked or read-only it behaves
as if it were empty. A fact in it is "a file with this stamp had this md5"; a file written within one tick of the clock
of the moment it was looked at gets no entry, because a later write could leave the same stamp.
"""

import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.storage.hashing import is_racy
from offbranch.storage.manifest import NOTHING_KNOWN, Manifest, decode_manifest, encode_manifest, make_manifest
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.scan import Scan, Stamp

_VERSION = 1
_WAIT_FOR_LOCK_S = 1.0
_TABLES = """
CREATE TABLE file (path TEXT PRIMARY KEY, size INT, mtime_ns INT, ctime_ns INT, inode INT, md5 TEXT) WITHOUT ROWID;
CREATE TABLE directory (path TEXT PRIMARY KEY, fingerprint BLOB, md5 TEXT, size INT, n_files INT, checksum INT,
  manifest BLOB);
"""


@record
class _DirectoryRow:
    fingerprint: bytes | None
    content: Content | None
    manifest: Manifest


class StateDb:
    """Handle on one database; opened at the first question, written at `flush` and `close`.

    Keys are absolute paths, so several workspaces and clones may share one file. Several processes may use it at once;
    one handle is used from one thread.

    Args:
        path: The database file; its directory is made when something is written.
        clock: Gives the present time in ns since 1970, as the file system stamps files.
    """

    def __init__(self, path: AbsPath, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.path = path
        self.now_ns = clock
        self._connection: Any = None
        self._is_usable = True
        self._files: dict[str, tuple[Stamp, str]] = {}
        self._directories: dict[str, _DirectoryRow] = {}

    def __enter__(self) -> "StateDb":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def file(self, path: AbsPath, stamp: Stamp) -> ObjectId | None:
        """Returns the md5 a file with this stamp was seen to have."""
        pending = self._files.get(path)
        if pending is not None:
            return ObjectId(pending[1]) if pending[0] == stamp else None
        rows = self._ask("SELECT size, mtime_ns, ctime_ns, inode, md5 FROM file WHERE path = ?", path)
        return ObjectId(rows[0][4]) if rows and tuple(rows[0][:4]) == stamp else None

    def record_file(self, path: AbsPath, stamp: Stamp, md5: str, *, observed_ns: int) -> None:
        """Remembers the md5 of a file.

        Args:
            stamp: From before it was read.
            observed_ns: When the stamp was taken.
        """
        if not is_racy(stamp[1], observed_ns):
            self._files[path] = (stamp, md5)

    def directory(self, path: AbsPath, fingerprint: bytes) -> Content | None:
        """Returns the content a directory with this fingerprint was seen to have."""
        pending = self._directories.get(path)
        if pending is not None:
            return pending.content if pending.fingerprint == fingerprint else None
        rows = self._ask("SELECT fingerprint, md5, size, n_files FROM directory WHERE path = ?", path)
        if not rows or rows[0][0] != fingerprint:
            return None
        _, md5, size, n_files = rows[0]
        return Content(id=ObjectId(md5), size=size, n_files=n_files)

    def record_fingerprint(self, path: AbsPath, fingerprint: bytes, content: Content) -> None:
        """Remembers the content of a place of which only a fingerprint is known, not the files."""
        self._directories[path] = _DirectoryRow(fingerprint=fingerprint, content=content, manifest=NOTHING_KNOWN)

    def load_prefix(self, path: AbsPath) -> Manifest:
        """Returns what is known of the files of a directory."""
        pending = self._directories.get(path)
        if pending is not None:
            return pending.manifest
        rows = self._ask("SELECT checksum, manifest FROM directory WHERE path = ?", path)
        if not rows or load("zlib").crc32(rows[0][1]) != rows[0][0]:
            return NOTHING_KNOWN
        return decode_manifest(rows[0][1])

    def record_directory(
        self,
        path: AbsPath,
        scan: Scan,
        md5s: Sequence[str | None],
        *,
        content: Content | None,
        observed_ns: int,
    ) -> None:
        """Remembers the hashes of a directory and its files.

        Args:
            scan: The walk from before the files were read.
            md5s: One per file of the scan; None for a file of which nothing is to be remembered.
            content: What the whole is; None if that is not known.
            observed_ns: When the walk began.
        """
        manifest = make_manifest(scan, md5s, observed_ns=observed_ns)
        is_whole = content is not None and len(manifest.names) == len(scan.names)
        self._directories[path] = _DirectoryRow(
            fingerprint=scan.fingerprint if is_whole else None,
            content=content if is_whole else None,
            manifest=manifest,
        )

    def forget(self, path: AbsPath) -> None:
        """Drops everything known of a path and of what is below it, e.g. of a temporary workspace."""
        below = path + os.sep
        for known in (self._files, self._directories):
            for name in [name for name in known if name == path or name.startswith(below)]:
                del known[name]
        last = path + chr(ord(os.sep) + 1)
        for table in ("file", "directory"):
            statement = f"DELETE FROM {table} WHERE path = ? OR (path > ? AND path < ?)"
            self._write([(statement, [(_key(path), _key(below), _key(last))])])

    def flush(self) -> None:
        """Writes what was recorded, in one transaction; failing to is no error."""
        if not self._files and not self._directories:
            return
        files = [(_key(path), *stamp, md5) for path, (stamp, md5) in self._files.items()]
        directories = [_directory_values(path, row) for path, row in self._directories.items()]
        self._write(
            [
                ("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", files),
                ("INSERT OR REPLACE INTO directory VALUES (?, ?, ?, ?, ?, ?, ?)", directories),
            ]
        )
        self._files.clear()
        self._directories.clear()

    def close(self) -> None:
        """Writes what was recorded and closes the database; the handle may be used again."""
        self.flush()
        self._disconnect()

    def _ask(self, statement: str, path: str) -> list[tuple[Any, ...]]:
        if self._connection is None and not os.path.exists(self.path):
            return []
        sqlite3 = load("sqlite3")
        try:
            rows: list[tuple[Any, ...]] = self._connect(sqlite3).execute(statement, (_key(path),)).fetchall()
            return rows
        except (sqlite3.Error, OSError) as error:
            self._give_up(sqlite3, error)
            return []

    def _write(self, statements: Sequence[tuple[str, list[tuple[Any, ...]]]]) -> None:
        sqlite3 = load("sqlite3")
        for _ in range(2):  # once more after a corrupt file has been removed
            try:
                connection = self._connect(sqlite3)
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    for statement, rows in statements:
                        connection.executemany(statement, rows)
                return
            except (sqlite3.Error, OSError) as error:
                if not self._give_up(sqlite3, error):
                    return

    def _connect(self, sqlite3: Any) -> Any:
        if not self._is_usable:
            raise OSError("the database could not be used before")
        if self._connection is None:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_WAIT_FOR_LOCK_S, isolation_level=None)
            _prepare(self._connection)
        return self._connection

    def _give_up(self, sqlite3: Any, error: Exception) -> bool:
        """Leaves a database that failed; returns whether a fresh one may be tried because this one was corrupt."""
        self._disconnect()
        is_corrupt = isinstance(error, sqlite3.DatabaseError) and (
            not isinstance(error, sqlite3.OperationalError) or str(error).startswith("no such")
        )
        self._is_usable = is_corrupt
        if not self._is_usable:
            return False
        try:
            for suffix in ("-journal", ""):
                if os.path.exists(self.path + suffix):
                    os.unlink(self.path + suffix)
        except OSError:
            self._is_usable = False
        return self._is_usable

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _prepare(connection: Any) -> None:
    # A rollback journal, not a WAL: it survives a kill as well, needs no shared memory (network file systems), and one
    # short write per command gains nothing from readers beside it. Losing power may lose the database: it is derived.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == _VERSION:
        return
    with connection:
        connection.execute("BEGIN EXCLUSIVE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:  # nobody else made it while we waited
            connection.execute("DROP TABLE IF EXISTS file")
            connection.execute("DROP TABLE IF EXISTS directory")
            for statement in _TABLES.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def _key(path: str) -> str | bytes:
    """Returns a path as SQLite can hold it: a name that is not UTF-8 goes in as bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _directory_values(path: str, row: _DirectoryRow) -> tuple[Any, ...]:
    manifest = encode_manifest(row.manifest)
    content = row.content
    found = (None, None, None) if content is None else (content.id, content.size, content.n_files)
    return (_key(path), row.fingerprint, *found, load("zlib").crc32(manifest), manifest)
