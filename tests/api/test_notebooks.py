"""What notebooks show of the records that `offbranch.api` returns: tables in which nothing of a project becomes markup."""

import html

import pytest

from offbranch import api
from offbranch.base.notebook import html_table
from projects import TestProject, make_project

NAME = "<i>lr</i>"
YAML = """\
stages:
  train:
    cmd: cp params.yaml m.yaml && printf 'step,loss\\n0,1\\n1,2\\n' > log.csv
    deps: [train.sh]
    params: [{params.yaml: }]
    metrics: [{m.yaml: {cache: false}}]
    plots: [{log.csv: {cache: false}}]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TestProject:
    files = {"dvc.yaml": YAML, "train.sh": "", "params.yaml": f"'{NAME}': 0.123456789\n"}
    made = make_project(tmp_path_factory.mktemp("notebook") / "p", files)
    assert made.ob("repro").code == 0
    made.commit("base")
    made.write("params.yaml", f"'{NAME}': 2\n")
    assert made.ob("exp", "run", "-n", "wide").code == 0
    return made


def check(shown: str, *texts: str) -> None:
    assert shown.startswith(("<table>", "<p><b>")) and NAME not in shown and html.escape(NAME) in shown
    for text in texts:
        assert f">{text}</" in shown, text


def test_differences(project: TestProject) -> None:
    where = {"start": project.session().start, "environment": project.session().environment}
    everything = api.DiffOptions(deps=True, outs=True, environment=True, code=True)
    check(
        api.exp_diff("HEAD", "wide", options=everything, **where)._repr_html_(),
        "wide",
        "0.12346",
        "2",
        "1.8765",
        "m.yaml",
    )
    check(api.diff_params(api.ValuesDiffRequest(), project.session())._repr_html_(), "HEAD", "workspace", "0.12346")
    check(api.exp_compare(("HEAD", "wide", "workspace"), **where)._repr_html_(), "metrics", "wide", "0.12346")


def test_tables_and_reports(project: TestProject) -> None:
    where = {"start": project.session().start, "environment": project.session().environment}
    check(api.exp_table(api.ShowOptions(), **where)._repr_html_(), "wide")
    report = api.make_report(api.ReportOptions(revisions=("wide",)), project.session())
    check(
        report._repr_html_(),
        "Metric",
        "Parameter",
        "wide",
        "Experiments compared with HEAD (" + report.baseline.commit[:7] + ")",
    )


def test_plots_are_a_page_within_the_page(project: TestProject) -> None:
    shown = api.plots_diff(api.PlotRequest(), ("HEAD", "wide"), project.session())._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and shown.count("<") == 2 and 'sandbox="allow-scripts"' in shown
    assert "vegaEmbed(" in html.unescape(shown)


def test_a_long_table_is_cut_and_says_so() -> None:
    shown = html_table(("n", "x"), ((n, None) for n in range(202)), bold=(1,))
    assert shown.count("<tr>") == 201 and shown.endswith("<p>… and 2 more rows</p>") and shown.count("bold") == 2
