"""The options `--system`, `--global`, `--project` and `--local`: which config file is meant."""

from argparse import Namespace

from offbranch.api.config_levels import Level
from offbranch.cli.options import refuse_together
from offbranch.cli.parser import Parser


def add_levels(parser: Parser, verb: str) -> None:
    """Adds the options that choose a config file."""
    parser.add_flag("--system", help=f"{verb} the config file of this machine")
    parser.add_flag("--global", help=f"{verb} the config file of your own, for all your projects")
    parser.add_flag("--project", help=f"{verb} .dvc/config, which is kept in Git")
    parser.add_flag("--local", help=f"{verb} .dvc/config.local, which is not kept in Git")


def level_of(args: Namespace) -> Level | None:
    """Returns the config file that was chosen; None when none was.

    Raises:
        UsageError: Several are.
    """
    refuse_together(args, *(level.value for level in Level))
    return next((level for level in Level if getattr(args, level.value)), None)
