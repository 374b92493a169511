"""Output of commands side by side, cut into lines with a mark before each."""

MAX_LINE = 1 << 16  # a longer one, without an end, is cut: it must not fill the memory


class Lines:
    """Cuts what one command writes into lines with its label before each.

    A line that was begun anew by a carriage return, as progress bars do, is kept as a terminal would show it last.
    """

    def __init__(self, label: str) -> None:
        self._head = f"{label} | ".encode("utf-8", "surrogateescape")
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        """Returns the lines that are whole now."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = _after_return(rest)
        if len(self._rest) > MAX_LINE:
            lines.append(self._rest)
            self._rest = b""
        return b"".join(self._whole(line) for line in lines)

    def end(self) -> bytes:
        """Returns the last line, if it has no end."""
        rest, self._rest = self._rest, b""
        return self._whole(rest) if rest else b""

    def _whole(self, line: bytes) -> bytes:
        return self._head + _after_return(line).rstrip(b"\r") + b"\n"


def _after_return(line: bytes) -> bytes:
    """Returns what follows the last carriage return that has something after it."""
    text = line.rstrip(b"\r")
    return line[text.rfind(b"\r") + 1 :]
