"""md5 of files and bytes, as DVC 3 names objects, and the legacy text hash of DVC 2.

A hash is only returned for a file that did not change while it was read. Threads are deliberately not used: on small
files they cost more than they give, and the processor time of one md5 stays the same.
"""

import os
import stat
import time
from collections.abc import Callable
from typing import Protocol

from offbranch.base.errors import OffbranchError
from offbranch.base.plugins import load

SMALL_SIZE = 1 << 20
CHUNK_SIZE = 1 << 20
READ_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# Linux stamps files with a clock that moves every 1 to 10 ms; some file systems keep whole seconds only.
_TICK_NS = 20_000_000
_COARSE_TICK_NS = 2_000_000_000
_TEXT_BYTES = frozenset(b"\b\t\n\f\r\x1b" + bytes(range(32, 127)))


class Digest(Protocol):
    """A hash being computed."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...

    def hexdigest(self) -> str: ...


def _find_md5() -> Callable[[bytes], Digest]:
    """Returns the builtin md5, which does not load OpenSSL (3 ms); some builds of Python leave it out."""
    try:
        found: Callable[[bytes], Digest] = load("_md5:md5")
    except ModuleNotFoundError:
        found = load("hashlib:md5")
    return found


new_md5 = _find_md5()


def new_long_md5() -> Digest:
    """Returns a hash for long inputs: OpenSSL is about 10 % faster there."""
    digest: Digest = load("hashlib").md5(usedforsecurity=False)
    return digest


def hash_bytes(data: bytes) -> str:
    """Returns the md5 of bytes as hex."""
    return new_md5(data).hexdigest()


def hash_file(path: str) -> tuple[str, int]:
    """Returns (md5 as hex, size in bytes) of a regular file.

    Raises:
        OffbranchError: It cannot be read, is no regular file, or changes while it is read (tried twice).
    """
    md5, status = digest_file(path)
    return md5, status.st_size


def digest_file(path: str) -> tuple[str, os.stat_result]:
    """Returns the md5 of a file and what the file system said of it just before it was read; raises as `hash_file`."""
    for _ in range(2):
        descriptor = open_regular(path)
        try:
            before = settled_status(descriptor)
            md5, n_read = _digest(descriptor, before.st_size)
            if is_unchanged(before, os.fstat(descriptor)) and n_read == before.st_size:
                return md5, before
        except OSError as error:
            raise read_error(path, error) from error
        finally:
            os.close(descriptor)
    raise changing_error(path)


def hash_text_normalised(path: str) -> str:
    """Returns the legacy hash of DVC 2 (`md5-dos2unix`): text with CRLF as LF, anything else as it is.

    A file is text when its first 512 bytes hold no NUL and at most 30 % bytes that do not print; an empty one is.
    Only for comparing with entries that have no `hash: md5`; nothing new is ever named by it.
    """
    descriptor = open_regular(path)
    try:
        data = os.read(descriptor, CHUNK_SIZE)
        as_text = _looks_like_text(data[:512])
        digest = new_long_md5()
        while data:
            following = os.read(descriptor, CHUNK_SIZE)
            if as_text and following and data.endswith(b"\r"):  # do not cut a CRLF in two
                data, following = data[:-1], b"\r" + following
            digest.update(data.replace(b"\r\n", b"\n") if as_text else data)
            data = following
        return digest.hexdigest()
    finally:
        os.close(descriptor)


def open_regular(path: str) -> int:
    """Returns a descriptor for reading a regular file; the caller closes it.

    Raises:
        OffbranchError: It cannot be opened, or is a pipe, socket, device or directory.
    """
    try:
        descriptor = os.open(path, READ_FLAGS)  # not blocking: a pipe without a writer would hang here
    except OSError as error:
        raise read_error(path, error) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise special_file_error(path, mode)


def settled_status(descriptor: int) -> os.stat_result:
    """Returns the status of an open file; waits out the tick of the clock for a large file written just now.

    A change within the tick of the last one would leave the same time stamp: the hash of a large file could then not
    be remembered, and computing it again costs far more than these few milliseconds.
    """
    status = os.fstat(descriptor)
    if status.st_size >= SMALL_SIZE and is_racy(status.st_mtime_ns, time.time_ns()):
        time.sleep(_TICK_NS / 1e9)
        status = os.fstat(descriptor)
    return status


def is_racy(mtime_ns: int, observed_ns: int) -> bool:
    """Tells whether a file could change after it was observed and still show the same modification time."""
    tick_ns = _TICK_NS if mtime_ns % 1_000_000_000 else _COARSE_TICK_NS
    return -tick_ns <= observed_ns - mtime_ns <= tick_ns


def is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Tells whether two looks at an open file show no write between them."""
    return before.st_size == after.st_size and before.st_mtime_ns == after.st_mtime_ns


def read_error(path: str, error: OSError) -> OffbranchError:
    """Returns the error for a file that cannot be read."""
    return OffbranchError(f"cannot read '{path}': {(error.strerror or str(error)).lower()}")


def changing_error(path: str) -> OffbranchError:
    """Returns the error for a file that is being written to."""
    return OffbranchError(
        f"cannot hash '{path}': it changes while it is read",
        hint="try again when nothing writes to it any more",
    )


def special_file_error(path: str, mode: int) -> OffbranchError:
    """Returns the error for something that is neither a regular file nor a directory."""
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a directory"))
    kind = next((name for test, name in kinds if test(mode)), "a device")
    return OffbranchError(
        f"cannot store '{path}': it is {kind}, not a regular file",
        hint="remove it, or name it in a .dvcignore file",
    )


def _digest(descriptor: int, size: int) -> tuple[str, int]:
    if size < SMALL_SIZE:
        data = os.read(descriptor, size + 1)  # one more byte than expected shows growth
        return new_md5(data).hexdigest(), len(data)
    digest = new_long_md5()
    n_read = 0
    while n_read <= size and (data := os.read(descriptor, CHUNK_SIZE)):  # a log may grow as fast as it is read
        digest.update(data)
        n_read += len(data)
    return digest.hexdigest(), n_read


def _looks_like_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    odd = sum(byte not in _TEXT_BYTES for byte in head)
    return odd <= 0.3 * len(head)
