"""The options that say how a task is to be run. What they say is read by `task_terms.py`, only where there is a task."""

from argparse import Namespace

from offbranch.cli.parser import Parser, whole_number

# Name in `args` -> how the user writes it.
NAMES = {
    "priority": "--priority",
    "timeout": "--timeout",
    "retries": "--retries",
    "resources": "--resources",
    "hold": "--hold",
}


def add_task_options(parser: Parser, *, when: str = "") -> None:
    """Adds them; `when` begins each help: with what they go."""
    parser.add_argument(
        "--priority",
        type=whole_number,
        metavar="N",
        help=f"{when}run it before what has a lower number (0 if not given)",
    )
    parser.add_argument(
        "--timeout", metavar="TIME", help=f"{when}end a run of it that takes longer than this: 90s, 10m, 2h or 1d"
    )
    parser.add_argument(
        "--retries", type=whole_number, metavar="N", help=f"{when}run it again up to N times after a failure"
    )
    parser.add_argument(
        "--resources", metavar="LIST", help=f"{when}what it needs of a machine, as in gpus=1,cpus=4,memory=8G"
    )
    parser.add_flag("--hold", help=f"{when}leave it alone until 'ob queue release'")


def given(args: Namespace) -> list[str]:
    """Returns which of them are given, as the user writes them."""
    return [written for name, written in NAMES.items() if getattr(args, name) not in (None, False)]
