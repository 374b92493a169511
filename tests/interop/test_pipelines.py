"""Pipelines: what one tool has made is up to date for the other, byte for byte, and each restores what the other ran."""

from pathlib import Path

import pytest

from interop.peers import PeerProject, assert_same, differences, make_peer_project, snapshot, twins
from interop.pipelines import PROJECTS

pytestmark = pytest.mark.interop
# Stages that run every time; nothing can be "up to date" about them.
RESTLESS = {"graph": {"always", "callback"}}


@pytest.mark.parametrize("name", PROJECTS)
def test_both_make_the_same_and_take_it_from_each_other(name: str, dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, PROJECTS[name])
    restless = RESTLESS.get(name, set())
    ours.did("repro", "-P")
    theirs.dvc("repro", "-P")
    assert sorted(ours.runs()) == sorted(theirs.runs()) != []
    assert_same(ours, theirs)

    made = snapshot(ours)
    for status in (ours.dvc("status", "--json").json, theirs.did("status", "--json").json):
        assert set(status) == restless
    ours.dvc("repro", "-P")
    theirs.did("repro", "-P")
    assert set(ours.runs()) == set(theirs.runs()) == restless
    assert not differences(snapshot(ours), made)
    assert_same(ours, theirs)

    for project in (ours, theirs):
        forget(project, locks=False)
    ours.dvc("repro", "-P")
    theirs.did("repro", "-P")
    # What depends on nothing is run again by DVC when it is gone; we put back what was recorded.
    assert set(ours.runs()) - {"source"} == set(theirs.runs())
    assert_same(ours, theirs)

    for project in (ours, theirs):
        forget(project, locks=True)
    ours.dvc("repro", "-P")
    theirs.did("repro", "-P")
    assert sorted(ours.runs()) == sorted(theirs.runs())
    assert_same(ours, theirs)


def test_commit_records_the_same(dvc: str, tmp_path: Path) -> None:
    ours = make_peer_project(tmp_path / "ob", dvc, PROJECTS["outputs"])
    ours.did("repro")
    theirs = ours.copy(tmp_path / "dvc")
    for project in (ours, theirs):
        project.write("src.txt", "changed\n")
        project.write("scores/s.json", '{"f": 2}')
        project.write("tree/new", "n\n")
        project.write("kept.txt", "by hand\n")
    ours.did("commit", "-f")
    theirs.dvc("commit", "-f")
    assert_same(ours, theirs, but=".dvc/cache/")
    # DVC puts plain outputs that Git keeps into the run-cache too, other than after a run.
    assert snapshot(ours, ".dvc/cache").items() < snapshot(theirs, ".dvc/cache").items()
    assert ours.dvc("status", "--json").json == theirs.did("status", "--json").json == {}


def test_parameters_named_twice_and_keys_that_are_no_texts(dvc: str, tmp_path: Path) -> None:
    """DVC writes anchors for the first, which we do not, and stops at the second, which we write as texts."""
    pipeline = "stages:\n  s:\n    cmd: echo s > s\n    params: [a, a.b, n]\n    outs: [s]\n"
    ours, theirs = twins(tmp_path, dvc, {"dvc.yaml": pipeline, "params.yaml": "a: {b: {c: [1]}}\nn: {1: x, 2: y}\n"})
    ours.did("repro")
    theirs.dvc("repro")
    assert ours.dvc("status", "--json").json == theirs.did("status", "--json").json == {}
    for project in (ours, theirs):
        project.write("params.yaml", "1: x\nb: y\n")
        project.write("dvc.yaml", pipeline.replace("[a, a.b, n]", "[params.yaml: ]"))
    ours.did("repro")
    theirs.did("repro")
    assert "'1': x" in ours.read("dvc.lock")
    ours.dvc("stage", "list")


def forget(project: PeerProject, *, locks: bool) -> None:
    """Removes what the pipeline made, as in a fresh clone, and maybe what is recorded of it; the cache stays."""
    recorded = {path: project.read(path) for path in files(project, "dvc.lock")}
    project.git("clean", "-fdxq", "-e", ".dvc", "-e", "RUNS")
    for path, text in recorded.items():
        if not locks:
            project.write(path, text)


def files(project: PeerProject, name: str) -> list[str]:
    return [str(path.relative_to(project.root)) for path in project.root.rglob(name)]


def test_data_that_stages_read_and_frozen_stages(dvc: str, tmp_path: Path) -> None:
    run = "echo $DVC_STAGE >> $RUNS;"
    files = {
        "dvc.yaml": f"stages:\n  a:\n    cmd: {run} cat raw/x raw/y > a.txt\n    deps: [raw]\n    outs: [a.txt]\n"
        f"  b:\n    cmd: {run} cat a.txt one.txt > b.txt\n    deps: [a.txt, one.txt]\n    outs: [b.txt]\n",
    }
    ours, theirs = twins(tmp_path, dvc, files)
    for project in (ours, theirs):
        project.write("raw/x", "x\n")
        project.write("raw/y", "y\n")
        project.write("one.txt", "1\n")
    ours.did("add", "raw", "one.txt")
    theirs.dvc("add", "raw", "one.txt")
    ours.did("repro")
    theirs.dvc("repro")
    assert_same(ours, theirs)
    assert sorted(ours.runs()) == sorted(theirs.runs()) == ["a", "b"]
    for project in (ours, theirs):
        project.write("dvc.yaml", project.read("dvc.yaml").replace("  b:\n", "  b:\n    frozen: true\n"))
        project.write("raw/x", "changed\n")
        project.write("one.txt", "2\n")
    assert ours.did("status", "--json").json == theirs.dvc("status", "--json").json
    ours.did("repro", "-P")
    theirs.dvc("repro", "-P")
    assert ours.runs() == theirs.runs() == ["a"]
    assert_same(ours, theirs)
    assert ours.dvc("status", "--json").json == theirs.did("status", "--json").json


@pytest.mark.parametrize("name", PROJECTS)
def test_stages_side_by_side_leave_what_dvc_leaves(name: str, dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, PROJECTS[name])
    restless = RESTLESS.get(name, set())
    ours.did("repro", "-P", "-j", "3")
    theirs.dvc("repro", "-P")
    assert sorted(ours.runs()) == sorted(theirs.runs()) != []
    assert_same(ours, theirs)
    assert set(ours.dvc("status", "--json").json) == restless
    for project in (ours, theirs):
        forget(project, locks=True)
    ours.did("repro", "-P", "-j", "3")
    theirs.dvc("repro", "-P")
    assert sorted(ours.runs()) == sorted(theirs.runs())
    assert_same(ours, theirs)


PLACES = """\
stages:
  inside:
    wdir: <root>/w
    cmd: echo $DVC_STAGE >> $RUNS; cat ../in.txt > o
    deps: [../in.txt, <root>/top.txt]
    params: [<root>/params.yaml: [a], <root>/w/p.yaml: [k]]
    outs: [<root>/w/o]
  outside:
    wdir: ..
    cmd: echo $DVC_STAGE >> $RUNS; cat beside.txt
    deps: [beside.txt]
  'with blank':
    cmd: echo $DVC_STAGE >> $RUNS; cat w/o > last
    deps: [w/o, <beside>]
    outs: [last]
"""


def test_paths_written_in_other_ways(dvc: str, tmp_path: Path) -> None:
    files = {"in.txt": "in\n", "top.txt": "top\n", "params.yaml": "a: 1\n", "w/p.yaml": "k: 2\n"}
    (tmp_path / "beside.txt").write_text("beside\n")
    ours, theirs = twins(tmp_path, dvc, files)
    for project in (ours, theirs):
        text = PLACES.replace("<root>", str(project.root)).replace("<beside>", str(tmp_path / "beside.txt"))
        project.write("dvc.yaml", text)
    ours.did("repro", "-j", "2")
    theirs.dvc("repro")
    assert sorted(ours.runs()) == sorted(theirs.runs()) != []
    assert ours.read("dvc.lock") == theirs.read("dvc.lock")
    assert ours.read("w/.gitignore") == theirs.read("w/.gitignore")
    assert ours.dvc("status", "--json").json == theirs.did("status", "--json").json == {}
    (tmp_path / "beside.txt").write_text("changed\n")
    changes = theirs.dvc("status", "--json").json
    assert set(changes) == {"outside", "with blank"}
    assert theirs.did("status", "--json").json == changes


def test_datasets(dvc: str, tmp_path: Path) -> None:
    source = make_peer_project(tmp_path / "source", dvc, {"data/x": "1\n"})
    pipeline = "stages:\n  s:\n    cmd: echo $DVC_STAGE >> $RUNS; echo s > s\n    deps: ['ds://d']\n    outs: [s]\n"
    ours, theirs = twins(tmp_path, dvc, {"dvc.yaml": pipeline, "sub/dvc.yaml": pipeline})
    for project in (ours, theirs):
        project.dvc("dataset", "add", "d", "--dvc", str(source.root), "--path", "data")
        # As DVC lists it, before any stage has run.
        assert project.did("status", "--json").json == project.dvc("status", "--json").json
    ours.did("repro", "-P", "-j", "2")
    theirs.dvc("repro", "-P")
    assert sorted(ours.runs()) == sorted(theirs.runs()) == ["s", "sub/dvc.yaml:s"]
    for path in ("dvc.lock", "sub/dvc.lock"):
        assert ours.read(path) == theirs.read(path)
    assert ours.dvc("status", "--json").json == theirs.did("status", "--json").json == {}
    source.write("data/x", "2\n")
    source.commit("more")
    for project in (ours, theirs):
        project.dvc("dataset", "update", "d")
        assert project.did("status", "--json").json == project.dvc("status", "--json").json
        assert set(project.did("status", "--json").json) == {"s", "sub/dvc.yaml:s"}
        project.write("dvc.yaml", project.read("dvc.yaml").replace("path: data", "path: other"))
        assert project.did("status", "--json").json == project.dvc("status", "--json").json
        assert project.dvc("repro", code=None).code != 0
        project.did("repro", code=1)


FREEZING = """\
# top
stages:
  # first
  a:   # the a
    cmd: echo a > a   # cmd
    outs: [a]
  # flow
  b: {cmd: echo b > b, outs: [b]}
  f:
    cmd: echo f > f
    frozen: true  # why
    outs: [f]
"""


def test_freeze_and_unfreeze(dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, {"dvc.yaml": FREEZING})
    for project in (ours, theirs):
        project.write("d", "d\n")
        project.dvc("add", "d")
    before = ours.read("dvc.yaml")
    for words in (
        ("freeze", "b", "d.dvc"),
        ("freeze", "b"),
        ("unfreeze", "f", "d.dvc"),
        ("unfreeze", "b"),
        ("freeze", "a"),
    ):
        ours.did(*words)
        theirs.dvc(*words)
        assert_same(ours, theirs)
    # Here DVC drops the comment of the next stage.
    ours.did("unfreeze", "a")
    assert ours.read("dvc.yaml") == before.replace("    frozen: true  # why\n", "")


STAGES_TO_ADD = (
    ("-n", "one", "-d", "in.txt", "-d", "tool.sh", "-p", "lr,t.e", "-p", "c.json:k,z.q", "-p", "x.yaml:", "-O", "o2",
     "--outs-persist-no-cache", "o4", "-M", "m2.json", "--plots-no-cache", "p2.csv", "--desc", "hi there",
     "--always-changed", "echo", "a b", 'c"d', "$HOME", "*"),
    ("-n", "two", "-d", "in.txt", "-o", "o1", "echo 'a b' && echo \"$LR\" > o1"),
    ("-n", "three", "--outs-persist", "o3", "echo 1\necho 2 > o3"),
    ("-n", "four", "-w", "w", "-d", "../in.txt", "-p", "../params.yaml:lr", "-m", "m.json", "cp", "../in.txt", "m.json"),
    ("-n", "my stage", "--plots", "p.csv", "--run", "echo x,y > p.csv"),
    ("-n", "é_-1", "-o", "d/", "mkdir -p d; echo 1 > d/x"),
    ("-f", "-n", "two", "-d", "/tmp/nowhere/ext", "-o", "o1", "echo word " + "word " * 40 + "> o1"),
)  # fmt: skip


def test_stages_are_added_alike(dvc: str, tmp_path: Path) -> None:
    files = {"in.txt": "in\n", "params.yaml": "lr: 1\nt: {e: 3}\n", "c.json": '{"k": 1, "z": {"q": 2}}', "w/keep": ""}
    ours, theirs = twins(tmp_path, dvc, {**files, "dvc.yaml": "# head\nstages:\n  # zero\n  zero: {cmd: echo}\n"})
    for words in STAGES_TO_ADD:
        ours.did("stage", "add", *words)
        theirs.dvc("stage", "add", *words)
        assert_same(ours, theirs)
    for words in (("-n", "x.y", "echo"), ("-n", "one", "echo"), ("-n", "z", "-o", "q", "-O", "q", "echo"),
                  ("-n", "z", "-o", "/tmp/nowhere/o", "echo"), ("-n", "z", "-d", "a", "-d", "./a", "echo"),
                  ("-n", "z", "-o", "o1", "echo"), ("-n", "z")):  # fmt: skip
        before = ours.read("dvc.yaml")
        assert ours.ob("stage", "add", *words).code != 0
        assert theirs.dvc("stage", "add", *words, code=None).code != 0
        assert ours.read("dvc.yaml") == theirs.read("dvc.yaml") == before


REFUSED = {
    "a path with nothing after it": "stages: {s: {cmd: x, outs: [o: ]}}",
    "columns that are no texts": "plots: [a: {x: 1}]",
    "a map where columns belong": "plots: [a: {y: {f: {b: 1}}}]",
    "an unknown key": "stages: {s: {cmd: x, dep: [a]}}",
    "an unknown option": "stages: {s: {cmd: x, outs: [o: {cach: false}]}}",
    "a text for a boolean": "stages: {s: {cmd: x, frozen: 'yes'}}",
    "a boolean of YAML 1.1": "stages: {s: {cmd: x, frozen: yes}}",
    "a number for a command": "stages: {s: {cmd: 5}}",
    "no command": "stages: {s: {deps: [a]}}",
    "nothing for dependencies": "stages: {s: {cmd: x, deps: }}",
    "both kinds of groups": "stages: {s: {matrix: {x: [1]}, foreach: [1], do: {cmd: x}}}",
    "a number for a name": "stages: {1: {cmd: x}}",
    "a key twice": "stages: {s: {cmd: x, cmd: y}}",
    "an artifact without path": "artifacts: {m: {type: model}}\nstages: {s: {cmd: x}}",
    "a member of a template in a template": "stages: {s: {cmd: 'echo ${d.${name}}'}}",
    "a list in a list in a command": "stages: {s: {cmd: 'echo ${dd}'}}",
    "a number to go through": "stages: {s: {foreach: '${num}', do: {cmd: x}}}",
    "a key of a list": "stages: {s: {foreach: [a], do: {cmd: 'echo ${key}'}}}",
    "a variable twice": "vars: [{num: 1}]\nstages: {s: {cmd: x}}",
    "a file of variables twice": "vars: [params.yaml, 'params.yaml:num']\nstages: {s: {cmd: x}}",
    "a path as both": "stages: {s: {cmd: x, deps: [o], outs: [o]}}",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_both_refuse(text: str, dvc: str, tmp_path: Path) -> None:
    params = "num: 3.5\nname: b\nd: {b: 1}\ndd: {l: [[1, 2], 3]}\n"
    ours, theirs = twins(tmp_path, dvc, {"dvc.yaml": f"{text}\n", "params.yaml": params})
    assert theirs.dvc("repro", code=None).code != 0
    refused = ours.did("repro", code=1)
    assert "dvc.yaml:" in refused.err or "depends on its own output" in refused.err
    assert "Traceback" not in refused.err
