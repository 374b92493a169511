"""Prints the script that makes a shell complete commands, options, experiments, stages and parameters of ob."""

from argparse import Namespace

from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.completion_scripts import SCRIPTS
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser, one_of

EXAMPLES = (
    ("ob completion bash > ~/.local/share/bash-completion/completions/ob", "for bash"),
    ("ob completion zsh > ~/.zfunc/_ob", "for zsh, with ~/.zfunc in fpath"),
    ("ob completion fish > ~/.config/fish/completions/ob.fish", "for fish"),
)


def add_arguments(parser: Parser) -> None:
    shells = one_of(*SCRIPTS)
    parser.add_argument("name", nargs="?", type=shells, metavar="shell", help="bash, zsh or fish; yours if not given")
    parser.add_argument("-s", "--shell", type=shells, metavar="SHELL", help="the same, as DVC spells it")


def run(args: Namespace, console: Console) -> int:
    mine = (console.environment.shell or "").rpartition("/")[2]
    shell = args.name or args.shell or mine
    if shell not in SCRIPTS:
        raise UsageError(f"there is no completion for the shell '{shell}'", hint="ob completion bash|zsh|fish")
    console.data(SCRIPTS[shell])
    return ExitCode.DONE
