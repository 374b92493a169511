"""The logs of attempts: bytes as the commands wrote them, from the end backwards for the last lines, and as they come."""

import os
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from offbranch.base.paths import AbsPath

_CHUNK_BYTES = 1 << 18
FOLLOW_S = 0.2


def read_log(path: AbsPath, *, n_lines: int | None = None) -> Iterator[bytes]:
    """Yields a log in pieces, however long it is.

    Args:
        path: Where it is.
        n_lines: Only so many lines of its end.

    Raises:
        FileNotFoundError: It is not there.
    """
    with open(path, "rb") as file:
        if n_lines is not None:
            file.seek(_start_of_last(file, n_lines))
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def follow_log(
    path: AbsPath,
    goes_on: Callable[[], bool],
    *,
    n_lines: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """Yields a log and what is added to it, until nobody writes it any more; also one that does not exist yet.

    Args:
        path: Where it is, or will be.
        goes_on: Whether somebody may still write to it.
        n_lines: Begin so many lines before its present end.
        sleep: Waits.
    """
    file: BinaryIO | None = None
    try:
        while True:
            is_last = not goes_on()  # asked before reading: what was written until then is not missed
            if file is None:
                file = _open(path, n_lines)
            while file is not None and (piece := file.read(_CHUNK_BYTES)):
                yield piece
            if is_last:
                return
            sleep(FOLLOW_S)
    finally:
        if file is not None:
            file.close()


def _open(path: AbsPath, n_lines: int | None) -> BinaryIO | None:
    try:
        file = open(path, "rb")  # noqa: SIM115 - who asked for it closes it
    except FileNotFoundError:
        return None
    if n_lines is not None:
        file.seek(_start_of_last(file, n_lines))
    return file


def _start_of_last(file: BinaryIO, n_lines: int) -> int:
    """Returns where the last lines of a file begin; it is read from its end, and no further than needed."""
    end = at = file.seek(0, os.SEEK_END)
    if n_lines <= 0:
        return end
    wanted = n_lines
    while at > 0:
        size = min(_CHUNK_BYTES, at)
        at -= size
        file.seek(at)
        piece = file.read(size)
        if at + size == end and piece.endswith(b"\n"):
            wanted += 1  # the newline that ends the last line begins none
        n_here = piece.count(b"\n")
        if n_here >= wanted:
            place = len(piece)
            for _ in range(wanted):
                place = piece.rindex(b"\n", 0, place)
            return at + place + 1
        wanted -= n_here
    return 0
