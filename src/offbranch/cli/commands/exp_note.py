"""Writes a note on an experiment, removes it, or shows it. Notes are kept in Git, and travel with the experiments.

Without a text the note is shown; without anything, all experiments that have one.
"""

import json
import sys
from argparse import Namespace

from offbranch.api.labels import Labelled, labels, note
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.label_text import label_to_json
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp note wide-okra 'best so far, but overfits'", "write it in place of the one that is there"),
    ("ob exp note wide-okra - < notes.txt", "take the text from standard input"),
    ("ob exp note wide-okra --remove", "remove it"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", nargs="?", help="its name; without, all that have a note are listed")
    parser.add_argument("text", nargs="*", help="the note; '-' reads it from standard input")
    parser.add_argument("-m", "--message", metavar="TEXT", help="the note, as with git commit")
    parser.add_flag("-r", "--remove", help="remove the note")
    add_json(parser, "the tags and notes")


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    text = _text(args)
    if text is None:
        _print(labels(session, args.experiment), args, console)
        return ExitCode.DONE
    done = note(args.experiment, text, session)
    if args.json:
        console.data(json.dumps(label_to_json(done)))
    else:
        console.message(f"Note of experiment '{done.experiment.name}' {'saved' if done.labels.note else 'removed'}.")
    return ExitCode.DONE


def _text(args: Namespace) -> str | None:
    """Returns the new note, None if there is none to write."""
    given = [bool(args.text), args.message is not None, args.remove]
    if sum(given) > 1:
        raise UsageError("give the note once: as words, with -m, or --remove", hint="ob exp note --help")
    if any(given) and args.experiment is None:
        raise UsageError("name the experiment first", hint="ob exp note EXPERIMENT TEXT")
    if args.remove:
        return ""
    text: str | None = sys.stdin.read() if args.text == ["-"] else " ".join(args.text) if args.text else args.message
    if text is not None and not text.strip():
        raise UsageError("the note is empty", hint=f"ob exp note {args.experiment} --remove removes it")
    return text


def _print(found: tuple[Labelled, ...], args: Namespace, console: Console) -> None:
    if args.json:
        every = [label_to_json(each) for each in found]
        console.data(json.dumps(every[0] if args.experiment else every))
    elif args.experiment:
        console.data(found[0].labels.note)
    else:
        noted = [each for each in found if each.labels.note]
        for each in noted:
            lines = each.labels.note.splitlines()
            console.data("\n".join((f"{each.experiment.name}: {lines[0]}", *(f"  {line}" for line in lines[1:]))))
        if not noted:
            console.hint("no experiment has a note; 'ob exp note EXPERIMENT TEXT' writes one")
