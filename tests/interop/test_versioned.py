"""Data remotes that keep versions of files by name: ob and DVC in turns on one project, and the same records."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.peers import PeerProject, make_peer_project
from servers import S3Server, s3_server

pytestmark = pytest.mark.interop
RECORDS = ("d.dvc", "c.dvc", "dvc.lock")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def config_of(s3: S3Server, bucket: str, option: str = "version_aware") -> str:
    lines = "".join(f"    {name} = {value}\n" for name, value in s3.options.items())
    return f"[core]\n    remote = r\n['remote \"r\"']\n    url = s3://{bucket}/p\n    {option} = true\n{lines}"


def project(root: Path, dvc: str, s3: S3Server, option: str = "version_aware") -> PeerProject:
    pipeline = "stages:\n  t:\n    cmd: mkdir o && cp in o/x && cp in f\n    deps: [in, d]\n    outs: [o, f]\n"
    made = make_peer_project(
        root, dvc, {"dvc.yaml": pipeline, "in": "x\n"}, config=config_of(s3, s3.bucket(versioned=True), option)
    )
    made.write("d/a", "a\n")
    made.write("d/sub/b", "b\n")
    made.write("c", "c\n")
    return made


def records(made: PeerProject) -> dict[str, str]:
    """The records, with the ids of versions made one; of dvc.lock the outputs, for a push of DVC loses the size of a
    directory that is a dependency, or even its hash (3.67)."""
    texts = {name: (made.root / name).read_text() for name in RECORDS}
    texts["dvc.lock"] = texts["dvc.lock"].partition("    outs:\n")[2]
    return {name: re.sub(r"version_id: \S+", "version_id: V", text) for name, text in texts.items()}


def forget(made: PeerProject) -> None:
    for name in ("d", "o", ".dvc/cache"):
        shutil.rmtree(made.root / name, ignore_errors=True)
    for name in ("c", "f"):
        (made.root / name).unlink(missing_ok=True)


def check(made: PeerProject, a: str = "a\n") -> None:
    texts = {name: (made.root / name).read_text() for name in ("d/a", "d/sub/b", "c", "o/x", "f")}
    assert texts == {"d/a": a, "d/sub/b": "b\n", "c": "c\n", "o/x": "x\n", "f": "x\n"}


def test_both_record_the_same(tmp_path: Path, dvc: str, s3: S3Server) -> None:
    ours, theirs = project(tmp_path / "ob", dvc, s3), project(tmp_path / "dvc", dvc, s3)
    for made, run in ((ours, ours.did), (theirs, theirs.dvc)):
        run("add", "d", "c")
        run("repro")
        assert "5 files pushed" in run("push").out
        assert "up to date" in run("push").out
        made.write("d/a", "changed\n")
        run("add", "d")
    assert records(ours) == records(theirs)
    for run in (ours.did, theirs.dvc):
        assert "1 file pushed" in run("push").out
        run("repro")
        run("push")
    assert records(ours) == records(theirs)
    assert "version_id: V" in records(ours)["d.dvc"] + records(ours)["dvc.lock"]


@pytest.mark.parametrize("option", ["version_aware", "worktree"])
def test_ob_pushes_and_dvc_pulls_and_back(tmp_path: Path, dvc: str, s3: S3Server, option: str) -> None:
    made = project(tmp_path / "p", dvc, s3, option)
    made.did("add", "d", "c")
    made.did("repro")
    made.did("push")
    before = records(made)
    forget(made)
    made.dvc("pull")
    check(made)
    assert "up to date" in made.dvc("push").out
    made.write("d/a", "second\n")
    made.dvc("add", "d")
    made.dvc("repro")
    made.dvc("push")
    forget(made)
    made.did("pull")
    check(made, "second\n")
    assert "up to date" in made.did("push").out
    assert records(made)["c.dvc"] == before["c.dvc"]
    made.write("d/a", "third\n")
    made.did("add", "d")
    made.did("repro")
    assert "1 file pushed" in made.did("push").out
    forget(made)
    made.dvc("pull")
    check(made, "third\n")
    assert "up to date" in made.dvc("status").out


def test_what_has_not_changed_is_not_written_anew(tmp_path: Path, dvc: str, s3: S3Server) -> None:
    made = project(tmp_path / "p", dvc, s3)
    made.dvc("add", "d", "c")
    made.dvc("repro")
    made.dvc("push")
    texts = {name: (made.root / name).read_bytes() for name in RECORDS}
    for command in (("status",), ("add", "d"), ("commit",), ("repro",), ("push",), ("checkout",), ("status", "-c")):
        made.did(*command)
        assert {name: (made.root / name).read_bytes() for name in RECORDS} == texts, command
    forget(made)
    made.did("pull")
    assert {name: (made.root / name).read_bytes() for name in RECORDS} == texts
    check(made)
    assert "are in sync" in made.did("status", "-c").out
