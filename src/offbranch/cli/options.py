"""Options that several commands share, spelled and meant the same everywhere."""

from argparse import Namespace
from collections.abc import Iterable

from offbranch.base.errors import OffbranchError, UsageError
from offbranch.cli.parser import Parser, count, one_of, whole_number


def add_json(parser: Parser, what: str = "the result") -> None:
    """Adds `--json`."""
    parser.add_flag("--json", help=f"print {what} as JSON")


def add_dry_run(parser: Parser, help: str) -> None:
    """Adds `--dry-run`, also spelled `--dry`."""
    parser.add_flag("--dry-run", "--dry", dest="dry", help=help)


def add_targets(parser: Parser, help: str) -> None:
    """Adds the targets of a command that works on stages and data."""
    parser.add_argument("targets", nargs="*", metavar="target", help=help)


def add_with_deps(parser: Parser) -> None:
    """Adds `-d`."""
    parser.add_flag("-d", "--with-deps", help="also what the targets need")


def add_recursive(parser: Parser, what: str = "a directory stands for everything below it") -> None:
    """Adds `-R`."""
    parser.add_flag("-R", "--recursive", help=what)


def add_hide_rewritten(parser: Parser) -> None:
    """Adds `--hide-rewritten`."""
    parser.add_flag("--hide-rewritten", help="leave out experiments whose baseline no branch or tag reaches any more")


def add_revisions(parser: Parser, verb: str) -> None:
    """Adds the options that choose experiments by their baseline."""
    parser.add_flag("-A", "--all-commits", "--all", help=f"{verb} all experiments of the repository")
    parser.add_argument(
        "--rev",
        action="append",
        default=[],
        metavar="COMMIT",
        help=f"{verb} the experiments that start from COMMIT (HEAD if not given); may be repeated",
    )
    parser.add_argument(
        "-n",
        "--num",
        type=whole_number,
        default=None,
        metavar="N",
        help=f"{verb} the experiments of N commits, going back from --rev by first parents; negative: of all",
    )


def add_precision(parser: Parser) -> None:
    """Adds `--precision`."""
    parser.add_argument(
        "--precision",
        type=count,
        default=None,
        metavar="N",
        help="round numbers to N significant digits (5 if not given)",
    )


def add_sort_order(parser: Parser) -> None:
    """Adds `--sort-order`."""
    parser.add_argument(
        "--sort-order",
        type=one_of("asc", "desc"),
        default="asc",
        metavar="ORDER",
        help="'asc' (as if not given) or 'desc'",
    )


def refuse_together(args: Namespace, *names: str) -> None:
    """Makes sure that at most one of some options is given.

    Raises:
        UsageError: Two are.
    """
    given = [name for name in names if getattr(args, name)]
    if len(given) > 1:
        shown = [f"--{name.replace('_', '-')}" for name in given]
        raise UsageError(f"{' and '.join(shown)} exclude each other", hint="leave out all but one of them")


def refuse_later(args: Namespace, options: Iterable[tuple[str, str]], *, hint: str) -> None:
    """Makes sure that no option is given whose feature comes in a later version.

    Args:
        args: What was given.
        options: (name in `args`, how the user writes it).
        hint: What to do instead.

    Raises:
        OffbranchError: One is.
    """
    for name, written in options:
        if getattr(args, name):
            raise OffbranchError(f"'{written}' is not there yet in this version", hint=hint)
