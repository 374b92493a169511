"""`exp remove -g`: removing experiments at a Git remote, and telling what went."""

import json
from argparse import Namespace

from offbranch.api.share_there import remove
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.sessions import session_of
from offbranch.cli.share_options import choice_of
from offbranch.experiments.share_remove import RemoteRemoval
from offbranch.experiments.sharing import joined_error


def remove_there(args: Namespace, console: Console) -> int:
    """Carries out `exp remove -g`; returns the exit code.

    Raises:
        OffbranchError: Not all could be removed.
    """
    if args.queue:
        raise UsageError("--queue and -g exclude each other", hint="what is queued is on this machine only")
    removal = RemoteRemoval(choice=choice_of(args), older_than=args.older_than or "", keep=args.keep, dry=args.dry)
    done = remove(args.git_remote, removal, session_of(console), may_ask=console.can_ask())
    names = [one.name for one in done.experiments]
    if args.json:
        console.data(json.dumps(names))
    elif not names:
        console.message("No experiments to remove." if not done.errors else "No experiments were removed.")
    else:
        quoted = [f"'{name}'" for name in names]
        text = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
        console.message(f"{'Would remove' if args.dry else 'Removed'} experiments: {text}")
    for _, error in done.errors[1:]:
        console.warn(error.message, error.hint)
    if done.errors:
        raise joined_error([error for _, error in done.errors])
    return ExitCode.DONE
