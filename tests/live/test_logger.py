"""`Live` as a training program uses it: the files it writes, steps, resuming, mistakes."""

import json
import math
import os
import pickle
import sys
import threading
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from offbranch import Live
from offbranch.live import (
    InvalidDataTypeError,
    InvalidDvcyamlError,
    InvalidImageNameError,
    InvalidParameterTypeError,
    InvalidPlotTypeError,
    InvalidReportModeError,
    LiveError,
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain(directory: str = "dvclive", **kwargs: object) -> Live:
    return Live(directory, **{"save_dvc_exp": False, **kwargs})  # type: ignore[arg-type]


def table(name: str, directory: str = "dvclive") -> str:
    return Path(directory, "plots", "metrics", f"{name}.tsv").read_text()


def metrics(directory: str = "dvclive") -> object:
    return json.loads(Path(directory, "metrics.json").read_text())


def test_what_is_logged_is_on_disk_at_once() -> None:
    live = plain()
    live.log_metric("acc", 0.5)
    assert table("acc") == "step\tacc\n0\t0.5\n"
    live.next_step()
    assert Path("dvclive/metrics.json").read_text() == '{\n    "acc": 0.5,\n    "step": 0\n}\n'
    live.log_metric("acc", 1)
    live.next_step()
    assert table("acc") == "step\tacc\n0\t0.5\n1\t1\n"
    assert metrics() == {"acc": 1, "step": 1}
    live.end()


def test_the_last_step_is_that_of_the_last_next_step() -> None:
    with plain() as live:
        live.log_metric("acc", 1)
        live.next_step()
        live.log_metric("acc", 2)
    assert (live.step, metrics()) == (0, {"acc": 2, "step": 0})


def test_a_step_that_is_set_stays() -> None:
    live = plain()
    live.log_metric("acc", 1)
    live.next_step()
    live.step = 7
    live.log_metric("acc", 2)
    live.end()
    assert (live.step, metrics()) == (7, {"acc": 2, "step": 7})
    assert table("acc") == "step\tacc\n0\t1\n7\t2\n"


def test_without_a_step_the_summary_has_none() -> None:
    with plain() as live:
        live.log_metric("acc", 1)
    assert metrics() == {"acc": 1}


def test_end_inside_of_with_does_nothing() -> None:
    with plain() as live:
        live.log_metric("a", 1)
        live.end()
        live.log_metric("b", 2)
        live.summary["own"] = {"x": 3}
    assert metrics() == {"a": 1, "b": 2, "own": {"x": 3}}
    live.end()
    assert metrics() == {"a": 1, "b": 2, "own": {"x": 3}}


@pytest.mark.parametrize(
    ("value", "text", "kept"),
    [
        (3, "3", 3),
        (True, "True", True),
        (1e-10, "1e-10", 1e-10),
        (math.nan, "nan", "nan"),
        (-math.inf, "-inf", "-inf"),
        ("a\tb", '"a\tb"', "a\tb"),
        ('say "x"\n', '"say ""x""\n"', 'say "x"\n'),
        (np.float32(0.1), "0.1", float(np.float32(0.1))),
        (np.float64(0.1), "0.1", 0.1),
        (np.float32("nan"), "nan", "nan"),
        (np.int64(7), "7", 7),
        (np.array(1.5), "1.5", 1.5),
        (np.array([[2]]), "2", 2),
        (10**400, str(10**400), 10**400),
    ],
)
def test_values(value: object, text: str, kept: object) -> None:
    with plain() as live:
        live.log_metric("m", value)  # type: ignore[arg-type]
    assert table("m") == f"step\tm\n0\t{text}\n"
    assert metrics() == {"m": kept}
    assert type(live.summary["m"]) is type(kept)


class Tensor:
    """What a tensor of torch has to do with it."""

    shape = (1,)
    ndim = 1

    def item(self) -> float:
        return 0.25


def test_a_tensor_of_one_element_is_that() -> None:
    with plain() as live:
        live.log_metric("m", Tensor())  # type: ignore[arg-type]
    assert metrics() == {"m": 0.25}


@pytest.mark.parametrize("value", [[1], {"a": 1}, (1,), None, object(), np.array([1, 2]), float])
def test_what_is_no_metric_is_refused(value: object) -> None:
    live = plain()
    with pytest.raises(InvalidDataTypeError, match="Data 'm' has not supported type <class") as raised:
        live.log_metric("m", value)  # type: ignore[arg-type]
    assert isinstance(raised.value, LiveError) and isinstance(raised.value, TypeError)
    assert live.summary == {}


def test_names_with_levels_and_names_that_lead_out() -> None:
    with plain("a/live") as live:
        for name in ("train/loss", "a\\b", "../../../out", "/abs", "trail/", "x", "x/y"):
            live.log_metric(name, 1)
    assert metrics("a/live") == {
        "train": {"loss": 1},
        "a\\b": 1,
        "..": {"..": {"..": {"out": 1}}},
        "abs": 1,
        "trail": 1,
        "x": 1,
        "x/y": 1,
    }
    found = {path.relative_to("a/live/plots/metrics").as_posix() for path in Path("a/live").rglob("*.tsv")}
    assert found == {"train/loss.tsv", "a\\b.tsv", "_/_/_/out.tsv", "abs.tsv", "trail.tsv", "x.tsv", "x/y.tsv"}
    assert {entry.name for entry in Path().iterdir()} == {"a", "dvc.yaml"}


def test_names_and_texts_that_no_file_can_have(caplog: pytest.LogCaptureFixture) -> None:
    with plain() as live:
        for name in ("nul\0", "long" * 100, "lone\ud800"):
            live.log_metric(name, 1)
            live.log_metric(name, 2)
        live.log_metric("m", "lone \ud800")
    assert table("m") == "step\tm\n0\tlone \\ud800\n"
    assert len(caplog.records) == 3
    assert metrics() == {"nul\0": 2, "long" * 100: 2, "lone\ud800": 2, "m": "lone \ud800"}


def test_a_column_of_times_is_kept_to() -> None:
    with plain() as live:
        live.log_metric("a", 1, timestamp=True)
        live.log_metric("a", 2)
        live.log_metric("b", 1)
        live.log_metric("b", 2, timestamp=True)
    first, *rows = table("a").splitlines()
    assert first == "timestamp\tstep\ta"
    assert [row.split("\t")[1:] for row in rows] == [["0", "1"], ["0", "2"]]
    assert all(len(row.split("\t")[0]) == 13 for row in rows)
    assert table("b") == "step\tb\n0\t1\n0\t2\n"


def test_a_metric_without_plot() -> None:
    with plain() as live:
        live.log_metric("m", 1, plot=False)
        live.log_metrics({"a": 1, "b": 2}, plot=False)
    assert metrics() == {"m": 1, "a": 1, "b": 2}
    assert not Path("dvclive/plots").exists()


def test_parameters() -> None:
    live = plain()
    live.log_param("lr", 0.1)
    live.log_params({"a": {"b": [1, (2,)]}, "n": None, "np": np.float32(0.25), "arr": np.array([1, 2])})
    text = "lr: 0.1\na:\n  b:\n  - 1\n  - - 2\nn:\nnp: 0.25\narr:\n- 1\n- 2\n"
    assert Path("dvclive/params.yaml").read_text() == text
    with pytest.raises(InvalidParameterTypeError, match="cannot represent an object"):
        live.log_param("o", object())
    with pytest.raises(InvalidParameterTypeError, match="not a map"):
        live.log_params("x")
    live.log_param("last", 1)
    assert Path("dvclive/params.yaml").read_text() == text + "last: 1\n"


def test_dates_are_parameters_and_what_is_refused_leaves_no_trace() -> None:
    live = plain()
    live.log_params({"day": date(2020, 1, 2), "at": datetime(2020, 1, 2, 3, 4), "np": np.datetime64("2020-01-02")})
    for value in ({object()}, frozenset(([],) for _ in ()) | {(1, object())}, {"x": {object(): 1}}):
        with pytest.raises(InvalidParameterTypeError):
            live.log_param("o", value)
    live.log_param("last", 1)
    text = "day: 2020-01-02\nat: 2020-01-02 03:04:00\nnp: 2020-01-02\nlast: 1\n"
    assert Path("dvclive/params.yaml").read_text() == text


def test_only_files_of_live_are_removed_at_the_start() -> None:
    live = plain()
    live.log_metric("old", 1)
    live.log_param("p", 1)
    live.end()
    Path("dvclive/keep.txt").write_text("x")
    Path("dvclive/plots/keep.txt").write_text("x")
    plain()
    assert {path.as_posix() for path in Path("dvclive").rglob("*") if path.is_file()} == {
        "dvclive/keep.txt",
        "dvclive/plots/keep.txt",
    }


@pytest.mark.parametrize("by_variable", [False, True])
def test_resuming_goes_on_after_the_last_step(by_variable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    live = plain()
    live.log_param("lr", 1)
    for value in (1, 2):
        live.log_metric("acc", value)
        live.log_metric("t", value, timestamp=True)
        live.next_step()
    # The next step had begun when it was killed.
    live.log_metric("acc", 3)
    live.log_metric("t", 3, timestamp=True)
    live.flush()
    with open("dvclive/plots/metrics/acc.tsv", "a") as file:
        file.write("2\t3.1")
    if by_variable:
        monkeypatch.setenv("DVCLIVE_RESUME", "1")
    again = plain(resume=not by_variable)
    assert (again.step, again.summary["step"]) == (2, 1)
    again.log_metric("acc", 33)
    again.log_metric("t", 33)
    again.log_param("more", 2)
    again.next_step()
    again.end()
    assert table("acc") == "step\tacc\n0\t1\n1\t2\n2\t33\n"
    assert [line.split("\t")[1:] for line in table("t").splitlines()] == [
        ["step", "t"],
        ["0", "1"],
        ["1", "2"],
        ["2", "33"],
    ]
    assert Path("dvclive/params.yaml").read_text() == "lr: 1\nmore: 2\n"
    assert metrics() == {"acc": 33, "t": 33, "step": 2}


def test_resuming_what_is_broken_or_not_there() -> None:
    assert plain("new", resume=True).step == 0
    Path("old").mkdir()
    Path("old/params.yaml").write_text("")
    Path("old/metrics.json").write_text('{"step": ')
    assert plain("old", resume=True).step == 0


def test_resuming_keeps_what_dvc_yaml_says_of_plots() -> None:
    with plain() as live:
        live.log_plot("mine", [{"a": 1, "b": 2}], "a", "b")
        live.log_metric("m", 1)
    before = Path("dvc.yaml").read_text()
    with plain(resume=True) as live:
        live.log_metric("m", 1)
    assert Path("dvc.yaml").read_text() == before


def test_mistakes_in_arguments() -> None:
    with pytest.raises(InvalidReportModeError, match="Got pdf instead"):
        plain(report="pdf")
    with pytest.raises(InvalidDvcyamlError, match=r"must have filename 'dvc\.yaml'"):
        plain(dvcyaml="pipeline.yaml")
    live = plain()
    with pytest.raises(InvalidPlotTypeError, match=r"Plot type 'x' is not supported.*\n.*'roc'"):
        live.log_sklearn_plot("x", [0], [0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 labels, but 1 predictions"):
        live.log_sklearn_plot("confusion_matrix", [0, 1], [0])
    with pytest.raises(InvalidDataTypeError, match="Data 'datapoints'"):
        live.log_plot("p", 5, "x", "y")
    with pytest.raises(InvalidDataTypeError, match="Data 'p'"):
        live.log_plot("p", [1], "x", "y")
    with pytest.raises(InvalidImageNameError, match=r"Cannot log image with name 'x\.txt'"):
        live.log_image("x.txt", np.zeros((2, 2)))
    with pytest.raises(InvalidDataTypeError, match="Data '5'"):
        live.log_artifact(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidDataTypeError, match="Data 'name'"):
        live.log_metric(5, 1)  # type: ignore[arg-type]


def test_paths() -> None:
    live = plain("some/dir", report="html", dvcyaml="sub/dvc.yaml")
    assert (live.dir, live.dvc_file, live.report_file) == ("some/dir", "sub/dvc.yaml", "some/dir/report.html")
    assert (live.params_file, live.metrics_file) == ("some/dir/params.yaml", "some/dir/metrics.json")
    assert (live.plots_dir, live.artifacts_dir) == ("some/dir/plots", "some/dir/artifacts")
    assert plain(dvcyaml=None).dvc_file is None
    assert plain(dvcyaml=False).report_file is None


def test_an_image_that_is_copied() -> None:
    Path("in.png").write_bytes(b"png")
    with plain() as live:
        live.log_image("a/b.png", "in.png")
        live.log_image("c", Path("in.png"))
    assert Path("dvclive/plots/images/a/b.png").read_bytes() == b"png"
    assert Path("dvclive/plots/images/c.png").read_bytes() == b"png"
    assert "- dvclive/plots/images\n" in Path("dvc.yaml").read_text()


class Pillow:
    """What is used of PIL.Image: what it was given."""

    mode = "RGB"

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @classmethod
    def fromarray(cls, array: np.ndarray) -> "Pillow":
        return cls(array)

    def save(self, path: str) -> None:
        Path(path).write_text(f"{self.array.dtype} {self.array.tolist()}")


def test_arrays_as_images(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", Pillow)
    whole = np.arange(24).reshape(2, 4, 3) * 10
    with plain() as live:
        for name, array in {"bytes": whole.astype("uint8"), "whole": whole, "part": whole / 255}.items():
            live.log_image(f"{name}.png", array)
        live.log_image("holes.png", np.array([[0.5, math.nan]]))
        assert caplog.messages == []
        for _ in range(2):
            live.log_image("cut.png", whole.astype("float32"))
    read = {path.stem: path.read_text() for path in Path("dvclive/plots/images").iterdir()}
    assert read["bytes"] == read["whole"] == read["part"] == f"uint8 {whole.tolist()}"
    assert read["holes"] == "uint8 [[128, 0]]"
    assert caplog.messages == ["values of an image outside of 0 to 1 are cut off: 0 to 230"]


def test_plots_of_points() -> None:
    with plain() as live:
        live.log_plot("a", [{"x": 1, "y": np.float64(2)}], "x", ["y", "z"], title="T")
        live.log_plot("b.json", np.array([[1, 2]]), "0", "1", template=None)
    assert json.loads(Path("dvclive/plots/custom/a.json").read_text()) == [{"x": 1, "y": 2.0}]
    assert json.loads(Path("dvclive/plots/custom/b.json").read_text()) == [{"0": 1, "1": 2}]
    assert Path("dvc.yaml").read_text() == (
        "plots:\n- dvclive/plots/custom/a.json:\n    template: linear\n    x: x\n    y:\n    - y\n    - z\n    title: T\n"
        "- dvclive/plots/custom/b.json:\n    x: '0'\n    y: '1'\n"
    )


def test_plots_of_scikit_learn() -> None:
    labels, scores = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    with plain() as live:
        live.log_sklearn_plot("confusion_matrix", labels, [0, 1, 1, 1], name="cf.json", normalized=True)
        for kind in ("roc", "precision_recall", "det", "calibration"):
            live.log_sklearn_plot(kind, labels, scores)  # type: ignore[arg-type]
        live.log_sklearn_plot("roc", np.array(labels), np.array(scores), name="other", drop_intermediate=True)
    read = {path.stem: json.loads(path.read_text()) for path in Path("dvclive/plots/sklearn").iterdir()}
    assert read["cf"][1] == {"actual": "0", "predicted": "1"}
    assert list(read["roc"]["roc"][0]) == ["fpr", "tpr", "threshold"]
    assert list(read["precision_recall"]["precision_recall"][0]) == ["precision", "recall", "threshold"]
    assert list(read["det"]["det"][0]) == ["fpr", "fnr", "threshold"]
    assert list(read["calibration"]["calibration"][0]) == ["prob_true", "prob_pred"]
    assert "template: confusion_normalized" in Path("dvc.yaml").read_text()


def test_threads_log_at_the_same_time() -> None:
    with plain() as live:
        threads = [
            threading.Thread(target=lambda n=n: [live.log_metric("m", n * 2000 + i) for i in range(2000)])  # type: ignore[misc]
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    values = sorted(int(line.split("\t")[1]) for line in table("m").splitlines()[1:])
    assert values == list(range(8000))


def test_many_calls_are_all_there_in_their_order() -> None:
    with plain() as live:
        for i in range(50_000):
            live.log_metric("m", i)
            if i % 1000 == 0:
                live.next_step()
    values = [int(line.split("\t")[1]) for line in table("m").splitlines()[1:]]
    assert values == list(range(50_000))


@pytest.mark.parametrize(
    "name",
    [
        "RANK",
        "OMPI_COMM_WORLD_RANK",
        "PMIX_RANK",
        "PMI_RANK",
        "MV2_COMM_WORLD_RANK",
        "HOROVOD_RANK",
        "SLURM_PROCID",
        "LOCAL_RANK",
        "NODE_RANK",
    ],
)
def test_other_ranks_do_nothing(name: str, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv(name, "1")
    with Live(monitor_system=True) as live:
        live.log_metric("m", [1])  # type: ignore[arg-type]
        live.log_params({"a": 1})
        live.log_image("x.png", None)
        live.log_artifact("nothing")
        live.next_step()
        live.sync()
        assert live.step == 1
    assert list(place.iterdir()) == []
    monkeypatch.setenv(name, "0")
    with plain() as live:
        live.log_metric("m", 1)
    assert Path("dvclive").is_dir()


def test_the_rank_of_all_outweighs_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("RANK", "4")
    plain().log_metric("m", 1)
    assert not Path("dvclive").exists()
    monkeypatch.setenv("OFFBRANCH_LIVE_ALL_RANKS", "1")
    plain().log_metric("m", 1)
    assert Path("dvclive").exists()


def test_a_rank_that_is_known_only_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened before torch.distributed was: this one stops as soon as that says that another process is rank 0."""
    live = plain(monitor_system=True)
    live.log_metric("m", 1)
    torch = SimpleNamespace(is_available=lambda: True, is_initialized=lambda: True, get_rank=lambda: 1)
    monkeypatch.setitem(sys.modules, "torch.distributed", torch)
    live.next_step()
    live.log_metric("m", 2)
    live.end()
    assert (live.step, table("m")) == (1, "step\tm\n0\t1\n")


def test_a_copy_in_another_process_may_log() -> None:
    live = plain()
    live.log_metric("m", 1)
    copy = pickle.loads(pickle.dumps(live))
    copy.log_metric("m", 2)
    copy.log_metric("other", 3)
    live.log_metric("m", 4)
    live.end()
    assert table("m") == "step\tm\n0\t1\n0\t2\n0\t4\n"
    assert table("other") == "step\tother\n0\t3\n"
    assert metrics() == {"m": 4}


def test_a_trial_leaves_nothing(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv("DVCLIVE_TEST", "true")
    with Live() as live:
        live.log_metric("m", 1)
    assert list(place.iterdir()) == []
    assert os.path.exists(live.metrics_file)


def test_what_was_written_can_be_read_back() -> None:
    live = plain()
    assert (live.read_latest(), live.read_step()) == ({}, 0)
    live.step = 3
    live.log_metric("m", 1)
    live.sync()
    assert (live.read_latest(), live.read_step()) == ({"m": 1, "step": 3}, 3)
