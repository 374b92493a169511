import os
from pathlib import Path

import pytest

from contracts.file_reader import FileReaderContract
from offbranch.base.errors import BadInputError
from offbranch.base.files import (
    DirectoryReader,
    FileReader,
    atomic_write,
    decode,
    remove_tree,
    write_if_changed,
)
from offbranch.base.paths import AbsPath, RepoPath


class TestDirectoryReader(FileReaderContract):
    def make(self, tmp_path: Path, files: dict[str, bytes]) -> FileReader:
        root = tmp_path / "root"
        root.mkdir()
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return DirectoryReader(AbsPath(str(root)))

    def test_links_are_followed(self, tmp_path: Path) -> None:
        reader = self.make(tmp_path, {"dir/a": b"1"})
        (tmp_path / "root" / "to_dir").symlink_to("dir")
        (tmp_path / "root" / "nowhere").symlink_to("none")
        assert reader.read_bytes(RepoPath("to_dir/a")) == b"1"
        assert reader.list_dir(RepoPath("")) == (("dir", True), ("nowhere", False), ("to_dir", True))


def test_text_that_is_not_utf_8_names_the_line() -> None:
    with pytest.raises(BadInputError, match=r"^p\.yaml:3: not a UTF-8 text file$"):
        decode(b"a\nb\n\xff", "p.yaml")


def test_atomic_write_keeps_permissions_and_links(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")
    target.chmod(0o751)
    (tmp_path / "link").symlink_to("target")
    atomic_write(AbsPath(str(tmp_path / "link")), b"new")
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o751
    assert sorted(os.listdir(tmp_path)) == ["link", "target"]


def test_writing_the_same_content_writes_nothing(tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / "f"))
    assert write_if_changed(path, b"1")
    inode = os.stat(path).st_ino
    assert not write_if_changed(path, b"1")
    assert os.stat(path).st_ino == inode
    assert write_if_changed(path, b"2")


def test_removing_a_tree_leaves_what_its_links_point_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "f").write_bytes(b"")
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "tree" / "sub" / "f").write_bytes(b"")
    (tmp_path / "tree" / "sub" / "f").chmod(0o400)
    remove_tree(AbsPath(str(tmp_path / "tree")))
    remove_tree(AbsPath(str(tmp_path / "tree")))
    assert (tmp_path / "kept" / "f").exists()
    assert not (tmp_path / "tree").exists()
