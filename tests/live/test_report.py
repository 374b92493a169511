"""Reports, and the monitor of the machine."""

import sys
import time
import xml.dom.minidom
from pathlib import Path
from types import SimpleNamespace

import pytest

from offbranch import Live
from offbranch.live.curves import MOST_POINTS, Curve, read_points, svg_of, thinned
from offbranch.live.faults import Faults
from offbranch.live.gpus import parse_program
from offbranch.live.monitor import Monitor


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_shows_what_was_logged_and_refreshes_itself() -> None:
    with Live(save_dvc_exp=False, report="html") as live:
        live.log_param("lr<", 0.1)
        for i in range(3):
            live.log_metric("train/loss", 1 / (i + 1))
            live.log_metric("text", "a&b")
            live.next_step()
            assert '<meta http-equiv="refresh" content="5">' in Path("dvclive/report.html").read_text()
        Path("in.png").write_bytes(b"x")
        live.log_image("a b.png", "in.png")
    page = Path("dvclive/report.html").read_text()
    assert "<th>lr&lt;</th>" in page and "<td>a&amp;b</td>" in page and "<th>train.loss</th>" in page
    assert page.count("<svg") == 1 and 'src="plots/images/a%20b.png"' in page
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_report_that_cannot_be_made_here_is_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert Live(save_dvc_exp=False, report="md").report_file is None
    assert Live(save_dvc_exp=False, report="notebook").report_file is None
    assert [record.getMessage() for record in caplog.records] == [
        "Report mode 'md' requires 'matplotlib' to be installed. Disabling report.",
        "Report mode 'notebook' requires to be inside a notebook. Disabling report.",
    ]
    assert Live(save_dvc_exp=False, report="auto").report_file == "dvclive/report.html"


def test_markdown_has_tables_and_images(monkeypatch: pytest.MonkeyPatch) -> None:
    class Figure:
        def __init__(self, **_: object) -> None: ...

        def add_subplot(self) -> SimpleNamespace:
            return SimpleNamespace(plot=print, set_xlabel=print, set_title=print)

        def savefig(self, path: str) -> None:
            Path(path).write_bytes(b"png")

    monkeypatch.setitem(sys.modules, "matplotlib", SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "matplotlib.figure", SimpleNamespace(Figure=Figure))  # type: ignore[arg-type]
    with Live(save_dvc_exp=False, report="md") as live:
        live.log_param("lr", 0.1)
        live.log_metric("train/loss", 2.0)
    text = Path("dvclive/report.md").read_text()
    assert "| lr |\n| --- |\n| 0.1 |" in text and "![train/loss](static/train_loss.png)" in text
    assert Path("dvclive/static/train_loss.png").exists()


def test_curves_are_thinned_but_keep_their_peaks() -> None:
    points = [(float(i), 0.0) for i in range(100_000)]
    points[54_321] = (54_321.0, 9.0)
    kept = thinned(points)
    assert len(kept) <= MOST_POINTS + 2
    assert (kept[0], kept[-1]) == (points[0], points[-1]) and points[54_321] in kept


@pytest.mark.parametrize("points", [((0.0, 1.0),), ((0.0, 1.0), (0.0, 1.0)), ((0.0, -1e300), (1.0, 1e300))])
def test_any_curve_can_be_drawn(points: tuple[tuple[float, float], ...]) -> None:
    text = svg_of(Curve(name="a<b", points=points))
    assert "nan" not in text and "inf" not in text
    xml.dom.minidom.parseString(text)


def test_only_numbers_are_drawn(place: Path) -> None:
    (place / "m.tsv").write_text('step\tm\n0\t1\n1\tnan\n2\t"a\tb"\n3\t2.5\n4\t')
    assert read_points(str(place / "m.tsv")) == [(0.0, 1.0), (3.0, 2.5)]


def test_the_machine_is_watched() -> None:
    logged: dict[str, list[float]] = {}
    fixed: dict[str, float] = {}

    def log(name: str, value: float, changes: bool) -> None:
        if changes:
            logged.setdefault(name, []).append(value)
        else:
            fixed[name] = value

    monitor = Monitor(log, Faults(), interval_s=0.02, n_samples=2, directories={"main": "/", "tmp": "/tmp"})
    deadline = time.monotonic() + 30
    while "system/cpu/usage (%)" not in logged and time.monotonic() < deadline:
        time.sleep(0.01)
    monitor.stop()
    assert fixed.keys() >= {"system/cpu/count", "system/ram/total (GB)", "system/disk/total (GB)/main"}
    assert fixed["system/cpu/count"] >= 1 and fixed["system/ram/total (GB)"] > 0.1
    for name in ("cpu/usage", "cpu/parallelization", "ram/usage", "disk/usage"):
        key = f"system/{name} (%)" + ("/main" if name == "disk/usage" else "")
        assert all(0.0 <= value <= 100.0 for value in logged[key]), key
    assert 0 < logged["system/ram/usage (GB)"][0] < fixed["system/ram/total (GB)"]
    assert 0 < logged["system/disk/usage (GB)/tmp"][0] <= fixed["system/disk/total (GB)/tmp"]


def test_the_monitor_of_live_has_times_and_ends_with_it() -> None:
    with Live(save_dvc_exp=False, monitor_system=True) as live:
        live.monitor_system(interval=0.01, num_samples=3)
        deadline = time.monotonic() + 30
        while not Path("dvclive/plots/metrics/system/ram/usage (%).tsv").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    text = Path("dvclive/plots/metrics/system/ram/usage (%).tsv").read_text()
    assert text.startswith("timestamp\tstep\tusage (%)\n")
    assert "total (GB)" in live.summary["system"]["ram"]
    assert not Path("dvclive/plots/metrics/system/ram/total (GB).tsv").exists()
    time.sleep(0.1)
    assert Path("dvclive/plots/metrics/system/ram/usage (%).tsv").read_text() == text


def test_a_directory_that_is_not_there_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with Live(save_dvc_exp=False) as live:
        live.monitor_system(directories_to_monitor={"x": "/no/such/place", "main": "/"})
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert live.summary["system"]["cpu"]["count"] > 0  # the rest is watched
    assert live.summary["system"]["disk"]["total (GB)"].keys() == {"main"}


def test_what_nvidia_smi_prints() -> None:
    found = parse_program("45, 1024, 8192\n[N/A], 1, 2\n0, 0, 8192\n")
    assert found == [(45.0, 1024.0 * 2**20, 8192.0 * 2**20), (0.0, 0.0, 8192.0 * 2**20)]


def test_gpus_by_library(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=2**30, total=4 * 2**30),
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=30, memory=10),
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)  # type: ignore[arg-type]
    with Live(save_dvc_exp=False) as live:
        live.monitor_system(interval=0.01, num_samples=1)
        deadline = time.monotonic() + 30
        while "usage (%)" not in live.summary.get("system", {}).get("gpu", {}) and time.monotonic() < deadline:
            time.sleep(0.01)
    system = live.summary["system"]
    assert system["gpu"] == {"count": 1.0, "usage (%)": {"0": 30.0}}
    assert system["vram"]["usage (%)"] == {"0": 25.0} and system["vram"]["total (GB)"] == {"0": 4.0}
