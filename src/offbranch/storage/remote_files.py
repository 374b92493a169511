"""`RemoteFiles`: files at a url, by key; the seam to every kind of data remote, and the table of its implementations.

It knows nothing of objects or hashes: cache objects, the run-cache, imports and `get` all go through it. What is kept
where is said in `storage/remote_store.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from offbranch.base.errors import RemoteError, did_you_mean
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import positional_record
from offbranch.storage.remote_options import Ask, ask_at_terminal, with_answers
from offbranch.storage.remote_setting import RemoteSetting

Write = Callable[[bytes], object]


@positional_record
class RemoteFile:
    """One file at a url.

    Attributes:
        key: Path below the url, with `/`.
        size: Bytes; None where the server does not say.
        etag: What the server calls this content; None where it has no such thing.
        version: Id of this version, where the store keeps versions.
        is_checksum: `etag` is a checksum of the content (header `Content-MD5`) and no mere tag.
        about: What else a web server says of it, by the names DVC knows it under, in DVC's order.
    """

    key: str
    size: int | None = None
    etag: str | None = None
    version: str | None = None
    is_checksum: bool = False
    about: tuple[tuple[str, str], ...] = ()


class RemoteFiles(Protocol):
    """Files below one url, each named by a key: a path with `/` below it, the empty key being the url itself.

    Every call may come from any thread, several at once. Calls that write are atomic: a reader sees the old file or
    the whole new one, also when the connection breaks or the process is killed in between. Nothing is retried here; a
    failure that may go away by itself is a `RemoteError` with `is_transient`. No message holds a password, key or token.

    Attributes:
        setting: What was opened.
        jobs: How many calls at a time pay off, unless the user says otherwise.
        can_list: Whether `iter_files` works.
        can_write: Whether `upload`, `write` and `remove` work.
    """

    @property
    def setting(self) -> RemoteSetting: ...

    @property
    def jobs(self) -> int: ...

    @property
    def can_list(self) -> bool: ...

    @property
    def can_write(self) -> bool: ...

    def find(self, key: str, *, version: str | None = None) -> RemoteFile | None:
        """Returns a file; None when there is none (a directory counts as none).

        Raises:
            RemoteError: The remote cannot be asked.
        """
        ...

    def iter_files(self, prefix: str) -> Iterator[RemoteFile]:
        """Yields every file below a directory, at any depth, in no particular order; nothing where there is no such directory.

        Args:
            prefix: The directory, without a slash at its end; empty for all.
        """
        ...

    def read(self, key: str, *, version: str | None = None) -> bytes:
        """Returns the content of a small file.

        Raises:
            MissingDataError: It is not there.
        """
        ...

    def download(self, key: str, write: Write, *, version: str | None = None) -> None:
        """Hands the content of a file on, piece by piece and in order. Nothing tells that it came whole but its hash.

        Raises:
            MissingDataError: It is not there; nothing was handed on.
        """
        ...

    def upload(self, source: AbsPath, key: str, *, on_bytes: Callable[[int], object] | None = None) -> RemoteFile:
        """Puts a file of this machine at a key, replacing what is there; directories are made as needed.

        Args:
            source: The file; it is read only.
            key: Where.
            on_bytes: Called with the number of bytes sent since the last call.
        """
        ...

    def write(self, key: str, data: bytes) -> RemoteFile:
        """Puts bytes at a key, as `upload` does."""
        ...

    def remove(self, keys: Iterable[str]) -> None:
        """Removes files; one that is not there is no error."""
        ...

    def close(self) -> None:
        """Ends connections. The handle cannot be used afterwards."""
        ...


# Scheme -> opener `(setting) -> RemoteFiles`, and the set of optional dependencies that brings its library.
OPENERS: Mapping[str, tuple[str, str | None]] = {
    "local": ("offbranch.storage.remote_directory:open_directory", None),
    "s3": ("offbranch.storage.remote_s3:open_s3", "s3"),
    "gs": ("offbranch.storage.remote_gs:open_gs", "gs"),
    "azure": ("offbranch.storage.remote_azure:open_azure", "azure"),
    "http": ("offbranch.storage.remote_http:open_http", None),
    "https": ("offbranch.storage.remote_http:open_http", None),
    "ssh": ("offbranch.storage.remote_ssh:open_ssh", "ssh"),
}
# Schemes of DVC that nothing here opens.
_ELSEWHERE = frozenset(("gdrive", "hdfs", "webhdfs", "oss", "webdav", "webdavs"))
# Other names of the same; DVC refuses every config file that has one.
_ALIASES = {"sftp": "ssh", "gcs": "gs", "abfs": "azure", "abfss": "azure", "az": "azure", "s3a": "s3", "s3n": "s3"}


def open_files(setting: RemoteSetting, *, ask: Ask | None = None) -> RemoteFiles:
    """Opens the files of a remote; a library is loaded now, a connection is made when the first call needs one.

    Args:
        setting: Of the remote.
        ask: Asks for a password that the remote wants asked for (`ask_password`, `ask_passphrase`), now and in this
            thread; without it the terminal does.

    Raises:
        RemoteError: Its scheme is unknown, or a password cannot be asked for.
        BadInputError: An option makes no sense, or cannot be honoured.
        OffbranchError: The optional library for it is not installed; the hint says how to install it.
    """
    found = OPENERS.get(setting.scheme)
    if found is None:
        raise _unknown_scheme(setting)
    target, extra = found
    opened: RemoteFiles = load(target, extra=extra)(with_answers(setting, ask or ask_at_terminal))
    return opened


def _unknown_scheme(setting: RemoteSetting) -> RemoteError:
    known = ", ".join(f"{scheme}://" for scheme in OPENERS if scheme != "local")
    if setting.scheme in _ELSEWHERE:
        return RemoteError(
            f"{setting.label} is at {setting.scheme}://, which ob does not reach",
            hint=f"DVC works in the same project (dvc push, dvc pull); ob reaches directories, {known}",
        )
    if setting.scheme in _ALIASES:
        return RemoteError(
            f"{setting.label} has the scheme '{setting.scheme}://', which DVC does not know either",
            hint=f"write {_ALIASES[setting.scheme]}://",
        )
    return RemoteError(
        f"{setting.label} has the unknown scheme '{setting.scheme}://'",
        hint=did_you_mean(setting.scheme, OPENERS) or f"known: directories, {known}",
    )
