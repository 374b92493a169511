"""Lists experiments by name, below the commit they started from."""

import json
from argparse import Namespace

from offbranch.api.show import exp_list
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_hide_rewritten, add_json, add_revisions, refuse_together
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.experiments.choose import Choice
from offbranch.views.listing import Listing, ListOptions, listing_to_json, render_commits, render_listing, render_names

EXAMPLES = (
    ("ob exp list", "those that started from HEAD"),
    ("ob exp list -A", "all of the repository"),
    ("ob exp list --name-only", "only names, one a line"),
    ("ob exp list -A origin", "all that the Git remote 'origin' has"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("git_remote", nargs="?", metavar="git-remote", help="list those of this Git remote")
    add_revisions(parser, "list")
    add_hide_rewritten(parser)
    parser.add_flag("--name-only", "--names-only", help="only names")
    parser.add_flag("--sha-only", "--shas-only", help="only commit ids")
    add_json(parser, "the list")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "name_only", "sha_only", "json")
    listing = _listing(args, console)
    if args.json:
        console.data(json.dumps(listing_to_json(listing)))
    elif args.name_only:
        console.data(render_names(listing))
    elif args.sha_only:
        console.data(render_commits(listing))
    else:
        console.data(render_listing(listing, with_ids=not args.git_remote))
        if not listing.groups and not args.all_commits:
            there = f" {args.git_remote}" if args.git_remote else ""
            console.hint(f"no experiments start from here; 'ob exp list{there} -A' lists all, 'ob exp run' makes one")
    return ExitCode.DONE


def _listing(args: Namespace, console: Console) -> Listing:
    if args.git_remote:
        choice = Choice(everything=args.all_commits, revs=tuple(args.rev), n_commits=args.num)
        listing: Listing = load("offbranch.api.share_there:list_there")(
            args.git_remote, choice, session_of(console), may_ask=console.can_ask()
        )
        return listing
    options = ListOptions(
        revs=tuple(args.rev), num=args.num, all_commits=args.all_commits, hide_rewritten=args.hide_rewritten
    )
    return exp_list(options, start=console.start, environment=console.environment)
