"""Data under version control: .dvc files, cache objects, links and states are the same, whoever made them."""

import os
from pathlib import Path

import pytest

from interop.peers import PeerProject, assert_same, differences, make_peer_project, snapshot, twins

pytestmark = pytest.mark.interop
FILES = {
    "one.txt": "one\n",
    "tool.sh": "#!/bin/sh\n",
    "empty": "",
    "set/a": "a\n",
    "set/sub/é": "b\n",
    "set/sub/again": "a\n",
    "set/skipped.tmp": "not data\n",
    "deep/er/we ird [1] #!.bin": "\0binary\r\n",
    "deep/other.txt": "a\r\nb\r\n",
    "tracked.txt": "kept by git\n",
}
TARGETS = ("one.txt", "tool.sh", "empty", "set", "deep/er/we ird [1] #!.bin")


def data_twins(tmp_path: Path, dvc: str, *, config: str = "") -> tuple[PeerProject, PeerProject]:
    base = {".dvcignore": "*.tmp\n", "tracked.txt": FILES["tracked.txt"]}
    ours, theirs = twins(tmp_path, dvc, base, config=config)
    for project in (ours, theirs):
        for path, text in FILES.items():
            project.write(path, text)
        (project.root / "tool.sh").chmod(0o755)
        (project.root / "set/none").mkdir()
    return ours, theirs


def statuses(project: PeerProject) -> tuple[object, object]:
    return project.did("status", "--json").json, project.dvc("status", "--json").json


def assert_status(project: PeerProject, expected: object) -> None:
    ob, dvc = statuses(project)
    assert ob == dvc == expected


def test_added_data_is_the_same(dvc: str, tmp_path: Path) -> None:
    ours, theirs = data_twins(tmp_path, dvc)
    ours.did("add", *TARGETS)
    theirs.dvc("add", *TARGETS)
    ours.did("add", "other.txt", cwd="deep")
    theirs.dvc("add", "other.txt", cwd="deep")
    assert_same(ours, theirs)
    for project in (ours, theirs):
        assert_status(project, {})
        project.commit("data")
        project.write("one.txt", "changed\n")
        project.write("set/new", "n\n")
        (project.root / "empty").unlink()
        os.unlink(project.root / "set/a")
        project.write("deep/other.txt", "a\nb\r\n")
    expected = {
        "one.txt.dvc": [{"changed outs": {"one.txt": "modified"}}],
        "empty.dvc": [{"changed outs": {"empty": "deleted"}}],
        "set.dvc": [{"changed outs": {"set": "modified"}}],
    }
    found = ours.did("status", "--json").json
    assert found.pop("deep/other.txt.dvc")
    assert found == expected
    ours.dvc("add", "one.txt", "deep/other.txt")
    theirs.did("add", "one.txt", "deep/other.txt")
    assert_same(ours, theirs)
    ours.did("add", "set/new")
    theirs.dvc("add", "set/new")
    assert_same(ours, theirs)
    ours.did("commit", "-f", "set.dvc")
    theirs.dvc("commit", "-f", "set.dvc")
    assert_same(ours, theirs)
    assert_status(theirs, {"empty.dvc": [{"changed outs": {"empty": "deleted"}}]})


def test_states_are_told_as_seen_from_the_current_directory(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, {"deep/x.txt.dvc": "outs:\n- path: x.txt\n", "deep/er/keep": ""})
    for cwd in ("", "deep", "deep/er"):
        ob, theirs = project.did("status", "--json", cwd=cwd), project.dvc("status", "--json", cwd=cwd)
        assert ob.json == theirs.json


def test_both_check_out_what_the_other_added(dvc: str, tmp_path: Path) -> None:
    ours, theirs = data_twins(tmp_path, dvc)
    ours.did("add", *TARGETS)
    theirs.dvc("add", *TARGETS)
    for project in (ours, theirs):
        project.commit("first")
        project.write("set/later", "l\n")
        project.write("one.txt", "two\n")
        os.unlink(project.root / "set/a")
    ours.did("add", "set", "one.txt")
    theirs.dvc("add", "set", "one.txt")
    for project in (ours, theirs):
        project.commit("second")
        project.git("checkout", "-q", "HEAD~1")
        os.unlink(project.root / "tool.sh")
    ours.dvc("checkout")
    theirs.did("checkout")
    assert_same(ours, theirs)
    assert ours.read("one.txt") == "one\n"
    for project in (ours, theirs):
        project.git("checkout", "-q", "main")
        project.write("set/unsaved", "u\n")
    ours.dvc("checkout", code=255)
    assert theirs.ob("checkout").code == 1
    for project in (ours, theirs):
        assert project.read("set/unsaved") == "u\n"
    ours.dvc("checkout", "--force")
    theirs.did("checkout", "--force")
    assert_same(ours, theirs)
    assert ours.read("one.txt") == "two\n"
    assert_status(theirs, {})


@pytest.mark.parametrize("kind", ["hardlink", "symlink", "copy"])
def test_links_of_one_are_data_for_the_other(kind: str, dvc: str, tmp_path: Path) -> None:
    ours, theirs = data_twins(tmp_path, dvc, config=f"[cache]\n    type = {kind}\n")
    ours.did("add", *TARGETS)
    theirs.dvc("add", *TARGETS)
    for project in (ours, theirs):
        made = snapshot(project)
        assert project.did("status", "--json").json == {}
        changed = differences(snapshot(project), made)
        assert not changed, changed
        assert project.dvc("status", "--json").json == {}
        assert links(project) == links(ours)
    ours.dvc("checkout", "--relink")
    theirs.did("checkout", "--relink")
    assert links(ours) == links(theirs)
    for project in (ours, theirs):
        assert_status(project, {})


def links(project: PeerProject) -> dict[str, tuple[bool, int]]:
    """How the data is linked; but for executable and empty files, which we copy and DVC links sometimes."""
    return {
        target: (os.path.islink(project.root / target), os.stat(project.root / target, follow_symlinks=False).st_nlink)
        for target in ("one.txt", "set/a", "set/sub/é")
    }


def test_old_entries_stay_as_they_are(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, {".gitignore": "/w.txt\n"})
    project.write("w.txt", b"a\r\nb\r\n")
    project.write("w.txt.dvc", "outs:\n- md5: dd8c6a395b5dd36c56d23275028f526c\n  size: 6\n  path: w.txt\n")
    project.write(".dvc/cache/dd/8c6a395b5dd36c56d23275028f526c", b"a\r\nb\r\n").chmod(0o444)
    assert_status(project, {})
    other = project.copy(tmp_path / "q")
    project.did("add", "w.txt")
    other.dvc("add", "w.txt")
    assert_same(project, other)
    for one in (project, other):
        os.unlink(one.root / "w.txt")
    project.dvc("checkout")
    other.did("checkout")
    assert_same(project, other)
