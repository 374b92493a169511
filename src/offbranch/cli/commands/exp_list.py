"""Lists experiments by name, below the commit they started from."""

import json
from argparse import Namespace

from offbranch.api.show import exp_list
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_hide_rewritten, add_json, add_revisions, refuse_later, refuse_together
from offbranch.cli.parser import Parser
from offbranch.views.listing import ListOptions, listing_to_json, render_commits, render_listing, render_names

EXAMPLES = (
    ("ob exp list", "those that started from HEAD"),
    ("ob exp list -A", "all of the repository"),
    ("ob exp list --name-only", "only names, one a line"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("git_remote", nargs="?", metavar="git-remote", help="list those of a Git remote (later)")
    add_revisions(parser, "list")
    add_hide_rewritten(parser)
    parser.add_flag("--name-only", "--names-only", help="only names")
    parser.add_flag("--sha-only", "--shas-only", help="only commit ids")
    add_json(parser, "the list")


def run(args: Namespace, console: Console) -> int:
    refuse_later(args, (("git_remote", "ob exp list REMOTE"),), hint="git ls-remote REMOTE 'refs/exps/*'")
    refuse_together(args, "name_only", "sha_only", "json")
    options = ListOptions(
        revs=tuple(args.rev), num=args.num, all_commits=args.all_commits, hide_rewritten=args.hide_rewritten
    )
    listing = exp_list(options, start=console.start, environment=console.environment)
    if args.json:
        console.data(json.dumps(listing_to_json(listing)))
    elif args.name_only:
        console.data(render_names(listing))
    elif args.sha_only:
        console.data(render_commits(listing))
    else:
        console.data(render_listing(listing))
        if not listing.groups and not args.all_commits:
            console.hint("no experiments start from here; 'ob exp list -A' lists all, 'ob exp run' makes one")
    return ExitCode.DONE
