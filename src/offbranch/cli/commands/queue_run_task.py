"""Carries out a task of the queue in a job of SLURM; what `ob queue start --slurm` submits runs this."""

from argparse import Namespace

from offbranch.api.queue_slurm_job import run_element
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.queue.task import TaskState

EXAMPLES: tuple[tuple[str, str], ...] = ()


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--slurm", required=True, metavar="ID", help="the submission that the job is an element of")


def run(args: Namespace, console: Console) -> int:
    end = run_element(session_of(console), args.slurm)
    if end is None:
        console.message("There was nothing left to do.")
        return ExitCode.DONE
    return ExitCode.DONE if end.state is TaskState.SUCCEEDED else ExitCode.FAILED
