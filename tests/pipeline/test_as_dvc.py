"""Details of status, records and keys in which we once differed from DVC 3.67.1 (tests/interop compares with it)."""

from pathlib import Path

import pytest

from offbranch.base.paths import RepoPath
from offbranch.pipeline.facts import Facts
from offbranch.pipeline.lockfile import canonical_json
from offbranch.pipeline.stage import Dependency, LockedItem, LockedStage, Output, ParamsDependency, Stage
from offbranch.pipeline.status import ChangeKind, examine, param_values
from projects import make_project

NOTHING = Facts(contents={}, params={}, is_cached=lambda id: False, legacy_md5=lambda key: "")
PIPELINE = "stages:\n  s:\n    cmd: echo s > s\n    params: [params.yaml: ]\n    outs: [s]\n"


def stage(deps: str = "", outs: str = "") -> Stage:
    return Stage(
        name="s",
        file=RepoPath("dvc.yaml"),
        wdir=RepoPath(""),
        command="make",
        deps=tuple(Dependency(written=p, path=RepoPath(p)) for p in deps.split()),
        outs=tuple(Output(written=p, path=RepoPath(p)) for p in outs.split()),
    )


@pytest.mark.parametrize(("deps", "outs", "always"), [("", "", True), ("", "o", False), ("d", "", False)])
def test_only_a_stage_that_reads_and_writes_nothing_always_runs(deps: str, outs: str, always: bool) -> None:
    facts = Facts(
        contents=dict.fromkeys((*deps.split(), *outs.split())),
        params={},
        is_cached=NOTHING.is_cached,
        legacy_md5=NOTHING.legacy_md5,
    )
    assert examine(stage(deps, outs), LockedStage(command="make"), facts).always is always


def test_keys_of_a_whole_parameter_file_are_texts() -> None:
    whole = ParamsDependency(written="p.yaml", path=RepoPath("p.yaml"), keys=())
    assert param_values(whole, {1: "x", "b": {2: "y"}}) == {"1": "x", "b": {2: "y"}}


def test_maps_with_keys_of_several_kinds_have_a_digest() -> None:
    assert canonical_json({"b": [{2: "x", "a": "y"}], "a": 1}) == '{"a": 1, "b": [{"2": "x", "a": "y"}]}'
    assert canonical_json({"b": {10: "x", 9: "y"}}) == '{"b": {"9": "y", "10": "x"}}'


def test_number_keys_run_and_are_up_to_date(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"dvc.yaml": PIPELINE, "params.yaml": "1: x\nb: {2: y, c: z}\n"})
    done = project.ob("repro")
    assert done.code == 0, done.err
    assert "'1': x" in project.read("dvc.lock")
    assert project.ob("status", "--json").json == {}


def test_a_missing_file_of_dvc_2_is_deleted_not_lost() -> None:
    locked = LockedStage(outs=(LockedItem(written="o", md5="a" * 32, hash_name=None),))
    data = Stage(name=None, file=RepoPath("o.dvc"), wdir=RepoPath(""), outs=(Output(written="o", path=RepoPath("o")),))
    facts = Facts(contents={"o": None}, params={}, is_cached=NOTHING.is_cached, legacy_md5=NOTHING.legacy_md5)
    (change,) = examine(data, locked, facts).outs
    assert change.kind is ChangeKind.DELETED


def test_a_file_of_dvc_2_is_known_added_and_checked_out(tmp_path: Path) -> None:
    record = "outs:\n- md5: dd8c6a395b5dd36c56d23275028f526c\n  size: 6\n  path: w.txt\n"
    project = make_project(tmp_path / "p", {".gitignore": "/w.txt\n", "w.txt.dvc": record})
    project.write("w.txt", b"a\r\nb\r\n")
    project.write(".dvc/cache/dd/8c6a395b5dd36c56d23275028f526c", b"a\r\nb\r\n").chmod(0o444)
    assert project.ob("status", "--json").json == {}
    assert project.ob("add", "w.txt").code == 0
    assert project.read("w.txt.dvc") == record
    assert not project.exists(".dvc/cache/files/md5/59")
    (project.root / "w.txt").unlink()
    done = project.ob("checkout")
    assert done.code == 0, done.err
    assert (project.root / "w.txt").read_bytes() == b"a\r\nb\r\n"
    assert project.ob("checkout").code == 0


def test_commit_keeps_results_for_the_run_cache(tmp_path: Path) -> None:
    pipeline = (
        "stages:\n  s:\n    cmd: echo s > s\n    deps: [in]\n    metrics: [m.json: {cache: false}]\n    outs: [s]\n"
    )
    project = make_project(tmp_path / "p", {"dvc.yaml": pipeline, "in": "1\n", "m.json": "{}"}, committed=False)
    project.write("s", "by hand\n")
    done = project.ob("commit", "-f")
    assert done.code == 0, done.err
    (project.root / "dvc.lock").unlink()
    (project.root / "s").unlink()
    done = project.ob("repro")
    assert done.code == 0, done.err
    assert project.read("s") == "by hand\n"
