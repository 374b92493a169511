"""The options that `repro` and `exp run` share, and how they become records of `pipeline`."""

from argparse import Namespace

from offbranch.base.errors import Interrupted, UsageError
from offbranch.base.events import Event, Reporter
from offbranch.cli.console import Console
from offbranch.cli.options import refuse_together
from offbranch.cli.parser import Parser, whole_number
from offbranch.pipeline.events import StageDecided
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy, PlanOptions, SelectOptions
from offbranch.pipeline.plan import Action

TARGETS_HELP = (
    "stage (train), all members of a foreach or matrix stage, pipeline file (sub/dvc.yaml) or a stage in it"
    " (sub/dvc.yaml:train), .dvc file or output; all stages of ./dvc.yaml if not given"
)


def add_pipeline_options(parser: Parser, *, force_help: str, jobs: tuple[str, ...]) -> None:
    """Adds the options in the order of DVC's help.

    Args:
        jobs: Names of the option for stages at the same time.
    """
    parser.add_flag("-f", "--force", help=force_help)
    parser.add_flag("-i", "--interactive", help="ask before each command is run; anything but yes ends it")
    parser.add_flag("-s", "--single-item", help="only the targets, not the stages they need")
    parser.add_flag("-p", "--pipeline", help="the whole pipeline that the targets belong to")
    parser.add_flag("-P", "--all-pipelines", help="every stage of the project")
    parser.add_flag("-R", "--recursive", help="a directory as target stands for all stages below it")
    parser.add_flag("--downstream", help="the targets and every stage after them, not those before")
    parser.add_flag("--force-downstream", help="run every stage after one that ran, changed or not")
    parser.add_flag("--pull", help="fetch missing data where that makes a run unnecessary or possible")
    parser.add_flag("--allow-missing", help="do not run a stage only because its data is missing")
    parser.add_flag("--dry", help="show what would be done and why; do nothing")
    parser.add_flag("-k", "--keep-going", help="after a failure go on with the stages that do not need the failed one")
    parser.add_flag("--ignore-errors", help="after a failure go on with every stage")
    parser.add_argument(
        *jobs,
        dest="stage_jobs",
        type=whole_number,
        default=1,
        metavar="N",
        help="run up to N stages that do not need each other at the same time; each line they print bears their name",
    )


def select_options(args: Namespace) -> SelectOptions:
    """Returns how targets become stages."""
    return SelectOptions(
        single_item=args.single_item,
        pipeline=args.pipeline,
        all_pipelines=args.all_pipelines,
        downstream=args.downstream,
        recursive=args.recursive,
        glob=getattr(args, "glob", False),
    )


def execute_options(args: Namespace) -> ExecuteOptions:
    """Returns how stages are carried out.

    Raises:
        UsageError: Options contradict each other.
    """
    refuse_together(args, "keep_going", "ignore_errors")
    if args.stage_jobs < 1:
        raise UsageError(f"there cannot be {args.stage_jobs} stages at a time", hint="1 runs one after the other")
    if args.interactive and args.stage_jobs > 1:
        raise UsageError(
            "-i asks before each command, which does not go together with stages at the same time",
            hint="leave out one of the two",
        )
    policy = FailurePolicy.STOP
    if args.keep_going or args.ignore_errors:
        policy = FailurePolicy.KEEP_GOING if args.keep_going else FailurePolicy.IGNORE
    return ExecuteOptions(
        plan=PlanOptions(
            force=args.force,
            forced_after=args.force_downstream,
            allow_missing=args.allow_missing,
            use_run_cache=not getattr(args, "no_run_cache", False),
        ),
        on_failure=policy,
        commit=not getattr(args, "no_commit", False),
        pull=args.pull,
        jobs=args.stage_jobs,
    )


def reporter_of(args: Namespace, console: Console) -> Reporter:
    """Returns the console, or with `-i` one that asks before each command.

    Raises:
        UsageError: There is nobody to ask.
    """
    if not args.interactive or args.dry:
        return console
    if not console.can_ask():
        raise UsageError("-i asks questions, and there is no terminal to answer on", hint="leave -i out")
    return AskingReporter(console)


class AskingReporter:
    """Asks before a stage runs. A no ends the run as Ctrl-C would: it is the only reporter that raises, on purpose."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def emit(self, event: Event) -> None:
        """Prints the event; for a stage that is about to run, asks.

        Raises:
            Interrupted: The user did not say yes.
        """
        self.console.emit(event)
        if not isinstance(event, StageDecided) or event.action is not Action.RUN:
            return
        if not self.console.ask(f"run '{event.address}'? [y/N]"):
            raise Interrupted(f"stopped before '{event.address}', as you said", hint="without -i nothing is asked")
