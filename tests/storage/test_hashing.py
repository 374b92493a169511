import hashlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbranch.base.errors import OffbranchError
from offbranch.storage import hashing
from offbranch.storage.hashing import SMALL_SIZE, hash_bytes, hash_file, hash_text_normalised, is_racy

NOW = 1_700_000_000_000_000_001


@pytest.mark.parametrize("size", [0, 1, 1024, SMALL_SIZE - 1, SMALL_SIZE, SMALL_SIZE + 1, 3 * SMALL_SIZE + 7])
def test_files_of_every_size(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    assert hash_file(str(tmp_path / "f")) == (hashlib.md5(data).hexdigest(), size)
    assert hash_bytes(data) == hashlib.md5(data).hexdigest()


def test_a_file_that_keeps_changing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "busy.log"
    file.write_bytes(b"a")
    read, n_reads = os.read, []

    def read_and_append(descriptor: int, n: int) -> bytes:
        data = read(descriptor, n)
        n_reads.append(n)
        with file.open("ab") as busy:
            busy.write(b"more")
        return data

    monkeypatch.setattr(hashing.os, "read", read_and_append)
    with pytest.raises(OffbranchError, match=r"busy\.log.*changes"):
        hash_file(str(file))
    assert len(n_reads) == 2


def test_a_file_that_changed_once_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"a")
    read, changes = os.read, [b"new"]

    def read_and_change(descriptor: int, n: int) -> bytes:
        data = read(descriptor, n)
        if changes:
            file.write_bytes(changes.pop())
        return data

    monkeypatch.setattr(hashing.os, "read", read_and_change)
    assert hash_file(str(file)) == (hashlib.md5(b"new").hexdigest(), 3)


def test_pipes_sockets_devices_and_directories_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # the address of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        for path in (str(tmp_path / "pipe"), "sock", "/dev/null", str(tmp_path)):
            with pytest.raises(OffbranchError, match=Path(path).name):
                hash_file(path)


@pytest.mark.parametrize(
    ("data", "normal"),
    [
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"", b""),
        (b"a\rb\n", b"a\rb\n"),
        (b"a\0\r\n", b"a\0\r\n"),
        (bytes(range(128, 256)) + b"\r\n", bytes(range(128, 256)) + b"\r\n"),
        (b"x" * 512 + b"\r\n\0", b"x" * 512 + b"\n\0"),
    ],
)
def test_the_legacy_hash_normalises_text_only(tmp_path: Path, data: bytes, normal: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    assert hash_text_normalised(str(tmp_path / "f")) == hashlib.md5(normal).hexdigest()


def test_the_legacy_vector(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_bytes(b"a\r\nb\r\n")
    assert hash_text_normalised(str(tmp_path / "w.txt")) == "dd8c6a395b5dd36c56d23275028f526c"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a"])).map(b"".join), chunk=st.integers(1, 9))
def test_the_legacy_hash_does_not_depend_on_how_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, chunk: int
) -> None:
    (tmp_path / "f").write_bytes(data)
    monkeypatch.setattr(hashing, "CHUNK_SIZE", chunk)
    assert hash_text_normalised(str(tmp_path / "f")) == hashlib.md5(data.replace(b"\r\n", b"\n")).hexdigest()


def test_a_time_stamp_is_racy_near_the_present_only() -> None:
    assert is_racy(NOW, NOW)
    assert is_racy(NOW - 5_000_000, NOW)
    assert is_racy(NOW + 5_000_000, NOW)
    assert not is_racy(NOW - 50_000_000, NOW)
    assert not is_racy(NOW + 3_000_000_000, NOW)


def test_whole_seconds_show_a_coarse_clock() -> None:
    second = 1_700_000_000_000_000_000
    assert is_racy(second, second + 1_500_000_000)
    assert not is_racy(second, second + 2_500_000_000)
