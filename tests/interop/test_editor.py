"""The DVC extension for VS Code starts `dvc` with these words and reads what it prints: the same from `ob`.

Where DVC prints JSON, ours has every field of it, of the same type and with the same value; it may have more.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interop.peers import Originals, PeerProject, make_peer_project
from interop.test_plots import typed, without_urls
from projects import SOURCE

pytestmark = pytest.mark.interop

DROP_IN = SOURCE.parent / "packages/offbranch-dvc/src"
TRAIN = """\
import os, sys, time
from offbranch import Live

lines = open("params.yaml").read().splitlines()
params = {name: float(value) for name, value in (line.split(": ") for line in lines)}
with Live(save_dvc_exp="alone" in sys.argv) as live:
    live.log_params(params)
    for i in range(3):
        live.log_metric("train/loss", params["lr"] / (i + 1))
        live.log_metric("acc", i / 3)
        open("model.bin", "w").write(f"{params} {i}")
        live.next_step()
        if params["fail"] and i == 1:
            sys.exit(3)
    if "GATE" in os.environ:
        open(os.environ["GATE"] + ".there", "w").close()
        while not os.path.exists(os.environ["GATE"]):
            time.sleep(0.02)
"""
PIPELINE = """\
stages:
  train:
    cmd: python3 train.py
    deps: [train.py]
    params: [lr, fail]
    outs: [model.bin]
  copy:
    cmd: cp model.bin copy.bin
    deps: [model.bin]
    outs: [copy.bin]
params:
- dvclive/params.yaml
metrics:
- dvclive/metrics.json
plots:
- dvclive/plots/metrics:
    x: step
"""


def build(root: Path, dvc_command: str) -> PeerProject:
    """Returns a project that has chains, a failed run, changes in the workspace, and a queued task of each tool."""
    files = {"train.py": TRAIN, "params.yaml": "lr: 0.1\nfail: 0\n", "dvc.yaml": PIPELINE}
    project = make_peer_project(root, dvc_command, files)
    _set_up(project)
    project.did("repro")
    project.commit("results")
    project.did("exp", "run", "--checkpoint", "-n", "chain", "-S", "lr=0.2")
    project.did("exp", "run", "--temp", "-n", "bad", "-S", "fail=1", "--checkpoint", code=1)
    project.did("exp", "run", "--temp", "-n", "good", "-S", "lr=0.4")
    project.did("exp", "run", "--queue", "-n", "ours", "-S", "lr=0.5")
    project.dvc("exp", "run", "--queue", "-n", "theirs", "-S", "lr=0.6")
    return project


def _set_up(project: PeerProject) -> None:
    """The commands of stages find the interpreter of these tests, and `offbranch`."""
    bin_dir = project.root.parent / f"bin-{project.root.name}"
    bin_dir.mkdir(exist_ok=True)
    if not (bin_dir / "python3").exists():
        (bin_dir / "python3").write_text(f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {sys.executable} "$@"\n')
        (bin_dir / "python3").chmod(0o755)
    project.env["PATH"] = f"{bin_dir}:{Path(project.dvc_command).parent}:/usr/bin:/bin"


@pytest.fixture
def project(originals: Originals, dvc: str, tmp_path: Path) -> PeerProject:
    made = originals.copy(build, dvc, tmp_path / "p")
    _set_up(made)
    return made


def lacks(ours: Any, theirs: Any, place: str = "") -> list[str]:
    """Tells what of DVC's is not in ours, or is something else there.

    Experiments are told apart by their names; lists of files have no order. Of a run that failed DVC has only checkpoints.
    """
    if isinstance(theirs, dict) and isinstance(ours, dict):
        gone = [f"{place}/{key} is not there" for key in theirs if key not in ours]
        return gone + [
            line for key in theirs if key in ours for line in lacks(ours[key], theirs[key], f"{place}/{key}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        if place.endswith("/experiments"):
            named = {each["name"]: each for each in ours}
            found = [(named[each["name"]], each, f"{place}/{each['name']}") for each in theirs]
            failed = {"name": "bad"}
            return [line for own, other, at in found for line in lacks(own, failed if "bad" in at else other, at)]
        if all(isinstance(each, str) for each in (*ours, *theirs)):
            ours, theirs = sorted(ours), sorted(theirs)
        pairs = zip(ours, theirs, strict=True)
        return [line for n, (own, other) in enumerate(pairs) for line in lacks(own, other, f"{place}/{n}")]
    is_same = type(ours) is type(theirs) and ours == theirs
    return [] if is_same else [f"{place}: {ours!r} is {theirs!r} for DVC"]


@pytest.mark.parametrize(
    "words",
    [
        ("exp", "show", "--json"),
        ("exp", "show", "--rev", "main", "-n", "3", "--json"),
        ("exp", "show", "-A", "--json"),
        ("data", "status", "--json", "--granular", "--unchanged"),
        ("params", "diff", "--json"),
        ("metrics", "diff", "--json"),
        ("exp", "diff", "--json", "main", "chain"),
    ],
)
def test_the_json_has_what_that_of_dvc_has(project: PeerProject, words: tuple[str, ...]) -> None:
    assert lacks(project.did(*words).json, project.dvc(*words).json) == []


def test_the_table_has_every_experiment(project: PeerProject) -> None:
    theirs = {each["name"]: each for each in project.dvc("exp", "show", "--json").json[1]["experiments"]}
    ours = {each["name"]: each for each in project.did("exp", "show", "--json").json[1]["experiments"]}
    assert set(theirs) == {"bad", "chain", "good", "theirs"}
    assert set(ours) == {*theirs, "ours"}
    # Each step (of "good" the first alone), the end of 'train' when 'copy' begins, and the end of the run.
    assert [len(ours[name]["revs"]) for name in ("chain", "good")] == [5, 3]
    assert ours["bad"]["executor"]["state"] == "failed"
    assert ours["bad"]["revs"][1:] and lacks(ours["bad"]["revs"][1:], theirs["bad"]["revs"][1:]) == []
    last = [each["bad"]["revs"][0]["data"]["metrics"]["dvclive/metrics.json"] for each in (ours, theirs)]
    assert last[0] == last[1] == {"data": {"train": {"loss": 0.1}, "acc": 1 / 3, "step": 1}}
    assert ours["theirs"]["executor"]["state"] == theirs["theirs"]["executor"]["state"] == "queued"


@pytest.mark.parametrize(
    "words",
    [
        ("plots", "templates"),
        ("stage", "list"),
        ("stage", "list", "--names-only"),
        ("root",),
        ("config", "--list"),
        ("config", "exp.auto_push"),
        ("remote", "list", "--project"),
        ("exp", "list", "--names-only"),
        ("check-ignore", "dvclive"),
    ],
)
def test_the_text_is_that_of_dvc(project: PeerProject, words: tuple[str, ...]) -> None:
    theirs = project.dvc(*words, code=None)
    ours = project.ob(*words)
    assert (ours.code == 0) == (theirs.code == 0), ours.err
    assert sorted(word for word in ours.out.split("\n") if "main:" not in word) == sorted(
        word for word in theirs.out.split("\n") if "main:" not in word
    )


def test_plots_are_the_same_but_for_the_drawing(project: PeerProject) -> None:
    words = ("plots", "diff", "chain", "good", "main", "--json", "--split", "-o")
    theirs = without_urls(project.dvc(*words, str(project.root.parent / "out")).json)
    ours = without_urls(project.did(*words, str(project.root.parent / "out")).json)
    assert list(ours["data"]) and ours["data"].keys() == theirs["data"].keys()
    anchor = re.compile("<DVC_METRIC_[A-Z_]+>")
    for name, entries in theirs["data"].items():
        for own, other in zip(ours["data"][name], map(typed, entries), strict=True):
            drawn = [each.pop("content") for each in (own, other)]
            assert lacks(own, other) == [], name
            assert [each["$schema"] for each in drawn] == [drawn[1]["$schema"]] * 2
            found = [set(anchor.findall(json.dumps(each))) for each in drawn]
            assert found[1] <= found[0] | {"<DVC_METRIC_SHAPE>"}, name


def test_a_checkpoint_is_drawn_by_its_commit(project: PeerProject) -> None:
    shown = project.dvc("exp", "show", "--json").json[1]["experiments"]
    (chain,) = (each for each in shown if each["name"] == "chain")
    middle = chain["revs"][1]["rev"]
    words = ("plots", "diff", middle, "chain", "--json", "--split", "-o", str(project.root.parent / "out"))
    for found in (project.did(*words).json, project.dvc(*words).json):
        (entry,) = found["data"]["dvclive/plots/metrics/acc.tsv"]
        assert entry["revisions"] == [middle[:7], "chain"] or entry["revisions"] == [middle, "chain"]


def queue_rows(text: str) -> dict[str, str]:
    """Name -> state."""
    cells = [re.split(r" {2,}", line.strip()) for line in text.split("\n\n")[0].splitlines()[1:]]
    return {each[1]: each[3] for each in cells}


def test_the_queue(project: PeerProject) -> None:
    theirs, ours = (queue_rows(each.out) for each in (project.dvc("queue", "status"), project.did("queue", "status")))
    assert theirs == {"theirs": "Queued"}
    assert ours == {"theirs": "Queued", "ours": "Queued"}
    project.did("queue", "start")
    assert project.did("queue", "wait", "ours").code == 0
    assert "python3 train.py" in project.did("queue", "logs", "ours").out
    stopped = project.did("queue", "stop")
    assert stopped.err == "" or "Traceback" not in stopped.err
    shown = project.dvc("exp", "show", "--json").json
    (done,) = (each for each in shown[1]["experiments"] if each["name"] == "ours")
    assert lacks(project.did("exp", "show", "--json").json, shown) == []
    assert done["revs"][0]["data"]["params"]["params.yaml"]["data"]["lr"] == 0.5


def test_what_the_buttons_do(project: PeerProject, tmp_path: Path) -> None:
    project.git("init", "-q", "--bare", str(tmp_path / "there"))
    project.git("remote", "add", "origin", str(tmp_path / "there"))
    other = project.copy(tmp_path / "other")
    for words in (
        ("exp", "apply", "good"),
        ("exp", "branch", "good", "a-branch"),
        ("exp", "rename", "good", "better"),
        ("exp", "push", "origin", "better"),
        ("exp", "remove", "better"),
        ("exp", "remove", "chain"),
        ("exp", "push", "origin", "bad"),
    ):
        assert "Traceback" not in other.dvc(*words).err
        project.did(*words)
        for at in (project.root, other.root):
            assert (at / "params.yaml").read_text() == "lr: 0.4\nfail: 0\n"
    refs = [each.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads") for each in (project, other)]
    assert refs[0] == refs[1]
    assert "a-branch" in refs[0]
    assert list(project.exps()) == list(other.exps()) == ["bad"]


def test_running_from_a_button(project: PeerProject, tmp_path: Path) -> None:
    project.git("checkout", "-q", ".")
    other = project.copy(tmp_path / "other")
    _set_up(other)
    for words in (("-n", "n1", "-S", "lr=0.7"), ("--temp", "-n", "n2", "-S", "lr=0.8"), ("--queue", "-n", "n3")):
        mine, theirs = project.did("exp", "run", *words), other.dvc("exp", "run", *words)
        for said in ("Ran experiment(s): ", "Queued experiment "):
            assert (said in mine.out) == (said in theirs.out), words
    shown = [each.dvc("exp", "show", "--json").json[1]["experiments"] for each in (project, other)]
    for name in ("n1", "n2"):
        own, its = (next(each for each in found if each["name"] == name)["revs"][0]["data"] for found in shown)
        for part in ("params", "deps", "outs"):
            assert own[part] == its[part], (name, part)
        assert own["metrics"]["dvclive/metrics.json"] == its["metrics"]["dvclive/metrics.json"]


def test_a_run_that_an_editor_watches(project: PeerProject, tmp_path: Path) -> None:
    """`exp show` of both tells the same while a program logs by itself, and the files that editors watch say so."""
    gate = tmp_path / "gate"
    env = {**project.env, "GATE": str(gate), "HOME": str(tmp_path)}
    words = [str(project.root.parent / f"bin-{project.root.name}/python3"), "train.py", "alone"]
    with subprocess.Popen(words, cwd=project.root, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            while not gate.with_suffix(".there").exists():
                assert process.poll() is None
            signals = project.root / ".dvc/tmp/exps/run"
            only, step = (json.loads((signals / f"DVCLIVE_{name}").read_text()) for name in ("ONLY", "STEP_COMPLETED"))
            assert only["pid"] == step["pid"] == process.pid
            assert isinstance(only["exp_name"], str)
            assert step["step"] == 2
            shown = project.did("exp", "show", "--json").json
            assert lacks(shown, project.dvc("exp", "show", "--json").json) == []
            data = shown[0]["data"]["metrics"]["dvclive/metrics.json"]["data"]
            assert data["step"] == 2
        finally:
            gate.touch()
    assert not [path for path in signals.iterdir() if path.is_file()]


def test_the_version_under_the_name_of_dvc(dvc: str, tmp_path: Path) -> None:
    program = tmp_path / "dvc"
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom offbranch_dvc.command import main\nsys.exit(main())\n")
    program.chmod(0o755)
    env = {"PYTHONPATH": f"{SOURCE}:{DROP_IN}", "PATH": "/usr/bin:/bin"}
    ours = subprocess.run([str(program), "--version"], env=env, capture_output=True, text=True, check=True)
    theirs = subprocess.run([dvc, "--version"], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert ours.stdout == theirs.stdout == "3.67.1\n"
