import os
from pathlib import Path

import pytest

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.scan import Scan, scan_directory, stamp_of
from storage.bench import OLD_NS, Bench


def scan(bench: Bench, name: str = "d") -> Scan:
    return scan_directory(bench.path(name), ignore=bench.ignore, rel=RepoPath(name))


def test_files_with_their_stamps(bench: Bench) -> None:
    bench.write({"d/a": b"1", "d/s/t/b": b"22", "d/s/.hidden": b"", "other": b"x"})
    (bench.root / "d/empty").mkdir()
    found = scan(bench)
    assert sorted(found.paths) == ["a", "s/.hidden", "s/t/b"]
    assert found.size_bytes == 3
    stamps = dict(zip(found.paths, found.stamps, strict=True))
    assert stamps == {name: stamp_of((bench.root / "d" / name).stat()) for name in found.paths}
    assert stamps["a"][:2] == (1, OLD_NS)


def test_links_to_files_are_followed_and_links_to_directories_are_not(bench: Bench) -> None:
    bench.write({"d/real/r": b"r", "far/x": b"xx"})
    for name, target in (("to_file", "../far/x"), ("to_dir", "../far"), ("loop", ".")):
        (bench.root / "d" / name).symlink_to(target)
    found = scan(bench)
    assert sorted(found.paths) == ["real/r", "to_file"]
    assert [found.paths[i] for i in found.links] == ["to_file"]
    assert sorted(found.linked_directories) == ["loop", "to_dir"]
    assert found.size_bytes == 3


def test_what_is_ignored_is_not_content(bench: Bench) -> None:
    (bench.root / ".dvcignore").write_text("*.tmp\n/d/cache/\n!keep.tmp\n")
    bench.write(
        {"d/a": b"", "d/x.tmp": b"", "d/s/x.tmp": b"", "d/s/keep.tmp": b"", "d/cache/f": b"", "d/.git/HEAD": b""}
    )
    bench.write({"d/.hg/x": b"", "d/.gitignore": b"", "d/.dvc/x": b"", "d/a.dvc": b""})
    os.mkfifo(bench.root / "d/pipe.tmp")
    (bench.root / "d/broken.tmp").symlink_to("nowhere")
    assert sorted(scan(bench).paths) == [".gitignore", "a", "a.dvc", "s/keep.tmp"]


def test_a_project_inside_is_left_out_wherever_its_mark_comes_in_the_walk(bench: Bench) -> None:
    bench.write({f"d/sub/{i}": b"" for i in range(20)})
    bench.write({"d/sub/deep/er": b"", "d/sub/.dvc/config": b"", "d/sub/.ob-tmp-1": b"", "d/z/f": b""})
    (bench.root / "d/sub/link").symlink_to("0")
    found = scan(bench)
    assert found.paths == ["z/f"]
    assert (found.links, found.temporaries) == ([], [])
    assert sorted(scan(bench, "d/sub").paths)[:2] == ["0", "1"]


def test_outside_a_project_everything_counts(bench: Bench) -> None:
    bench.write({"d/.git/HEAD": b"", "d/.dvc/config": b"", "d/s/.dvc/x": b"", "d/.dvcignore": b"*"})
    found = scan_directory(bench.path("d"), ignore=None, rel=RepoPath(""))
    assert sorted(found.paths) == [".dvc/config", ".dvcignore", ".git/HEAD", "s/.dvc/x"]


def test_unfinished_files_are_reported_not_counted(bench: Bench) -> None:
    bench.write({"d/a": b"", "d/s/.ob-tmp-12-ab": b"half"})
    found = scan(bench)
    assert (found.paths, list(found.temporaries)) == (["a"], ["s/.ob-tmp-12-ab"])


def test_what_cannot_be_stored_is_named(bench: Bench) -> None:
    bench.write({"d/a": b""})
    os.mkfifo(bench.root / "d/pipe")
    with pytest.raises(OffbranchError, match=r"d/pipe.*a pipe"):
        scan(bench)
    (bench.root / "d/pipe").unlink()
    (bench.root / "d/broken").symlink_to("nowhere")
    with pytest.raises(OffbranchError, match=r"d/broken.*link to nothing"):
        scan(bench)
    (bench.root / "d/broken").unlink()
    bench.write({"d/s/.dvcignore": b"*.tmp"})
    with pytest.raises(OffbranchError, match=r"\.dvcignore"):
        scan(bench)


def change_content(root: Path) -> None:
    (root / "a").write_bytes(b"2")


def change_size_with_the_old_time(root: Path) -> None:
    (root / "a").write_bytes(b"longer")
    os.utime(root / "a", ns=(OLD_NS, OLD_NS))


def change_content_with_the_old_time(root: Path) -> None:
    (root / "a").write_bytes(b"2")
    os.utime(root / "a", ns=(OLD_NS, OLD_NS))


def rename(root: Path) -> None:
    (root / "a").rename(root / "c")


def move_into_another_directory(root: Path) -> None:
    (root / "s/b").rename(root / "b")


def add(root: Path) -> None:
    (root / "new").touch()


def remove(root: Path) -> None:
    (root / "s/b").unlink()


@pytest.mark.parametrize(
    "change",
    [
        change_content,
        change_size_with_the_old_time,
        change_content_with_the_old_time,
        rename,
        move_into_another_directory,
        add,
        remove,
    ],
)
def test_the_fingerprint_shows_every_change(bench: Bench, change: object) -> None:
    bench.write({"d/a": b"1", "d/s/b": b"2", "d/s/c": b"2"})
    before = scan(bench).fingerprint
    assert scan(bench).fingerprint == before
    assert callable(change)
    change(bench.root / "d")
    assert scan(bench).fingerprint != before


def test_new_names_of_an_inode_change_no_stamp(bench: Bench) -> None:
    bench.write({"d/a": b"1"})
    os.link(bench.path("d/a"), bench.path("one"))
    before = scan(bench).fingerprint
    os.link(bench.path("d/a"), bench.path("two"))
    assert scan(bench).fingerprint == before


def test_names_that_are_not_utf8(bench: Bench) -> None:
    name = os.fsdecode(b"n\xff")
    bench.write({f"d/{name}": b"1"})
    assert scan(bench).paths == [name]


def test_a_directory_that_is_not_there_is_an_error(bench: Bench) -> None:
    with pytest.raises(OffbranchError, match="gone"):
        scan_directory(AbsPath(str(bench.root / "gone")), ignore=None, rel=RepoPath(""))
