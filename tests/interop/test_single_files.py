"""Removing, moving, unprotecting, ignoring, migrating: `ob` and DVC leave the same project, or both refuse."""

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from interop.peers import Originals, PeerProject, assert_same, make_peer_project, twins
from projects import Ended

pytestmark = pytest.mark.interop

PIPELINE = """\
stages:
  # the first
  one:
    cmd: cp a.txt o1
    deps: [a.txt]
    outs: [o1]
  # the second
  two:
    cmd: cp o1 o2
    deps: [o1]
    outs:
    - o2
"""


@pytest.fixture
def both(originals: Originals, tmp_path: Path, dvc: str) -> tuple[PeerProject, PeerProject]:
    return originals.copy(build, dvc, tmp_path / "ob"), originals.copy(build, dvc, tmp_path / "other")


def build(root: Path, dvc: str) -> PeerProject:
    ours = make_peer_project(
        root, dvc, {"a.txt": "a\n", "data/b.txt": "b\n", "d/1": "1\n", "d/2": "2\n", "sub/keep": ""}
    )
    ours.git("rm", "-rq", "--cached", "a.txt", "data", "d")
    ours.git("commit", "-qm", "data out of Git")
    ours.did("add", "-q", "a.txt", "data/b.txt", "d")
    ours.write("dvc.yaml", PIPELINE)
    ours.did("repro", "-q")
    ours.commit("data")
    return ours


def compare(
    both: tuple[PeerProject, PeerProject], *words: str, refused: bool = False, cwd: str = ""
) -> tuple[Ended, Ended]:
    ours, theirs = both
    did, done = ours.ob(*words, cwd=cwd), theirs.dvc(*words, cwd=cwd, code=None)
    assert (did.code != 0, done.code != 0) == (refused, refused), (did, done)
    assert_same(ours, theirs)
    return did, done


@pytest.mark.parametrize(
    "words",
    [
        ("remove", "a.txt.dvc"),
        ("remove", "--outs", "a.txt.dvc"),
        ("remove", "data/b.txt.dvc"),
        ("rm", "--outs", "d.dvc"),
        ("remove", "two", "one"),
        ("remove", "dvc.yaml"),
        ("move", "a.txt", "b.txt"),
        ("mv", "a.txt", "sub"),
        ("move", "a.txt", "sub/x.txt"),
        ("move", "d", "e"),
        ("move", "d", "sub/e"),
    ],
    ids=" ".join,
)
def test_the_same_project_afterwards(words: tuple[str, ...], both: tuple[PeerProject, PeerProject]) -> None:
    compare(both, *words)
    assert both[0].dvc("status").out == both[1].dvc("status").out


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_stage_goes_and_comments_stay(name: str, both: tuple[PeerProject, PeerProject]) -> None:
    ours, theirs = both
    ours.did("remove", name)
    theirs.dvc("remove", name)
    # DVC drops or keeps the comment above by chance; ours stays.
    left, right = ([line for line in p.read("dvc.yaml").splitlines() if "#" not in line] for p in both)
    assert left == right
    assert ours.read("dvc.yaml").count("#") == 2
    theirs.write("dvc.yaml", ours.read("dvc.yaml"))
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "words",
    [
        ("remove", "a.txt"),
        ("remove", "o1"),
        ("remove", "nope"),
        ("remove", "nope.dvc"),
        ("move", "o1", "o3"),
        ("move", "a.txt.dvc", "b.txt"),
        ("move", "a.txt", "d"),
        ("move", "a.txt", "data/b.txt"),
        ("move", "nope", "x"),
        ("move", "a.txt", "new/dir/x"),
        ("move", "a.txt", "d/x"),
        ("move", "d/1", "d/3"),
        ("move", "a.txt", "a.txt"),
        ("move", "a.txt", "b.txt.dvc"),
        ("move", "a.txt", "/elsewhere/x"),
        ("unprotect", "nope"),
        ("destroy",),
    ],
    ids=" ".join,
)
def test_both_refuse_and_change_nothing(words: tuple[str, ...], both: tuple[PeerProject, PeerProject]) -> None:
    did, _ = compare(both, *words, refused=True)
    assert did.err.startswith("error: ") and "hint: " in did.err
    assert both[0].git("status", "--porcelain") == ""


def test_unprotect(both: tuple[PeerProject, PeerProject]) -> None:
    for project in both:
        project.dvc("config", "cache.type", "symlink")
        project.dvc("checkout", "--relink")
    ours, theirs = both
    for words in (("unprotect", "a.txt"), ("unprotect", "d", "o1"), ("unprotect", "data/b.txt")):
        ours.did(*words)
        theirs.dvc(*words)
    assert_same(ours, theirs)
    assert not os.path.islink(ours.root / "d/1") and os.access(ours.root / "d/1", os.W_OK)


def test_destroy(both: tuple[PeerProject, PeerProject]) -> None:
    for project in both:
        project.dvc("config", "cache.type", "symlink")
        project.dvc("checkout", "--relink")
    compare(both, "destroy", "-f")
    assert both[0].read("a.txt") == "a\n" and not both[0].exists(".dvc")


def test_check_ignore(both: tuple[PeerProject, PeerProject]) -> None:
    for project in both:
        project.write(".dvcignore", "*.log\n!keep.log\n/data\nbuild/\n# c\n\n")
        project.write("sub/.dvcignore", "*.tmp\n")
        (project.root / "build").mkdir()
    paths = "a.log keep.log data data/b.txt build build/x sub/x.tmp x.tmp a.txt sub/deep/y.tmp sub/y.log".split()
    for words, cwd in (
        (["check-ignore", *paths], ""),
        (["check-ignore", "-d", *paths], ""),
        (["check-ignore", "-d", "-n", *paths], ""),
        (["check-ignore", "-d", "x.tmp", "../a.log", "../../x"], "sub"),
        (["check-ignore", "-q", "a.log"], ""),
    ):
        did, done = both[0].ob(*words, cwd=cwd), both[1].dvc(*words, cwd=cwd)
        assert (did.code, did.out) == (0, done.out)
    for words, code in (
        (["check-ignore", "a.txt"], 1),
        (["check-ignore", "-n", "a.txt"], None),
        (["check-ignore"], None),
    ):
        did, done = both[0].ob(*words), both[1].dvc(*words, code=None)
        assert did.code and done.code and did.out == done.out and (code is None or did.code == done.code == code)


def legacy_project(root: Path, dvc: str) -> PeerProject:
    """What DVC 2 leaves: text hashed with LF, objects in `.dvc/cache/xx`, no `hash:` in the entries."""
    project = make_peer_project(root, dvc, {"keep": ""})
    files = {"w.txt": b"a\r\nb\r\n", "p.txt": b"plain\n", "bin": b"x\0\r\n", "d/q": b"q\r\n", "d/r": b"r\n"}
    entries = []
    for name, data in files.items():
        project.write(name, data)
        md5 = put(project, data, hashlib.md5(data if b"\0" in data else data.replace(b"\r\n", b"\n")).hexdigest())
        if name.startswith("d/"):
            entries.append({"md5": md5, "relpath": name[2:]})
        else:
            project.write(f"{name}.dvc", f"# mine\nouts:\n- md5: {md5}\n  size: {len(data)}\n  path: {name}\n")
    listing = json.dumps(entries, sort_keys=True).encode()
    md5 = put(project, listing, hashlib.md5(listing).hexdigest() + ".dir")
    project.write("d.dvc", f"outs:\n- md5: {md5}\n  size: 5\n  nfiles: 2\n  path: d\n")
    md5 = "dd8c6a395b5dd36c56d23275028f526c"
    project.write("dvc.yaml", "stages:\n  s:\n    cmd: cp w.txt o\n    deps:\n    - w.txt\n    outs:\n    - o\n")
    project.write(
        "dvc.lock",
        "schema: '2.0'\nstages:\n  s:\n    cmd: cp w.txt o\n"
        f"    deps:\n    - path: w.txt\n      md5: {md5}\n      size: 6\n"
        f"    outs:\n    - path: o\n      md5: {md5}\n      size: 6\n",
    )
    project.write("o", files["w.txt"])
    project.write(".gitignore", "/w.txt\n/p.txt\n/bin\n/d\n/o\n")
    project.commit("as DVC 2 left it")
    return project


def put(project: PeerProject, data: bytes, name: str) -> str:
    project.write(f".dvc/cache/{name[:2]}/{name[2:]}", data).chmod(0o444)
    return name


def objects(project: PeerProject) -> set[str]:
    base = project.root / ".dvc/cache/files/md5"
    return {path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()}


def test_cache_migrate(tmp_path: Path, dvc: str) -> None:
    ours = legacy_project(tmp_path / "ours", dvc)
    theirs = ours.copy(tmp_path / "theirs")
    assert ours.did("cache", "migrate", "--dry", "--dvc-files", "--json").json["new_objects"] == 6
    assert not (ours.root / ".dvc/cache/files").exists() and ours.git("status", "--porcelain") == ""
    assert "Migrated 6 files" in ours.did("cache", "migrate").out
    assert "Migrated 0 files" in ours.did("cache", "migrate").out
    ours.did("cache", "migrate", "--dvc-files")
    theirs.dvc("cache", "migrate", "--dvc-files")
    for file in ("w.txt.dvc", "p.txt.dvc", "bin.dvc", "d.dvc", "dvc.lock"):
        assert ours.read(file) == theirs.read(file)
    # DVC also copies the old directory object, whose files the new layout does not have.
    assert objects(theirs) - objects(ours) == {"ac/c24228af333010f408a1384d69c690.dir"}
    assert objects(ours) <= objects(theirs)
    modes = {stat.S_IMODE((ours.root / ".dvc/cache/files/md5" / name).stat().st_mode) for name in objects(ours)}
    assert modes == {0o444}
    assert ours.dvc("status").out == "Data and pipelines are up to date.\n"
    for name in ("w.txt", "bin", "o"):
        os.unlink(ours.root / name)
    ours.dvc("checkout")
    assert (ours.root / "w.txt").read_bytes() == b"a\r\nb\r\n"


def test_moving_an_import_whose_source_is_relative(tmp_path: Path, dvc: str) -> None:
    (tmp_path / "ext").mkdir()
    (tmp_path / "ext/e.txt").write_text("e\n")
    ours, _ = twins(tmp_path, dvc, {"sub/keep": ""})
    ours.dvc("import-url", "../ext/e.txt", "e.txt")
    theirs = ours.copy(tmp_path / "other")
    compare((ours, theirs), "move", "e.txt", "sub/f.txt")
    assert ours.dvc("status").out == theirs.dvc("status").out
