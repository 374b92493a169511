"""Options that say how often a run makes checkpoints, and whose data is kept: `exp run`, also with --queue."""

from argparse import Namespace

from offbranch.base.errors import UsageError
from offbranch.cli.options import refuse_together
from offbranch.cli.parser import Parser


def add_checkpoints(parser: Parser) -> None:
    """Adds them; what is configured holds where none is given."""
    parser.add_flag("--checkpoint", help="make a checkpoint at every step that the command tells of")
    parser.add_flag("--no-checkpoint", help="make no checkpoints")
    parser.add_argument(
        "--keep-checkpoints",
        metavar="WHICH",
        help="keep the data of these: last=K, best=METRIC:max or :min, every=N, several with commas between, or all"
        " (if not given: the newest 3 and the best)",
    )


def add_resuming(parser: Parser) -> None:
    """Adds what says that a run goes on from a checkpoint, or starts over."""
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="NAME[@N]",
        help="go on from the newest checkpoint of an experiment or attempt, or from its Nth; without a name: of the newest"
        " run that has not come to its end",
    )
    parser.add_flag("--reset", help="start over: remove outputs that stay between runs first")


def refuse_contradiction(args: Namespace) -> None:
    """Refuses to go on and to start over at once.

    Raises:
        UsageError: Both are asked for.
    """
    if args.resume is not None and args.reset:
        raise UsageError("--resume goes on and --reset starts over", hint="give one of them")


def checkpoint_mode(args: Namespace) -> str | None:
    """Returns the mode that they say; None where they say none."""
    refuse_together(args, "checkpoint", "no_checkpoint")
    return "every" if args.checkpoint else "off" if args.no_checkpoint else None
