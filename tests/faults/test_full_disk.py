"""A full disk, a file-size limit, a cache that cannot be written: one clear error, and nothing is lost."""

import json
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_repos import run as git
from killing import check_git, litter, workspace, wrong_objects
from projects import Ended, TestProject, make_project

pytestmark = [pytest.mark.fault, pytest.mark.timeout(60)]

LIMIT = 60_000


def says_one_thing(ended: Ended) -> bool:
    return ended.code == 1 and ended.err.count("error:") == 1 and "Traceback" not in ended.err


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[TestProject]:
    """A project whose `ob` must not write files of more than 60 KB; it is given to tests as if the disk were full."""
    project = make_project(tmp_path / "p")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield project
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def big_file(project: TestProject, name: str) -> None:
    """Makes a file that is larger than the limit, which a hole in it is not subject to."""
    part = b"x" * (LIMIT // 2)
    with open(project.root / name, "wb") as file:
        file.write(part)
    with open(project.root / "part", "wb") as file:
        file.write(part)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before[1], before[1]))
    with open(project.root / name, "ab") as file:
        file.write(part + part)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    os.unlink(project.root / "part")


def test_add_of_what_does_not_fit(limited: TestProject) -> None:
    big_file(limited, "big.bin")
    before = workspace(limited)
    ended = limited.ob("add", "big.bin")
    assert says_one_thing(ended), ended.err
    assert "cannot write to the cache" in ended.err
    assert workspace(limited) == before
    assert wrong_objects(limited) == []
    assert litter(limited) == []


def test_a_run_whose_output_does_not_fit_puts_the_workspace_back(limited: TestProject) -> None:
    big_file(limited, "source.bin")
    limited.write(".gitignore", "source.bin\n")
    assert limited.ob("exp", "run", "-n", "small").code == 0
    # The command may write what it likes, our copy of it into the cache may not.
    limited.write("train.sh", "echo '{}' > metrics.json; ln source.bin model.txt\n")
    before = workspace(limited)
    ended = limited.ob("exp", "run", "-n", "large", "-S", "lr=0.9")
    assert says_one_thing(ended), ended.err
    assert "cannot write to the cache" in ended.err
    assert workspace(limited) == before
    assert set(limited.exps()) == {"small"}
    assert wrong_objects(limited) == []
    assert litter(limited) == []
    check_git(limited)


@pytest.mark.parametrize(
    "words", [("add", "data.bin"), ("repro",), ("exp", "run", "-S", "lr=0.9"), ("exp", "save"), ("commit", "-f")]
)
def test_a_cache_that_cannot_be_written(tmp_path: Path, words: tuple[str, ...]) -> None:
    project = make_project(tmp_path / "p")
    project.write("data.bin", "data\n")
    project.write("model.txt", "made by hand\n")
    project.write("metrics.json", "{}")
    # A file where its directory should be stops root, too, which permissions would not.
    project.write(".dvc/cache/files", "not a directory\n")
    before = workspace(project)
    ended = project.ob(*words)
    assert says_one_thing(ended), ended.err
    assert "cache" in ended.err
    assert workspace(project) == before
    assert project.exps() == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("free_kb", [0, 4, 16, 40, 80])
def test_a_full_disk(small_disk: Path, free_kb: int) -> None:
    project = make_project(small_disk / "p")
    assert project.ob("exp", "run", "-n", "first").code == 0
    project.write("untracked.txt", "mine\n")
    before = workspace(project)
    head = git(project.root, "rev-parse", "HEAD")
    filler = open(small_disk / "filler", "wb", buffering=0)  # noqa: SIM115 - it is what fills the disk
    with filler:
        try:
            while filler.write(b"x" * 4096) == 4096:
                pass
        except OSError:
            pass
        filler.truncate(max(0, filler.tell() - free_kb * 1024))
    ended = project.ob("exp", "run", "-n", "second", "-S", "lr=0.9")
    if ended.code != 0:
        assert says_one_thing(ended), ended.err
        assert "second" not in project.exps()
    (small_disk / "filler").unlink()
    again = project.ob("exp", "run", "-n", "third", "-S", "lr=0.8")
    assert again.code == 0, again.err
    project.git("checkout", "--quiet", "--", ".")
    now = workspace(project)
    for path in ("./untracked.txt", "./data.txt", "./train.sh"):
        assert now[path] == before[path]
    assert git(project.root, "rev-parse", "HEAD") == head
    assert wrong_objects(project) == []
    check_git(project)


@pytest.mark.parametrize("free_kb", [0, 16, 60])
def test_a_disk_that_fills_while_a_task_runs(small_disk: Path, free_kb: int) -> None:
    project = make_project(small_disk / "p")
    assert project.ob("exp", "run", "-n", "first").code == 0
    project.git("checkout", "--quiet", "--", ".")
    fills = (
        f"dd if=/dev/zero of={small_disk}/filler bs=4k 2> /dev/null\n"
        f"truncate -s -{free_kb}K {small_disk}/filler\necho said\n"
    )
    project.write("train.sh", f"[ -e {small_disk}/fits ] || {{\n{fills}}}\n" + project.read("train.sh"))
    project.commit("fills the disk")
    before = workspace(project)
    assert project.ob("exp", "run", "--queue", "-n", "task", "-S", "lr=0.7").code == 0
    ended = project.ob("exp", "run", "--run-all")
    assert ended.code in (0, 1) and "Traceback" not in ended.err, ended.err
    (small_disk / "filler").unlink()
    (small_disk / "fits").touch()
    for _ in range(2):  # a failure may be recorded or not, and then the task still waits
        if "task" not in project.exps() and project.git("for-each-ref", "refs/ob/tasks") == "":
            assert project.ob("exp", "run", "--queue", "-f", "-n", "task", "-S", "lr=0.7").code == 0
        again = project.ob("exp", "run", "--run-all")
        assert again.code == 0, again.err
    assert json.loads(project.file_at(project.exps()["task"], "metrics.json")) == {"acc": 0.7}
    assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == ""
    assert workspace(project) == before
    check_git(project)
