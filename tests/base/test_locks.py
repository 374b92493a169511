"""Locks: who holds one, what a killed holder leaves, and the temporary files of a killed process."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from offbranch.base.errors import LockedError
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.litter import sweep_litter
from offbranch.base.locks import hold_lock, is_locked, read_holder
from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo
from projects import SOURCE

DIES = """
import os, sys
from offbranch.base.locks import hold_lock
with hold_lock(sys.argv[1]):
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path(tmp_path: Path) -> AbsPath:
    return AbsPath(str(tmp_path / "sub/lock"))


def test_the_file_names_the_holder_and_is_empty_afterwards(path: AbsPath) -> None:
    with hold_lock(path):
        holder = read_holder(path)
        assert holder is not None
        assert is_locked(path)
        with pytest.raises(LockedError, match=f"locked by process {holder.pid}"), hold_lock(path):
            pass
        assert read_holder(path) == holder
    assert not is_locked(path)
    assert Path(path).read_bytes() == b""


def test_the_next_one_is_told_of_a_holder_that_was_killed(path: AbsPath) -> None:
    with subprocess.Popen([sys.executable, "-c", DIES, path], env={"PYTHONPATH": str(SOURCE)}) as process:
        pass
    assert not is_locked(path)
    told: list[ProcessInfo] = []
    with hold_lock(path, on_abandoned=told.append):
        pass
    assert [holder.pid for holder in told] == [process.pid]
    with hold_lock(path, on_abandoned=told.append):
        pass
    assert len(told) == 1


def test_one_that_fails_over_the_abandoned_leaves_it_to_the_next(path: AbsPath) -> None:
    with subprocess.Popen([sys.executable, "-c", DIES, path], env={"PYTHONPATH": str(SOURCE)}):
        pass

    def fail(_holder: ProcessInfo) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"), hold_lock(path, on_abandoned=fail):
        pass
    assert not is_locked(path)
    told: list[ProcessInfo] = []
    with hold_lock(path, on_abandoned=told.append):
        pass
    assert len(told) == 1


def test_only_the_files_of_that_process_are_swept(tmp_path: Path) -> None:
    ours = [f"{TEMPORARY_PREFIX}params.yaml-41", f"{TEMPORARY_PREFIX}41-abcd", f"data/{TEMPORARY_PREFIX}41-0123"]
    others = [
        f"{TEMPORARY_PREFIX}params.yaml-141", f"{TEMPORARY_PREFIX}410-abcd", "params.yaml-41",
        f".git/{TEMPORARY_PREFIX}x-41", f".dvc/cache/files/{TEMPORARY_PREFIX}41-abcd",
    ]  # fmt: skip
    for name in (*ours, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / ".dvc/cache")
    assert sweep_litter(AbsPath(str(tmp_path)), 41) == 3
    assert not any((tmp_path / name).exists() for name in ours)
    assert all((tmp_path / name).exists() for name in others)


def test_a_lock_that_changes_hands_is_waited_for_longer(path: AbsPath) -> None:
    """Many short commands at once: each gets its turn, however long the queue before it."""
    now, asked = [0.0], []
    with ExitStack() as first:
        first.enter_context(hold_lock(path))

        def sleep(seconds: float) -> None:
            now[0] += seconds
            if now[0] > 10:  # more than three times as long as one holder is waited for
                first.close()
                return
            info = {"pid": int(now[0]) + 1, "started": "", "host": "", "command": "ob"}
            Path(path).write_text(json.dumps(info))

        with hold_lock(path, wait_s=3, on_wait=asked.append, clock=lambda: now[0], sleep=sleep):
            assert now[0] > 10
    assert len(asked) == 1


def test_one_holder_is_waited_for_as_long_as_was_said(path: AbsPath) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    waiting = hold_lock(path, wait_s=3, clock=lambda: now[0], sleep=sleep)
    with hold_lock(path), pytest.raises(LockedError, match="is locked by process"), waiting:
        pass
    assert 3 <= now[0] < 3.2
