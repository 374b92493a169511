"""When lines of metrics go to disk, and what is there where that fails."""

import errno
import os
from pathlib import Path

import pytest

from offbranch.live.faults import Faults
from offbranch.live.table import Table
from offbranch.live.writer import Writer


def test_a_step_does_not_wait_for_ever_for_a_slow_disk(tmp_path: Path) -> None:
    writer = Writer(Faults(), lambda: None)
    table = writer.tables["a"] = Table("a", str(tmp_path / "a.tsv"), has_timestamp=False, is_cut=True)
    table.rows.append("0\t1\n")
    with writer._lock:  # as long as the disk takes
        writer.flush_now(patience_s=0.01)
        assert not (tmp_path / "a.tsv").exists()
    writer.flush_now()
    assert (tmp_path / "a.tsv").read_text() == "step\ta\n0\t1\n"


def test_a_table_that_cannot_be_begun_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("a", str(tmp_path / "sub/a.tsv"), has_timestamp=False, is_cut=True)

    def is_full(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", is_full)
        with pytest.raises(OSError, match="No space left"):
            table.append("0\t1\n")
    assert list((tmp_path / "sub").iterdir()) == []
    table.append("0\t1\n1\t2\n")
    assert (tmp_path / "sub/a.tsv").read_text() == "step\ta\n0\t1\n1\t2\n"


def test_a_table_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*paths: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    table = Table("a", str(tmp_path / "a.tsv"), has_timestamp=False, is_cut=True)
    table.append("0\t1\n")
    table.append("1\t2\n")
    assert (tmp_path / "a.tsv").read_text() == "step\ta\n0\t1\n1\t2\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tsv"]
