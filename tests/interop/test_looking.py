"""`data status`, `diff`, `ls`, `du` and `checkout` beside DVC: the same JSON and the same counts on the same projects."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interop.peers import Originals, PeerProject, assert_same, make_peer_project

pytestmark = pytest.mark.interop
PIPELINE = """\
stages:
  t:
    cmd: mkdir -p o && echo x > o/x && echo '{"a":1}' > m.json && echo y > y.txt
    deps: [f.txt]
    outs: [o, y.txt]
    metrics: [{m.json: {cache: false}}]
"""
PLAIN = {"dvc.yaml": PIPELINE, "g/plain": "g\n", ".dvcignore": "*.dvi\n"}
DATA = {"d/1": "1\n", "d/2": "2\n", "d/sub/s": "s\n", "e/e": "e\n", "f.txt": "f\n", "ren.txt": "r\n"}


@pytest.fixture
def project(originals: Originals, dvc: str, tmp_path: Path) -> PeerProject:
    """A project with directories, files, a pipeline and one commit, made by DVC."""
    return originals.copy(build, dvc, tmp_path / "p")


def build(root: Path, dvc: str) -> PeerProject:
    found = make_peer_project(root, dvc, PLAIN)
    for path, text in DATA.items():
        found.write(path, text)
    found.dvc("add", "d", "e", "f.txt", "ren.txt")
    found.dvc("repro")
    found.commit("data")
    return found


def unordered(value: Any) -> Any:
    """Lists in some order: that of DVC is arbitrary."""
    if isinstance(value, dict):
        return {key: unordered(each) for key, each in value.items()}
    return sorted(map(unordered, value), key=repr) if isinstance(value, list) else value


def object_of(project: PeerProject, file: str, rev: str = "HEAD") -> Path:
    """The first cache object that a .dvc file of a revision names."""
    id = project.file_at(rev, file).split("md5: ")[1].split()[0]
    return project.root / ".dvc/cache/files/md5" / id[:2] / id[2:]


def clean(project: PeerProject) -> None:
    del project


def dirty(project: PeerProject) -> None:
    project.write("d/1", "changed\n")
    project.write("d/new", "n\n")
    project.write("d/nd/x", "n2\n")
    project.write("d/skipped.dvi", "no data\n")
    for gone in ("d/2", "y.txt"):
        os.unlink(project.root / gone)
    os.rename(project.root / "ren.txt", project.root / "ren2.txt")
    project.write("f.txt", "zz\n")
    project.write("untracked", "u\n")
    project.write("ud/q", "q\n")
    project.write("ud/skipped.dvi", "s\n")


def moved(project: PeerProject) -> None:
    os.rename(project.root / "d/1", project.root / "d/one")
    os.rename(project.root / "e/e", project.root / "d/e2")


def moved_with_records(project: PeerProject) -> None:
    os.rename(project.root / "d", project.root / "dd")
    project.git("mv", "d.dvc", "dd.dvc")
    project.write("dd.dvc", project.read("dd.dvc").replace("path: d", "path: dd"))
    os.rename(project.root / "dd/1", project.root / "dd/one")
    project.git("rm", "-q", "--cached", "e.dvc")
    os.unlink(project.root / "e.dvc")


def swapped(project: PeerProject) -> None:
    shutil.rmtree(project.root / "o")
    project.write("o", "a file\n")
    os.unlink(project.root / "f.txt")
    project.write("f.txt/in", "a directory\n")


def recorded(project: PeerProject) -> None:
    project.write("d/more", "m\n")
    os.unlink(project.root / "d/1")
    project.dvc("add", "d")
    project.write("ren.txt", "other\n")


def no_objects(project: PeerProject) -> None:
    for file in ("f.txt.dvc",):
        os.unlink(object_of(project, file))
    two = project.root / ".dvc/cache/files/md5/26/ab0db90d72e28ad0ba1e22ee510510"
    assert two.is_file()
    os.unlink(two)
    os.unlink(project.root / "d/2")


def no_listing(project: PeerProject) -> None:
    os.unlink(object_of(project, "e.dvc"))


def no_listing_and_changed(project: PeerProject) -> None:
    no_listing(project)
    project.write("e/n", "new\n")


def no_listing_and_gone(project: PeerProject) -> None:
    no_listing(project)
    shutil.rmtree(project.root / "e")


def linked(project: PeerProject) -> None:
    (project.root / "d/filelink").symlink_to("../g/plain")
    (project.root / "d/dirlink").symlink_to("../g", target_is_directory=True)


def no_git_commit(project: PeerProject) -> None:
    shutil.rmtree(project.root / ".git")
    project.git("init", "-q", "-b", "main")


CHANGES = [
    clean,
    dirty,
    moved,
    moved_with_records,
    swapped,
    recorded,
    no_objects,
    no_listing,
    no_listing_and_changed,
    no_listing_and_gone,
    linked,
    no_git_commit,
]
STATUS_FLAGS = [
    (),
    ("--granular",),
    ("--granular", "--unchanged", "--untracked-files"),
    ("--unchanged", "--untracked-files", "all"),
]


@pytest.fixture
def fresh(tmp_path: Path) -> dict[str, str]:
    """An empty directory for what DVC remembers: with a memory it knows directory objects that are gone."""
    return {"DVC_SITE_CACHE_DIR": str(tmp_path / "site")}


@pytest.mark.parametrize("change", CHANGES)
def test_data_status(change: Callable[[PeerProject], None], project: PeerProject, fresh: dict[str, str]) -> None:
    change(project)
    for flags in STATUS_FLAGS:
        ours = project.did("data", "status", "--json", *flags).json
        assert unordered(ours) == unordered(project.dvc("data", "status", "--json", *flags, **fresh).json), flags


@pytest.mark.parametrize("change", CHANGES)
def test_diff(change: Callable[[PeerProject], None], project: PeerProject, fresh: dict[str, str]) -> None:
    change(project)
    for flags in (("--json",), ("--json", "--show-hash"), ("--json", "--hide-missing")):
        ours = project.did("diff", *flags).json
        assert unordered(ours) == unordered(project.dvc("diff", *flags, **fresh).json), flags


def test_what_the_remote_lacks(project: PeerProject, tmp_path: Path, fresh: dict[str, str]) -> None:
    project.dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    for pushed in ((), ("d",), ("f.txt",)):
        if pushed:
            project.dvc("push", *pushed)
        for flags in ((), ("--granular",)):
            args = ("data", "status", "--json", "--not-in-remote", *flags)
            assert unordered(project.did(*args).json) == unordered(project.dvc(*args, **fresh).json)


def test_diff_as_text(project: PeerProject, fresh: dict[str, str]) -> None:
    dirty(project)
    no_objects_of_f = object_of(project, "f.txt.dvc")
    os.unlink(no_objects_of_f)
    for flags in ((), ("--show-hash",), ("--md",), ("--md", "--show-hash"), ("--hide-missing",)):
        ours, theirs = project.did("diff", *flags), project.dvc("diff", *flags, **fresh)
        assert ours.out.rstrip() == theirs.out.rstrip(), flags


def test_diff_of_revisions_and_targets(project: PeerProject, fresh: dict[str, str]) -> None:
    moved_with_records(project)
    project.dvc("add", "dd")
    project.commit("moved")
    for args in (
        ("HEAD~1", "HEAD"),
        ("HEAD", "HEAD~1"),
        ("HEAD~1",),
        ("HEAD~1", "HEAD", "--targets", "dd"),
        ("HEAD~1", "HEAD", "--targets", "d/sub", "e"),
        ("HEAD~1", "HEAD", "--targets", "d/1", "dd/one"),
    ):
        ours, theirs = project.did("diff", "--json", *args), project.dvc("diff", "--json", *args, **fresh)
        assert unordered(ours.json) == unordered(theirs.json), args
    assert project.ob("diff", "nosuch").code == project.dvc("diff", "nosuch", code=None).code == 1


def test_in_a_directory_below_the_top_of_git(dvc: str, tmp_path: Path) -> None:
    top = make_peer_project(tmp_path / "repo", dvc, {"a": "a\n"})
    shutil.rmtree(top.root / ".dvc")
    sub = PeerProject(top.root / "sub", dvc_command=dvc)
    sub.write("dd/1", "1\n")
    sub.dvc("init", "--subdir")
    sub.dvc("add", "dd")
    top.commit("sub")
    sub.write("dd/2", "2\n")
    sub.write("unt", "u\n")
    top.write("unt2", "u\n")
    for args in (("data", "status", "--granular", "--untracked-files", "--json"), ("diff", "--json")):
        for cwd in ("", "dd"):
            ours, theirs = sub.did(*args, cwd=cwd), sub.dvc(*args, cwd=cwd)
            assert unordered(ours.json) == unordered(theirs.json)
    assert shown(sub.did("ls", ".", "--json").json) == shown(sub.dvc("ls", ".", "--json").json)


# Lists of files


def shown(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries without the sizes of directories (DVC: what the file system says) and of files that it leaves out."""
    return [
        {key: value for key, value in entry.items() if key != "size" or not entry["isdir"]}
        for entry in sorted(entries, key=lambda entry: str(entry["path"]))
    ]


LISTS = [
    (".",),
    (".", "-R"),
    (".", "--dvc-only"),
    (".", "d"),
    (".", "d/sub"),
    (".", "d/1"),
    (".", "g/plain"),
    (".", "g"),
    (".", "d.dvc"),
    (".", "-R", "-L", "1"),
    (".", "-R", "-L", "2"),
    (".", "--dvc-only", "-R"),
]


@pytest.mark.parametrize("rev", [(), ("--rev", "HEAD")], ids=["workspace", "HEAD"])
@pytest.mark.parametrize("change", [clean, dirty])
def test_ls(change: Callable[[PeerProject], None], rev: tuple[str, ...], project: PeerProject) -> None:
    change(project)
    for args in LISTS:
        ours = shown(project.did("ls", *args, *rev, "--json").json)
        theirs = shown(project.dvc("ls", *args, *rev, "--json").json)
        for mine, other in zip(ours, theirs, strict=False):
            if other.get("size", 0) is None:  # we know the size from the object
                other["size"] = mine["size"]
        assert ours == theirs, args


def test_ls_as_text(project: PeerProject) -> None:
    for args in (
        (".",),
        (".", "-R"),
        (".", "-T"),
        (".", "-T", "-L", "1"),
        (".", "-R", "--size"),
        (".", "--show-hash"),
        (".", "-R", "--size", "--show-hash"),
        (".", "d", "-T", "--show-hash"),
        (".", "--dvc-only", "-T"),
    ):
        assert project.did("ls", *args).out == project.dvc("ls", *args).out, args
    for args in ((".", "nosuch"), (".", "--rev", "nosuch"), ("nosuch",)):
        assert project.ob("ls", *args).code == project.dvc("ls", *args, code=None).code == 1


def test_ls_of_other_repositories(project: PeerProject, tmp_path: Path) -> None:
    here = PeerProject(tmp_path, dvc_command=project.dvc_command)
    project.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    for args in (("p",), ("p", "d", "-R"), ("bare.git",), ("bare.git", "g"), ("p", "--rev", "main")):
        assert here.did("ls", *args).out == here.dvc("ls", *args).out, args
    url = (tmp_path / "bare.git").as_uri()
    assert here.did("ls", url, "g").out == here.dvc("ls", url, "g").out


def test_du(project: PeerProject) -> None:
    project.write("big", "x" * 3_000_000)
    for args in ((".",), (".", "d"), (".", "d/1"), (".", "d/sub"), (".", "-s"), (".", "--rev", "HEAD")):
        ours, theirs = project.did("du", *args).out, project.dvc("du", *args).out
        assert sorted(map(str.split, ours.splitlines())) == sorted(map(str.split, theirs.splitlines())), args


# Checkout


CHECKOUTS: list[tuple[Callable[[PeerProject], None], tuple[str, ...]]] = [
    (clean, ()),
    (dirty, ("-f",)),
    (swapped, ("-f",)),
    (moved, ()),
    (dirty, ("-f", "d")),
    (dirty, ("-f", "d/2")),
    (dirty, ("d/sub",)),
]


@pytest.mark.parametrize("summary", [(), ("--summary",)], ids=["lines", "summary"])
@pytest.mark.parametrize(("change", "args"), CHECKOUTS)
def test_checkout(
    change: Callable[[PeerProject], None],
    args: tuple[str, ...],
    summary: tuple[str, ...],
    project: PeerProject,
    tmp_path: Path,
) -> None:
    other = project.copy(tmp_path / "q")
    for one in (project, other):
        change(one)
    ours, theirs = project.did("checkout", *args, *summary), other.dvc("checkout", *args, *summary)
    assert sorted(ours.out.expandtabs().splitlines()) == sorted(theirs.out.expandtabs().splitlines())
    assert_same(project, other)


def test_checkout_of_a_part_touches_only_that(project: PeerProject) -> None:
    dirty(project)
    assert project.did("checkout", "d/2").out == "M\td/\n"
    assert (project.read("d/1"), project.read("d/2")) == ("changed\n", "2\n")
    assert project.exists("d/new") and not project.exists("y.txt")
    os.unlink(project.root / "d/sub/s")
    assert project.did("checkout", "sub", cwd="d").out == "M\t./\n"
    assert unordered(project.dvc("data", "status", "--granular", "--json", "d").json) == unordered(
        {"uncommitted": {"modified": ["d/", "d/1"], "added": ["d/nd/x", "d/new"]}}
    )


def test_abandoned_outputs_go_with_both(dvc: str, tmp_path: Path) -> None:
    project = build(tmp_path / "p", dvc)  # no copy: each tool must know that it has put the outputs there itself
    ours = project.copy(tmp_path / "q")
    ours.did("checkout")
    for one in (ours, project):
        os.unlink(one.root / "ren.txt.dvc")
        os.unlink(one.root / "e.dvc")
        one.write("e/own", "mine\n")
    told = ours.did("checkout").out, project.dvc("checkout").out.expandtabs()
    assert told == ("D\tren.txt\n", "D       ren.txt\n")
    assert ours.exists("e/own") and ours.exists("e/e") and not ours.exists("ren.txt")
    assert ours.did("checkout").out == ""
    assert_same(ours, project)


def test_missing_content_stops_nothing_else(project: PeerProject) -> None:
    no_objects(project)
    for path in ("f.txt", "ren.txt"):
        os.unlink(project.root / path)
    done = project.ob("checkout")
    assert (done.code, done.out) == (1, "A\tren.txt\n")
    assert "not in the cache: 'd/2', 'f.txt'" in done.err or "not in the cache: 'f.txt', 'd/2'" in done.err
    assert project.read("d/1") == "1\n"


def test_a_partial_commit_records_that_part(project: PeerProject, dvc: str) -> None:
    del dvc
    dirty(project)
    project.did("commit", "-f", "d/1")
    committed = project.dvc("data", "status", "--granular", "--json", "d").json
    assert unordered(committed) == unordered(
        {
            "committed": {"modified": ["d/", "d/1"]},
            "uncommitted": {"modified": ["d/"], "added": ["d/nd/x", "d/new"], "deleted": ["d/2"]},
        }
    )
    assert project.did("status", "d/1", "--json").json == {}
    assert project.did("status", "d/2", "--json").json == {"d.dvc": [{"changed outs": {"d": "modified"}}]}
