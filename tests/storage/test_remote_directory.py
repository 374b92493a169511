"""A directory as data remote."""

import os
from pathlib import Path

import pytest

from contracts.remote_files import RemoteFilesContract
from offbranch.base.errors import ExitCode, RemoteError
from offbranch.storage.remote_directory import DirectoryFiles
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_setting import RemoteSetting


def directory(path: Path) -> DirectoryFiles:
    return DirectoryFiles(RemoteSetting(name="store", scheme="local", url=str(path)))


class TestDirectoryFiles(RemoteFilesContract):
    def make(self, tmp_path: Path) -> RemoteFiles:
        return directory(tmp_path / "not/yet/there")


def test_unfinished_files_are_not_there(tmp_path: Path) -> None:
    (tmp_path / ".ob-tmp-1-x").write_bytes(b"half")
    assert list(directory(tmp_path).iter_files("")) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_an_error_of_the_remote(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0)
    with pytest.raises(RemoteError, match="'store'"):
        directory(tmp_path).find("d/x")


def test_a_file_in_the_way_is_an_error_of_the_remote(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a directory")
    with pytest.raises(RemoteError, match=r"'store'.*failed") as caught:
        directory(tmp_path / "store").write("a/b", b"x")
    assert caught.value.exit_code == ExitCode.REMOTE
    assert not caught.value.is_transient
