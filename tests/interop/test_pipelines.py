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
