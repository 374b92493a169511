"""How options of `repro` and `exp run` become records, and the reporter that asks."""

from argparse import Namespace
from collections.abc import Iterator

import pytest

from offbranch.base.errors import Interrupted, UsageError
from offbranch.base.events import Notice
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.pipeline_options import (
    AskingReporter,
    add_pipeline_options,
    execute_options,
    reporter_of,
    select_options,
)
from offbranch.pipeline.events import StageDecided
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy, PlanOptions, SelectOptions
from offbranch.pipeline.plan import Action


def parsed(*words: str) -> Namespace:
    parser = Parser("repro")
    add_pipeline_options(parser, force_help="-", jobs=("-j", "--jobs"))
    parser.add_common_options()
    return parser.read(words)


def test_nothing_given_is_the_default(console: Console) -> None:
    args = parsed()
    assert select_options(args) == SelectOptions()
    assert execute_options(args) == ExecuteOptions()


def test_every_option_arrives(console: Console) -> None:
    args = parsed("-s", "-p", "-P", "-R", "--downstream")
    assert select_options(args) == SelectOptions(
        single_item=True, pipeline=True, all_pipelines=True, recursive=True, downstream=True
    )
    args = parsed("-f", "--force-downstream", "--allow-missing", "-k", "--pull")
    plan = PlanOptions(force=True, forced_after=True, allow_missing=True)
    assert execute_options(args) == ExecuteOptions(plan=plan, on_failure=FailurePolicy.KEEP_GOING, pull=True)
    assert execute_options(parsed("--ignore-errors")).on_failure is FailurePolicy.IGNORE
    assert execute_options(parsed("-j", "4")).jobs == 4
    for words in (("-k", "--ignore-errors"), ("-j", "0"), ("-i", "-j", "2")):
        with pytest.raises(UsageError):
            execute_options(parsed(*words))


class Answering(Console):
    """A console with answers ready."""

    answers: Iterator[bool]

    def can_ask(self) -> bool:
        return True

    def ask(self, question: str) -> bool:
        self.err.write(f"{question}\n")
        return next(self.answers)


@pytest.fixture
def answering(console: Console) -> Answering:
    return Answering(environment=console.environment, out=console.out, err=console.err)


def decided(address: str, action: Action) -> StageDecided:
    return StageDecided(address=address, action=action, reasons=(), is_data=False)


def test_asking_before_each_command(answering: Answering) -> None:
    answering.answers = iter((True, False))
    reporter = reporter_of(parsed("-i"), answering)
    assert isinstance(reporter, AskingReporter)
    reporter.emit(Notice(text="nothing to ask"))
    reporter.emit(decided("a", Action.SKIP))
    reporter.emit(decided("b", Action.RUN))
    with pytest.raises(Interrupted, match="stopped before 'c'") as caught:
        reporter.emit(decided("c", Action.RUN))
    assert caught.value.exit_code == 130


def test_no_questions_where_none_are_due(console: Console, answering: Answering) -> None:
    assert reporter_of(parsed(), console) is console
    assert reporter_of(parsed("-i", "--dry"), answering) is answering
    with pytest.raises(UsageError, match="no terminal"):
        reporter_of(parsed("-i"), console)
