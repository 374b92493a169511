"""What is printed where: streams, verbosity, colour, progress, and a line for every event."""

import io
import os
from dataclasses import dataclass

import pytest

from offbranch.base.environ import read_environment
from offbranch.base.errors import OffbranchError
from offbranch.base.events import Event, Notice, Progressed, Warned
from offbranch.cli.console import Console, Verbosity
from offbranch.cli.event_lines import because, lines_of, names
from offbranch.cli.lines import Style
from offbranch.cli.progress import ProgressLine, progress_text, size_text
from offbranch.experiments.events import (
    AttemptRecovered,
    CheckpointMade,
    CheckpointsMade,
    ExperimentStarted,
    WorkspaceRestored,
)
from offbranch.experiments.experiment import AttemptState
from offbranch.git.ids import CommitId
from offbranch.params.sweep import Grid
from offbranch.pipeline.events import (
    CommandStarted,
    FileWritten,
    StageDecided,
    StageEnded,
    StageFailed,
    StageLeftOut,
)
from offbranch.pipeline.plan import Action
from offbranch.pipeline.reasons import Reason
from offbranch.queue.events import SweepPlanned, TaskBegan, TaskCancelled, TaskFailed, TaskLost, TaskOver, TaskPutBack
from offbranch.queue.task import TaskState
from offbranch.queue.task_end import TaskEnd

WHY = (Reason(code="parameter", text="parameter lr changed 1 -> 2"), Reason(code="output", text="output m missing"))


def printed(console: Console) -> tuple[str, str]:
    assert isinstance(console.out, io.StringIO) and isinstance(console.err, io.StringIO)
    return console.out.getvalue(), console.err.getvalue()


def decided(action: Action, *, is_data: bool = False, reasons: tuple[Reason, ...] = ()) -> StageDecided:
    return StageDecided(address="a", action=action, reasons=reasons, is_data=is_data)


ENDED = TaskEnd(
    name="e",
    id="t",
    baseline=CommitId("0" * 40),
    state=TaskState.SUCCEEDED,
    outcome=AttemptState.SUCCEEDED,
    experiment=None,
    attempt_id="a",
)

EVENTS: list[tuple[Event, str, str]] = [
    (Notice(text="by the way"), "", "by the way\n"),
    (Warned(text="beware", hint="do this"), "", "warning: beware\nhint: do this\n"),
    (Warned(text="beware"), "", "warning: beware\n"),
    (decided(Action.SKIP), "Stage 'a' didn't change, skipping\n", ""),
    (decided(Action.SKIP, is_data=True), "'a' didn't change, skipping\n", ""),
    (decided(Action.RUN, reasons=WHY[:1]), "Running stage 'a':\n  because parameter lr changed 1 -> 2\n", ""),
    (
        decided(Action.RUN, reasons=WHY),
        "Running stage 'a':\n  because parameter lr changed 1 -> 2 (and 1 more: -v)\n",
        "",
    ),
    (
        decided(Action.RESTORE, reasons=WHY[1:]),
        "Stage 'a' is cached - skipping run, checking out outputs\n  because output m missing\n",
        "",
    ),
    (decided(Action.CHECKOUT), "Stage 'a' is cached - skipping run, checking out outputs\n", ""),
    (decided(Action.CHECKOUT, is_data=True), "Checking out 'a'\n", ""),
    (decided(Action.RECORD, is_data=True), "Recording the changed data of 'a'\n", ""),
    (decided(Action.BLOCKED), "", ""),
    (CommandStarted(address="a", command="python x.py"), "> python x.py\n", ""),
    (CommandStarted(address="a", command="x\ny"), "> x\n> y\n", ""),
    (StageEnded(address="a", action=Action.RUN, duration_s=1.26), "", ""),
    (StageFailed(address="a", text="it failed", is_fatal=True), "", ""),
    (StageFailed(address="a", text="it failed", is_fatal=False), "", "warning: it failed\n"),
    (StageLeftOut(address="b", because_of="a"), "", "warning: stage 'b' is left out, because 'a' failed\n"),
    (FileWritten(path="dvc.lock", is_new=True), "Generating lock file 'dvc.lock'\n", ""),
    (FileWritten(path="sub/dvc.lock", is_new=False), "Updating lock file 'sub/dvc.lock'\n", ""),
    (FileWritten(path=".gitignore", is_new=False), "", ""),
    (ExperimentStarted(name="e", log="x.log"), "Reproducing experiment 'e'\n", ""),
    (
        CheckpointMade(name="e", commit="0123456789", number=1, step=None, is_told=True),
        "Checkpoint experiment iteration '0123456'.\n",
        "",
    ),
    (CheckpointMade(name="e", commit="0123456789", number=1, step=4, is_told=False), "", ""),
    (CheckpointsMade(name="e", n_made=1), "made 1 checkpoint of 'e'\n", ""),
    (CheckpointsMade(name="e", n_made=2), "made 2 checkpoints of 'e'\n", ""),
    (
        WorkspaceRestored(name="e", paths=("a", "b")),
        "",
        "the workspace is as it was before 'e' (a, b)\n'ob exp show' lists the attempt with what it had measured\n",
    ),
    (
        AttemptRecovered(name="e", paths=()),
        "",
        "warning: an earlier run of 'e' had been killed; it is recorded as interrupted\nhint: ob exp show\n",
    ),
    (SweepPlanned(grid=Grid(keys=("a", "b"), lengths=(3, 5))), "15 trials: 3 x 5 values of a, b\n", ""),
    (SweepPlanned(grid=Grid(keys=("a",), lengths=(1,))), "1 trial: the values of a\n", ""),
    (TaskFailed(name="e", cause="it broke", hint=None), "", "error: 'e' failed: it broke\n"),
    (
        TaskFailed(name="e", cause="it broke", hint=None, is_repeated=True),
        "",
        "error: 'e' failed: it broke\n'e' is run again\n",
    ),
    (TaskPutBack(name="e"), "", "'e' was stopped and waits in the queue again\n"),
    (TaskCancelled(name="e", cause="killed"), "", "warning: 'e' was taken out of the queue: killed\n"),
    (TaskLost(name="e"), "", "warning: the process that ran 'e' was killed; it is run again\n"),
    # What only the log of a worker tells.
    (TaskBegan(name="e", slot="1", log="x.log"), "", ""),
    (TaskOver(end=ENDED), "", ""),
]


@pytest.mark.parametrize(("event", "out", "err"), EVENTS, ids=lambda value: type(value).__name__)
def test_events(event: Event, out: str, err: str, console: Console) -> None:
    console.emit(event)
    assert printed(console) == (out, err)


def leaves(kind: type[Event]) -> set[type[Event]]:
    return {leaf for child in kind.__subclasses__() for leaf in leaves(child)} or {kind}


def test_every_event_is_tested() -> None:
    known = {kind for kind in leaves(Event) if kind.__module__.startswith("offbranch.")}
    assert known - {Progressed} == {type(event) for event, _, _ in EVENTS}


def test_more_with_v(console: Console) -> None:
    console.configure(Verbosity(level=1))
    console.emit(decided(Action.RUN, reasons=WHY))
    console.emit(StageEnded(address="a", action=Action.RUN, duration_s=1.26))
    console.emit(FileWritten(path=".gitignore", is_new=True))
    console.emit(ExperimentStarted(name="e", log="x.log"))
    assert printed(console)[0].splitlines() == [
        "Running stage 'a':",
        "  because parameter lr changed 1 -> 2",
        "      and output m missing",
        "'a' took 1.3 s",
        "Generating '.gitignore'",
        "Reproducing experiment 'e'",
        "its log is x.log",
    ]


def test_quiet_keeps_results_warnings_and_errors(console: Console) -> None:
    console.configure(Verbosity(quiet=True, level=2))
    console.emit(decided(Action.RUN, reasons=WHY))
    console.message("done")
    console.hint("do that")
    console.emit(Notice(text="by the way"))
    console.data("result")
    console.warn("beware")
    console.show_error(OffbranchError("bad"))
    out, err = printed(console)
    assert out == "result\n" and err.startswith("warning: beware\n") and err.endswith("error: bad\n")


def test_unknown_events_say_nothing(console: Console) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Unheard(Event):
        pass

    console.emit(Unheard())
    assert printed(console) == ("", "")


def test_results_end_with_one_newline(console: Console) -> None:
    for text in ("a", "b\n", "", "c\n\n"):
        console.data(text)
    assert printed(console)[0] == "a\nb\nc\n\n"


def test_many_paths_are_cut() -> None:
    assert names(("a", "b", "c"), 0) == "a, b, c"
    assert names(("a", "b", "c", "d"), 0) == "a, b, c and 1 more"
    assert names(("a", "b", "c", "d"), 1) == "a, b, c, d"
    assert list(because((), 0)) == []


def test_no_colour_without_a_terminal(console: Console) -> None:
    assert console.paint("x", Style.BAD) == "x"
    assert all("\x1b" not in line.text for event, _, _ in EVENTS for line in lines_of(event, 2))


class Terminal(io.StringIO):
    """Text in memory that says it is the terminal behind a descriptor."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor


@pytest.fixture
def terminal() -> Terminal:
    master, slave = os.openpty()
    yield Terminal(slave)  # type: ignore[misc]
    os.close(master)
    os.close(slave)


def test_colours_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def painted(*, color: bool = True) -> str:
        console = Console(environment=read_environment(), out=terminal)
        console.configure(Verbosity(), color=color)
        return console.paint("x", Style.BOLD)

    assert painted() == "\x1b[1mx\x1b[0m"
    assert painted(color=False) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert painted() == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert painted() == "x"


# Progress


def progressed(done: int, total: int | None = 100, what: str = "hashing data", unit: str = "files") -> Progressed:
    return Progressed(what=what, done=done, total=total, unit=unit)


def test_progress_waits_a_second_and_is_wiped() -> None:
    now = 0.0
    stream = io.StringIO()
    line = ProgressLine(stream, clock=lambda: now)
    line.show(progressed(1))
    now = 0.9
    line.show(progressed(2))
    assert stream.getvalue() == ""
    now = 1.0
    line.show(progressed(3))
    assert stream.getvalue() == "\r\x1b[Khashing data: 3 of 100 files (3 %)"
    now = 1.05
    line.show(progressed(4))
    assert "4 of" not in stream.getvalue()
    line.clear()
    assert stream.getvalue().endswith("\r\x1b[K")
    now = 2.0
    line.show(progressed(100))
    assert "100 of" not in stream.getvalue()
    line.show(progressed(1, what="another"))
    assert "another" not in stream.getvalue()


def test_progress_texts() -> None:
    assert progress_text(progressed(5, None)) == "hashing data: 5 files"
    assert progress_text(progressed(1500, 3000, "x", "bytes")) == "x: 1.5 kB of 3.0 kB (50 %)"
    assert [size_text(n) for n in (0, 999, 1000, 10**12, 10**16)] == ["0 B", "999 B", "1.0 kB", "1.0 TB", "10000.0 TB"]


def test_no_progress_without_a_terminal(console: Console) -> None:
    for n in range(1000):
        console.emit(progressed(n, 1000))
    assert printed(console) == ("", "")


def test_progress_on_a_terminal_is_wiped_by_what_comes_next(terminal: Terminal) -> None:
    now = 0.0
    console = Console(environment=read_environment(), out=io.StringIO(), err=terminal, clock=lambda: now)
    console.emit(progressed(1))
    now = 2.0
    console.emit(progressed(2))
    assert "2 of 100" in terminal.getvalue()
    console.message("done")
    assert terminal.getvalue().endswith("\r\x1b[K")
