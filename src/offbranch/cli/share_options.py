"""The options that `exp push` and `exp pull` share, and how what became of the experiments is told."""

import json
from argparse import Namespace
from collections.abc import Sequence

from offbranch.base.errors import ExitCode, OffbranchError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_revisions
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.transfer_outcome import counted, moved_data, warn_of_problems
from offbranch.experiments.choose import Choice
from offbranch.experiments.sharing import Shared, ShareReport, ShareRequest, ShareState, raise_unshared
from offbranch.experiments.sharing import counted as counted_experiments

_SHOWN_NAMES = 5
_WORDS = {
    ShareState.NEW: "new",
    ShareState.UPDATED: "updated",
    ShareState.REPLACED: "replaced",
    ShareState.SAME: "up-to-date",
    ShareState.DIVERGED: "diverged",
    ShareState.FAILED: "failed",
}


def add_share_options(parser: Parser, verb: str) -> None:
    """Adds the remote, the experiments, and how they are shared."""
    parser.add_argument("git_remote", nargs="?", metavar="git-remote", help="name, url or path of the Git remote")
    parser.add_argument(
        "experiments",
        nargs="*",
        metavar="experiment",
        help="name, full ref, commit, or pattern as 'lr-*'; of HEAD if not given",
    )
    add_revisions(parser, verb)
    parser.set_defaults(num=None)
    parser.add_flag("-f", "--force", help="replace experiments that have diverged")
    parser.add_flag("--no-cache", help=f"{verb} no outputs, only the experiments themselves")
    parser.add_argument(
        "-r", "--remote", metavar="NAME", help="the data remote for outputs, in place of the default one"
    )
    parser.add_argument("-j", "--jobs", type=whole_number, metavar="N", help="transfers of outputs at a time")
    parser.add_flag("--run-cache", help=f"{verb} the run-cache too: what made which outputs")
    parser.add_flag("--no-run-cache", help="leave the run-cache out, as if nothing is said")
    parser.add_flag("--dry-run", "--dry", dest="dry", help="only show what would be done")
    add_json(parser, "what became of each experiment")


def choice_of(args: Namespace) -> Choice:
    """Returns which experiments are meant."""
    return Choice(names=tuple(args.experiments), everything=args.all_commits, revs=tuple(args.rev), n_commits=args.num)


def share_request_of(args: Namespace) -> ShareRequest:
    """Returns what is asked for."""
    return ShareRequest(
        remote=args.git_remote or "",
        choice=choice_of(args),
        force=args.force,
        with_data=not args.no_cache,
        data_remote=args.remote,
        jobs=args.jobs,
        run_cache=args.run_cache and not args.no_run_cache,
        dry=args.dry,
    )


def finish_sharing(report: ShareReport, verb: str, args: Namespace, console: Console) -> int:
    """Tells what became of the experiments and of their data, and returns the exit code.

    Args:
        report: What became of them.
        verb: `push` or `pull`.
        args: The command line.
        console: Where it is told.

    Raises:
        OffbranchError: Not all of them could be shared.
    """
    if args.json:
        console.data(json.dumps(report_data(report)))
    else:
        for line in _outcome(report, verb, every=bool(args.verbose)):
            console.message(line)
        if not report.experiments and share_request_of(args).choice == Choice():
            console.hint(f"no experiments start from here; 'ob exp {verb} -A {report.remote.label}' takes all")
    _warn(report, verb, console)
    if not report.dry:
        is_push = verb == "push"
        way_out = "-f replaces what is there" if is_push else "-f replaces what is here"
        keep = "to keep both, give yours another name first: ob exp rename NAME NEW"
        raise_unshared(report, f"{verb}ed", f"{way_out}; {keep}")
    return ExitCode.DONE


def report_data(report: ShareReport) -> dict[str, object]:
    """Returns what `--json` prints."""
    return {
        "remote": report.remote.label,
        "dry": report.dry,
        "experiments": [
            {
                "name": one.experiment.name,
                "baseline": one.experiment.baseline,
                "rev": one.experiment.commit,
                "old": one.old,
                "state": _WORDS[one.state],
                "error": error_data(one.error),
            }
            for one in report.experiments
        ],
        "labels": report.n_labels,
        "data": {**moved_data(report.data, "files"), "without_remote": report.n_homeless} if report.with_data else None,
    }


def error_data(error: OffbranchError | None) -> dict[str, object] | None:
    """Returns an error for programs."""
    return None if error is None else {"kind": type(error).__name__, "message": error.message, "hint": error.hint}


def _outcome(report: ShareReport, verb: str, *, every: bool) -> Sequence[str]:
    if not report.experiments:
        return (f"No experiments to {verb}.",)
    done, to = ("Pushed", "to") if verb == "push" else ("Pulled", "from")
    start = f"Would {verb}" if report.dry else done
    lines = []
    moved = report.of(ShareState.NEW, ShareState.UPDATED)
    replaced = report.of(ShareState.REPLACED)
    same = report.of(ShareState.SAME)
    if moved:
        lines.append(f"{start} {named(moved, every=every)} {to} {report.remote.text}.")
    if replaced:
        olds = f" (was {replaced[0].old[:7]})" if len(replaced) == 1 and replaced[0].old else ""
        what = "replacing what was there" if verb == "push" else "replacing what was here"
        lines.append(f"{start} {named(replaced, every=every)} {to} {report.remote.text}, {what}{olds}.")
    if same:
        text = named(same, every=every)
        lines.append(
            f"{text[0].upper()}{text[1:]} {_are(same)} up to date {'on' if verb == 'push' else 'with'} {report.remote.text}."
        )
    if not lines and not report.dry:
        lines.append(f"Nothing was {verb}ed.")
    moved_files = report.data.n_objects
    if moved_files:
        lines.append(counted(moved_files, "file", "uploaded" if verb == "push" else "fetched"))
    if report.n_labels:
        lines.append(f"tags and notes of {counted_experiments(report.n_labels)} {verb}ed")
    if report.data.n_runs:
        n_runs = report.data.n_runs
        lines.append(f"{n_runs} {'entry' if n_runs == 1 else 'entries'} of the run-cache {verb}ed")
    return lines


def _warn(report: ShareReport, verb: str, console: Console) -> None:
    for one in report.of(ShareState.DIVERGED)[:_SHOWN_NAMES]:
        name = one.experiment.name
        console.warn(f"experiment '{name}' here and the one of the same name at {report.remote.text} have diverged")
    _warn_of_rest(len(report.of(ShareState.DIVERGED)), "have diverged", console)
    warn_of_problems(report.data, console)
    failed = [one for one in report.experiments if one.error is not None]
    for one in failed[:_SHOWN_NAMES]:
        what = f"was not {verb}ed" if one.state is ShareState.FAILED else "is here, but not all its data"
        console.warn(f"experiment '{one.experiment.name}' {what}: {one.error.message if one.error else ''}")
    _warn_of_rest(len(failed), "have failed", console)
    if report.n_homeless:
        outputs = counted(report.n_homeless, "output", f"{'was' if report.n_homeless == 1 else 'were'} not {verb}ed")
        console.warn(f"{outputs}: the project has no data remote", _homeless_hint(verb))


def _homeless_hint(verb: str) -> str:
    return f"ob remote add -d NAME URL makes one, then {verb} again; --no-cache says that outputs are not meant"


def _warn_of_rest(number: int, what: str, console: Console) -> None:
    if number > _SHOWN_NAMES:
        console.warn(f"{number - _SHOWN_NAMES} more {what}", "--json lists them all")


def named(experiments: Sequence[Shared], *, every: bool) -> str:
    """Returns `experiment a`, or `experiments a, b and 3 more`."""
    return names_text([one.experiment.name for one in experiments], every=every)


def names_text(names: Sequence[str], *, every: bool) -> str:
    """Returns names for a sentence, the first few of many unless all are wanted."""
    if len(names) == 1:
        return f"experiment {names[0]}"
    shown = list(names) if every or len(names) <= _SHOWN_NAMES + 1 else list(names[:_SHOWN_NAMES])
    last = shown.pop() if len(shown) == len(names) else f"{len(names) - len(shown)} more"
    return f"experiments {', '.join(shown)} and {last}"


def _are(experiments: Sequence[Shared]) -> str:
    return "is" if len(experiments) == 1 else "are"
