"""Lists the data remotes: name and url, and which one is the default. Passwords are not shown."""

import json
from argparse import Namespace

from offbranch.api.config_levels import shown
from offbranch.api.remotes import list_remotes
from offbranch.base.config_schema import without_password
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob remote list", "of all config files"),
    ("ob remote list --json", "with their options"),
)


def add_arguments(parser: Parser) -> None:
    add_levels(parser, "list those of")
    add_json(parser, "the data remotes and their options")


def run(args: Namespace, console: Console) -> int:
    found = list_remotes(session_of(console), level=level_of(args))
    if args.json:
        console.data(
            json.dumps(
                [
                    {
                        "name": remote.name,
                        "url": without_password(remote.url),
                        "default": remote.is_default,
                        "origin": remote.origin,
                        "options": {option.option: shown(option) for option in remote.options},
                    }
                    for remote in found
                ]
            )
        )
        return ExitCode.DONE
    names = max((len(remote.name) for remote in found), default=0)
    urls = max((len(without_password(remote.url)) for remote in found), default=0)
    for remote in found:
        url = without_password(remote.url)
        line = (
            f"{remote.name:<{names}}\t{url:<{urls}}\t(default)"
            if remote.is_default
            else f"{remote.name:<{names}}\t{url}"
        )
        console.data(line)
    if not found:
        console.hint("there are no data remotes; 'ob remote add -d NAME URL' makes one")
    return ExitCode.DONE
