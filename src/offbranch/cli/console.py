"""The terminal: where results, messages, warnings and errors go, and the `Reporter` that prints events.

Results that were asked for go to stdout, also with `-q`. Messages go to stdout as with DVC, or to stderr once the command
has said that its result is for a program (`stdout_for_data`). Warnings, hints, errors and progress go to stderr.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TextIO

from offbranch.base.environ import Environment
from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.events import Event, Notice, Progressed, Warned
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.cli.lines import Line, Style, warning
from offbranch.cli.progress import ProgressLine


class Verbosity(NamedTuple):
    """How much is said: `level` 0 as usual, 1 with `-v`, 2 with `-vv`."""

    quiet: bool = False
    level: int = 0

    def plus(self, *, quiet: bool = False, verbose: int = 0) -> "Verbosity":
        """Returns this with more `-q` and `-v`; one `-q` outweighs every `-v`."""
        return Verbosity(self.quiet or quiet, self.level + verbose)


class Console:
    """Implements `Reporter`.

    Attributes:
        environment: Variables of the process.
        start: Directory the user is in.
        verbosity: How much to say.
    """

    def __init__(
        self,
        *,
        environment: Environment,
        out: TextIO | None = None,
        err: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.environment = environment
        self.start = AbsPath("")
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.messages = self.out
        self.verbosity = Verbosity()
        self.color = True
        self._progress = ProgressLine(self.err, clock=clock) if _is_terminal(self.err) else None

    def configure(self, verbosity: Verbosity, *, color: bool = True) -> None:
        """Sets how much is said, and whether colours may be used."""
        self.verbosity = verbosity
        self.color = color

    @contextmanager
    def stdout_for_data(self, wanted: bool) -> Iterator[None]:
        """While it lasts, messages and the output of commands go to stderr: what is on stdout is for a program."""
        if not wanted:
            yield
            return
        self.flush()
        self.messages = self.err
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            self.flush()
            os.dup2(kept, 1)
            os.close(kept)
            self.messages = self.out

    def data(self, text: str) -> None:
        """Prints a result that was asked for, whatever the verbosity; a final newline is added if there is none."""
        self._clear()
        self.out.write(text if text.endswith("\n") or not text else f"{text}\n")

    def message(self, text: str, style: Style | None = None, *, level: int = 0) -> None:
        """Prints a sentence about what is done; `level` 1 only with `-v`."""
        self.show(Line(text, style=style, level=level))

    def aside(self, text: str) -> None:
        """Prints something on stderr that is neither result nor warning, such as usage."""
        self._clear()
        self.err.write(text if text.endswith("\n") else f"{text}\n")

    def hint(self, text: str) -> None:
        """Prints what to do next, on stderr."""
        self.show(Line(text, style=Style.DIM, is_aside=True))

    def warn(self, text: str, hint: str | None = None) -> None:
        """Prints a warning on stderr."""
        for line in warning(text, hint):
            self.show(line)

    def emit(self, event: Event) -> None:
        """Prints an event; what is asked for by `-q` and `-v` is kept in mind."""
        match event:
            case Progressed():
                if self._progress is not None and not self.verbosity.quiet:
                    self._progress.show(event)
            case Warned():
                self.warn(event.text, event.hint)
            case Notice():
                self.show(Line(event.text, is_aside=True))
            case _:
                for line in load("offbranch.cli.event_lines:lines_of")(event, self.verbosity.level):
                    self.show(line)
                # What comes next may be written by another program, straight to the file.
                self.flush()

    def can_ask(self) -> bool:
        """Tells whether somebody is there to answer a question."""
        return _is_terminal(sys.stdin) and _is_terminal(self.err)

    def ask(self, question: str) -> bool:
        """Asks on the terminal; True only for yes."""
        self.flush()
        self.err.write(f"{question} ")
        self.err.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def show(self, line: Line) -> None:
        """Prints one line where it belongs, unless it is not to be said."""
        if (self.verbosity.quiet and not line.is_warning) or line.level > self.verbosity.level:
            return
        stream = self.err if line.is_warning or line.is_aside else self.messages
        self._clear()
        stream.write(f"{self.paint(line.text, line.style, stream)}\n")

    def show_error(self, error: OffbranchError | Interrupted, *, cause: BaseException | None = None) -> None:
        """Prints an error and the way out, with `-vv` where it came from."""
        self._clear()
        try:
            self.out.flush()
            if self.verbosity.level >= 2:
                self.err.write("".join(load("traceback:format_exception")(cause or error)))
            self.err.write(f"{self.paint('error:', Style.BAD, self.err)} {error.message}\n")
            if error.hint:
                self.err.write(f"{self.paint('hint:', Style.BOLD, self.err)} {error.hint}\n")
            self.err.flush()
        except (OSError, ValueError):
            pass  # nobody is there to read it; the exit code still tells

    def paint(self, text: str, style: Style | None, stream: TextIO | None = None) -> str:
        """Returns text with the codes of a style, if colours are wanted there."""
        if style is None or not self.has_color(stream or self.out):
            return text
        return f"\x1b[{style.value}m{text}\x1b[0m"

    @property
    def is_interactive(self) -> bool:
        """Whether results go to a terminal."""
        return _is_terminal(self.out)

    @property
    def can_redraw(self) -> bool:
        """Whether what was printed can be replaced: a terminal whose cursor can be moved."""
        return self.is_interactive and self.environment.all.get("TERM") != "dumb"

    def has_color(self, stream: TextIO) -> bool:
        """Tells whether colours may be written to a stream: a terminal, and nobody said no."""
        wanted = self.color and not self.environment.no_color and self.environment.all.get("TERM") != "dumb"
        return wanted and _is_terminal(stream)

    def flush(self) -> None:
        """Writes out everything that was printed."""
        self._clear()
        self.out.flush()
        self.err.flush()

    def _clear(self) -> None:
        if self._progress is not None:
            self._progress.clear()


def _is_terminal(stream: TextIO) -> bool:
    try:
        return os.isatty(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
