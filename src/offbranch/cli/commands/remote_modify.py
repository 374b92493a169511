"""Sets or removes an option of a data remote: its url, its credentials, how it is reached.

Which options there are depends on the scheme of its url. Passwords, keys and tokens belong into --local: .dvc/config is
kept in Git.
"""

from argparse import Namespace

from offbranch.api.remotes import modify_remote
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob remote modify store url /mnt/new", "it has moved"),
    ("ob remote modify --local store password SECRET", "for this clone only, not in Git"),
    ("ob remote modify --unset store jobs", "remove an option"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("name", help="the data remote")
    parser.add_argument("option", help="e.g. url, jobs, region, password")
    parser.add_argument("value", nargs="?", help="what to set it to; a relative path counts from the current directory")
    add_levels(parser, "change")
    parser.add_flag("-u", "--unset", help="remove the option from the config file")


def run(args: Namespace, console: Console) -> int:
    if args.unset == (args.value is not None):
        raise UsageError(
            "--unset takes no value" if args.unset else "the value is missing",
            hint=f"ob remote modify {args.name} {args.option} VALUE, or --unset to remove it",
        )
    modify_remote(args.name, args.option, args.value, session_of(console), level=level_of(args))
    return ExitCode.DONE
