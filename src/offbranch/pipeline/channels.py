"""The ends of what a command writes to: a pseudo-terminal where our own output is a terminal, else a pipe."""

import os
import struct
import sys

from offbranch.base.records import positional_record

if sys.platform != "win32":
    import fcntl
    import termios

_CHUNK = 1 << 16


@positional_record
class Channel:
    """Attributes:
    ours: Descriptor that we read from.
    theirs: Descriptor that the command writes to.
    target: Descriptor of ours that it stands for: 1 or 2.
    """

    ours: int
    theirs: int
    target: int


def open_channel(target: int, *, less: int = 0) -> Channel:
    """Opens a channel for a descriptor of ours; a pseudo-terminal has the size of the terminal, some columns less."""
    if not is_terminal(target):
        return Channel(*os.pipe(), target)
    ours, theirs = os.openpty()
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.OPOST  # the real terminal does that; twice would write \r\r\n
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    copy_size(target, ours, less=less)
    return Channel(ours, theirs, target)


def is_terminal(target: int) -> bool:
    """Tells whether a descriptor of ours is a terminal that a command can be given the like of."""
    return os.name != "nt" and os.isatty(target)


def copy_size(terminal: int, pty: int, *, less: int = 0) -> None:
    """Gives a pseudo-terminal the size of a terminal, some columns less."""
    size = fcntl.ioctl(terminal, termios.TIOCGWINSZ, b"\0" * 8)
    rows, columns, *pixels = struct.unpack("HHHH", size)
    fcntl.ioctl(pty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, max(columns - less, min(columns, 20)), *pixels))


def read_end(end: int) -> bytes:
    """Reads what is there; empty when the other side is closed."""
    try:
        return os.read(end, _CHUNK)
    except OSError:  # EIO: the other side of a pseudo-terminal is closed
        return b""


def write_all(target: int, data: bytes) -> None:
    """Writes to a descriptor of ours, whoever may have left it."""
    try:
        while data:
            data = data[os.write(target, data) :]
    except BrokenPipeError:  # `ob exp run | head`: the training goes on, its output is in the log
        pass


def is_same_file(a: int, b: int) -> bool:
    """Tells whether two descriptors lead to the same place, so that what is written to both keeps its order."""
    x, y = os.fstat(a), os.fstat(b)
    return (x.st_dev, x.st_ino, x.st_rdev) == (y.st_dev, y.st_ino, y.st_rdev)
