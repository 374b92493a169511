"""Data remotes: what one tool pushed, the other finds and pulls; the same files lie there, whoever pushed."""

import os
import shutil
from pathlib import Path

import pytest

from interop.peers import PeerProject, assert_same, snapshot, twins
from projects import TestProject

pytestmark = pytest.mark.interop
PIPELINE = """\
stages:
  train:
    cmd:
    - cat data/a in.txt > model.txt && mkdir -p plots && cp in.txt plots/p.csv
    - echo kept > kept.txt && echo side > side.txt
    deps: [data, in.txt]
    outs:
    - model.txt
    - plots
    - kept.txt:
        push: false
    - side.txt:
        remote: other
"""
# Absolute urls: DVC 3.67.1 takes a relative one of another revision as relative to the root of the machine.
CONFIG = """\
[core]
    remote = store
['remote "store"']
    url = {0}-store
['remote "other"']
    url = {0}-other
"""


def remote_twins(tmp_path: Path, dvc: str) -> tuple[PeerProject, PeerProject]:
    """A project with data and outputs in two copies, each with data remotes of its own."""
    ours, theirs = twins(tmp_path, dvc, {"dvc.yaml": PIPELINE, "in.txt": "in\n"})
    for name, project in (("ob", ours), ("dvc", theirs)):
        project.write(".dvc/config", CONFIG.format(tmp_path / name))
        project.write("data/a", "a\n")
        project.write("data/sub/ü", "u\n")
        project.write("data/empty", "")
        project.dvc("add", "data")
        project.dvc("repro")
        project.commit("data")
    return ours, theirs


def files_below(path: Path) -> dict[str, bytes]:
    """Every file but the litter that DVC leaves at a remote."""
    found = (file for file in path.rglob("*") if file.is_file() and file.suffix != ".tmp")
    return {str(file.relative_to(path)): file.read_bytes() for file in found}


def forget(project: TestProject) -> None:
    """Leaves only what Git has."""
    shutil.rmtree(project.root / ".dvc/cache")
    shutil.rmtree(project.root / ".dvc/tmp", ignore_errors=True)
    project.git("clean", "-qfdx")


def test_the_same_is_pushed(dvc: str, tmp_path: Path) -> None:
    ours, theirs = remote_twins(tmp_path, dvc)
    found = ours.did("status", "-c", "--json").json
    assert found.pop("side.txt") == "new"  # DVC looks at one remote only
    assert found == theirs.dvc("status", "-c", "--json").json
    ours.did("push")
    theirs.dvc("push")
    for place in ("store", "other"):
        found = files_below(tmp_path / f"ob-{place}")
        assert found == files_below(tmp_path / f"dvc-{place}")
        assert found
    assert "up to date" in ours.dvc("push").out
    assert theirs.did("push").out == "Everything is up to date.\n"
    for project in (ours, theirs):
        assert project.did("status", "-c", "--json").json == project.dvc("status", "-c", "--json").json == {}
    ours.did("push", "--run-cache")
    theirs.dvc("push", "--run-cache")
    assert files_below(tmp_path / "ob-store") == files_below(tmp_path / "dvc-store")
    assert any(name.startswith("runs/") for name in files_below(tmp_path / "ob-store"))


def test_each_pulls_what_the_other_pushed(dvc: str, tmp_path: Path) -> None:
    ours, theirs = remote_twins(tmp_path, dvc)
    ours.did("push")
    theirs.dvc("push")
    for project in (ours, theirs):
        shutil.move(project.root / "kept.txt", project.root.parent / f"{project.root.name}-kept")
        forget(project)
    ours.dvc("pull", code=None)  # kept.txt was pushed by nobody
    theirs.ob("pull")
    for project in (ours, theirs):
        assert project.read("model.txt") == "a\nin\n"
        assert project.read("side.txt") == "side\n"
        assert project.read("data/sub/ü") == "u\n"
        shutil.rmtree(project.root / ".dvc/tmp", ignore_errors=True)
    assert_same(ours, theirs, but=".dvc/config")


@pytest.mark.parametrize("flag", ["-a", "-T", "-A"])
def test_data_of_other_revisions(flag: str, dvc: str, tmp_path: Path) -> None:
    ours, theirs = remote_twins(tmp_path, dvc)
    for project in (ours, theirs):
        project.git("checkout", "-qb", "side")
        project.write("data/side", "s\n")
        project.dvc("add", "data")
        project.commit("side")
        project.git("tag", "v1")
        project.write("data/later", "l\n")
        project.dvc("add", "data")
        project.commit("later")
        project.git("checkout", "-q", "main")
        project.dvc("checkout")
    ours.did("push", flag)
    theirs.dvc("push", flag)
    assert files_below(tmp_path / "ob-store") == files_below(tmp_path / "dvc-store")
    for project in (ours, theirs):
        shutil.rmtree(project.root / ".dvc/cache")
    ours.dvc("fetch", flag, code=None)
    theirs.ob("fetch", flag)
    assert snapshot(ours, ".dvc/cache") == snapshot(theirs, ".dvc/cache")


def test_parts_of_directories(dvc: str, tmp_path: Path) -> None:
    ours, theirs = remote_twins(tmp_path, dvc)
    ours.did("push")
    theirs.dvc("push")
    for project in (ours, theirs):
        forget(project)
    ours.did("fetch", "data/sub", "model.txt")
    theirs.dvc("fetch", "data/sub", "model.txt")
    assert snapshot(ours, ".dvc/cache") == snapshot(theirs, ".dvc/cache")


def test_objects_of_dvc_2(dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, {".gitignore": "/w.txt\n"})
    for name, project in (("ob", ours), ("dvc", theirs)):
        project.write(".dvc/config", CONFIG.format(tmp_path / name))
        project.write("w.txt", b"a\r\nb\r\n")
        project.write("w.txt.dvc", "outs:\n- md5: dd8c6a395b5dd36c56d23275028f526c\n  size: 6\n  path: w.txt\n")
        project.write(".dvc/cache/dd/8c6a395b5dd36c56d23275028f526c", b"a\r\nb\r\n").chmod(0o444)
    ours.did("push")
    theirs.dvc("push")
    found = files_below(tmp_path / "ob-store")
    assert found == files_below(tmp_path / "dvc-store")
    assert list(found) == ["dd/8c6a395b5dd36c56d23275028f526c"]
    for project in (ours, theirs):
        shutil.rmtree(project.root / ".dvc/cache")
        os.unlink(project.root / "w.txt")
    ours.dvc("pull")
    theirs.did("pull")
    assert theirs.read("w.txt") == ours.read("w.txt")


def test_data_of_a_revision_goes_where_its_own_configuration_says(dvc: str, tmp_path: Path) -> None:
    ours, theirs = remote_twins(tmp_path, dvc)
    for name, project in (("ob", ours), ("dvc", theirs)):
        project.git("checkout", "-qb", "moved")
        project.write(".dvc/config", CONFIG.format(tmp_path / name).replace("-store", "-moved"))
        project.write("data/moved", "m\n")
        project.dvc("add", "data")
        project.commit("moved")
        project.git("checkout", "-q", "main")
        project.dvc("checkout")
    ours.did("push", "-a")
    theirs.dvc("push", "-a")
    for place in ("store", "moved"):
        assert files_below(tmp_path / f"ob-{place}") == files_below(tmp_path / f"dvc-{place}")


def test_data_straight_to_the_remote(dvc: str, tmp_path: Path) -> None:
    ours, theirs = remote_twins(tmp_path, dvc)
    source = tmp_path / "huge"
    (source / "s").mkdir(parents=True)
    (source / "x").write_text("1")
    (source / "s/y").write_text("2")
    ours.did("add", "--to-remote", str(source), "-o", "huge")
    theirs.dvc("add", "--to-remote", str(source), "-o", "huge")
    assert ours.read("huge.dvc") == theirs.read("huge.dvc")
    assert files_below(tmp_path / "ob-store") == files_below(tmp_path / "dvc-store")
    assert not ours.exists("huge")
    ours.dvc("pull", "huge")
    theirs.did("pull", "huge")
    assert ours.read("huge/s/y") == theirs.read("huge/s/y") == "2"
