"""What `ob exp show --follow` and `ob live` write: on a terminal in place, elsewhere one thing for each change."""

import io
import json
from pathlib import Path

import pytest

from checkpoint_chains import FILES, make_chain
from offbranch.api.show_follow import Followed, follow_experiments
from offbranch.cli.commands import live
from offbranch.cli.console import Console
from offbranch.cli.exp_follow import show_changes
from offbranch.cli.screen import Screen
from offbranch.views.live_series import LiveRun, Series
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
    def runs(n: int, state: str = "running") -> tuple[LiveRun, ...]:
        curve = Series(steps=[float(step) for step in range(n)], values=[step / 2 for step in range(n)])
        return (LiveRun(name="a", state=state, series={"loss": curve}),)

    live._print_changes(iter((runs(2), runs(3), runs(1))), console, as_json=True)
    series = [json.loads(line)["runs"][0]["series"]["loss"] for line in written(console).splitlines()]
    assert series == [
        {"start": 0, "steps": [0.0, 1.0], "values": [0.0, 0.5]},
        {"start": 2, "steps": [2.0], "values": [1.0]},
        {"start": 0, "steps": [0.0], "values": [0.0]},
    ]


def test_a_line_for_each_metric_that_has_changed(console: Console) -> None:
    curve, other = Series(steps=[0.0], values=[0.5]), Series(steps=[0.0, 1.0], values=[0.5, 0.25])
    first = (LiveRun(name="a", state="running", series={"loss": curve, "acc": curve}),)
    second = (LiveRun(name="a", state="running", series={"loss": other, "acc": curve}),)
    live._print_changes(iter((first, second)), console, as_json=False)
    assert written(console).splitlines() == [
        "a (running): loss 0.5 at step 0",
        "a (running): acc 0.5 at step 0",
        "a (running): loss 0.25 at step 1",
    ]


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
