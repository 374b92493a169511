"""Prints or sets an option of the configuration: section.option, or remote.NAME.option.

Without a value it prints what all config files together say (or one of them, if it is named); with a value it changes a
config file, .dvc/config if none is named. Everything else in that file stays as it is, comments included.

Passwords, keys and tokens are shown as '***' in a list; asking for one by its name prints it.
"""

import json
from argparse import Namespace

from offbranch.api.config import get_config, list_config, set_config, unset_config
from offbranch.api.config_levels import ConfigValue, shown
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob config cache.type hardlink,copy", "set an option in .dvc/config"),
    ("ob config --local remote.store.password SECRET", "one that does not belong into Git"),
    ("ob config --list --show-origin", "everything that is set, and where"),
    ("ob config --unset core.remote", "remove it again"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("name", nargs="?", help="section.option, or remote.NAME.option")
    parser.add_argument("value", nargs="?", help="what to set it to; a relative path counts from the current directory")
    add_levels(parser, "read or change")
    parser.add_flag("-u", "--unset", help="remove the option from the config file")
    parser.add_flag("-l", "--list", help="print everything that is set")
    parser.add_flag("--show-origin", help="print the config file with each value")
    parser.add_flag("--show-secrets", help="print passwords, keys and tokens in a list too")
    add_json(parser, "what is set")


def run(args: Namespace, console: Console) -> int:
    level = level_of(args)
    if args.list:
        if args.name is not None or args.unset:
            raise UsageError("--list takes no name, no value and no --unset", hint="ob config --help")
        return _list(args, console)
    if args.name is None:
        raise UsageError("the name of an option is missing", hint="ob config --list shows what is set")
    session = session_of(console)
    if args.unset:
        if args.value is not None:
            raise UsageError("--unset takes no value", hint=f"ob config --unset {args.name}")
        unset_config(args.name, session, level=level)
        return ExitCode.DONE
    if args.value is not None:
        set_config(args.name, args.value, session, level=level)
        return ExitCode.DONE
    found = get_config(args.name, session, level=level)
    if args.json:
        console.data(json.dumps(None if found is None else _data(found, found.value)))
    elif found is not None:
        console.data(f"{found.origin}\t{found.value}" if args.show_origin else found.value)
    return ExitCode.DONE


def _list(args: Namespace, console: Console) -> int:
    found = list_config(session_of(console), level=level_of(args))
    values = [(one, one.value if args.show_secrets else shown(one)) for one in found]
    if args.json:
        console.data(json.dumps([_data(one, value) for one, value in values]))
        return ExitCode.DONE
    for one, value in values:
        line = f"{one.name}={value}"
        console.data(f"{one.origin}\t{line}" if args.show_origin else line)
    return ExitCode.DONE


def _data(one: ConfigValue, value: str) -> dict[str, object]:
    return {"name": one.name, "value": value, "level": one.level.value, "origin": one.origin}
