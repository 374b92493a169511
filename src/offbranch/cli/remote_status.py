"""`ob status -c`: how the cache and the data remotes differ. Loaded only when that is asked for."""

import json
from argparse import Namespace

from offbranch.api.transfer import remote_status
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.sessions import session_of
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.remote_status import RemoteState

_WAY_OUT = {
    RemoteState.NEW: "new: 'ob push' sends it",
    RemoteState.DELETED: "deleted: 'ob fetch' gets it",
    RemoteState.MISSING: "missing: neither here nor there; push it from a clone that has it, or make it again",
}


def compare(args: Namespace, console: Console) -> int:
    """Prints what is only here, only there, or nowhere; returns the exit code."""
    scope = DataScope(
        targets=tuple(args.targets),
        remote=args.remote,
        with_deps=args.with_deps,
        recursive=args.recursive,
        all_branches=args.all_branches,
        all_tags=args.all_tags,
        all_commits=args.all_commits,
    )
    found = remote_status(scope, session_of(console), jobs=args.jobs)
    if console.verbosity.quiet and not args.json:
        return ExitCode.FAILED if found.paths else ExitCode.DONE
    if args.json:
        console.data(json.dumps({path: state.value for path, state in found.paths.items()}))
    elif not found.paths:
        labels = " and ".join(found.remotes)
        console.message(f"The cache and the {labels} are in sync." if labels else "There is no data to compare.")
    else:
        console.data("\n".join(f"\t{state.value + ':':<20}{path}" for path, state in found.paths.items()))
        for state, hint in _WAY_OUT.items():
            if state in found.paths.values():
                console.hint(hint)
    return ExitCode.DONE
