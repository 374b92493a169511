"""What a target given on the command line leads to."""

import pytest

from contracts.memory import MemoryReader
from offbranch.base.errors import BadInputError, NotFoundError
from offbranch.base.paths import RepoPath
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.targets import resolve_targets

FILES = {
    "dvc.yaml": """\
stages:
  prepare: {cmd: x, outs: [data/prepared]}
  train: {cmd: x, outs: [model.pkl, {m.json: {cache: false}}]}
  fe: {foreach: [a, b], do: {cmd: x, outs: ['fe-${item}']}}
  broken: {cmd: '${nope}'}
  some: {foreach: [{x: 1}, {y: 2}], do: {cmd: 'x ${item.x}'}}
  brokengroup: {foreach: '${nope}', do: {cmd: x}}
""",
    "sub/dvc.yaml": "stages: {train: {cmd: x, outs: [out]}, only-here: {cmd: y}}",
    "sub/deep/dvc.yaml": "stages: {last: {cmd: x}}",
    "raw.csv.dvc": "outs: [{path: raw.csv}]",
    "sub/images.dvc": "outs: [{path: images}]",
    "bad/dvc.yaml": "stages: [",
}
PIPELINES = load_pipelines(
    MemoryReader({path: text.encode() for path, text in FILES.items()}), ignores=lambda path, is_dir: False
)


def resolve(*targets: str, cwd: str = "", glob: bool = False, recursive: bool = False) -> list[tuple[str, str | None]]:
    found = resolve_targets(PIPELINES, targets, cwd=RepoPath(cwd), glob=glob, recursive=recursive)
    return [(target.stage.address, target.path) for target in found]


@pytest.mark.parametrize(
    ("target", "cwd", "expected"),
    [
        ("train", "", [("train", None)]),
        ("train", "sub", [("sub/dvc.yaml:train", None)]),
        ("dvc.yaml:train", "", [("train", None)]),
        (":train", "", [("train", None)]),
        ("sub/dvc.yaml:train", "", [("sub/dvc.yaml:train", None)]),
        ("../dvc.yaml:train", "sub", [("train", None)]),
        ("sub/dvc.yaml", "", [("sub/dvc.yaml:train", None), ("sub/dvc.yaml:only-here", None)]),
        ("dvc.yaml", "sub/deep", [("sub/deep/dvc.yaml:last", None)]),
        ("fe", "", [("fe@a", None), ("fe@b", None)]),
        ("fe@b", "", [("fe@b", None)]),
        ("dvc.yaml:fe", "", [("fe@a", None), ("fe@b", None)]),
        ("raw.csv.dvc", "", [("raw.csv.dvc", None)]),
        ("./raw.csv.dvc", "", [("raw.csv.dvc", None)]),
        ("../raw.csv.dvc", "sub", [("raw.csv.dvc", None)]),
        ("raw.csv", "", [("raw.csv.dvc", "raw.csv")]),
        ("images", "sub", [("sub/images.dvc", "sub/images")]),
        ("sub/images/cats/1.png", "", [("sub/images.dvc", "sub/images/cats/1.png")]),
        ("images/cats/", "sub", [("sub/images.dvc", "sub/images/cats")]),
        ("model.pkl", "", [("train", "model.pkl")]),
        ("data/prepared", "", [("prepare", "data/prepared")]),
    ],
)
def test_targets(target: str, cwd: str, expected: list[tuple[str, str | None]]) -> None:
    assert resolve(target, cwd=cwd) == expected


def test_each_once_in_the_order_asked_for() -> None:
    assert resolve("fe@b", "fe", "train", "dvc.yaml:train") == [("fe@b", None), ("fe@a", None), ("train", None)]


def test_glob() -> None:
    assert resolve("fe@*", "tr*", glob=True) == [("fe@a", None), ("fe@b", None), ("train", None)]
    assert resolve("sub/dvc.yaml:*-here", glob=True) == [("sub/dvc.yaml:only-here", None)]
    with pytest.raises(NotFoundError):
        resolve("fe@*")


def test_recursive() -> None:
    assert resolve("sub", recursive=True) == [
        ("sub/dvc.yaml:train", None),
        ("sub/dvc.yaml:only-here", None),
        ("sub/images.dvc", None),
        ("sub/deep/dvc.yaml:last", None),
    ]
    assert resolve(".", cwd="sub/deep", recursive=True) == [("sub/deep/dvc.yaml:last", None)]
    assert resolve("train", recursive=True) == [("train", None)]


@pytest.mark.parametrize(
    ("target", "cwd", "word", "hint"),
    [
        ("trains", "", "'trains' is neither a stage in 'dvc.yaml' nor an output", "'train'"),
        ("modle.pkl", "", "neither", "'model.pkl'"),
        ("only-here", "", "neither", "sub/dvc.yaml:only-here"),
        ("prepare", "sub", "neither", "another directory"),
        ("dvc.yaml:tran", "", "no stage 'tran' in 'dvc.yaml'", "'train'"),
        ("no/dvc.yaml:train", "", "no stage is defined in 'no/dvc.yaml'", "stage list"),
        ("no/dvc.yaml", "", "'no/dvc.yaml' does not exist", ""),
        ("rwa.csv.dvc", "", "'rwa.csv.dvc' does not exist", "'raw.csv.dvc'"),
        ("images.dvc", "", "does not exist", ""),
        ("../../x", "sub", "neither", ""),
    ],
)
def test_unknown(target: str, cwd: str, word: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(target, cwd=cwd)
    assert word in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "target",
    ["broken", "dvc.yaml:broken", "brokengroup", "brokengroup@a", "some", "dvc.yaml", "bad/dvc.yaml", "bad/dvc.yaml:x"],
)
def test_a_broken_target_tells_why(target: str) -> None:
    with pytest.raises(BadInputError):
        resolve(target)


def test_what_is_not_broken_can_be_had() -> None:
    assert resolve("some@0") == [("some@0", None)]
    assert resolve("raw.csv", "train") == [("raw.csv.dvc", "raw.csv"), ("train", None)]
