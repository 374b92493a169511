"""Options that say what of the machine the tasks of a worker get: `queue start` and `exp run --run-all`."""

from argparse import Namespace
from typing import Any

from offbranch.cli.parser import Parser, whole_number

NAMES = ("gpus", "per_task", "per_gpu", "cpus", "memory")


def add_slots(parser: Parser, when: str = "") -> None:
    """Adds them; what they mean is decided by `api/queue_offer.py`.

    Args:
        parser: Of the command.
        when: What must be given too, as a beginning of the help.
    """
    parser.add_argument(
        "--gpus",
        metavar="LIST",
        help=f"{when}share out these GPUs, so that no two tasks have the same one: 0,1 or 0-3 as nvidia-smi numbers them,"
        " 'all', or 'none'; without -j as many tasks at a time as they are enough for",
    )
    parser.add_argument(
        "--per-task",
        type=whole_number,
        metavar="K",
        help="with --gpus: K for each task that does not say (1 if not given)",
    )
    parser.add_argument(
        "--per-gpu", type=whole_number, metavar="N", help="with --gpus: N tasks have one together (1 if not given)"
    )
    parser.add_argument(
        "--cpus", type=whole_number, metavar="N", help=f"{when}share out N processors, and keep each task to its own"
    )
    parser.add_argument(
        "--memory", metavar="SIZE", help=f"{when}share out SIZE of memory, e.g. 32G, and keep each task to its part"
    )


def given_slots(args: Namespace) -> dict[str, Any]:
    """Returns those of them that are given, by the names of `SlotWish`."""
    return {name: getattr(args, name) for name in NAMES if getattr(args, name) is not None}
