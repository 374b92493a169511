"""Curves and images in a report: which plots become which, and charts that Mermaid can read."""

import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_files import check_golden
from offbranch.views.plot import PlotSpec
from offbranch.views.report import Report, ReportImage, ReportRevision, report_to_json
from offbranch.views.report_charts import Chart, ChartLine, charts_of, render_mermaid, value_at
from offbranch.views.report_markdown import render_report
from projects import TestProject, make_project

TRAIN = """\
lr=$(sed -n 's/^lr: //p' params.yaml)
echo "{\\"acc\\": $lr}" > m.json
printf 'step,loss\\n0,1\\n1,0.5\\n2,%s\\n' $lr > loss.csv
printf 'actual,predicted\\na,b\\na,a\\n' > cm.csv
printf '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>' > im.svg
"""
DVC_YAML = """\
stages:
  train:
    cmd: sh train.sh
    params: [lr]
    metrics: [m.json: {cache: false}]
    plots:
    - loss.csv: {cache: false, x: step, y: loss}
    - cm.csv: {cache: false, template: confusion, x: actual, y: predicted}
    - im.svg: {cache: false}
"""


def spec(points: list[dict[str, object]], template: str = "linear", series: str | None = None) -> PlotSpec:
    return PlotSpec(
        id="loss.csv",
        revisions=("workspace", "HEAD"),
        template=template,
        title="loss",
        x="step",
        y="loss",
        x_label="step",
        y_label="y",
        series=series,
        points=tuple(points),
    )


def line(name: str, *points: tuple[float, float]) -> ChartLine:
    return ChartLine(name=name, points=points)


def test_lines_of_numbers_become_charts() -> None:
    points: list[dict[str, object]] = [
        {"rev": "workspace", "step": 1, "loss": 0.5},
        {"rev": "workspace", "step": 0, "loss": 1},
        {"rev": "workspace", "step": 1, "loss": 0.4},
        {"rev": "HEAD", "step": 0, "loss": 2},
        {"rev": "HEAD", "step": 3, "loss": "none"},
        {"rev": "HEAD", "step": 4, "loss": math.nan},
        {"rev": "HEAD", "step": 5, "loss": 1.5},
        {"rev": "alone", "step": 5, "loss": 1.5},
    ]
    (chart,) = charts_of([spec(points), spec(points, "confusion"), spec([])])
    assert chart.lines == (line("workspace", (0, 1), (1, 0.4)), line("HEAD", (0, 2), (5, 1.5)))
    (named,) = charts_of([spec([{**point, "file": "a"} for point in points], series="file")])
    assert [each.name for each in named.lines] == ["workspace: a", "HEAD: a"]
    many = [{"rev": str(n), "step": step, "loss": n} for n in range(9) for step in range(2)]
    (cut,) = charts_of([spec(many)])
    assert len(cut.lines) == 7 and cut.left_out == 2


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, unique_by=lambda each: each[0]))
def test_a_line_goes_through_its_points_and_straight_between_them(points: list[tuple[int, int]]) -> None:
    ordered = sorted((float(x), float(y)) for x, y in points)
    for x, y in ordered:
        assert value_at(ordered, x) == y
    for (x0, y0), (x1, y1) in pairwise(ordered):
        assert value_at(ordered, (x0 + x1) / 2) == pytest.approx((y0 + y1) / 2)
    assert value_at(ordered, -1000) == ordered[0][1] and value_at(ordered, 1000) == ordered[-1][1]


@given(
    st.text(max_size=40),
    st.lists(
        st.lists(
            st.tuples(*[st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)] * 2),
            min_size=2,
            max_size=80,
            unique_by=lambda each: each[0],
        ),
        min_size=1,
        max_size=7,
    ),
)
def test_a_chart_is_what_mermaid_reads(title: str, lines: list[list[tuple[float, float]]]) -> None:
    drawn = tuple(line(str(n), *sorted(points)) for n, points in enumerate(lines))
    text = render_mermaid(Chart(title=title, x_label=title, y_label=title, lines=drawn))
    quoted, number = r'"[^"`\n]+"', r"-?\d+(\.\d+)?"
    pattern = (
        r"```mermaid\n%%\{init: [^\n]+\}%%\nxychart-beta\n"
        rf"  title {quoted}\n  x-axis {quoted} {number} --> {number}\n  y-axis {quoted}\n"
        rf"(  line \[{number}(, {number})*\]\n)+```"
    )
    assert re.fullmatch(pattern, text), text
    assert text.count("\n  line [") == len(lines)


CHART = Chart(
    title="loss", x_label="step", y_label="y", lines=(line("wide", (0, 1), (2, 0.25)), line("HEAD", (0, 1), (1, 2)))
)
REPORT = Report(
    title="Plots",
    baseline=ReportRevision(name="HEAD", commit="a" * 40),
    revisions=(ReportRevision(name="wide", commit="b" * 40),),
    metrics=(),
    params=(),
    charts=(CHART, Chart(title="more", x_label="x", y_label="y", lines=(CHART.lines[1],), left_out=3)),
    images=(ReportImage(title="a_b", href="report_files/a%20b.png"),),
    not_drawn=("cm.csv", "im.svg"),
)


def test_the_page_with_plots() -> None:
    check_golden("views/report_plots.md", render_report(REPORT))


def test_plots_are_left_out_first() -> None:
    text = render_report(REPORT, max_size=len(render_report(REPORT)) - 1)
    assert text.count("```mermaid") == 1 and "![a" in text and "… and 1 plot more" in text
    text = render_report(REPORT, max_size=300)
    assert "mermaid" not in text and "![a" in text and "… and 2 plots more" in text
    assert "Only images can show these" in text


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p", {"train.sh": TRAIN, "dvc.yaml": DVC_YAML, "params.yaml": "lr: 0.1\n"})
    assert made.ob("repro").code == 0
    made.commit("results")
    assert made.ob("exp", "run", "-n", "wide", "-S", "lr=0.3", "--temp").code == 0
    return made


def test_plots_of_a_project(project: TestProject) -> None:
    printed = project.ob("report", "wide")
    assert printed.code == 0, printed.err
    assert "  line [1, 0.5, 0.3]" in printed.out and "  line [1, 0.5, 0.1]" in printed.out
    assert "`wide`" in printed.out and "Only images can show these: `cm.csv`, `im.svg`." in printed.out
    assert "### Plots" not in project.ob("report", "wide", "--plots", "none").out
    (chart,) = project.ob("report", "wide", "--json").json["charts"]
    assert {each["name"]: each["points"][2] for each in chart["lines"]} == {"wide": [2.0, 0.3], "HEAD": [2.0, 0.1]}
    refused = project.ob("report", "--plots", "files")
    assert refused.code == 2 and "--out" in refused.err


def test_plots_as_images(project: TestProject) -> None:
    assert project.ob("report", "wide", "--plots", "files", "--out", "out/my report.md").code == 0
    text = project.read("out/my report.md")
    hrefs = re.findall(r"!\[[^\]]*\]\(<([^>]+)>\)", text)
    assert len(hrefs) == 4 and all(href.startswith("my%20report_files/") for href in hrefs)
    for href in hrefs:
        assert (project.root / "out" / href.replace("%20", " ")).stat().st_size > 0
    embedded = project.ob("report", "wide", "--plots", "embed")
    kinds = re.findall(r"\(<data:([^;]+);base64,", embedded.out)
    assert sorted(kinds) == ["image/png", "image/png", "image/svg+xml", "image/svg+xml"]
    assert len(embedded.out) > 65_536 or "left out" not in embedded.out


def test_a_plot_that_cannot_be_drawn_is_a_note(project: TestProject) -> None:
    project.write("loss.csv", "step,other\n0,1\n1,2\n")
    text = project.ob("report").out
    assert "### Could not be read" in text and "the plot 'loss.csv' of workspace" in text


def test_images_of_several_revisions_stand_side_by_side() -> None:
    main = ReportRevision(name="main", commit="a" * 40)
    images = (
        ReportImage(title="log.csv", href="f/log.csv.png"),
        *(ReportImage(title="im_1.png", href=f"f/{rev[0]}_im.png", rev=rev) for rev in ("main", "a|b")),
    )
    report = Report(title="T", baseline=main, revisions=(main,), metrics=(), params=(), images=images)
    assert render_report(report).endswith(
        "### Plots\n\n![log.csv](<f/log.csv.png>)\n\n`im_1.png`:\n\n| `main` | `a\\|b` |\n| --- | --- |\n"
        "| ![im&#95;1.png of main](<f/m_im.png>) | ![im&#95;1.png of a&#124;b](<f/a_im.png>) |\n"
    )
    assert report_to_json(report)["images"][1] == {"title": "im_1.png", "href": "f/m_im.png", "rev": "main"}
