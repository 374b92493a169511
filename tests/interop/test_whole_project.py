"""A project as its owner has it: templates, foreach, matrix, data, an import, an S3 remote. Both tools work on it in turns."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.peers import PeerProject, assert_same, make_peer_project, twins
from servers import S3Server, s3_server

pytestmark = pytest.mark.interop
PIPELINE = """\
vars:
- settings.yaml
- names: [a, b]
stages:
  split:
    foreach: ${names}
    do:
      cmd: echo split ${item} >> $RUNS; head -n ${rows} data/all.csv > parts/${item}.csv
      deps:
      - data
      outs:
      - parts/${item}.csv
  train:
    matrix:
      name: ${names}
      model: [cnn, mlp]
    cmd: >-
      echo train ${item.name} ${item.model} >> $RUNS;
      cat parts/${item.name}.csv registry.bin > models/${item.name}-${item.model};
      echo --${opts} >> models/${item.name}-${item.model}
    params:
    - lr
    deps:
    - parts/${item.name}.csv
    - registry.bin
    outs:
    - models/${item.name}-${item.model}
  report:
    cmd:
    - echo report >> $RUNS
    - ls models | wc -l > scores.json
    - cp scores.json curve.csv
    deps:
    - models
    metrics:
    - scores.json:
        cache: false
    plots:
    - curve.csv:
        x: step
metrics:
- scores.json
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "params.yaml": "lr: 0.1  # how fast\nrows: 2\n",
    "settings.yaml": "opts: fast\n",
    "parts/.gitkeep": "",
    "models/.gitkeep": "",
}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def registry(tmp_path: Path, dvc: str) -> PeerProject:
    """Another project, which the data of one file is imported from."""
    made = make_peer_project(tmp_path / "registry", dvc, {})
    made.write("registry.bin", "weights\n")
    made.dvc("add", "registry.bin")
    made.commit("weights")
    return made


def start(project: PeerProject, bucket: str, s3: S3Server) -> None:
    options = "".join(f"    {key} = {value}\n" for key, value in s3.options.items())
    project.write(
        ".dvc/config", f"[core]\n    remote = cloud\n['remote \"cloud\"']\n    url = s3://{bucket}/p\n{options}"
    )
    for n in range(3):
        project.write(f"data/{'all' if n == 0 else f'sub/{n}'}.csv", f"{n}\n" * 3)


def objects(s3: S3Server, bucket: str) -> set[str]:
    _, text = s3.ask("GET", f"/{bucket}?list-type=2", Authorization=S3Server.SIGNED.format("s3"))
    keys = text.decode().split("<Key>")[1:]
    return {key.partition("</Key>")[0] for key in keys}


def test_in_turns(tmp_path: Path, dvc: str, s3: S3Server) -> None:
    registry(tmp_path, dvc)
    ours, theirs = twins(tmp_path, dvc, FILES)
    buckets = {"ob": s3.bucket(), "dvc": s3.bucket()}
    same = ".dvc/config"
    start(ours, buckets["ob"], s3)
    start(theirs, buckets["dvc"], s3)
    ours.did("add", "data")
    theirs.dvc("add", "data")
    ours.did("import", "../registry", "registry.bin")
    theirs.dvc("import", "../registry", "registry.bin")
    ours.did("repro", "-j", "3")
    theirs.dvc("repro")
    assert sorted(ours.runs()) == sorted(theirs.runs())
    assert_same(ours, theirs, but=same)
    for project in (ours, theirs):
        project.commit("one")
    ours.did("push", "--run-cache")
    theirs.dvc("push", "--run-cache")
    assert objects(s3, buckets["ob"]) == objects(s3, buckets["dvc"]) != set()

    # Each goes on where the other has been.
    for project in (ours, theirs):
        project.write("params.yaml", "lr: 0.2  # how fast\nrows: 2\n")
        project.write("data/sub/9.csv", "9\n")
    ours.dvc("add", "data")
    theirs.did("add", "data")
    ours.dvc("repro")
    theirs.did("repro", "-j", "2")
    assert sorted(ours.runs()) == sorted(theirs.runs())
    assert_same(ours, theirs, but=same)
    for project in (ours, theirs):
        assert project.did("status", "--json").json == project.dvc("status", "--json").json == {}
        project.commit("two")
    ours.dvc("push", "--run-cache")
    theirs.did("push", "--run-cache")
    assert objects(s3, buckets["ob"]) == objects(s3, buckets["dvc"])

    # Everything is lost but Git and the remote.
    for project in (ours, theirs):
        shutil.rmtree(project.root / ".dvc/cache")
        shutil.rmtree(project.root / ".dvc/tmp")
        project.git("clean", "-qfdx")
    ours.did("pull", "--run-cache")
    theirs.dvc("pull", "--run-cache")
    assert_same(ours, theirs, but=same)
    ours.dvc("repro")
    theirs.did("repro")
    assert ours.runs() == theirs.runs() == []
    assert ours.git("status", "--short") == theirs.git("status", "--short") == ""
