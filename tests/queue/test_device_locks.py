"""Locks of devices: whose they are, as long as whoever has them open lives, and what others are told."""

import json
import os
import stat
from pathlib import Path

import pytest

from offbranch.base.errors import OffbranchError
from offbranch.base.locks import take_lock
from offbranch.base.paths import AbsPath
from offbranch.queue.slots.device_locks import DeviceLocks, HeldDevice, key_of, processor_key
from offbranch.queue.slots.devices import Device, Kind

HOLDER = {"task_id": "t", "name": "lr", "slot": "1"}


@pytest.fixture
def locks(tmp_path: Path) -> DeviceLocks:
    return DeviceLocks(AbsPath(str(tmp_path / "slots")), "/p", clock=lambda: 7.0)


def close(held: HeldDevice | None) -> None:
    assert held is not None
    for descriptor in held.descriptors:
        os.close(descriptor)


def test_names_of_lock_files() -> None:
    host = os.uname().nodename
    assert key_of(Device(kind=Kind.NVIDIA, index=3, uuid="GPU-1/2")) == "gpu-GPU-1_2"
    assert key_of(Device(kind=Kind.GIVEN, index=3)) == f"gpu-{host}-3"
    assert processor_key(5) == f"cpu-{host}-5"


def test_one_has_it_until_its_last_process_is_gone(locks: DeviceLocks) -> None:
    held = locks.take("gpu-0", HOLDER)
    assert locks.take("gpu-0", HOLDER) is None
    (holder,) = locks.holder("gpu-0")
    assert (holder.project, holder.task_id, holder.name, holder.slot) == ("/p", "t", "lr", "1")
    assert (holder.since_utc, holder.is_alive) == (7.0, True)
    assert holder.process is not None and holder.process.pid == os.getpid()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    close(held)  # not unlocked: the child has it too
    assert locks.take("gpu-0", HOLDER) is None
    os.close(write)
    os.waitpid(pid, 0)
    assert locks.holder("gpu-0") == () and locks.held_keys() == ()
    close(locks.take("gpu-0", HOLDER))


def test_parts(locks: DeviceLocks) -> None:
    one, two = (locks.take("gpu-0", {**HOLDER, "name": name}, parts=2) for name in "ab")
    assert locks.take("gpu-0", HOLDER, parts=2) is None
    assert locks.take("gpu-0", HOLDER) is None
    assert [holder.name for holder in locks.holder("gpu-0")] == ["a", "b"]
    assert locks.held_keys() == ("gpu-0",)
    third = locks.take("gpu-0", HOLDER, parts=3)  # another worker lets three have it
    close(one)
    close(two)
    close(third)
    assert locks.held_keys() == ()
    whole = locks.take("gpu-0", HOLDER)
    assert locks.take("gpu-0", HOLDER, parts=2) is None
    close(whole)


def test_only_one_may_reserve(locks: DeviceLocks) -> None:
    assert locks.reserved_elsewhere() == frozenset()
    right = locks.reserve(["gpu-0", "gpu-1"])
    assert right is not None
    assert locks.reserve(["gpu-2"]) is None
    assert locks.reserved_elsewhere() == {"gpu-0", "gpu-1"}
    assert locks.held_keys() == ()
    os.close(right)
    assert locks.reserved_elsewhere() == frozenset()


@pytest.mark.parametrize("content", ["", "nonsense", "[]", '{"version": 2}', '{"version": 1, "process": 3}', "\0\xff"])
def test_a_holder_that_cannot_be_read_is_one_nevertheless(locks: DeviceLocks, content: str) -> None:
    held = locks.take("gpu-0", HOLDER)
    Path(locks.directory, "gpu-0.lock").write_text(content)
    (holder,) = locks.holder("gpu-0")
    assert holder.process is None and holder.name is None
    close(held)
    Path(locks.directory, "reserved.lock").write_text(content)
    right = take_lock(AbsPath(f"{locks.directory}/reserved.lock"), None)
    assert right is not None
    assert locks.reserved_elsewhere() == frozenset()
    os.close(right)


def test_a_directory_that_users_share(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    locks = DeviceLocks(AbsPath(str(shared)), "/p")
    before = os.umask(0o077)
    try:
        close(locks.take("gpu-0", HOLDER))
    finally:
        os.umask(before)
    file = shared / "gpu-0.lock"
    assert stat.S_IMODE(file.stat().st_mode) == 0o666
    assert json.loads(file.read_text())["name"] == "lr"
    (shared / "gpu-1.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OffbranchError, match="cannot lock") as raised:
        locks.take("gpu-1", HOLDER)
    assert "OFFBRANCH_SLOTS_DIR" in (raised.value.hint or "")
    assert not (tmp_path / "victim").exists()


def test_a_private_directory_has_private_files(locks: DeviceLocks) -> None:
    os.makedirs(locks.directory, mode=0o700)
    close(locks.take("gpu-0", HOLDER))
    assert stat.S_IMODE(os.stat(f"{locks.directory}/gpu-0.lock").st_mode) == 0o600


def test_no_directory_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    locks = DeviceLocks(AbsPath(str(tmp_path / "file" / "x")), "/p")
    with pytest.raises(OffbranchError, match="cannot lock"):
        locks.take("gpu-0", HOLDER)
    assert locks.holder("gpu-0") == () and locks.held_keys() == ()


def test_a_file_that_was_cleared_away_guards_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = AbsPath(str(tmp_path / "x.lock"))
    first = take_lock(path, "first")
    assert first is not None
    os.unlink(path)
    second = take_lock(path, "second")
    assert second is not None
    assert take_lock(path, None) is None
    assert Path(path).read_text() == "second"
    os.close(first)
    assert take_lock(path, None) is None
    os.close(second)
    real, calls = os.stat, []

    def stat_late(name: str | int, **more: object) -> os.stat_result:
        if name == path and not calls:
            calls.append(name)
            os.unlink(path)  # between locking and looking
        return real(name, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat_late)
    third = take_lock(path, "third")
    assert third is not None and calls
    assert os.fstat(third).st_ino == real(path).st_ino
    os.close(third)
