"""What the tools say of a pipeline is the same: lists of stages, the graph; and `stage add` writes the same file."""

import re
from pathlib import Path

import pytest

from interop.peers import assert_same, make_peer_project, twins
from interop.pipelines import PROJECTS

pytestmark = pytest.mark.interop
STAGES: tuple[tuple[str, ...], ...] = (
    ("-n", "one", "-d", "b.txt", "-d", "a.txt", "-o", "y.txt", "-o", "z", "sh run.sh > y.txt && mkdir -p z"),
    ("-n", "two", "-p", "lr,train.opt", "-p", "conf.json:b,a", "-p", "all.toml:", "-d", "y.txt", "-O", "n", "echo 2"),
    ("-n", "three", "-m", "m.json", "-M", "n.json", "--plots", "p.csv", "--plots-no-cache", "q.csv", "echo 'a: b' #"),
    ("-n", "four", "-w", "sub", "--outs-persist", "k", "--outs-persist-no-cache", "l", "--desc", "what: it is", "true"),
    ("-n", "five", "--always-changed", "-d", "é x.txt", "echo"),
)


@pytest.mark.parametrize("name", ["templates", "graph"])
def test_lists_and_graphs(name: str, dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, PROJECTS[name])
    listed = [
        project.did("stage", "list", "--all", "--name-only").out,
        project.dvc("stage", "list", "--all", "--name-only").out,
    ]
    assert sorted(listed[0].splitlines()) == sorted(listed[1].splitlines())
    for option in ("--dot", "--mermaid"):
        ob, dvc_says = project.did("dag", option).out, project.dvc("dag", option).out
        assert nodes_and_edges(ob, option) == nodes_and_edges(dvc_says, option)


def nodes_and_edges(text: str, option: str) -> tuple[set[str], set[tuple[str, ...]]]:
    if option == "--dot":
        lines = [re.findall(r'"([^"]*)"', line) for line in text.splitlines()]
        edges = {tuple(line) for line in lines if len(line) == 2}
        return {name for line in lines for name in line}, edges
    names = dict(re.findall(r'^\s*(\w+)\["([^"]*)"\]', text, re.MULTILINE))
    found = re.findall(r"^\s*(\w+)\s*-->\s*(\w+)", text, re.MULTILINE)
    return set(names.values()), {(names[a], names[b]) for a, b in found}


def test_stage_add_writes_the_same(dvc: str, tmp_path: Path) -> None:
    begun = "# a comment stays\nstages:\n  old:\n    cmd: echo old   # here too\n    outs: [o]\n"
    ours, theirs = twins(tmp_path, dvc, {"dvc.yaml": begun, "sub/keep": ""})
    for words in STAGES:
        ours.did("stage", "add", *words)
        theirs.dvc("stage", "add", *words)
    assert_same(ours, theirs)
    again = ("-n", "one", "-f", "-d", "b.txt", "-o", "w", "echo again")
    ours.did("stage", "add", *again)
    theirs.dvc("stage", "add", *again)
    assert_same(ours, theirs)
