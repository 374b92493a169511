"""What `ob exp show --follow` and `ob live` write: on a terminal in place, elsewhere one thing for each change."""

import io
import json
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoint_chains import FILES, make_chain
from offbranch.api.live_look import LiveView
from offbranch.api.show_follow import Followed, follow_experiments
from offbranch.base.environ import read_environment
from offbranch.cli.commands import live
from offbranch.cli.console import Console
from offbranch.cli.exp_follow import show_changes
from offbranch.cli.screen import Screen
from offbranch.cli.watching import Waiting
from offbranch.views.live_series import LiveRun, Series
from offbranch.views.live_text import render_live
from offbranch.views.options import ShowOptions
from offbranch.views.text import render_text
from projects import make_project


@pytest.fixture
def view(tmp_path: Path) -> Followed:
    project = make_project(tmp_path / "p", FILES)
    make_chain(project, "run", [0.1, 0.2])
    return next(follow_experiments(ShowOptions(counts=True), project.session()))


def written(console: Console) -> str:
    assert isinstance(console.out, io.StringIO)
    return console.out.getvalue()


def test_a_line_of_json_each_time(view: Followed, console: Console) -> None:
    show_changes(iter((view, view)), console, None)
    first, second = written(console).splitlines()
    assert first == second
    assert json.loads(first)[1]["experiments"][0]["n_checkpoints"] == 2


def test_a_table_each_time(view: Followed, console: Console) -> None:
    def render(table):  # type: ignore[no-untyped-def]
        return render_text(table, now_s=0.0)

    show_changes(iter((view, view)), console, render)
    first, second = written(console).split("\n\n")
    assert first.strip() == second.strip()
    assert "[run]" in first and "Checkpoints" in first


def test_ctrl_c_is_how_it_ends(view: Followed, console: Console) -> None:
    def views():  # type: ignore[no-untyped-def]
        yield view
        raise KeyboardInterrupt

    show_changes(views(), console, None)
    assert len(written(console).splitlines()) == 1


def test_colours_take_no_room_and_are_closed(console: Console) -> None:
    out = io.StringIO()
    screen = Screen(out, size=lambda: (8, 24))
    screen.show(["\x1b[1mabcdefghijk\x1b[0m", "\x1b[31mabc\x1b[0m", "abcdefghijk"])
    assert out.getvalue().split("\n")[:3] == [
        "\x1b[1mabcdefg…\x1b[0m",
        "\x1b[31mabc\x1b[0m",
        "abcdefg…",
    ]


def test_new_points_only(console: Console) -> None:
    grows = Series()

    def views() -> Iterator[LiveView]:
        for step in range(2):
            grows.steps.append(float(step))
            grows.values.append(step / 2)
            yield view_of(loss=grows)
        yield view_of(loss=Series(steps=[0.0, 1.0, 2.0], values=[0.0, 0.5, 9.0]))  # it has ended: read from its commit
        yield view_of(loss=Series(steps=[0.0, 1.0, 2.0, 3.0], values=[0.0, 0.5, 1.0, 2.0]))  # gone on from step 2
        yield view_of(loss=Series(steps=[0.0], values=[0.0], not_a_number=[(1.0, "nan")]))

    live._print_changes(views(), console, as_json=True)
    series = [json.loads(line)["runs"][0]["series"]["loss"] for line in written(console).splitlines()]
    assert [each.pop("not_a_number") for each in series] == [None] * 4 + [{"step": 1.0, "value": "nan"}]
    assert series == [
        {"start": 0, "steps": [0.0], "values": [0.0]},
        {"start": 1, "steps": [1.0], "values": [0.5]},
        {"start": 2, "steps": [2.0], "values": [9.0]},
        {"start": 0, "steps": [0.0, 1.0, 2.0, 3.0], "values": [0.0, 0.5, 1.0, 2.0]},
        {"start": 0, "steps": [0.0], "values": [0.0]},
    ]


def test_a_line_for_each_metric_that_has_changed(console: Console) -> None:
    curve, other = Series(steps=[0.0], values=[0.5]), Series(steps=[0.0, 1.0], values=[0.5, 0.25])
    lost = Series(steps=[0.0], values=[0.5], not_a_number=[(1.0, "nan")])
    views = (view_of(loss=curve, acc=curve), view_of(loss=other, acc=curve), view_of(loss=other, acc=lost))
    live._print_changes(iter((*views, view_of(waiting=("b", "c", "d", "e")))), console, as_json=False)
    assert written(console).splitlines() == [
        "a (running): loss 0.5 at step 0",
        "a (running): acc 0.5 at step 0",
        "a (running): loss 0.25 at step 1",
        "a (running): acc nan at step 1",
    ]
    assert isinstance(console.err, io.StringIO)
    assert console.err.getvalue() == "4 tasks wait in the queue: b, c, d, …; no worker runs: ob queue start\n"


def view_of(waiting: tuple[str, ...] = (), **series: Series) -> LiveView:
    runs = (LiveRun(name="a", state="running", series=series),)
    return LiveView(runs=runs, is_over=False, waiting=waiting, has_workers=not waiting)


@pytest.mark.parametrize(
    ("n_metrics", "rows", "n_drawn", "n_listed"),
    [(1, 23, 1, 0), (2, 23, 1, 1), (2, 30, 2, 0), (50, 23, 1, 6), (3, 6, 0, 3)],
)
def test_a_terminal_gets_what_has_room(n_metrics: int, rows: int, n_drawn: int, n_listed: int) -> None:
    curve = Series(steps=[0.0, 1.0], values=[0.5, 0.25])
    run = LiveRun(name="a", state="running", series={f"m{n:02}": curve for n in range(n_metrics)})
    lines = render_live((run,), width=80, rows=rows).splitlines()
    assert len(lines) <= rows
    assert sum(line.endswith("-> (step)") for line in lines) == n_drawn
    listed = [line for line in lines if line.startswith("a (running): m")]
    assert len(listed) >= min(n_listed, n_metrics - n_drawn)
    left_out = n_metrics - n_drawn - len(listed)
    assert lines[-1].startswith(f"… and {left_out} more") is (left_out > 0)
    assert max(map(len, lines)) <= 80


def test_what_is_no_number_is_told() -> None:
    lost = Series(steps=[0.0, 1.0], values=[0.5, 0.25], not_a_number=[(2.0, "nan")])
    text = Series(not_a_number=[(2.0, "warm-up")])
    run = LiveRun(name="a", state="running", series={"loss": lost, "phase": text, "system/cpu": lost})
    lines = render_live((run,), width=80).splitlines()
    assert lines[-1] == "a (running): phase warm-up at step 2"
    assert [line for line in lines if line.endswith("a (running, nan at step 2)")]
    assert lines.index("loss") < lines.index("system/cpu")


@pytest.mark.parametrize(("word", "wanted"), [("run", 3), ("run@2", 2), ("failed", 2), ("plain", 0), ("HEAD", 0)])
def test_what_has_ended_says_how_many_checkpoints_it_has(tmp_path: Path, word: str, wanted: int) -> None:
    project = make_project(tmp_path / "p", FILES)
    make_chain(project, "run", [0.1, 0.2, 0.3, 0.4], is_finished=True)
    make_chain(project, "failed", [0.1, 0.2])
    make_chain(project, "plain", [0.1], is_finished=True)
    (found,) = project.ob("live", word, "--once", "--json").json["runs"]
    assert found["n_checkpoints"] == wanted


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", FILES)
    make_chain(project, "run", [0.1, 0.2])
    refused = project.ob("live", "run@9", "--once")
    assert refused.code == 1
    assert "'run@9' does not exist: 'run' has 2 checkpoints" in refused.err
    assert "'runs' is neither an experiment nor a metric" in project.ob("live", "runs", "--once").err


def test_who_has_gone_is_noticed_while_nothing_is_written(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        waiting = Waiting(Console(environment=read_environment({}), out=out))
        waiting(0)
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            waiting(60)
    with (tmp_path / "file").open("w") as file:
        Waiting(Console(environment=read_environment({}), out=file))(0)


@pytest.mark.parametrize(("term", "wanted"), [("xterm", True), ("dumb", False)])
def test_a_terminal_whose_cursor_does_not_move_gets_lines(term: str, wanted: bool) -> None:
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb"), os.fdopen(child, "w") as out:
        console = Console(environment=read_environment({"TERM": term}), out=out)
        assert (console.is_interactive, console.can_redraw) == (True, wanted)


def test_a_terminal_gets_csv_where_that_is_asked_for(view: Followed) -> None:
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb") as read, os.fdopen(child, "w") as out:
        console = Console(environment=read_environment({}), out=out)
        show_changes(iter((view,)), console, lambda _: "a,b", in_place=False)
        assert os.read(read.fileno(), 100) == b"a,b\r\n"


def test_another_size_of_the_terminal_is_heeded() -> None:
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb"), os.fdopen(child, "w") as out:
        waiting = Waiting(Console(environment=read_environment({}), out=out))
        drawn = []
        waiting.redraw = lambda: drawn.append(os.get_terminal_size(child).columns)
        waiting(0)
        for columns in (70, 40):
            termios.tcsetwinsize(child, (24, columns))
            waiting(0)
            waiting(0)
        assert drawn == [70, 40]
