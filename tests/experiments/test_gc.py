"""`ob gc` in real projects: which revisions keep their data, what is protected, and when it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from offbranch.api.care import gc
from offbranch.base.errors import LockedError, MissingDataError, OffbranchError, UsageError
from offbranch.experiments.kept import GcScope
from projects import Recorder, TestProject, make_project

WORKSPACE = GcScope(workspace=True)


def objects(project: TestProject) -> set[str]:
    """The contents of all file objects, and `dir` for each list."""
    top = project.root / ".dvc/cache"
    found = set()
    for path in (*top.glob("files/md5/??/*"), *top.glob("??/*")):
        found.add("dir" if path.suffix == ".dir" else path.read_text().strip())
    return found


def add(project: TestProject, path: str, text: str) -> None:
    target = project.root / path
    target.unlink(missing_ok=True)
    project.write(path, text)
    done = project.ob("add", path.split("/")[0])
    assert done.code == 0, done.err


def make_data(tmp_path: Path) -> TestProject:
    """A project whose history has: v1 (tag old), v2, branch side, v3 (HEAD), and v4 in the workspace."""
    project = make_project(tmp_path / "p", {"readme": "x"})
    for version in ("v1", "v2", "v3"):
        add(project, "f", version)
        project.commit(version)
        if version == "v1":
            project.git("tag", "old")
        if version == "v2":
            project.git("checkout", "-q", "-b", "side")
            add(project, "f", "side")
            project.commit("side")
            project.git("checkout", "-q", "main")
            project.ob("checkout")
    add(project, "f", "v4")
    return project


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (GcScope(workspace=True), {"v4", "v3"}),
        (GcScope(all_branches=True), {"v4", "v3", "side"}),
        (GcScope(all_branches=True, num=2), {"v4", "v3", "v2", "side"}),
        (GcScope(all_tags=True), {"v4", "v3", "v1"}),
        (GcScope(all_commits=True), {"v4", "v3", "v2", "v1", "side"}),
        (GcScope(revs=("HEAD~1",)), {"v4", "v3", "v2"}),
        (GcScope(revs=("HEAD",), num=3), {"v4", "v3", "v2", "v1"}),
        (GcScope(revs=("side",), num=-1), {"v4", "v3", "v2", "v1", "side"}),
        (GcScope(since="2000-01-01"), {"v4", "v3", "v2", "v1", "side"}),
        (GcScope(since="2100-01-01"), {"v4", "v3"}),
    ],
)
def test_scopes(tmp_path: Path, scope: GcScope, kept: set[str]) -> None:
    project = make_data(tmp_path)
    before = objects(project)
    dry = gc(scope, project.session(), dry=True)
    assert objects(project) == before
    done = gc(scope, project.session())
    assert objects(project) == kept
    assert done is not None and dry is not None and done.n_objects == dry.n_objects == len(before - kept)
    assert project.ob("status").out == "Data and pipelines are up to date.\n"
    again = gc(scope, project.session())
    assert again is not None and again.is_empty


def test_says_what_it_needs(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    session = project.session()
    for scope, text in (
        (GcScope(), "needs to be told what to keep"),
        (GcScope(workspace=True, num=2), "-n counts back"),
        (GcScope(workspace=True, cloud=True, not_in_remote=True), "exclude each other"),
        (GcScope(since="31.1.2026"), "not a day"),
    ):
        with pytest.raises(UsageError, match=text):
            gc(scope, session)
    with pytest.raises(OffbranchError, match="'nope' is neither"):
        gc(GcScope(revs=("nope",)), session)


def test_asks_or_refuses(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    before = objects(project)
    refused = project.ob("gc", "-w")
    assert refused.code == 1 and "no terminal" in refused.err and "Would remove 3 objects" in refused.err
    assert gc(WORKSPACE, project.session(), confirm=lambda plan: False) is None
    assert objects(project) == before
    dry = project.ob("gc", "-w", "--dry", "--json")
    assert len(dry.json["removed"][0]["objects"]) == 3 and dry.json["dry"] is True
    done = project.ob("gc", "-w", "-f")
    assert done.code == 0 and "Removed 3 objects from repo cache.\n" in done.out
    assert project.ob("gc", "-w").out == "No unused 'repo' cache to remove.\nNo unused 'legacy' cache to remove.\n"


def test_a_directory_keeps_its_files(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"readme": "x"})
    project.write("d/a", "one")
    add(project, "d/b", "two")
    project.commit("1")
    (project.root / "d/b").unlink()
    add(project, "d/c", "three")
    project.commit("2")
    done = gc(WORKSPACE, project.session())
    assert objects(project) == {"one", "three", "dir"}
    assert done is not None and len(done.parts[0].plan.directories) == 1


def test_protects_what_nobody_else_has(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"readme": "x"})
    add(project, "f", "head")
    project.commit("1")
    add(project, "f", "stashed")
    project.git("stash", "-q")
    add(project, "f", "queued")
    commit = project.git("stash", "create")
    project.git("update-ref", "--create-reflog", "-m", "older", "refs/exps/celery/stash", commit)
    add(project, "f", "newer")
    project.git(
        "update-ref", "--create-reflog", "-m", "newer", "refs/exps/celery/stash", project.git("stash", "create")
    )
    add(project, "f", "failed")
    project.git("update-ref", "--create-reflog", "-m", "x", "refs/exps/celery/failed", project.git("stash", "create"))
    add(project, "f", "applied")
    project.git("update-ref", "refs/exps/apply/stash", project.git("stash", "create"))
    add(project, "f", "attempt")
    project.git("update-ref", "refs/ob/attempts/abc", project.git("stash", "create"))
    add(project, "f", "staged")
    project.git("add", "f.dvc")
    add(project, "f", "nobody")
    add(project, "f", "workspace")
    everything = objects(project)
    gc(WORKSPACE, project.session())
    assert everything - objects(project) == {"nobody"}
    assert project.git("diff", "--cached", "--name-only") == "f.dvc"  # the index is as it was


def test_a_conflict_in_the_index(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    project.git("checkout", "-q", "-f", "main")
    subprocess.run(["git", "merge", "side"], cwd=project.root, capture_output=True, check=False)
    assert "UU f.dvc" in project.git("status", "--short")
    project.write("f.dvc", project.file_at("HEAD", "f.dvc"))
    gc(WORKSPACE, project.session())
    assert objects(project) == {"v3"}
    assert "UU f.dvc" in project.git("status", "--short")


def test_experiments_only_if_asked(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    assert project.ob("repro").code == 0
    project.commit("locked")
    for name in ("a", "b"):
        assert project.ob("exp", "run", "-n", name, "-S", f"lr={ord(name)}").code == 0
    project.git("checkout", "-q", "-f", ".")
    project.ob("checkout")
    kept = gc(GcScope(all_experiments=True), project.session())
    assert kept is not None and {"model 97", "model 98"} <= objects(project) and kept.losing == ()
    done = gc(WORKSPACE, project.session())
    assert done is not None and done.losing == ("a", "b")
    assert not {"model 97", "model 98"} & objects(project)
    said = project.ob("gc", "-w", "--dry").err
    assert "lose" not in said  # nothing more to lose


def test_a_failed_attempt_keeps_its_data(tmp_path: Path) -> None:
    stages = (
        "stages:\n"
        "  one:\n    cmd: cat params.yaml > one.txt\n    deps: [params.yaml]\n    outs: [one.txt]\n"
        "  two:\n    cmd: exit 3\n    deps: [one.txt]\n    outs: [two.txt]\n"
    )
    project = make_project(tmp_path / "p", {"params.yaml": "lr: 1\n", "dvc.yaml": stages})
    assert project.ob("exp", "run", "-S", "lr=5").code == 1
    assert "lr: 5" in objects(project)
    gc(WORKSPACE, project.session())
    assert "lr: 5" in objects(project)


def test_a_broken_revision_stops_it(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    project.write("dvc.yaml", "stages: [\n")
    project.commit("broken")
    project.git("rm", "-q", "dvc.yaml")
    project.commit("mended")
    before = objects(project)
    with pytest.raises(OffbranchError, match=r"nothing was removed: what commit \w+ uses is not known: .*dvc.yaml"):
        gc(GcScope(all_commits=True), project.session())
    assert objects(project) == before
    recorder = Recorder()
    done = gc(GcScope(all_commits=True, skip_failed=True), project.session(recorder))
    assert done is not None and len(done.skipped) == 1 and recorder.events
    assert objects(project) == before


def test_a_directory_without_its_list_stops_it(tmp_path: Path) -> None:
    project = make_project(
        tmp_path / "p", {"readme": "x"}, config="[core]\nremote = r\n['remote \"r\"']\nurl = ../../r\n"
    )
    project.write("d/a", "one")
    add(project, "d/b", "two")
    project.commit("1")
    project.ob("push")
    (list_path,) = (project.root / ".dvc/cache").glob("files/md5/??/*.dir")
    list_path.unlink()
    gc(WORKSPACE, project.session())  # the data remote has the list
    assert objects(project) == {"one", "two"}
    shutil.rmtree(tmp_path / "r")
    with pytest.raises(MissingDataError, match="the list of the directory 'd'"):
        gc(WORKSPACE, project.session())
    assert objects(project) == {"one", "two"}
    gc(GcScope(workspace=True, skip_failed=True), project.session())
    assert objects(project) == set()


def test_the_data_remote(tmp_path: Path) -> None:
    config = "[core]\nremote = r\n['remote \"r\"']\nurl = ../../r\n"
    project = make_project(tmp_path / "p", {"readme": "x"}, config=config)
    project.write("d/a", "one")
    add(project, "d/b", "two")
    project.ob("push")
    (project.root / "d/b").unlink()
    add(project, "d/c", "three")
    project.commit("2")
    project.ob("push")
    remote = tmp_path / "r/files/md5"
    assert len(list(remote.glob("??/*"))) == 5
    done = gc(GcScope(workspace=True, cloud=True), project.session())
    assert done is not None and len(list(remote.glob("??/*"))) == 3
    assert objects(project) == {"one", "three", "dir"}
    add(project, "f", "new")
    lacking = project.ob("gc", "-w", "--not-in-remote", "-f")
    assert lacking.code == 0 and objects(project) == {"new"}
    assert project.ob("fetch").code == 0 and objects(project) == {"new", "one", "three", "dir"}
    shutil.rmtree(remote / next(path.parent.name for path in remote.glob("??/*") if path.suffix != ".dir"))
    gc(GcScope(workspace=True, not_in_remote=True), project.session())
    assert objects(project) == {
        "new",
        "one",
        "three",
        "dir",
    }  # a directory of which a part is missing there stays whole


def test_a_shared_cache(tmp_path: Path) -> None:
    config = f"[cache]\ndir = {tmp_path / 'shared'}\n"
    one = make_project(tmp_path / "one", {"readme": "x"}, config=config)
    two = make_project(tmp_path / "two", {"readme": "x"}, config=config)
    add(one, "f", "of one")
    add(two, "f", "of two")
    add(two, "g", "more of two")
    shared = list((tmp_path / "shared").glob("files/md5/??/*"))
    recorder = Recorder()
    gc(GcScope(workspace=True, projects=("../two", "../two", ".")), one.session(recorder))
    assert len(list((tmp_path / "shared").glob("files/md5/??/*"))) == len(shared) == 3
    assert recorder.events == []
    assert "lies outside of the project" in one.ob("gc", "-w", "--dry").err
    assert "Would remove 2 objects" in one.ob("gc", "-w", "--dry").out
    outsider = one.ob("gc", "-w", "-f", "-p", "../nothing")
    assert outsider.code == 10 and "nothing" in outsider.err


def test_never_while_something_runs(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    before = objects(project)
    alive = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", "dvc"], stdin=subprocess.PIPE)
    try:
        run = "0" * 40
        signs = {
            f".dvc/tmp/exps/run/{run}/{run}.json": json.dumps({"pid": alive.pid, "returncode": None}),
            ".dvc/tmp/exps/celery/dvc-exp-worker-1.pid": str(alive.pid),
            ".dvc/tmp/rwlock": json.dumps({"write": {"/p": {"pid": alive.pid, "cmd": "dvc repro"}}}),
            ".dvc/tmp/exps/rwlock": json.dumps({"read": {"/p": [{"pid": alive.pid, "cmd": "dvc exp run"}]}}),
        }
        for path, text in signs.items():
            project.write(path, text)
            with pytest.raises(LockedError, match="is in use"):
                gc(WORKSPACE, project.session())
            (project.root / path).unlink()
        assert objects(project) == before
        project.write(".dvc/tmp/rwlock", json.dumps({"write": {"/p": {"pid": 99999999, "cmd": "dvc repro"}}}))
        gc(WORKSPACE, project.session())
    finally:
        alive.communicate()
    assert objects(project) == {"v3", "v4"}


def test_not_inside_of_a_stage(tmp_path: Path) -> None:
    command = f"{sys.executable} -m offbranch gc -w -f; echo $? > code.txt"
    stages = f"stages:\n  s:\n    cmd: {command}\n    outs: [code.txt]\n"
    project = make_project(tmp_path / "p", {"dvc.yaml": stages})
    project.ob("repro")
    assert project.read("code.txt") == "2\n"


def test_leftovers_of_dvc_are_kept(tmp_path: Path) -> None:
    """The working copy of a task whose process died may hold the only record of what it made."""
    project = make_data(tmp_path)
    copy = project.root / ".dvc/tmp/exps/tmpabcdef"
    shutil.copytree(project.root, copy, ignore=shutil.ignore_patterns("tmp", "cache", ".git"))
    lost = project.read("f.dvc")
    add(project, "f", "v5")
    gc(WORKSPACE, project.session())
    assert "v4" in objects(project) and (copy / "f.dvc").read_text() == lost


def test_without_git(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"readme": "x"}, config="[core]\nno_scm = true\n", committed=False)
    add(project, "f", "1")
    add(project, "f", "2")
    assert project.ob("gc", "-A", "-f").code == 10
    gc(WORKSPACE, project.session())
    assert objects(project) == {"2"}


def test_unfinished_and_set_aside_files_go(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    old = project.write(".dvc/cache/files/md5/.ob-tmp-99999999-aa", "half")
    young = project.write(".dvc/cache/files/md5/.ob-tmp-99999999-bb", "half")
    os.utime(old, (1, 1))
    aside = project.write(".dvc/cache/corrupt/x-1", "edited")
    done = project.ob("gc", "-A", "-f")
    assert "Removed 1 unfinished file." in done.out
    assert not old.exists() and young.exists() and aside.exists()


def test_objects_of_dvc_2(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"readme": "x"})
    used = project.write(".dvc/cache/dd/8c6a395b5dd36c56d23275028f526c", "a\r\nb\r\n")
    unused = project.write(".dvc/cache/ab/" + "0" * 30, "x")
    project.write("w.txt.dvc", "outs:\n- md5: dd8c6a395b5dd36c56d23275028f526c\n  size: 6\n  path: w.txt\n")
    done = project.ob("gc", "-w", "-f")
    assert used.exists() and not unused.exists()
    assert "Removed 1 object from legacy cache." in done.out
