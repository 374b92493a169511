"""Curves as they grow: whole lines only, from where the last reading ended, and anew where a file begins anew."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.paths import AbsPath, RepoPath
from offbranch.views.live_series import (
    GrowingSeries,
    LiveRun,
    Series,
    live_dirs,
    metrics_dir,
    plots_of_runs,
    series_of_files,
)
from offbranch.views.plot_text import render_plots_text


def table(root: Path, name: str, text: str, *, mode: str = "w", directory: str = "dvclive") -> None:
    path = root / directory / "plots" / "metrics" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(text)


@pytest.fixture
def growing(tmp_path: Path) -> GrowingSeries:
    return GrowingSeries(AbsPath(str(tmp_path)))


def test_only_whole_lines_count(tmp_path: Path, growing: GrowingSeries) -> None:
    assert growing.read(["dvclive"]) == {}
    table(tmp_path, "train/loss", "step\tloss\n0\t0.5\n1\t0.")
    found = growing.read(["dvclive"])
    assert found == {"train/loss": Series(steps=[0.0], values=[0.5])}
    table(tmp_path, "train/loss", "25\n2\t0.1\n", mode="a")
    assert growing.read(["dvclive"])["train/loss"] == Series(steps=[0.0, 1.0, 2.0], values=[0.5, 0.25, 0.1])


def test_a_file_that_begins_anew_is_read_anew(tmp_path: Path, growing: GrowingSeries) -> None:
    table(tmp_path, "acc", "step\tacc\n0\t1\n1\t2\n2\t3\n")
    growing.read(["dvclive"])
    table(tmp_path, "acc", "step\tacc\n0\t9\n")
    assert growing.read(["dvclive"])["acc"].values == [9.0]
    os.unlink(tmp_path / "dvclive/plots/metrics/acc.tsv")
    assert growing.read(["dvclive"]) == {}


def test_time_stamps_texts_and_torn_rows_do_no_harm(tmp_path: Path, growing: GrowingSeries) -> None:
    table(tmp_path, "acc", "timestamp\tstep\tacc\n1700\t0\t0.5\n1701\t1\tnan\n1702\n1703\tx\t1\n1704\t4\t0.7\n")
    assert growing.read(["dvclive"])["acc"] == Series(steps=[0.0, 4.0], values=[0.5, 0.7])
    table(tmp_path, "acc", "1705\t5\tinf\n", mode="a")
    found = growing.read(["dvclive"])["acc"]
    assert (found.values, found.not_a_number, found.newest) == ([0.5, 0.7], [(5.0, "inf")], "inf at step 5")
    table(tmp_path, "acc", "1705\t6\t\x1b[2J" + "x" * 99 + "\n", mode="a")
    assert growing.read(["dvclive"])["acc"].newest == "?[2J" + "x" * 55 + "… at step 6"


def test_lines_may_end_as_on_windows(tmp_path: Path, growing: GrowingSeries) -> None:
    table(tmp_path, "acc", "")
    (tmp_path / "dvclive/plots/metrics/acc.tsv").write_bytes(b"step\tacc\r\n0\t0.5\r\n1\twarm\r\n")
    assert growing.read(["dvclive"])["acc"] == Series(steps=[0.0], values=[0.5], not_a_number=[(1.0, "warm")])


def test_rows_that_are_written_again_are_read_again(tmp_path: Path, growing: GrowingSeries) -> None:
    rows = "step\tacc\n" + "".join(f"{step}\t0.{step}\n" for step in range(9))
    table(tmp_path, "acc", rows)
    growing.read(["dvclive"])
    os.truncate(tmp_path / "dvclive/plots/metrics/acc.tsv", len(rows) - len("8\t0.8\n"))
    table(tmp_path, "acc", "8\t0.9\n", mode="a")  # as many bytes as before
    assert growing.read(["dvclive"])["acc"].values[-2:] == [0.7, 0.9]


def test_a_metric_may_have_any_name() -> None:
    curve = Series(steps=[0.0, 1.0], values=[3.0, 4.0])
    run = LiveRun(name="a", state="running", series=dict.fromkeys(("step", "rev", "value"), curve))
    for spec in plots_of_runs((run,)).specs:
        assert [(point[spec.x], point[spec.y]) for point in spec.points] == [(0.0, 3.0), (1.0, 4.0)]


def test_where_live_writes(tmp_path: Path) -> None:
    table(tmp_path, "acc", "step\tacc\n", directory="logs")
    (tmp_path / "src").mkdir()
    assert live_dirs(AbsPath(str(tmp_path)), ["eval/metrics.json", "metrics.json", "x.json"]) == (
        "dvclive",
        "eval",
        "logs",
    )
    assert live_dirs(AbsPath(str(tmp_path / "gone")), []) == ("dvclive",)


def test_files_of_a_revision() -> None:
    top = metrics_dir("dvclive")
    files = {RepoPath(f"{top}/train/loss.tsv"): b"step\tloss\n0\t1\n", RepoPath(f"{top}/note.txt"): b"?"}
    assert series_of_files(files, files.__getitem__, top) == {"train/loss": Series(steps=[0.0], values=[1.0])}


def test_one_plot_for_each_metric_and_a_line_for_each_run() -> None:
    curve = Series(steps=[0.0, 1.0], values=[1.0, 2.0])
    runs = (
        LiveRun(name="a", state="running", series={"loss": curve}, checkpoints=1),
        LiveRun(name="b", state="ended", series={"loss": curve, "acc": curve}),
        LiveRun(name="c", state="running", series={}),
    )
    plots = plots_of_runs(runs)
    assert plots.names == ("acc", "loss")
    assert [spec.revisions for spec in plots.specs] == [("b (ended)",), ("a (running, 1 checkpoint)", "b (ended)")]
    text = render_plots_text(plots, width=80)
    assert "a (running, 1 checkpoint)" in text
    assert "\x1b" not in text


@given(
    rows=st.lists(st.tuples(st.integers(0, 99), st.floats(-1e6, 1e6)), max_size=20),
    cuts=st.lists(st.integers(0, 500), max_size=5),
)
def test_however_it_is_cut_the_curve_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float]], cuts: list[int]
) -> None:
    root = tmp_path_factory.mktemp("cut")
    text = "step\tx\n" + "".join(f"{step}\t{value!r}\n" for step, value in rows)
    growing = GrowingSeries(AbsPath(str(root)))
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    for start, end in pairwise(places):
        table(root, "x", text[start:end], mode="a")
        found = growing.read(["dvclive"])
    assert found["x"] == Series(steps=[float(step) for step, _ in rows], values=[value for _, value in rows])
