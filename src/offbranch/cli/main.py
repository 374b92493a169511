"""From argv to a command and its exit code. The only place that catches every exception.

A command line is read by hand up to the command; then only the parser of that command is built.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple, NoReturn

from offbranch import __version__
from offbranch.base.environ import read_environment
from offbranch.base.errors import (
    ExitCode,
    Interrupted,
    OffbranchError,
    UsageError,
    did_you_mean,
    near_names,
    question_of,
)
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.undisturbed import stopping_signals
from offbranch.cli.console import Console, Verbosity
from offbranch.cli.table import ALIASES, COMMANDS, GROUPS, INTERNAL, LATER, Command, build_parser, load_command

BROKEN_PIPE = 141
_GLOBAL_OPTIONS = (
    "-q",
    "--quiet",
    "-v",
    "--verbose",
    "--cd",
    "--no-color",
    "--wait-for-lock",
    "-V",
    "--version",
    "-h",
)
_HELP = ("-h", "--help")


class Request(NamedTuple):
    """A command line, read as far as the command.

    Attributes:
        command: What to do; None for a help text.
        words: Everything after the command.
        help_for: Group to explain, the empty text for the whole program; only without a command.
        is_asked: Whether help was asked for, rather than a command left out.
    """

    command: Command | None
    words: Sequence[str] = ()
    help_for: str = ""
    is_asked: bool = True
    verbosity: Verbosity = Verbosity()
    directory: str | None = None
    color: bool = True


def main_of_process() -> int:
    """Carries out the command line of this process; returns its exit code."""
    return main(sys.argv[1:])


def main(words: Sequence[str]) -> int:
    """Carries out one command line; returns its exit code. Prints, and never raises.

    Args:
        words: The command line without the name of the program.
    """
    environment = read_environment()
    if words[:1] == ["__complete"]:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            console = Console(environment=environment, err=nowhere)
            guarded(console, lambda: int(load("offbranch.cli.complete:answer")(words[1:], console)))
        return ExitCode.DONE
    console = Console(environment=environment)
    with _stopping_on_signals():
        return guarded(console, lambda: _carry_out(words, console))


def guarded(console: Console, action: Callable[[], int]) -> int:
    """Runs an action and turns whatever it raises into a message and an exit code."""
    try:
        code = action()
        console.flush()
        return code
    except (OffbranchError, Interrupted) as error:
        console.show_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        console.show_error(Interrupted("interrupted"))
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # What is still buffered must go nowhere, or Python complains about it when it exits.
        _silence(sys.stdout)
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the one place where a mistake of ours ends
        return _report_crash(console, error)


def _carry_out(words: Sequence[str], console: Console) -> int:
    request = read_words(words)
    console.configure(request.verbosity, color=request.color)
    if request.directory is not None:
        _change_directory(request.directory)
    if request.command is None:
        return _explain(request, console)
    module = load_command(request.command)
    parser = build_parser(request.command, module)
    args = parser.read(request.words)
    if args.help:
        console.data(load("offbranch.cli.help:command_help")(parser, module))
        return ExitCode.DONE
    console.configure(request.verbosity.plus(quiet=args.quiet, verbose=args.verbose), color=request.color)
    console.start = _here()
    return int(module.run(args, console))


def read_words(words: Sequence[str]) -> Request:
    """Reads global options and finds the command.

    Raises:
        UsageError: There is no such command or option.
        OffbranchError: The command comes in a later version.
    """
    reader = _Reader(words)
    reader.read_options()
    first = reader.next()
    if reader.wants_version:
        return reader.request(COMMANDS["version"], ["--short"])
    if reader.wants_help or first is None:
        return reader.request(None, is_asked=reader.wants_help)
    group = ALIASES.get(first, first)
    if group not in GROUPS:
        return reader.request(find_command(group), reader.rest())
    reader.read_options()
    second = reader.next()
    if reader.wants_help or second is None:
        return reader.request(None, help_for=group, is_asked=reader.wants_help)
    return reader.request(find_command(f"{group} {second}"), reader.rest())


def find_command(name: str) -> Command:
    """Returns a command of the table by name or alias.

    Raises:
        UsageError: There is no such command; near names are offered.
        OffbranchError: It comes in a later version.
    """
    name = ALIASES.get(name, name)
    if (found := COMMANDS.get(name) or INTERNAL.get(name)) is not None:
        return found
    if name in LATER:
        raise OffbranchError(
            f"'ob {name}' is not there yet in this version",
            hint=f"DVC 3 works in the same project: dvc {name}",
        )
    group, _, rest = name.partition(" ")
    if rest:
        near = near_names(rest, [known.partition(" ")[2] for known in COMMANDS if known.startswith(f"{group} ")])
        hint = question_of([f"ob {group} {word}" for word in near]) or f"ob {group} --help lists the commands"
    else:
        near = near_names(name, [known for known in (*COMMANDS, *GROUPS) if " " not in known])
        same_action = [known for known in COMMANDS if known.endswith(f" {name}")]
        hint = question_of([f"ob {word}" for word in (*same_action, *near)]) or "ob --help lists the commands"
    raise UsageError(f"unknown command '{name}'", hint=hint)


class _Reader:
    """Words of a command line, taken from the left."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.at = 0
        self.verbosity = Verbosity()
        self.directory: str | None = None
        self.color = True
        self.wants_help = self.wants_version = False

    def next(self) -> str | None:
        if self.at >= len(self.words):
            return None
        self.at += 1
        return self.words[self.at - 1]

    def rest(self) -> Sequence[str]:
        return self.words[self.at :]

    def read_options(self) -> None:
        while self.at < len(self.words) and self.words[self.at].startswith("-"):
            name, equals, value = self.words[self.at].partition("=")
            self.at += 1
            if name == "--cd":
                self.directory = value if equals else self._value(name)
            elif name in ("-q", "--quiet"):
                self.verbosity = self.verbosity.plus(quiet=True)
            elif name == "--verbose" or (name.startswith("-v") and set(name[1:]) == {"v"}):
                self.verbosity = self.verbosity.plus(verbose=max(1, name.count("v") if name != "--verbose" else 1))
            elif name == "--no-color":
                self.color = False
            elif name in _HELP:
                self.wants_help = True
            elif name in ("-V", "--version"):
                self.wants_version = True
            elif name != "--wait-for-lock":  # of DVC; we always wait a little, OFFBRANCH_LOCK_WAIT says how long
                _refuse_option(name)

    def request(
        self, command: Command | None, words: Sequence[str] = (), *, help_for: str = "", is_asked: bool = True
    ) -> Request:
        return Request(command, words, help_for, is_asked, self.verbosity, self.directory, self.color)

    def _value(self, name: str) -> str:
        value = self.next()
        if value is None:
            raise UsageError(f"ob: {name} needs a value", hint="ob --help")
        return value


def _refuse_option(name: str) -> NoReturn:
    near = did_you_mean(name, _GLOBAL_OPTIONS) if name.startswith("--") else None
    raise UsageError(f"ob: unknown option '{name}'", hint=near or "options of a command come after it; ob --help")


def _explain(request: Request, console: Console) -> int:
    help_of = "group_help" if request.help_for else "program_help"
    text = load(f"offbranch.cli.help:{help_of}")(*filter(None, (request.help_for,)))
    if request.is_asked:
        console.data(text)
        return ExitCode.DONE
    console.aside(text)
    return ExitCode.USAGE


def _change_directory(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        raise UsageError(
            f"cannot change to '{directory}': {error.strerror}", hint="--cd needs a directory that exists"
        ) from error


def _here() -> AbsPath:
    try:
        return AbsPath(os.getcwd())
    except FileNotFoundError as error:
        raise OffbranchError("the current directory does not exist any more", hint="cd to one that does") from error


def _report_crash(console: Console, error: Exception) -> int:
    explained = load("offbranch.cli.crash:explain_system")(error)
    if explained is not None:
        console.show_error(explained, cause=error)
        return int(explained.exit_code)
    path = load("offbranch.cli.crash:write_crash_log")(error, console.environment, version=__version__)
    where = f"details are in '{path}'" if path else "the details could not be written"
    console.show_error(
        OffbranchError(
            f"this is a mistake of ob itself ({type(error).__name__}): {where}",
            hint="report it together with that file; -vv shows the details here",
        ),
        cause=error,
    )
    return ExitCode.BUG


def _silence(stream: object) -> None:
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())  # type: ignore[attr-defined]
        os.close(descriptor)
    except (OSError, ValueError, AttributeError):
        pass


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into an ordinary failure, so that what was begun is recorded and put back."""

    def stop(number: int, _frame: object) -> None:
        raise Interrupted(f"stopped by {signal.Signals(number).name}")

    with ExitStack() as stack:
        for number in stopping_signals():
            if number != signal.SIGINT:
                with suppress(ValueError):  # not the main thread: signals are somebody else's matter
                    stack.callback(signal.signal, number, signal.signal(number, stop))
        yield
