"""`git gc` does not begin while objects are written that no ref leads to yet."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from git_repos import run
from offbranch.base.paths import AbsPath
from offbranch.base.processes import host_name
from offbranch.git.collecting import no_collection
from offbranch.git.repository import GitRepo, find_repo

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no protection there")


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    run(tmp_path, "init", "-q")
    found = find_repo(AbsPath(str(tmp_path)), os.environ)
    assert found is not None
    return found


def collect(repo: GitRepo) -> int:
    done = subprocess.run(["git", "gc", "-q", "--prune=now"], cwd=repo.root, capture_output=True, check=False)
    return done.returncode


def loose(repo: GitRepo) -> bool:
    return any(len(name) == 2 for name in os.listdir(f"{repo.common_dir}/objects"))


def pid_file(repo: GitRepo) -> Path:
    return Path(repo.common_dir, "gc.pid")


def test_what_is_written_stays_until_it_has_a_ref(repo: GitRepo) -> None:
    with no_collection(repo) as is_safe:
        assert is_safe
        run(Path(repo.root), "hash-object", "-w", "--stdin", input=b"new")
        assert collect(repo) != 0
        assert loose(repo)
    assert collect(repo) == 0
    assert not loose(repo)
    assert not pid_file(repo).exists()


def test_many_may_write_at_once_and_the_last_one_lets_go(repo: GitRepo) -> None:
    with no_collection(repo) as first:
        with no_collection(repo, patience_s=0) as second:
            assert (first, second) == (True, True)
        assert collect(repo) != 0
    assert collect(repo) == 0


def test_one_that_runs_is_waited_for(repo: GitRepo) -> None:
    pid_file(repo).write_text(f"{os.getppid()} {host_name()}")
    with no_collection(repo, patience_s=0) as is_safe:
        assert not is_safe
    assert pid_file(repo).exists()
    has_begun = Event()

    def write() -> bool:
        has_begun.set()
        with no_collection(repo) as is_safe:
            return is_safe and not pid_file(repo).read_text().startswith(f"{os.getppid()} ")

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        has_begun.wait()
        pid_file(repo).unlink()
        assert writing.result()


@pytest.mark.parametrize("text", [f"4194304999 {host_name()}", "", "garbage"])
def test_one_that_was_killed_is_not(repo: GitRepo, text: str) -> None:
    pid_file(repo).write_text(text)
    with no_collection(repo, patience_s=0) as is_safe:
        assert is_safe
    assert not pid_file(repo).exists()


def test_one_on_another_machine_runs(repo: GitRepo) -> None:
    pid_file(repo).write_text("1 elsewhere")
    with no_collection(repo, patience_s=0) as is_safe:
        assert not is_safe


def test_a_repository_that_nobody_can_lock_is_written_to_all_the_same(repo: GitRepo) -> None:
    Path(repo.common_dir, "ob-writes").mkdir()
    with no_collection(repo) as is_safe:
        assert not is_safe
