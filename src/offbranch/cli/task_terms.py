"""What the options of `task_options.py` say, as terms of a task."""

from argparse import Namespace

from offbranch.queue.resources import parse_resources
from offbranch.queue.terms import Terms, parse_duration


def terms_of(args: Namespace) -> Terms:
    """Returns what was said about how a task is to be run.

    Raises:
        UsageError: A value is malformed.
    """
    return Terms(
        priority=args.priority,
        is_held=True if args.hold else None,
        timeout_s=None if args.timeout is None else parse_duration(args.timeout),
        retries=args.retries,
        resources=None if args.resources is None else parse_resources(args.resources),
    )
