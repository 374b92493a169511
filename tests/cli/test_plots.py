"""`ob plots`, from the words to the files: what is drawn, what is told, and where nothing may be written."""

import base64
import json
import os
from pathlib import Path

import pytest

from cli_runs import Ob
from golden_files import check_golden
from plot_examples import PNG
from projects import SOURCE, TestProject, make_project

DVC_YAML = """\
stages:
  train:
    cmd: cp log.csv out.csv
    deps: [log.csv]
    plots:
    - out.csv:   # of training
        cache: false
        y: loss
plots:
- log.csv:
    x: step
    y: loss
- im.png
- both:
    x: step
    y: {log.csv: [loss, acc]}
"""
LOG = "step,loss,acc\n0,1.5,0.1\n10,1.2,0.2\n20,1.0,0.35\n"
FILES = {"dvc.yaml": DVC_YAML, "log.csv": LOG, "out.csv": LOG, "sub/other.json": '[{"a": 1, "b": 2}]'}


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p", FILES, committed=False)
    made.write("im.png", PNG)
    made.commit("base")
    return made


def test_show_writes_one_page_that_is_whole(project: TestProject, ob: Ob) -> None:
    ran = ob("plots", "show", cwd=project.root)
    assert (ran.code, ran.out) == (0, f"{(project.root / 'dvc_plots/index.html').as_uri()}\n")
    page = project.read("dvc_plots/index.html")
    assert page.count("vegaEmbed(") == 3 and base64.b64encode(PNG).decode() in page
    assert 'src="http' not in page and 'href="http' not in page
    assert (project.root / "dvc_plots/static/workspace_im.png").read_bytes() == PNG
    assert project.git("status", "--porcelain") == "?? dvc_plots/"


def test_diff_draws_revisions_together(project: TestProject, ob: Ob) -> None:
    project.write("log.csv", LOG.replace("0.35", "0.5"))
    found = ob("plots", "diff", "--json", cwd=project.root).json["data"]
    assert found["both"][0]["revisions"] == ["workspace", "HEAD"]
    last = [point for point in found["both"][0]["content"]["data"]["values"] if point["step"] == 20]
    assert [point["acc"] for point in last if point["field"] == "acc"] == [0.5, 0.35]
    assert [each["revisions"] for each in found["im.png"]] == [["workspace"], ["HEAD"]]
    assert all(Path(each["url"]).read_bytes() == PNG for each in found["im.png"])
    for given, revisions in (
        (["HEAD"], ["workspace", "HEAD"]),
        (["HEAD", "workspace", "HEAD"], ["workspace", "HEAD"]),
        (["HEAD", "main"], ["HEAD", "main"]),
    ):
        ran = ob("plots", "diff", *given, "--targets", "log.csv", "--json", cwd=project.root)
        assert ran.json["data"]["log.csv"][0]["revisions"] == revisions


def test_a_step_that_a_file_has_is_kept(project: TestProject, ob: Ob) -> None:
    project.write("steps.csv", "step,loss\n0,1\n10,2\n")
    project.write("partly.csv", "step,loss\n0,1\n,2\n")
    for name, steps in (("steps.csv", [0, 10]), ("partly.csv", [0, 1])):
        content = ob("plots", "show", name, "--show-vega", cwd=project.root).json
        assert [point["step"] for point in content["data"]["values"]] == steps


def test_an_experiment_is_drawn_with_its_baseline(project: TestProject, ob: Ob) -> None:
    head = project.git("rev-parse", "HEAD")
    project.write("log.csv", LOG.replace("0.35", "0.9"))
    assert ob("exp", "save", "-n", "tried", cwd=project.root).code == 0
    project.git("checkout", "-q", "-f", ".")
    ran = ob("plots", "diff", "-e", "tried", "--targets", "both", "--json", cwd=project.root)
    assert ran.json["data"]["both"][0]["revisions"] == ["tried", head[:7]]
    ran = ob("plots", "diff", "-e", "tryed", cwd=project.root)
    assert ran.code == 1 and "did you mean 'tried'?" in ran.err


def test_text_is_drawn_in_the_terminal(project: TestProject, ob: Ob) -> None:
    project.write("log.csv", LOG.replace("0.35", "0.9"))
    ran = ob("plots", "diff", "--targets", "both", "im.png", "--text", cwd=project.root)
    assert ran.code == 0
    check_golden("views/plots_diff.txt", ran.out)
    assert not project.exists("dvc_plots")


@pytest.mark.parametrize(("flag", "start"), [("--svg", b"<svg"), ("--png", b"\x89PNG")])
def test_images_are_drawn_without_a_browser(project: TestProject, ob: Ob, flag: str, start: bytes) -> None:
    ran = ob("plots", "show", "log.csv", "both", "im.png", flag, "-o", "figures", cwd=project.root)
    paths = [Path(line) for line in ran.out.splitlines()]
    names = [f"log.csv.{flag[2:]}", f"both.{flag[2:]}", "workspace_im.png"]
    assert [path.name for path in paths] == names and all(path.parent == project.root / "figures" for path in paths)
    assert all(path.read_bytes().startswith(start) for path in paths[:2])


def test_a_new_field_at_the_end_is_drawn_where_it_is(project: TestProject, ob: Ob) -> None:
    project.write("new.csv", "loss\n1\n")
    project.commit("file")
    project.write("new.csv", "loss,f1\n1,5\n")
    ran = ob("plots", "diff", "--targets", "new.csv", "--json", cwd=project.root)
    entry = ran.json["data"]["new.csv"][0]
    assert entry["revisions"] == ["workspace"] and entry["content"]["data"]["values"][0]["f1"] == 5
    assert ran.code == 0 and "'new.csv' has no field 'f1'; it has: loss (in HEAD)" in ran.err


# What is wrong


def test_a_field_that_is_not_there_fails_and_says_which_are(project: TestProject, ob: Ob) -> None:
    ran = ob("plots", "show", "-y", "los", cwd=project.root)
    assert ran.code == 1
    assert "log.csv: 'log.csv' has no field 'los'; it has: step, loss, acc (in workspace)" in ran.err
    assert "did you mean 'loss'?" in ran.err
    ran = ob("plots", "show", "log.csv", "-x", "nope", "--json", cwd=project.root)
    assert ran.code == 1 and ran.json["data"] == {"log.csv": []}
    assert [(error["type"], error["name"]) for error in ran.json["errors"]] == [("FieldNotFoundError", "log.csv")]


def test_a_file_that_cannot_be_read_is_named_and_hides_no_other(project: TestProject, ob: Ob) -> None:
    project.write("log.csv", "a,b\n1,2,3\n")
    ran = ob("plots", "show", "--json", cwd=project.root)
    assert ran.code == 1 and "log.csv:2: this row has 3 cells, the first one has 2" in ran.err
    assert ran.json["data"]["log.csv"] == [] and ran.json["data"]["out.csv"] and ran.json["data"]["im.png"]


def test_a_file_that_is_not_there_yet_is_told_but_no_failure(project: TestProject, ob: Ob) -> None:
    (project.root / "out.csv").unlink()
    ran = ob("plots", "diff", "--json", cwd=project.root)
    assert ran.code == 0 and "out.csv: there is no file 'out.csv' (in workspace)" in ran.err
    assert ran.json["data"]["out.csv"][0]["revisions"] == ["HEAD"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("show", "lgo.csv"), 1, "did you mean 'log.csv'?"),
        (("show", "bot"), 1, "did you mean 'both'?"),
        (("show", "../p/log.csv"), 0, ""),
        (("show", "/etc/passwd"), 1, "neither a plot nor a file"),
        (("show", "../../x"), 1, "neither a plot nor a file"),
        (("show", "-t", "smple"), 1, "did you mean 'simple'?"),
        (("show", "--show-vega"), 2, "no targets are given"),
        (("show", "log.csv", "both", "--show-vega"), 2, "2 targets are given"),
        (("show", "im.png", "--show-vega"), 1, "none that is drawn from data"),
        (("show", "--split"), 2, "--json"),
        (("show", "--svg", "--text"), 2, "exclude each other"),
        (("show", "--html-template", "none.html"), 1, "none.html"),
        (("show", "--html-template", "log.csv"), 1, "{plot_divs}"),
        (("diff", "nosuch"), 1, "neither a Git revision nor an experiment"),
        (("templates", "smple"), 1, "did you mean 'simple'?"),
        (("modify", "out.csv"), 2, "nothing to change"),
        (("modify", "out.csv", "-t", "smple"), 1, "did you mean 'simple'?"),
        (("modify", "out.csv", "--unset", "titel"), 2, "did you mean 'title'?"),
        (("modify", "out.csv", "--unset", "title"), 1, "has no 'title' to unset"),
        (("modify", "oot.csv", "-x", "a"), 1, "did you mean 'out.csv'?"),
        (("modify", "log.csv", "-x", "a"), 1, "top level"),
    ],
)
def test_mistakes_are_told_with_the_way_out(
    project: TestProject, ob: Ob, words: tuple[str, ...], code: int, told: str
) -> None:
    before = project.read("dvc.yaml")
    ran = ob("plots", *words, cwd=project.root)
    assert (ran.code, told in ran.err) == (code, True), ran.err
    assert project.read("dvc.yaml") == before


def test_nothing_to_draw_is_no_failure(tmp_path: Path, ob: Ob) -> None:
    project = make_project(tmp_path / "p", {"a.txt": "a"})
    ran = ob("plots", "show", cwd=project.root)
    assert (ran.code, ran.out) == (0, "No plots to show.\n") and not project.exists("dvc_plots")
    assert ob("plots", "show", "--json", cwd=project.root).json == {}


def test_a_pipeline_that_is_broken_hides_no_other(project: TestProject, ob: Ob) -> None:
    project.write("sub/dvc.yaml", "plots: {")
    ran = ob("plots", "show", "--json", cwd=project.root)
    assert ran.code == 1 and "sub/dvc.yaml:2" in ran.err and len(ran.json["data"]) == 4
    project.write("sub/dvc.yaml", "plots:\n- ../../out_of_it.csv\n- x:\n    y: {/etc/passwd: a}\n")
    ran = ob("plots", "show", "--json", cwd=project.root)
    assert ran.code == 1 and len(ran.json["errors"]) == 2 and len(ran.json["data"]) == 4


def test_images_without_their_library_name_the_extra(project: TestProject, tmp_path: Path) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow/vl_convert.py").write_text("raise ModuleNotFoundError('no', name='vl_convert')")
    ran = project.ob("plots", "show", "--png", PYTHONPATH=f"{tmp_path / 'shadow'}{os.pathsep}{SOURCE}")
    assert ran.code == 1 and "hint: pip install 'offbranch[plots]'" in ran.err and not project.exists("dvc_plots")
    ran = project.ob("plots", "show", PYTHONPATH=f"{tmp_path / 'shadow'}{os.pathsep}{SOURCE}")
    assert ran.code == 0


@pytest.mark.parametrize("way", ["option", "configuration"])
def test_the_page_is_opened_in_a_browser(project: TestProject, tmp_path: Path, way: str) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/opened"\n')
    browser.chmod(0o755)
    if way == "configuration":
        project.write(".dvc/config", "[plots]\n    auto_open = true\n")
    ran = project.ob("plots", "show", *(["--open"] if way == "option" else []), BROWSER=str(browser))
    assert ran.code == 0, ran.err
    assert (tmp_path / "opened").read_text() == ran.out


# Where it is written


def test_directories_come_from_options_and_configuration(project: TestProject, ob: Ob, tmp_path: Path) -> None:
    where = project.root / "sub"
    assert ob("plots", "show", "-o", str(tmp_path / "far"), cwd=where).code == 0
    assert (tmp_path / "far/index.html").is_file()
    project.write(".dvc/config", "[plots]\n    out_dir = figures\n    html_template = page.html\n")
    project.write(".dvc/page.html", "<p>{plot_divs}</p>")
    assert ob("plots", "show", cwd=where).code == 0
    assert project.read("sub/figures/index.html").startswith("<p><div")


def test_a_shared_configuration_leads_nowhere_else(project: TestProject, ob: Ob, tmp_path: Path) -> None:
    project.write(".dvc/config", f"[plots]\n    out_dir = {tmp_path}/far\n")
    ran = ob("plots", "show", cwd=project.root)
    assert ran.code == 2 and "outside of the project" in ran.err and not (tmp_path / "far").exists()
    project.write(".dvc/config", "")
    project.write(".dvc/config.local", f"[plots]\n    out_dir = {tmp_path}/far\n")
    assert ob("plots", "show", cwd=project.root).code == 0 and (tmp_path / "far/index.html").exists()


def test_links_are_not_followed(project: TestProject, ob: Ob, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "victim").write_text("mine")
    (project.root / "dvc_plots").symlink_to(tmp_path / "far")
    assert ob("plots", "show", cwd=project.root).code == 2
    (project.root / "dvc_plots").unlink()
    (project.root / "dvc_plots").mkdir()
    (project.root / "dvc_plots/static").symlink_to(tmp_path / "far")
    (project.root / "dvc_plots/index.html").symlink_to(tmp_path / "victim")
    assert ob("plots", "show", cwd=project.root).code == 0
    assert os.listdir(tmp_path / "far") == [] and (tmp_path / "victim").read_text() == "mine"
    assert (project.root / "dvc_plots/static").is_dir() and not (project.root / "dvc_plots/static").is_symlink()


def test_a_directory_that_cannot_be_written_is_told(project: TestProject, ob: Ob) -> None:
    ran = ob("plots", "show", "-o", "log.csv", cwd=project.root)
    assert ran.code == 1 and "cannot write plots into" in ran.err and project.read("log.csv") == LOG


# Templates and options


def test_templates_are_listed_and_printed(project: TestProject, ob: Ob) -> None:
    names = ob("plots", "templates", cwd=project.root).out
    check_golden("views/plots_templates.txt", names)
    printed = ob("plots", "templates", "simple", cwd=project.root).out
    project.write(".dvc/plots/mine.json", printed)
    assert ob("plots", "templates", "--json", cwd=project.root).json == [*names.split(), "mine"]
    contents = [
        ob("plots", "show", "log.csv", "-t", name, "--show-vega", cwd=project.root).json for name in ("mine", "simple")
    ]
    assert contents[0] == contents[1]


def test_templates_need_no_project(tmp_path: Path, ob: Ob) -> None:
    assert ob("plots", "templates", "smooth").json["params"][0]["value"] == 0.001


def test_modify_changes_one_line(project: TestProject, ob: Ob) -> None:
    ran = ob(
        "plots", "modify", "../out.csv", "-t", "simple", "--title", "x: y", "--no-header", cwd=project.root / "sub"
    )
    assert ran.out == "Changed the plot '../out.csv' of stage 'train' in 'dvc.yaml'.\n"
    new = DVC_YAML.replace(
        "        y: loss\nplots",
        "        y: loss\n        template: simple\n        title: 'x: y'\n        header: false\nplots",
    )
    assert project.read("dvc.yaml") == new
    content = ob("plots", "show", "out.csv", "--show-vega", "-y", "1", cwd=project.root).json
    assert content["title"]["text"] == "x: y" and len(content["data"]["values"]) == 4
    ran = ob("plots", "modify", "out.csv", "-t", "simple", cwd=project.root)
    assert "is so already" in ran.out and project.read("dvc.yaml") == new


def test_split_leaves_the_places_of_data(project: TestProject, ob: Ob) -> None:
    entry = ob("plots", "show", "log.csv", "--json", "--split", cwd=project.root).json["data"]["log.csv"][0]
    assert entry["content"]["data"]["values"] == "<DVC_METRIC_DATA>"
    assert len(entry["anchor_definitions"]["<DVC_METRIC_DATA>"]) == 3
    assert json.dumps(entry["content"]).count("<DVC_METRIC_TITLE>") == 1


def test_a_file_of_a_directory_is_drawn_once_as_it_is_defined_itself(tmp_path: Path, ob: Ob) -> None:
    files = {f"curves/{name}.csv": "epoch,acc,f1\n1,2,3\n2,3,4\n" for name in "ab"}
    definition = "plots:\n- curves\n- curves/a.csv: {x: epoch, y: acc, template: simple}\n"
    project = make_project(tmp_path / "p", {**files, "dvc.yaml": definition})
    for words in ((), ("curves",), ("curves", "curves/a.csv")):
        data = ob("plots", "show", *words, "--json", cwd=project.root).json["data"]
        assert sorted(data) == ["curves/a.csv", "curves/b.csv"] and all(len(each) == 1 for each in data.values())
        axes = {name: data[name][0]["content"]["encoding"]["x"]["field"] for name in data}
        assert axes == {"curves/a.csv": "epoch", "curves/b.csv": "step"}
