"""`push`, `fetch`, `pull`, `status -c` as a user sees them, on a data remote that is a directory."""

import os
import shutil
from pathlib import Path

import pytest

from projects import TestProject, make_project

CONFIG = """\
[core]
    remote = store
['remote "store"']
    url = ../../store
['remote "backup"']
    url = ../../backup
"""

PIPELINE = """\
stages:
  t:
    cmd: echo 1 > m.json; echo 2 > o; seq 9 > p.csv
    outs: [o]
    metrics: [m.json]
    plots: [p.csv]
"""


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    """A project with data that no remote has."""
    made = make_project(tmp_path / "p", {}, config=CONFIG)
    made.write("data/a.txt", "a\n")
    made.write("data/sub/b.txt", "b\n")
    made.write("one.bin", "one\n")
    assert made.ob("add", "data", "one.bin").code == 0
    made.commit("data")
    return made


def object_of(project: TestProject, text: str, top: str = ".dvc/cache") -> Path:
    """The object with some content, in the cache or at a remote."""
    return next(
        path for path in (project.root / top / "files/md5").rglob("*") if path.is_file() and path.read_text() == text
    )


def forget(project: TestProject) -> None:
    shutil.rmtree(project.root / ".dvc/cache")
    shutil.rmtree(project.root / "data")
    os.unlink(project.root / "one.bin")


def test_there_and_back(project: TestProject) -> None:
    assert project.ob("push").out == "4 files pushed\n"
    assert project.ob("push").out == "Everything is up to date.\n"
    forget(project)
    assert project.ob("fetch", "one.bin").out == "1 file fetched\n"
    assert not project.exists("one.bin")
    done = project.ob("pull")
    assert done.out == "A\tdata/\nA\tone.bin\n3 files fetched and 2 files added\n"
    assert project.read("data/sub/b.txt") == "b\n"
    assert project.git("status", "--short") == ""
    assert project.ob("pull").out == "Everything is up to date.\n"


def test_what_differs_from_the_remote(project: TestProject) -> None:
    assert project.ob("status", "-c").out.splitlines() == [
        "\tnew:                data/a.txt",
        "\tnew:                data/sub/b.txt",
        "\tnew:                data",
        "\tnew:                one.bin",
    ]
    assert project.ob("status", "-c", "-q").code == 1
    project.ob("push")
    assert project.ob("status", "-c").out == "The cache and the data remote 'store' are in sync.\n"
    assert project.ob("status", "-c", "-q").code == 0
    assert set(project.ob("status", "-c", "--json", "-r", "backup").json.values()) == {"new"}
    shutil.rmtree(project.root / ".dvc/cache")
    assert project.ob("status", "-c", "--json", "one.bin").json == {"one.bin": "deleted"}
    assert not (project.root / ".dvc/cache").exists(), "asking writes nothing"
    os.unlink(object_of(project, "one\n", "../store"))
    assert project.ob("status", "-c", "--json", "one.bin").json == {"one.bin": "missing"}


def test_results_as_json(project: TestProject) -> None:
    assert project.ob("push", "--json", "one.bin").json == {"pushed": 1, "bytes": 4, "run_cache": 0, "problems": []}
    shutil.rmtree(project.root / ".dvc/cache")
    done = project.ob("fetch", "--json")
    assert done.code == 1
    assert done.json["fetched"] == 1
    (problem,) = done.json["problems"]
    assert problem["paths"] == ["data"]
    assert problem["kind"] == "MissingDataError"


@pytest.mark.parametrize("command", ["push", "fetch", "pull"])
def test_without_a_remote_it_says_how_to_get_one(command: str, project: TestProject) -> None:
    project.write(".dvc/config", "")
    done = project.ob(command)
    assert done.code == 2
    assert "no data remote is named" in done.err
    assert "ob remote add -d NAME URL" in done.err


def test_a_mistyped_remote_is_guessed(project: TestProject) -> None:
    done = project.ob("push", "-r", "stroe")
    assert done.code == 1
    assert "did you mean 'store'?" in done.err


def test_a_corrupt_object_is_not_sent_and_can_be_had_back(project: TestProject) -> None:
    project.ob("push", "-r", "backup")
    bad = object_of(project, "b\n")
    bad.chmod(0o644)
    bad.write_text("x\n")
    bad.chmod(0o444)
    done = project.ob("push")
    assert done.code == 1
    assert done.out == "2 files pushed\n"
    assert f"the object '{bad.parent.name}{bad.name}'" in done.err
    assert "is corrupt" in done.err
    assert "data/sub/b.txt" in done.err
    assert not (project.root / "../store/files/md5" / bad.parent.name / bad.name).exists()
    assert project.ob("fetch", "-r", "backup").out == "1 file fetched\n"
    assert project.ob("push").out == "2 files pushed\n"


def test_a_corrupt_object_at_the_remote_is_not_taken(project: TestProject) -> None:
    project.ob("push")
    forget(project)
    bad = object_of(project, "b\n", "../store")
    bad.chmod(0o644)
    bad.write_text("x\n")
    done = project.ob("pull")
    assert done.code == 1
    assert "is corrupt" in done.err
    assert "data/sub/b.txt" in done.err
    assert project.read("one.bin") == "one\n"
    assert not project.exists("data/sub/b.txt")


def test_pull_throws_no_work_away(project: TestProject) -> None:
    project.ob("push")
    project.write("one.bin", "mine\n")
    done = project.ob("pull")
    assert done.code == 1
    assert "'one.bin'" in done.err
    assert project.read("one.bin") == "mine\n"
    assert project.ob("pull", "-f").code == 0
    assert project.read("one.bin") == "one\n"


def test_only_metrics_and_small_files(project: TestProject) -> None:
    project.write("dvc.yaml", PIPELINE)
    assert project.ob("repro").code == 0
    project.ob("push")
    shutil.rmtree(project.root / ".dvc/cache")
    assert project.ob("fetch", "--type", "metrics").out == "1 file fetched\n"
    assert project.ob("fetch", "--type", "plots").out == "1 file fetched\n"
    assert project.ob("fetch", "--max-size", "3").out == "1 file fetched\n"
    assert project.ob("fetch").out == "4 files fetched\n"


def test_to_remote_keeps_nothing_here(project: TestProject, tmp_path: Path) -> None:
    (tmp_path / "huge").write_text("huge\n")
    done = project.ob("add", "--to-remote", str(tmp_path / "huge"), "-r", "backup")
    assert done.code == 0
    assert object_of(project, "huge\n", "../backup")
    assert not project.exists("huge")
    assert project.exists("huge.dvc")
    assert project.ob("pull", "-r", "backup", "huge").code == 0
    assert project.read("huge") == "huge\n"
    assert project.ob("add", "--to-remote", str(tmp_path / "huge")).code == 1
    assert project.ob("add", "one.bin", "-r", "backup").code == 2


def test_what_is_corrupt_at_the_remote_has_a_way_out(project: TestProject, tmp_path: Path) -> None:
    assert project.ob("push").code == 0
    object = next(path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.read_bytes() == b"one\n")
    object.chmod(0o644)
    object.write_bytes(b"two\n")
    shutil.move(project.root / ".dvc/cache", tmp_path / "sound")
    ended = project.ob("fetch")
    assert ended.code == 1
    assert "remove it at the data remote" in ended.err
    object.unlink()
    shutil.rmtree(project.root / ".dvc/cache")
    shutil.move(tmp_path / "sound", project.root / ".dvc/cache")
    assert project.ob("push").code == 0
    assert object.read_bytes() == b"one\n"


def test_a_remote_that_cannot_be_written_to_is_not_called_the_cache(project: TestProject, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("a file\n")
    ended = project.ob("push")
    assert ended.code == 12
    assert "data remote 'store'" in ended.err
    assert "cache" not in ended.err


@pytest.mark.parametrize("command", ["push", "fetch", "pull", "checkout", "status", "fsck", "gc -w -f", "repro --pull"])
def test_a_hash_that_is_a_path_reaches_no_file_outside(project: TestProject, tmp_path: Path, command: str) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine\n")
    project.write("x.dvc", "outs:\n- md5: ../../../../../mine.txt\n  size: 5\n  hash: md5\n  path: x\n")
    ended = project.ob(*command.split())
    assert ended.code == 1
    assert "not an md5" in ended.out + ended.err
    assert mine.read_text() == "mine\n"


@pytest.mark.parametrize("command", ["push", "fetch", "pull"])
def test_a_remote_that_cannot_be_used_is_no_success_and_keeps_no_other_back(command: str, project: TestProject) -> None:
    project.write(".dvc/config", CONFIG + "['remote \"gone\"']\n    url = ftp://nowhere/x\n")
    project.write("dvc.yaml", "stages:\n  t:\n    cmd: echo 1 > o\n    outs:\n    - o:\n        remote: gone\n")
    assert project.ob("repro").code == 0
    done = project.ob("push")
    assert (done.code, done.out) == (12, "4 files pushed\n")
    done = project.ob(command)
    assert done.code == 12
    assert "ftp://" in done.err
    assert "up to date" not in done.out
    assert "Nothing was" in done.out
