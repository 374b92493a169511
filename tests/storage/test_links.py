import errno
import os
import stat
from pathlib import Path

import pytest

from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.storage import links
from offbranch.storage.links import (
    Linker,
    LinkKind,
    copy_range,
    link_kind_of,
    make_link,
    parse_link_kinds,
    protect,
    unprotect,
    write_all,
)

COPY, HARD, SYM, REF = LinkKind.COPY, LinkKind.HARDLINK, LinkKind.SYMLINK, LinkKind.REFLINK
OLD_NS = 1_600_000_000_123_456_789


def make_object(tmp_path: Path, data: bytes = b"content") -> AbsPath:
    file = tmp_path / "cache" / "ab" / "cd"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    protect(AbsPath(str(file)))
    return AbsPath(str(file))


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_kinds_are_parsed_in_their_order() -> None:
    assert parse_link_kinds("reflink,copy") == (REF, COPY)
    assert parse_link_kinds(" Symlink , hardlink,,symlink") == (SYM, HARD)
    for text in ("", ",", "reflink,hardlnk"):
        with pytest.raises(UsageError) as caught:
            parse_link_kinds(text)
        assert "hardlink" in str(caught.value.hint)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 9_000_000])
def test_a_copy_is_the_users_own(tmp_path: Path, size: int) -> None:
    source = make_object(tmp_path, os.urandom(size))
    dest = AbsPath(str(tmp_path / "f"))
    assert make_link(source, dest, (COPY,)) is COPY
    assert Path(dest).read_bytes() == Path(source).read_bytes()
    umask = os.umask(0o022)
    os.umask(umask)
    assert mode_of(dest) == 0o666 & ~umask
    assert link_kind_of(dest, source) is None
    assert make_link(source, dest, (COPY,), executable=True) is COPY
    assert mode_of(dest) == 0o766 & ~umask


@pytest.mark.parametrize("kind", [HARD, SYM])
def test_links_are_the_object_itself(tmp_path: Path, kind: LinkKind) -> None:
    source = make_object(tmp_path)
    dest = AbsPath(str(tmp_path / "f"))
    for _ in range(2):  # the second time over itself
        assert make_link(source, dest, (kind, COPY)) is kind
        assert link_kind_of(dest, source) is kind
        assert mode_of(dest) == 0o444
        assert sorted(os.listdir(tmp_path)) == ["cache", "f"]
    if kind is SYM:
        assert os.readlink(dest) == source


def test_what_is_there_is_replaced_but_not_what_it_points_to(tmp_path: Path) -> None:
    source = make_object(tmp_path)
    (tmp_path / "far").write_text("mine")
    (tmp_path / "f").symlink_to("far")
    make_link(source, AbsPath(str(tmp_path / "f")), (COPY,))
    assert (tmp_path / "far").read_text() == "mine"
    assert not (tmp_path / "f").is_symlink()


@pytest.mark.parametrize("kind", [HARD, SYM])
def test_empty_and_executable_files_are_copied(tmp_path: Path, kind: LinkKind) -> None:
    empty = tmp_path / "cache/d4/1d8cd98f00b204e9800998ecf8427e"
    empty.parent.mkdir(parents=True)
    empty.touch(mode=0o444)
    assert make_link(AbsPath(str(empty)), AbsPath(str(tmp_path / "e")), (kind,)) is COPY
    assert make_link(make_object(tmp_path), AbsPath(str(tmp_path / "x")), (kind,), executable=True) is COPY
    assert os.access(tmp_path / "x", os.W_OK | os.X_OK)


def test_a_kind_that_does_not_work_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def no_link(source: str, dest: str) -> None:
        calls.append(dest)
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(links.os, "link", no_link)
    linker = Linker((HARD, COPY))
    source = make_object(tmp_path)
    assert linker.may_link(str(tmp_path))
    assert {linker.link(source, str(tmp_path / str(n))) for n in range(5)} == {COPY}
    assert len(calls) == 1
    assert not linker.may_link(str(tmp_path))


def test_too_many_names_of_one_object_do_not_rule_out_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, failures = os.link, [OSError(errno.EMLINK, "Too many links")]

    def one_failure(source: str, dest: str) -> None:
        if failures:
            raise failures.pop()
        link(source, dest)

    monkeypatch.setattr(links.os, "link", one_failure)
    linker = Linker((HARD, COPY))
    source = make_object(tmp_path)
    assert [linker.link(source, str(tmp_path / str(n))) for n in range(2)] == [COPY, HARD]


def test_where_no_kind_works_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_clone(source: int, dest: int) -> bool:
        return False

    monkeypatch.setattr(links, "clone", no_clone)
    with pytest.raises(OffbranchError, match="reflink") as caught:
        make_link(make_object(tmp_path), AbsPath(str(tmp_path / "f")), (REF,))
    assert "cache.type" in str(caught.value.hint)
    assert sorted(os.listdir(tmp_path)) == ["cache"]


def test_a_reflink_is_made_by_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for a file system with reflinks; the real call is only reached on one."""

    def clone(source: int, dest: int) -> bool:
        write_all(dest, os.read(source, 1000))
        return True

    monkeypatch.setattr(links, "clone", clone)
    source = make_object(tmp_path)
    dest = AbsPath(str(tmp_path / "f"))
    assert make_link(source, dest, (REF, COPY), executable=True) is REF
    assert Path(dest).read_bytes() == b"content"
    assert os.access(dest, os.W_OK | os.X_OK)


def test_relinking_never_copies(tmp_path: Path) -> None:
    source = make_object(tmp_path)
    (tmp_path / "f").write_bytes(b"content")
    inode = (tmp_path / "f").stat().st_ino
    assert Linker((COPY, HARD)).relink(source, str(tmp_path / "f"), mtime_ns=OLD_NS) is None
    assert Linker((HARD,)).relink(source, str(tmp_path / "f"), is_executable=True, mtime_ns=OLD_NS) is None
    assert (tmp_path / "f").stat().st_ino == inode
    assert Linker((HARD, COPY)).relink(source, str(tmp_path / "f"), mtime_ns=OLD_NS) is HARD


def test_the_time_of_a_copy_can_be_given(tmp_path: Path) -> None:
    Linker((COPY,)).link(make_object(tmp_path), str(tmp_path / "f"), mtime_ns=OLD_NS)
    assert (tmp_path / "f").stat().st_mtime_ns == OLD_NS


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("old")

    def full(source: str, dest: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = make_object(tmp_path)
    monkeypatch.setattr(links.os, "replace", full)
    with pytest.raises(OffbranchError, match="no space left"):
        make_link(source, AbsPath(str(tmp_path / "f")), (COPY,))
    assert (tmp_path / "f").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["cache", "f"]


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOSYS, errno.EINVAL])
def test_copying_does_without_help_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(source: int, dest: int, count: int) -> int:
        raise OSError(code, "no")

    monkeypatch.setattr(links.os, "copy_file_range", refuse, raising=False)
    data = os.urandom(3_000_000)
    make_link(make_object(tmp_path, data), AbsPath(str(tmp_path / "f")), (COPY,))
    assert (tmp_path / "f").read_bytes() == data


def test_writing_goes_on_after_a_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = os.write
    monkeypatch.setattr(links.os, "write", lambda fd, data: write(fd, bytes(data)[:3]))
    with (tmp_path / "f").open("wb") as file:
        write_all(file.fileno(), b"abcdefgh")
    assert (tmp_path / "f").read_bytes() == b"abcdefgh"


def test_copying_a_range_ends_with_zero(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with (tmp_path / "a").open("rb") as source, (tmp_path / "b").open("wb") as dest:
        assert [copy_range(source.fileno(), dest.fileno(), 2) for _ in range(3)] == [2, 1, 0]


def test_unprotecting_gives_writable_files_of_their_own(tmp_path: Path) -> None:
    source = make_object(tmp_path)
    (tmp_path / "d/s").mkdir(parents=True)
    for kind in (HARD, SYM, COPY):
        make_link(source, AbsPath(str(tmp_path / "d/s" / kind.value)), (kind,))
    (tmp_path / "d/readonly").write_bytes(b"content")
    (tmp_path / "d/readonly").chmod(0o444)
    (tmp_path / "d/broken").symlink_to("nowhere")
    (tmp_path / "d/up").symlink_to("..")
    for _ in range(2):
        unprotect(AbsPath(str(tmp_path / "d")))
    files = [f for f in (tmp_path / "d").rglob("*") if f.is_file() and f.name not in ("up", "cd")]
    assert len(files) == 4
    for file in files:
        assert not file.is_symlink()
        assert link_kind_of(AbsPath(str(file)), source) is None
        assert file.stat().st_mode & 0o200
        file.write_bytes(b"mine")
    assert Path(source).read_bytes() == b"content"
    assert mode_of(source) == 0o444


def test_unprotecting_one_file(tmp_path: Path) -> None:
    source = make_object(tmp_path)
    dest = AbsPath(str(tmp_path / "f"))
    make_link(source, dest, (SYM,))
    unprotect(dest)
    Path(dest).write_bytes(b"mine")
    assert Path(source).read_bytes() == b"content"


def test_a_link_elsewhere_is_none_of_ours(tmp_path: Path) -> None:
    source = make_object(tmp_path)
    (tmp_path / "other").write_bytes(b"content")
    (tmp_path / "f").symlink_to("other")
    (tmp_path / "broken").symlink_to("nowhere")
    for name in ("other", "f", "broken", "absent"):
        assert link_kind_of(AbsPath(str(tmp_path / name)), source) is None
