"""What stages say they need is the user's own to DVC: it reads and runs the same pipeline, and both leave the same."""

from pathlib import Path

import pytest

from interop.peers import make_peer_project

pytestmark = pytest.mark.interop
PIPELINE = """\
vars:
- n: 1
stages:
  train:
    cmd: echo $CUDA_VISIBLE_DEVICES > model.txt
    params: [lr]
    outs: [model.txt]
    meta:
      resources: {gpus: '${n}', cpus: 1, memory: 1G, instance: p4d.24xlarge}
  each:
    foreach: [a, b]
    do:
      cmd: echo ${item} > ${item}.txt
      outs: ['${item}.txt']
      meta: {resources: 'cpus=1'}
"""


def test_dvc_runs_a_pipeline_with_needs(tmp_path: Path, dvc: str) -> None:
    project = make_peer_project(tmp_path / "p", dvc, {"dvc.yaml": PIPELINE, "params.yaml": "lr: 1\n"})
    project.dvc("repro", CUDA_VISIBLE_DEVICES="0")
    assert project.read("model.txt") == "0\n"
    assert project.did("status", "--json").json == {}
    project.commit("done by DVC")
    project.did("exp", "run", "--queue", "-n", "q", "-S", "lr=2")
    project.did("exp", "run", "--run-all", "--gpus", "4-6")
    project.did("exp", "apply", "q")
    project.did("checkout")
    assert project.read("model.txt") == "4\n"
    assert "up to date" in project.dvc("status").out
