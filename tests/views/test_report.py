"""The page of `ob report`: what it says, that nothing of a project becomes markup, and that it fits into a comment."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_files import check_golden
from offbranch.api.report import make_report as report
from offbranch.api.report import write_report
from offbranch.api.session import make_session
from offbranch.base.environ import read_environment
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError
from offbranch.base.events import Warned
from offbranch.views.report import Report, ReportCell, ReportRevision, ReportRow, report_to_json
from offbranch.views.report_collect import ReportOptions, shown_revision
from offbranch.views.report_markdown import code, render_report
from projects import Recorder, TestProject, make_project

BASE, HERE = ReportRevision(name="main", commit="a" * 40), ReportRevision(name="workspace", commit=None)


def row(name: str, old: object, *cells: ReportCell, path: str = "m.json") -> ReportRow:
    return ReportRow(path=path, name=name, old=old, cells=cells)


def number(old: float, new: float, better: bool | None = None) -> ReportCell:
    return ReportCell(value=new, difference=new - old, is_better=better)


def page(metrics: tuple[ReportRow, ...] = (), params: tuple[ReportRow, ...] = (), *revisions: ReportRevision) -> Report:
    chosen = revisions or (HERE,)
    return Report(title="A title", baseline=BASE, revisions=chosen, metrics=metrics, params=params)


SAMPLE = Report(
    title="Is it <b>better</b>? @everyone",
    baseline=BASE,
    revisions=(ReportRevision(name="wide", commit="b" * 40), ReportRevision(name="deep", commit="c" * 40)),
    metrics=(
        row("acc", 0.9, number(0.9, 0.91, True), number(0.9, 0.87, False)),
        row("loss", 1, number(1, 1), ReportCell(value=None)),
        row("state", "fine", ReportCell(value="fine"), ReportCell(value="a | b `c`")),
    ),
    params=(
        row("lr", 0.1, number(0.1, 0.25), number(0.1, 0.1), path="params.yaml"),
        row("layers", [8, 16], ReportCell(value=[8, 16]), ReportCell(value=[8, 32]), path="params.yaml"),
        row("new", None, ReportCell(value=None), ReportCell(value=True), path="other.yaml"),
    ),
    notes=("'more.json' of deep could not be read: not valid *JSON*",),
)


def test_the_page() -> None:
    one = Report(
        title=SAMPLE.title,
        baseline=BASE,
        revisions=SAMPLE.revisions[1:],
        metrics=tuple(row(each.name, each.old, each.cells[1]) for each in SAMPLE.metrics),
        params=tuple(row(each.name, each.old, each.cells[1], path=each.path) for each in SAMPLE.params),
    )
    check_golden("views/report.md", render_report(SAMPLE) + "\n" + render_report(one))


def test_the_same_everywhere_is_said() -> None:
    assert render_report(page()) == "## A title\n\nNo metric and no parameter differs.\n"
    text = render_report(page((row("acc", 1, number(1, 1)),)))
    assert "No metric and no parameter differs." in text and "| `acc` | 1 | 1 |  |" in text


def test_values_are_compared_as_the_pipeline_compares_them() -> None:
    nan = float("nan")
    rows = (row("text", "1", ReportCell(value=1)), row("whole", 1, number(1, 1.0)), row("none", nan, number(nan, nan)))
    text = render_report(page((), rows))
    assert "No metric changed, 1 parameter changed." in text
    assert "| `text` | `1` | 1 | changed |" in text and "| `whole` | 1 | 1 |  |" in text
    assert "| `none` | nan | nan |  |" in text


@given(st.text(max_size=200))
def test_a_code_span_holds_any_text(text: str) -> None:
    span = code(text)
    assert "\n" not in span and re.search(r"(?<!\\)\|", span) is None
    ticks = re.match("`+", span)
    assert ticks is not None and span.endswith(ticks[0])
    inner = span[len(ticks[0]) : -len(ticks[0])]
    assert ticks[0] not in re.findall("`+", inner)


@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60), st.integers()), max_size=80),
    st.integers(min_value=600, max_value=5000),
)
def test_a_page_fits_and_says_what_is_left_out(values: list[tuple[str, str, int]], size: int) -> None:
    metrics = tuple(row(name, 0, number(0, n), path=path) for path, name, n in values)
    params = tuple(row(name, path, ReportCell(value=n)) for path, name, n in values)
    text = render_report(page(metrics, params), max_size=size)
    assert len(text) <= size
    whole = render_report(page(metrics, params), max_size=None)
    if len(whole) <= size:
        assert text == whole
    else:
        left = sum(int(n) for n in re.findall(r"^… and (\d+) ", text, re.MULTILINE))
        shown = len(re.findall(r"^\| (?!File|Metric|Parameter|---)", text, re.MULTILINE))
        assert left + shown == len(metrics) + len(params)
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (5, 6)


def test_what_differs_goes_last() -> None:
    same = tuple(row(f"same{n}", 1, number(1, 1)) for n in range(100))
    text = render_report(page((*same, row("acc", 1, number(1, 2)))), max_size=800)
    assert "`acc`" in text and "same0" not in text and "… and 100 metrics more" in text


# Of a project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    assert made.ob("repro").code == 0
    made.commit("results")
    for name, lr in (("wide", "0.3"), ("deep", "0.05")):
        assert made.ob("exp", "run", "-n", name, "-S", f"lr={lr}", "--temp").code == 0
    return made


def test_the_workspace_against_head(project: TestProject) -> None:
    found = report(ReportOptions(), project.session())
    assert [(each.name, each.is_changed) for each in found.metrics] == [("acc", False)] and found.params == ()
    project.write("params.yaml", "lr: 0.2\nfail: 0\nextra: [1]\n")
    project.write("metrics.json", '{"acc": 0.2}')
    found = report(ReportOptions(), project.session())
    assert found.baseline.name == "HEAD" and found.revisions == (HERE,)
    assert [(each.name, each.old, each.cells[0].value) for each in found.params] == [
        ("extra", None, [1]),
        ("lr", 0.1, 0.2),
    ]
    assert found.metrics[0].cells[0].is_better is None
    judged = report(ReportOptions(higher=("acc",)), project.session())
    assert judged.metrics[0].cells[0].is_better is True
    judged = report(ReportOptions(lower=("metrics.json:*",)), project.session())
    assert judged.metrics[0].cells[0].is_better is False
    everything = report(ReportOptions(all_params=True), project.session())
    assert [each.name for each in everything.params] == ["extra", "fail", "lr"]


def test_experiments_against_a_commit(project: TestProject) -> None:
    found = report(ReportOptions(revisions=("wide", "deep")), project.session(), against="main")
    assert [shown_revision(each) for each in found.revisions] == [
        f"wide ({project.exps()['wide'][:7]})",
        f"deep ({project.exps()['deep'][:7]})",
    ]
    (acc,) = found.metrics
    assert (acc.old, [cell.value for cell in acc.cells]) == (0.1, [0.3, 0.05])
    data = json.loads(json.dumps(report_to_json(found)))
    assert data["baseline"] == {"name": "main", "rev": project.git("rev-parse", "main")}
    assert data["metrics"][0]["new"][1] == {"value": 0.05, "diff": -0.05, "better": None}


@pytest.mark.parametrize(
    ("options", "against", "error", "text"),
    [
        (ReportOptions(revisions=("wid",)), None, NotFoundError, "wid"),
        (ReportOptions(), "nosuch", NotFoundError, "nosuch"),
        (ReportOptions(higher=("acx",)), None, NotFoundError, "no metric 'acx'"),
        (ReportOptions(higher=("acc",), lower=("a*",)), None, UsageError, "both"),
    ],
)
def test_what_is_asked_wrongly(
    project: TestProject, options: ReportOptions, against: str | None, error: type[OffbranchError], text: str
) -> None:
    with pytest.raises(error, match=re.escape(text)) as raised:
        report(options, project.session(), against=against)
    assert raised.value.hint


def test_a_file_that_cannot_be_read_is_a_note(project: TestProject) -> None:
    project.write("metrics.json", "{")
    found = report(ReportOptions(), project.session())
    assert len(found.notes) == 1 and "'metrics.json' of workspace could not be read" in found.notes[0]
    assert "### Could not be read" in render_report(found)


@pytest.mark.parametrize("variable", ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"])
def test_a_request_is_compared_with_its_target(project: TestProject, variable: str) -> None:
    recorder = Recorder()
    environment = read_environment({**read_environment().all, variable: "trunk"})
    session = make_session(str(project.root), environment=environment, reporter=recorder)
    assert report(ReportOptions(), session).baseline.name == "HEAD"
    (warned,) = recorder.of(Warned)
    assert "git fetch --depth 1 origin '+refs/heads/trunk:refs/remotes/origin/trunk'" in (warned.hint or "")
    project.git("update-ref", "refs/remotes/origin/trunk", "HEAD")
    found = report(ReportOptions(), session)
    assert found.baseline.name == "origin/trunk" and len(recorder.of(Warned)) == 1
    assert report(ReportOptions(), session, against="main").baseline.name == "main"


def test_the_command(project: TestProject) -> None:
    printed = project.ob("report", "wide", "--higher-is-better", "acc", "--title", "Mine")
    assert printed.code == 0 and printed.out.startswith(
        "## Mine\n\n1 metric changed (1 better), 1 parameter changed.\n"
    )
    assert "| `acc` | 0.1 | 0.3 | +0.2 ✔ better |" in printed.out
    written = project.ob("report", "wide", "--higher-is-better", "acc", "--title", "Mine", "--out", "new/report.md")
    assert written.code == 0 and project.read("new/report.md") == printed.out
    assert project.ob("report", "--json").json["revisions"] == [{"name": "workspace", "rev": None}]
    for words in (("--max-size", "-1"), ("nosuch",), ("--against", "nosuch"), ("--out", "params.yaml/x")):
        done = project.ob("report", *words)
        assert done.code in (1, 2) and done.err.startswith("error: ") and "hint: " in done.err, words
    assert project.ob("report", cwd="..").code == 10


def test_a_report_is_written_whole(project: TestProject) -> None:
    path = write_report("x\n", "a/b/c.md", project.session())
    assert Path(path).read_text() == "x\n" and project.read("a/b/c.md") == "x\n"
