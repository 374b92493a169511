"""`ob fsck`: what is damaged is found and named, nothing is changed; with --repair it comes back."""

import os
from pathlib import Path

import pytest

from offbranch.api.care import fsck
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.fsck import Finding, FsckOptions, FsckReport, Kind
from projects import TestProject, make_project

LARGE = "0123456789abcdef" * 200_000
REPAIR = FsckOptions(repair=True)


def make_data(tmp_path: Path, *, links: str = "copy", remote: bool = True) -> TestProject:
    config = f"[core]\nremote = r\n['remote \"r\"']\nurl = {tmp_path / 'r'}\n" if remote else ""
    project = make_project(tmp_path / "p", {"readme": "x"}, config=f"{config}[cache]\ntype = {links}\n")
    project.write("d/a", "one")
    project.write("d/sub/b", "two")
    project.write("f", "file")
    project.write("big", LARGE)
    for target in ("d", "f", "big"):
        done = project.ob("add", target)
        assert done.code == 0, done.err
    project.commit("data")
    if remote:
        assert project.ob("push").code == 0
    return project


def object_of(project: TestProject, text: str) -> Path:
    """Returns the object that holds a text, or (`dir`) the only list."""
    for path in (project.root / ".dvc/cache").glob("files/md5/??/*"):
        if path.suffix == ".dir" if text == "dir" else path.suffix != ".dir" and path.read_text() == text:
            return path
    raise AssertionError(text)


def flip(path: Path, *, at: int = 0) -> None:
    """Flips a bit where it is; the protection stays as it was, and so does the time."""
    status = path.stat()
    path.chmod(0o644)
    with open(path, "rb+") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    path.chmod(status.st_mode & 0o777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def check(project: TestProject, *targets: str, repair: bool = False) -> FsckReport:
    return fsck(DataScope(targets=targets), project.session(), REPAIR if repair else FsckOptions())


def problems(report: FsckReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.is_problem]


def everything(project: TestProject) -> dict[str, tuple[int, bytes]]:
    top = project.root / ".dvc/cache"
    return {str(p): (p.stat().st_mode, p.read_bytes()) for p in sorted(top.rglob("*")) if p.is_file()}


def test_sound(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    before = everything(project)
    done = project.ob("fsck")
    assert done.code == 0 and done.out == "5 objects checked (3.2 MB), everything is sound.\n", done.out + done.err
    again = project.ob("fsck", "--json")
    assert again.json["sound"] is True and again.json["objects"] == 5 and again.json["findings"] == []
    assert everything(project) == before


@pytest.mark.parametrize(
    ("text", "users"),
    [("one", ("d/a",)), ("dir", ("d",)), (LARGE, ("big",)), ("file", ("f",))],
    ids=["member", "list", "large", "file"],
)
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_found_and_brought_back(tmp_path: Path, text: str, users: tuple[str, ...], damage: str) -> None:
    project = make_data(tmp_path)
    assert not problems(check(project))  # it was sound once, and this is remembered of the large one
    path = object_of(project, text)
    sound = path.read_bytes()
    if damage == "flipped":
        flip(path, at=2)
    elif damage == "truncated":
        path.chmod(0o644)
        path.write_bytes(sound[:-1])
        path.chmod(0o444)
    else:
        path.unlink()
    before = everything(project)
    (found,) = problems(check(project))
    assert found.kind is (Kind.MISSING if damage == "missing" else Kind.CORRUPT)
    assert found.path == str(path) and found.users == users
    assert everything(project) == before
    (target,) = problems(check(project, users[0]))
    assert target.id == found.id
    report = check(project, repair=True)
    assert not problems(report) and report.findings[0].repaired
    assert path.read_bytes() == sound and path.stat().st_mode & 0o777 == 0o444
    aside = list((project.root / ".dvc/cache/corrupt").glob("*"))
    assert [one.name for one in aside] == ([] if damage == "missing" else [f"{found.id}-1"])
    assert not problems(check(project))
    assert project.ob("status").out == "Data and pipelines are up to date.\n"


def test_stored_anew_from_the_workspace(tmp_path: Path) -> None:
    project = make_data(tmp_path, remote=False)
    for text in ("one", "dir", LARGE):
        flip(object_of(project, text), at=2)
    report = check(project, repair=True)
    assert not problems(report)
    assert len(report.findings) == 3
    assert all("stored anew from" in finding.outcome for finding in report.findings)
    assert not problems(check(project))


def test_what_is_nowhere_is_named(tmp_path: Path) -> None:
    project = make_data(tmp_path, remote=False)
    flip(object_of(project, "one"))
    project.write("d/a", "changed")
    done = project.ob("fsck", "--repair")
    assert done.code == 1
    assert "used by d/a" in done.out and "there is no data remote" in done.out and "way out: " in done.out
    (found,) = problems(check(project))
    assert found.kind is Kind.MISSING
    assert len(list((project.root / ".dvc/cache/corrupt").iterdir())) == 1


def test_a_remote_that_is_corrupt_too(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    path = object_of(project, "file")
    remote = tmp_path / "r" / path.relative_to(project.root / ".dvc/cache")
    flip(path)
    flip(remote)
    project.write("f", "changed")
    done = project.ob("fsck", "--repair", "--json")
    assert done.code == 1
    (found,) = (one for one in done.json["findings"] if one["is_problem"])
    assert "corrupt there too" in found["outcome"] and found["users"] == ["f"]
    assert not path.exists()


@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_files_that_are_links(tmp_path: Path, links: str) -> None:
    project = make_data(tmp_path, links=links)
    file, path = project.root / "f", object_of(project, "file")
    assert file.is_symlink() if links == "symlink" else file.samefile(path)
    flip(path)
    (found,) = problems(check(project))
    assert found.links == ("f",) and "shown by f" in project.ob("fsck").out
    report = check(project, repair=True)
    assert not problems(report) and "f: made again" in report.findings[0].outcome
    assert file.read_text() == "file"
    assert file.is_symlink() if links == "symlink" else file.samefile(path)
    assert (project.root / f".dvc/cache/corrupt/{found.id}-1").read_text() == "gile"
    assert project.ob("status").out == "Data and pipelines are up to date.\n"


@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_an_edited_link_keeps_its_content_where_no_sound_copy_is(tmp_path: Path, links: str) -> None:
    project = make_data(tmp_path, links=links, remote=False)
    path = object_of(project, "file")
    path.chmod(0o644)
    (project.root / "f").write_text("edited")
    done = project.ob("fsck", "--repair")
    assert done.code == 1
    assert (project.root / "f").read_text() == "edited" and not (project.root / "f").is_symlink()
    assert not path.exists()


def test_notes_are_no_failure(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    path = object_of(project, "file")
    path.chmod(0o664)
    project.write(".dvc/cache/files/md5/README", "x")
    project.write(".dvc/cache/files/md5/ab/.ob-tmp-99999999-aa", "x")
    project.write(".dvc/cache/corrupt/x-1", "x")
    report = check(project)
    assert not problems(report) and path.stat().st_mode & 0o777 == 0o664
    kinds = [finding.kind for finding in report.findings]
    assert kinds == [Kind.WRITABLE, Kind.STRANGER, Kind.UNFINISHED, Kind.SET_ASIDE]
    done = project.ob("fsck", "-v")
    assert done.code == 0 and "can be written to" in done.out and "4 notes" in done.out
    check(project, repair=True)
    assert path.stat().st_mode & 0o777 == 0o444


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    object_of(project, "file").chmod(0)
    (found,) = problems(check(project))
    assert found.kind is Kind.UNREADABLE and found.users == ("f",)


def test_an_object_that_is_a_directory(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    path = object_of(project, "file")
    path.unlink()
    path.mkdir()
    (found,) = problems(check(project))
    assert found.kind is Kind.CORRUPT and found.users == ("f",)
    assert not problems(check(project, repair=True)) and path.read_text() == "file"


def test_the_run_cache(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    assert project.ob("repro").code == 0
    (entry,) = (path for path in (project.root / ".dvc/cache/runs").rglob("*") if path.is_file())
    entry.write_text(entry.read_text().replace("train.sh", "other.sh"))
    (found,) = problems(check(project))
    assert found.kind is Kind.RUN_CACHE and found.path == str(entry)
    assert not problems(check(project, repair=True)) and not entry.exists()
    assert not problems(check(project))


def test_other_revisions(tmp_path: Path) -> None:
    project = make_data(tmp_path, remote=False)
    commit = project.git("rev-parse", "HEAD")
    project.write("f", "second")
    project.ob("add", "f")
    project.commit("2")
    object_of(project, "file").unlink()
    assert not problems(check(project))
    done = project.ob("fsck", "-A")
    assert done.code == 1 and f"used by f ({commit[:7]})" in done.out
    flip(object_of(project, "second"))
    assert {one.users for one in problems(check(project))} == {("f",)}


def test_a_pipeline_that_cannot_be_read(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    flip(object_of(project, "file"))
    project.write("dvc.yaml", "stages: [\n")
    found = problems(check(project))
    assert [one.kind for one in found] == [Kind.PIPELINE, Kind.CORRUPT] and found[1].users == ("f",)


def test_unknown_target(tmp_path: Path) -> None:
    project = make_data(tmp_path)
    done = project.ob("fsck", "nothing")
    assert done.code == 1 and "'nothing'" in done.err


def test_objects_of_dvc_2(tmp_path: Path) -> None:
    project = make_project(
        tmp_path / "p", {"readme": "x"}, config=f"[core]\nremote = r\n['remote \"r\"']\nurl = {tmp_path / 'r'}\n"
    )
    name = "dd/8c6a395b5dd36c56d23275028f526c"
    used = project.write(f".dvc/cache/{name}", "a\nb\n")
    used.chmod(0o444)
    project.write("w.txt.dvc", "outs:\n- md5: dd8c6a395b5dd36c56d23275028f526c\n  size: 4\n  path: w.txt\n")
    assert not problems(check(project))
    assert project.ob("push").code == 0 and (tmp_path / "r" / name).exists()
    flip(used)
    (found,) = problems(check(project))
    assert found.is_legacy and found.users == ("w.txt",)
    assert not problems(check(project, repair=True)) and used.read_bytes() == b"a\nb\n"
