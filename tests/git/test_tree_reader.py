from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.file_reader import FileReaderContract
from git_repos import commit_all, make_repo, opened, run, write
from offbranch.base.files import FileReader
from offbranch.base.paths import GitPath, RepoPath
from offbranch.git.objects import ObjectReader, TreeId
from offbranch.git.tree_reader import TreeReader


class TreeContract(FileReaderContract):
    prefix = GitPath("")

    @pytest.fixture(autouse=True)
    def readers(self) -> Iterator[None]:
        self.opened: list[ObjectReader] = []
        yield
        for objects in self.opened:
            objects.close()

    def make(self, tmp_path: Path, files: dict[str, bytes]) -> FileReader:
        path = make_repo(tmp_path / "repo")
        (path / "README").unlink()
        for name, content in files.items():
            write(path / self.prefix, name, content)
        commit_all(path)
        objects = ObjectReader(opened(path))
        self.opened.append(objects)
        return TreeReader(objects, TreeId(run(path, "rev-parse", "HEAD^{tree}")), self.prefix)


class TestTopOfTheTree(TreeContract):
    pass


class TestProjectInASubdirectory(TreeContract):
    prefix = GitPath("ml/project")


def test_links_are_followed_inside_the_tree_only(git_repo: Path) -> None:
    write(git_repo, "sub/dir/a", "1")
    write(git_repo, "sub/file", "2")
    links = {
        "to_dir": "dir",
        "to_file": "../sub/./file",
        "to_link": "to_dir",
        "dir/up": "../file",
        "outside": "../../etc/passwd",
        "absolute": "/etc/passwd",
        "loop": "loop",
        "broken": "none",
        "through_file": "file/../file",
        "top": "..",
    }
    for name, target in links.items():
        (git_repo / "sub" / name).symlink_to(target)
    commit_all(git_repo)
    with ObjectReader(opened(git_repo)) as objects:
        reader = TreeReader(objects, TreeId(run(git_repo, "rev-parse", "HEAD^{tree}")), GitPath("sub"))
        read = {"to_dir/a": b"1", "to_file": b"2", "to_link/a": b"1", "to_link/up": b"2", "top/README": b"hello\n"}
        for path, content in read.items():
            assert reader.read_bytes(RepoPath(path)) == content
            assert reader.is_file(RepoPath(path))
        for path in ("outside", "absolute", "loop", "broken", "through_file", "to_dir", "to_link"):
            assert not reader.is_file(RepoPath(path))
            with pytest.raises(FileNotFoundError):
                reader.read_bytes(RepoPath(path))
        assert reader.list_dir(RepoPath("to_link")) == (("a", False), ("up", False))
        listed = dict(reader.list_dir(RepoPath("")))
        assert {name for name, is_dir in listed.items() if is_dir} == {"dir", "to_dir", "to_link", "top"}
