"""Which file system a path is on."""

import os
import sys
from pathlib import Path

import pytest

from offbranch.base import filesystems
from offbranch.base.filesystems import file_system_of, nearest_existing
from offbranch.base.paths import AbsPath

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / {base}/data rw shared:2 - nfs4 server:/x rw
31 22 0:41 / {base}/data/with\\040blank rw - tmpfs tmpfs rw
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_deepest_mount_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = os.path.realpath(tmp_path)
    (tmp_path / "mounts").write_text(MOUNTS.format(base=base))
    (tmp_path / "data/with blank").mkdir(parents=True)
    (tmp_path / "database").mkdir()
    monkeypatch.setattr(filesystems, "_MOUNTS", str(tmp_path / "mounts"))
    found = file_system_of(AbsPath(f"{base}/data/not/there"))
    assert (found.kind, found.mount_point, found.is_network) == ("nfs4", f"{base}/data", True)
    assert file_system_of(AbsPath(f"{base}/data/with blank")).kind == "tmpfs"
    assert file_system_of(AbsPath(f"{base}/database")).kind == "ext4"
    assert found.free_bytes is not None and found.free_bytes > 0


def test_unreadable_mounts_are_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "_MOUNTS", str(tmp_path / "none"))
    assert file_system_of(AbsPath(str(tmp_path))).kind is None


def test_nearest_existing(tmp_path: Path) -> None:
    assert nearest_existing(AbsPath(str(tmp_path / "a/b/c"))) == str(tmp_path)
    assert nearest_existing(AbsPath("/")) == "/"
