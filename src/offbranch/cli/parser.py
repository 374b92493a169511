"""`Parser`: argparse for one command, whose mistakes are `UsageError`s and whose options can be listed."""

from argparse import REMAINDER, Action, ArgumentParser, ArgumentTypeError, HelpFormatter, Namespace
from collections.abc import Callable, Sequence
from typing import NoReturn

from offbranch.base.errors import UsageError, did_you_mean

Splitter = Callable[[Sequence[str]], tuple[Sequence[str], Sequence[str] | None]]


class Parser(ArgumentParser):
    """The parser of one command.

    Unlike plain argparse: options and arguments may come in any order, nothing is printed, nothing exits.
    """

    def __init__(self, command: str) -> None:
        super().__init__(prog=f"ob {command}", add_help=False, formatter_class=_formatter)
        self.command = command
        self._splitter: Splitter | None = None

    @property
    def entries(self) -> tuple[Action, ...]:
        """Options and arguments in the order they were added."""
        return tuple(self._actions)

    def add_flag(self, *names: str, help: str, dest: str | None = None) -> None:
        """Adds an option without a value."""
        if dest is None:
            self.add_argument(*names, action="store_true", help=help)
        else:
            self.add_argument(*names, action="store_true", help=help, dest=dest)

    def add_common_options(self) -> None:
        """Adds the options that every command has, the last of its help."""
        self.add_flag("-q", "--quiet", help="print errors and asked-for results only")
        self.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv shows tracebacks too")
        self.add_flag("-h", "--help", help="show this help")

    def read(self, words: Sequence[str]) -> Namespace:
        """Returns the options and arguments of a command line.

        Raises:
            UsageError: It does not fit.
        """
        if self._splitter is None:
            return self._read(words)
        words, for_another = self._splitter(words)
        args = self._read(words)
        args.for_another = for_another
        return args

    def split_by(self, splitter: Splitter) -> None:
        """Lets a function tell which words of a command line are ours, and which are for another program.

        The latter are not looked at; `read` returns them as `for_another`, None where there is no other program.
        """
        self._splitter = splitter

    def _read(self, words: Sequence[str]) -> Namespace:
        if any(word in ("-h", "--help") for word in self._own(words)):
            return Namespace(help=True, quiet=False, verbose=0)
        # Intermixed parsing of Python 3.11 takes what follows `--` for options again.
        if self._takes_command or "--" in words:
            args, rest = self.parse_known_args(words)
        else:
            args, rest = self.parse_known_intermixed_args(words)
        if rest:
            self._refuse(rest[0])
        return args

    def error(self, message: str) -> NoReturn:
        """Turns a finding of argparse into our error."""
        raise UsageError(f"{self.prog}: {_in_our_words(message)}", hint=f"{self.prog} --help")

    @property
    def _takes_command(self) -> bool:
        return any(action.nargs == REMAINDER for action in self.entries)

    def _own(self, words: Sequence[str]) -> Sequence[str]:
        """Returns the words that may be options of ours: not those of the command that a stage is given, nor after `--`."""
        if not self._takes_command:
            return words[: words.index("--")] if "--" in words else words
        with_value = {name for action in self.entries if action.nargs is None for name in action.option_strings}
        expects_value = False
        for i, word in enumerate(words):
            if not expects_value and not word.startswith("-"):
                return words[:i]
            expects_value = word in with_value
        return words

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-") or word == "-":
            raise UsageError(f"{self.prog}: '{word}' is one argument too many", hint=f"{self.prog} --help")
        name = word.partition("=")[0]
        known = [option for action in self.entries for option in action.option_strings]
        raise UsageError(
            f"{self.prog}: unknown option '{name}'", hint=did_you_mean(name, known) or f"{self.prog} --help"
        )


def whole_number(text: str) -> int:
    """Reads a whole number of the command line."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a whole number, found '{text}'") from None


def count(text: str) -> int:
    """Reads a whole number that is not negative."""
    number = whole_number(text)
    if number < 0:
        raise ArgumentTypeError(f"expected a number from 0 up, found '{text}'")
    return number


def one_of(*allowed: str) -> Callable[[str], str]:
    """Returns a reader that takes one of a few words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ArgumentTypeError(f"expected {' or '.join(repr(word) for word in allowed)}, found '{text}'")
        return text

    return read


def _formatter(prog: str) -> HelpFormatter:
    """Returns the formatter that argparse checks arguments with; a fixed width keeps it from loading `shutil`."""
    return HelpFormatter(prog, width=100)


def _in_our_words(message: str) -> str:
    required = "the following arguments are required: "
    if message.startswith(required):
        return f"{message.removeprefix(required)} is missing"
    return message.removeprefix("argument ").replace(": expected one argument", " needs a value")
