"""Plots of revisions whose data is in Git, in the cache, gone, or being written by a running experiment."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from offbranch.api.plots import PlotRequest, plots_diff, plots_show
from offbranch.base.errors import NotFoundError
from offbranch.views.plot import Plots
from projects import TestProject, make_project

YAML = """\
stages:
  train:
    cmd: sh train.sh
    deps: [train.sh]
    params: [lr]
    plots:
    - log.csv:
        y: loss
    - curves:
        y: loss
"""
TRAIN = """\
read -r _ lr < params.yaml
mkdir -p curves
printf 'loss\\n%s\\n2\\n' $lr > log.csv
cp log.csv curves/a.csv
cp log.csv curves/b.csv
[ -e HOLD ] && touch WAITING && while [ -e HOLD ]; do sleep 0.05; done
true
"""
FILES = {"dvc.yaml": YAML, "train.sh": TRAIN, "params.yaml": "lr: 1\n", ".gitignore": "/WAITING\n/HOLD\n"}


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    """Two commits with data in the cache only: of 1 and of 3."""
    made = make_project(tmp_path / "p", FILES)
    assert made.ob("repro").code == 0
    made.commit("one")
    made.write("params.yaml", "lr: 3\n")
    assert made.ob("repro").code == 0
    made.commit("three")
    return made


def firsts(plots: Plots, id: str) -> dict[str, float]:
    """Revision -> the first value of a plot."""
    spec = next(each for each in plots.specs if each.id == id)
    return {str(point["rev"]): point["loss"] for point in reversed(spec.points)}


def objects(project: TestProject) -> list[Path]:
    return [path for path in (project.root / ".dvc/cache").rglob("*") if path.is_file()]


def test_data_of_a_commit_comes_from_the_cache(project: TestProject) -> None:
    plots = plots_diff(PlotRequest(), ("HEAD~1", "HEAD"), project.session())
    assert plots.names == ("log.csv", "curves/a.csv", "curves/b.csv") and plots.errors == ()
    for name in plots.names:
        assert firsts(plots, name) == {"HEAD~1": 1, "HEAD": 3}


def test_what_is_not_in_the_cache_is_an_error_of_its_revision(project: TestProject) -> None:
    for path in objects(project):
        if b"loss\n1\n" in path.read_bytes():
            path.unlink()
    plots = plots_diff(PlotRequest(), ("HEAD~1",), project.session())
    assert firsts(plots, "log.csv") == {"workspace": 3}
    assert {(each.rev, each.kind, each.is_mistake) for each in plots.errors} == {("HEAD~1", "MissingDataError", False)}
    assert plots.errors[0].hint == "get it from its data remote: ob fetch log.csv"


def test_a_directory_whose_listing_is_gone_is_an_error_of_its_revision(project: TestProject) -> None:
    listings = [path for path in objects(project) if path.name.endswith(".dir")]
    for path in listings:
        path.unlink()
    plots = plots_diff(PlotRequest(targets=("curves", "log.csv")), ("HEAD~1",), project.session())
    assert firsts(plots, "curves/a.csv") == {"workspace": 3} and firsts(plots, "log.csv") == {
        "workspace": 3,
        "HEAD~1": 1,
    }
    assert {each.rev for each in plots.errors} == {"HEAD~1"}


def test_a_plot_that_was_defined_later_is_drawn_of_earlier_revisions(project: TestProject) -> None:
    project.write("extra.csv", "loss\n7\n")
    project.commit("a file")
    project.write("extra.csv", "loss\n8\n")
    project.write("dvc.yaml", YAML + "plots:\n- extra.csv\n- new.csv\n")
    project.write("new.csv", "loss\n9\n")
    plots = plots_diff(PlotRequest(), ("HEAD", "HEAD~1", "workspace"), project.session())
    assert firsts(plots, "extra.csv") == {"workspace": 8, "HEAD": 7} and plots.errors == ()
    plots = plots_diff(PlotRequest(), ("HEAD",), project.session())
    assert firsts(plots, "extra.csv") == {"workspace": 8, "HEAD": 7} and firsts(plots, "new.csv") == {"workspace": 9}
    assert plots.errors == ()


def test_a_running_experiment_is_drawn_by_its_name(project: TestProject) -> None:
    (project.root / "HOLD").touch()
    import_path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    process = subprocess.Popen(
        [sys.executable, "-m", "offbranch", "exp", "run", "-n", "live", "-S", "lr=9"],
        cwd=project.root,
        env=import_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(1000):
            if project.exists("WAITING") or process.poll() is not None:
                break
            threading.Event().wait(0.02)
        plots = plots_diff(PlotRequest(targets=("log.csv",)), ("live", "HEAD"), project.session())
        assert firsts(plots, "log.csv") == {"live": 9, "HEAD": 3}
        # What else shows revisions reads where it runs, too.
        for words in (("params", "diff"), ("exp", "diff")):
            found = json.loads(project.ob(*words, "HEAD", "live", "--json").out)
            assert (found.get("params") or found)["params.yaml"]["lr"]["new"] == 9
        found = json.loads(project.ob("params", "show", "--rev", "live", "--json").out)
        assert found["live"]["data"]["params.yaml"]["data"]["lr"] == 9
        found = json.loads(project.ob("report", "live", "--json").out)
        assert found["params"][0]["new"][0]["value"] == 9 and found["revisions"] == [{"name": "live", "rev": None}]
    finally:
        (project.root / "HOLD").unlink()
        process.wait(timeout=60)
    plots = plots_diff(PlotRequest(targets=("log.csv",)), ("live", "HEAD"), project.session())
    assert firsts(plots, "log.csv") == {"live": 9, "HEAD": 3}


def test_links_in_a_commit_do_not_leave_it(project: TestProject, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("loss\n42\n")
    (project.root / "link.csv").symlink_to(tmp_path / "secret.csv")
    project.commit("a link")
    with pytest.raises(NotFoundError):
        plots_diff(PlotRequest(targets=("link.csv",)), ("HEAD", "HEAD~1"), project.session())


def test_a_project_without_git_has_plots(tmp_path: Path) -> None:
    made = make_project(tmp_path / "p", {"log.csv": "loss\n5\n", "dvc.yaml": "plots: [log.csv]\n"}, committed=False)
    made.write(".dvc/config", "[core]\n    no_scm = true\n")
    assert firsts(plots_show(PlotRequest(), made.session()), "log.csv") == {"workspace": 5}


def test_nothing_is_written_by_looking(project: TestProject) -> None:
    before = sorted(str(path) for path in project.root.rglob("*") if ".dvc/tmp" not in str(path))
    plots_diff(PlotRequest(), ("HEAD~1",), project.session())
    assert sorted(str(path) for path in project.root.rglob("*") if ".dvc/tmp" not in str(path)) == before
    assert project.git("status", "--porcelain") == ""


def test_an_experiment_keeps_the_files_of_plots(tmp_path: Path) -> None:
    """Also those that only `x` or `y` name, as DVC does."""
    yaml = "stages:\n  t:\n    cmd: for n in x y z; do echo a > $n.csv; done\n"
    yaml += "plots:\n- x.csv\n- named: {x: {z.csv: a}, y: {y.csv: a}}\n- ../out_of_it.csv\n"
    made = make_project(tmp_path / "p", {"dvc.yaml": yaml})
    done = made.ob("exp", "run", "-n", "e")
    assert done.code == 0, done.err
    names = made.git("ls-tree", "-r", "--name-only", made.exps()["e"]).split()
    assert {"x.csv", "y.csv", "z.csv"} <= set(names)
