"""`plots` beside DVC: the same JSON on the same projects, up to what is documented in docs/formats/plots.md."""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from interop.peers import Originals, PeerProject, assert_same, make_peer_project, twins

pytestmark = pytest.mark.interop
# Every anchor there is: what two tools make of it can be compared, whatever their own templates look like.
EVERY_ANCHOR = {
    "data": {"values": "<DVC_METRIC_DATA>"},
    "title": "a <DVC_METRIC_TITLE> b",
    "x": "<DVC_METRIC_X>",
    "y": {"field": "<DVC_METRIC_Y>", "text": "of <DVC_METRIC_Y>"},
    "labels": ["<DVC_METRIC_X_LABEL>", "<DVC_METRIC_Y_LABEL>"],
    "size": ["<DVC_METRIC_PLOT_WIDTH>", "<DVC_METRIC_PLOT_HEIGHT>"],
    "color": "<DVC_METRIC_COLOR>",
    "dash": "<DVC_METRIC_STROKE_DASH>",
    "shape": "<DVC_METRIC_SHAPE>",
    "row": "<DVC_METRIC_ROW>",
    "column": "<DVC_METRIC_COLUMN>",
    "groups": ["<DVC_METRIC_GROUP_BY>", "<DVC_METRIC_GROUP_BY_X>", "<DVC_METRIC_GROUP_BY_Y>"],
    "tooltip": "<DVC_METRIC_TOOLTIP>",
    "zoom": "<DVC_METRIC_ZOOM_AND_PAN>",
    "unknown": "<DVC_METRIC_NO_SUCH>",
}
DATA = "<DVC_METRIC_DATA>"
PIVOT = {"data": {"values": "<DVC_METRIC_DATA>"}, "pivot": "<DVC_METRIC_PIVOT_FIELD>"}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DVC_YAML = """\
stages:
  t:
    cmd: cp log.csv st.csv
    deps: [log.csv]
    plots:
    - st.csv:
        cache: false
        x: step
        y: loss
        title: of a stage
        template: every
        x_label: X
        y_label: Y
  n:
    cmd: cp nohead.csv nh.csv
    deps: [nohead.csv]
    plots:
    - nh.csv:
        header: false
  cached:
    cmd: mkdir -p curves && cp log.csv curves/a.csv && cp log.csv curves/b.csv
    deps: [log.csv]
    plots:
    - curves
plots:
- log.csv
- log.tsv:
    y: loss
- a.json
- nested.json
- c.yaml
- cls.csv:
    template: confusion
    x: actual
    y: predicted
- d
- im.png
- imgs
- st.csv:
    y: acc
- two_ys:
    x: step
    y:
      log.csv: [loss, acc]
- two_files:
    x: step
    y:
      log.csv: loss
      log.tsv: loss
- both:
    x: step
    y:
      log.csv: [loss, acc]
      log.tsv: loss
- x_of_file:
    x:
      log.csv: step
    y:
      log.csv: acc
      d/sub/three.csv: acc
- x_by_file:
    x:
      log.csv: step
      a.json: step
    y:
      log.csv: loss
      a.json: loss
- x_of_different_names:
    x:
      log.csv: step
      log.tsv: loss
    y:
      log.csv: acc
      log.tsv: loss
- no_x:
    y:
      log.csv: loss
      log.tsv: loss
- of_one_directory:
    x: step
    y:
      d/one.csv: loss
      d/sub/three.csv: loss
- named:
    x: step
    y:
      log.csv: [loss, acc]
    x_label: hello
    y_label: world
    title: title of it
    template: every
- ${of_params}:
    x: ${x_of_params}
    y: acc
- list.csv:
    x: step
    y: [loss, acc]
- twice:
    y:
      log.csv: acc
"""
SUB_YAML = """\
stages:
  inner:
    wdir: in
    cmd: cp t.csv o.csv
    deps: [t.csv]
    plots:
    - o.csv: {cache: false, y: w}
plots:
- s.csv:
    y: v
- in/t.csv
- twice:
    y: {s.csv: v}
- across:
    x: step
    y: {s.csv: v, in/t.csv: w, ../log.csv: [loss, acc]}
- below:
    x: {s.csv: step}
    y: {s.csv: v, in/t.csv: w}
"""
LOG = "step,loss,acc\n0,1.5,0.1\n1,1.2,0.2\n2,1.0,0.35\n"
FILES: Mapping[str, str] = {
    "dvc.yaml": DVC_YAML,
    "sub/dvc.yaml": SUB_YAML,
    "params.yaml": "of_params: other.csv\nx_of_params: loss\n",
    ".dvc/plots/every.json": json.dumps(EVERY_ANCHOR),
    ".dvc/plots/deep/pivot.json": json.dumps(PIVOT),
    "log.csv": LOG,
    "other.csv": LOG,
    "list.csv": LOG,
    "log.tsv": "step\tloss\n0\t1.5\n1\t1.25\n",
    "a.json": '[{"step": 0, "loss": 1.0, "n": "a"}, {"step": 1, "loss": 0.5, "n": "b"}, {"step": 2, "loss": 0.25, "n": "c"}]',
    "nested.json": '{"meta": 1, "train": [{"epoch": 0, "loss": 1.0}, {"epoch": 1, "loss": 0.5}], "z": [{"q": 1}]}',
    "c.yaml": "train:\n- {epoch: 0, loss: 1.0}\n- {epoch: 1, loss: 0.25}\n",
    "nohead.csv": "0,1\n1,0.5\n",
    "cls.csv": "actual,predicted\ncat,cat\ncat,dog\ndog,dog\n",
    "d/one.csv": "step,loss\n0,1\n1,2\n",
    "d/two.csv": "step,acc\n0,1\n",
    "d/sub/three.csv": LOG,
    "sub/s.csv": "step,v\n0,1\n",
    "sub/in/t.csv": "step,w\n0,1\n",
}


@pytest.fixture
def project(originals: Originals, dvc: str, tmp_path: Path) -> PeerProject:
    """A project with plots of every kind, run and committed, and then changed."""
    return originals.copy(build, dvc, tmp_path / "p")


def build(root: Path, dvc: str) -> PeerProject:
    made = make_peer_project(root, dvc, FILES)
    for path in ("im.png", "imgs/a.png", "imgs/sub/b.png"):
        made.write(path, PNG)
    made.dvc("repro", "-q", "--all-pipelines")
    made.commit("ran")
    made.write("log.csv", LOG.replace("0.35", "0.5"))
    made.dvc("repro", "-q")
    return made


def number(text: Any) -> Any:
    """A text of a number becomes one, as `ob` reads CSV files."""
    for read in (int, float):
        try:
            return read(text) if isinstance(text, str) else text
        except ValueError:
            pass
    return text


def typed(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of DVC with numbers as numbers in its points."""
    for place, key in (
        (entry.get("content", {}).get("data", {}), "values"),
        (entry.get("anchor_definitions", {}), DATA),
    ):
        if isinstance(place.get(key), list):
            # A commit id such as 00540e1 reads like a number.
            place[key] = [
                {name: value if name == "rev" else number(value) for name, value in point.items()}
                for point in place[key]
            ]
    return entry


def without_urls(printed: Any) -> Any:
    for entries in printed["data"].values():
        for entry in entries:
            if "url" in entry:
                entry["url"] = Path(entry["url"]).name
    return printed


def differences(ours: Any, theirs: Any, place: str = "") -> list[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = dict.fromkeys((*ours, *theirs))
        return [line for key in keys for line in differences(ours.get(key), theirs.get(key), f"{place}/{key}")]
    return [] if ours == theirs else [f"{place}: {ours!r} is {theirs!r} for DVC"]


def assert_same_json(project: PeerProject, *args: str, cwd: str = "") -> dict[str, Any]:
    out = ("--json", "-o", str(project.root.parent / "out"))
    theirs = without_urls(json.loads(project.dvc("plots", *args, *out, cwd=cwd).out))
    ours = without_urls(project.did("plots", *args, *out, cwd=cwd).json)
    if cwd:  # in another directory DVC forgets that the file has no header
        name = os.path.relpath("nh.csv", cwd)
        theirs["data"][name] = ours["data"][name]
    assert ours["data"].keys() == theirs["data"].keys()
    for name, entries in theirs["data"].items():
        for own, other in zip(ours["data"][name], map(typed, entries), strict=True):
            assert differences(own, other) == [], name
    assert ours.get("errors") == theirs.get("errors")
    return dict(ours["data"])


@pytest.mark.parametrize("cwd", ["", "sub"])
def test_show_is_the_same(project: PeerProject, cwd: str) -> None:
    found = assert_same_json(project, "show", "-t", "every", cwd=cwd)
    assert len(found) == 35


def test_diff_is_the_same(project: PeerProject) -> None:
    assert_same_json(project, "diff", "-t", "every")
    assert_same_json(project, "diff", "HEAD", "-t", "every")
    assert_same_json(project, "diff", "HEAD~1", "HEAD", "--targets", "both", "-t", "every")


def test_split_is_the_same(project: PeerProject) -> None:
    assert_same_json(project, "show", "-t", "every", "--split")


@pytest.mark.parametrize(
    "flags",
    [
        ("two_files", "-x", "loss", "--title", "T", "--x-label", "XL", "--y-label", "YL"),
        ("st.csv", "-y", "acc"),
        ("curves", "-x", "step"),
        ("nohead.csv", "--no-header"),
        ("imgs",),
        ("d/sub",),
    ],
)
def test_targets_and_flags_are_the_same(project: PeerProject, flags: tuple[str, ...]) -> None:
    assert_same_json(project, "show", *flags, "-t", "every")


def test_experiments_are_the_same(project: PeerProject) -> None:
    project.commit("changed")
    project.dvc("exp", "save", "-n", "theirs")
    project.write("log.csv", LOG.replace("1.0", "0.7"))
    project.did("exp", "run", "-n", "ours")
    project.git("checkout", "-q", "-f", ".")
    for args in (("ours",), ("ours", "theirs"), ("-e", "ours"), ("ours", "workspace", "HEAD~1")):
        assert_same_json(project, "diff", *args, "--targets", "two_ys", "curves", "im.png", "-t", "every")


def test_templates_have_the_same_names(project: PeerProject) -> None:
    names = project.dvc("plots", "templates").out.split()
    assert project.did("plots", "templates").out.split() == [*names, "every", "deep/pivot"]


def test_templates_of_one_are_good_for_the_other(project: PeerProject) -> None:
    names = project.dvc("plots", "templates").out.split()
    for name in ("simple", "confusion", "scatter_jitter", "smooth", "bar_horizontal_sorted"):
        assert name in names
        project.write(f".dvc/plots/their_{name}.json", project.dvc("plots", "templates", name).out)
        project.write(f".dvc/plots/our_{name}.json", project.did("plots", "templates", name).out)
        for whose in ("their", "our"):
            assert_same_json(project, "show", "two_files", "-t", f"{whose}_{name}")
            assert project.did("plots", "show", "two_files", "-t", f"{whose}_{name}", "--svg").out.endswith(".svg\n")


def test_pivot_of_several_lines_differs_by_a_mistake_of_dvc(project: PeerProject) -> None:
    """It asks for fields that no point has, so that all lines get one name."""
    args = ("plots", "show", "both", "-t", "deep/pivot", "--json")
    theirs, ours = (run(*args).json["data"]["both"][0]["content"]["pivot"] for run in (project.dvc, project.did))
    assert theirs == "datum.rev + '::' + datum.filename + '::' + datum.field"
    assert ours == "datum.rev + '::' + datum['filename::field']"


@pytest.mark.parametrize(
    "args",
    [
        ("st.csv", "-t", "simple", "-x", "loss"),
        ("st.csv", "--title", "a: b # c", "--no-header"),
        ("st.csv", "--unset", "title", "x"),
        ("st.csv", "--unset", "title", "--title", "again"),
        ("nh.csv", "-y", "1"),
        ("nh.csv", "--unset", "header"),
        ("curves", "-t", "every"),
    ],
)
def test_modify_says_the_same(dvc: str, tmp_path: Path, args: tuple[str, ...]) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES)
    ours.did("plots", "modify", *args)
    theirs.dvc("plots", "modify", *args)
    shown = [
        json.loads(each.dvc("plots", "show", args[0], "--json", "-t", "every", code=None).out or "{}")
        for each in (ours, theirs)
    ]
    assert shown[0] == shown[1]
    assert ours.dvc("stage", "list").out == theirs.dvc("stage", "list").out
    assert_same(ours, theirs, but="dvc.yaml")


def test_an_experiment_keeps_the_same_files(dvc: str, tmp_path: Path) -> None:
    yaml = "stages:\n  t:\n    cmd: mkdir -p d && for n in x y z d/q; do echo a > $n.csv; done\n    deps: [p]\n"
    yaml += "plots:\n- x.csv\n- named: {x: {z.csv: a}, y: {y.csv: a}}\n- d\n"
    ours, theirs = twins(tmp_path, dvc, {"dvc.yaml": yaml, "p": "1"})
    ours.did("exp", "run", "-n", "e")
    theirs.dvc("exp", "run", "-n", "e")
    kept = [each.git("ls-tree", "-r", "--name-only", each.exps()["e"]) for each in (ours, theirs)]
    assert kept[0] == kept[1] and "z.csv" in kept[0]
