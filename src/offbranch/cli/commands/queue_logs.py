"""Prints what the commands of an experiment have written: of a queued task its last attempt, or the one that --attempt names.

Experiments that were run in the workspace or in a temporary copy are known by their names, too. With --follow it goes on
as the log is written; Ctrl-C ends that, not the experiment. A task that fails and is tried again, or whose worker is lost,
is followed to its end, one attempt after the other.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator

from offbranch.api.queue_logs import LogRequest, find_log, follow_found, read_found
from offbranch.base.errors import ExitCode, UsageError
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser, count, whole_number
from offbranch.cli.sessions import session_of
from offbranch.cli.watching import until_ctrl_c

EXAMPLES = (
    ("ob queue logs lr-3", "what it has printed so far"),
    ("ob queue logs -f lr-3", "and what it prints from now on"),
    ("ob queue logs --tail 20 lr-3", "only the last lines"),
    ("ob queue logs --attempt 1 lr-3", "that of the first attempt"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("task", help="name, id or commit of a task, or name or id of another run")
    parser.add_flag("-f", "--follow", help="go on with what is written from now on; Ctrl-C only ends that")
    parser.add_argument(
        "-e", "--encoding", metavar="ENC", help="encoding of the log; its bytes as they are if not given"
    )
    parser.add_argument("--attempt", type=whole_number, metavar="N", help="the Nth attempt instead of the last one")
    parser.add_argument("--tail", type=count, metavar="N", help="only the last N lines")


def run(args: Namespace, console: Console) -> int:
    decode = _decoder(args.encoding) if args.encoding else None
    session = session_of(console)
    request = LogRequest(name=args.task, number=args.attempt, n_lines=args.tail)
    found = find_log(request, session)
    if not args.follow:
        _write(read_found(found, n_lines=args.tail), decode, console)
        return ExitCode.DONE
    console.message(
        f"Following logs for experiment '{found.name}'. Use Ctrl+C to stop following logs"
        " (experiment execution will continue)."
    )
    with until_ctrl_c(console.flush):
        _write(follow_found(found, request, session), decode, console)
    return ExitCode.DONE


def _decoder(encoding: str) -> Callable[[bytes], str]:
    """Returns what turns pieces of a log into text; bytes that are none in that encoding are replaced, not refused.

    Raises:
        UsageError: There is no such encoding.
    """
    try:
        b"a".decode(encoding, "replace")
        decoder = load("codecs:getincrementaldecoder")(encoding)(errors="replace")
    except (LookupError, ValueError):
        raise UsageError(f"unknown encoding '{encoding}'", hint="e.g. -e utf-8 or -e latin-1") from None
    decode: Callable[[bytes], str] = decoder.decode
    return decode


def _write(pieces: Iterator[bytes], decode: Callable[[bytes], str] | None, console: Console) -> None:
    """Writes a log as it comes: its bytes as they are, unless an encoding was given."""
    console.flush()
    raw = getattr(console.out, "buffer", None)
    for piece in pieces:
        if decode is None and raw is not None:
            raw.write(piece)
            raw.flush()
        else:
            console.out.write(decode(piece) if decode is not None else piece.decode("utf-8", "replace"))
            console.out.flush()
