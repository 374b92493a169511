"""Explains a command; without one, lists all of them."""

from argparse import Namespace

from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.help import command_help, group_help, program_help
from offbranch.cli.main import find_command
from offbranch.cli.parser import Parser
from offbranch.cli.table import ALIASES, GROUPS, build_parser, load_command

EXAMPLES = (("ob help exp run", "the same as 'ob exp run --help'"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="command", help="a command, or a group such as 'exp'")


def run(args: Namespace, console: Console) -> int:
    words = [ALIASES.get(word, word) for word in args.words[:1]] + args.words[1:]
    if not words:
        console.data(program_help())
    elif len(words) == 1 and words[0] in GROUPS:
        console.data(group_help(words[0]))
    else:
        command = find_command(" ".join(words))
        module = load_command(command)
        console.data(command_help(build_parser(command, module), module))
    return ExitCode.DONE
