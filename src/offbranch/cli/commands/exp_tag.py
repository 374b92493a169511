"""Gives experiments tags, takes them away, or lists them. Tags are kept in Git, and travel with the experiments.

Without a tag, those of the experiment are listed, one a line; without anything, all experiments that have some.
"""

import json
from argparse import Namespace

from offbranch.api.labels import Labelled, labels, tag
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.label_text import label_to_json, quoted
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp tag wide-okra best paper", "'wide-okra' has the tags 'best' and 'paper' from now on"),
    ("ob exp tag wide-okra --remove paper", "take one away"),
    ("ob exp show -A --tag best", "show what is tagged so"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", nargs="?", help="its name; without, all that have tags are listed")
    parser.add_argument("tags", nargs="*", metavar="tag", help="a tag, without blanks")
    parser.add_flag("-r", "--remove", help="take these tags away")
    add_json(parser, "the tags and notes")


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    if args.experiment is None or not args.tags:
        if args.remove:
            raise UsageError("--remove needs the tags to take away", hint="ob exp tag EXPERIMENT --remove TAG...")
        _print(labels(session, args.experiment), args, console)
        return ExitCode.DONE
    done = tag(args.experiment, args.tags, session, remove=args.remove)
    if args.json:
        console.data(json.dumps(label_to_json(done)))
    elif done.labels.tags:
        console.message(f"Experiment '{done.experiment.name}' is tagged {quoted(done.labels.tags)}.")
    else:
        console.message(f"Experiment '{done.experiment.name}' has no tags any more.")
    return ExitCode.DONE


def _print(found: tuple[Labelled, ...], args: Namespace, console: Console) -> None:
    if args.json:
        every = [label_to_json(each) for each in found]
        console.data(json.dumps(every[0] if args.experiment else every))
    elif args.experiment:
        console.data("".join(f"{each}\n" for each in found[0].labels.tags))
    else:
        tagged = [each for each in found if each.labels.tags]
        console.data("".join(f"{each.experiment.name}: {' '.join(each.labels.tags)}\n" for each in tagged))
        if not tagged:
            console.hint("no experiment has a tag; 'ob exp tag EXPERIMENT TAG' gives it one")
