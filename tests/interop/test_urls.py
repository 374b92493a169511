"""Urls as dependencies and outputs of stages: dvc.lock is the same, and both see the same changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.peers import PeerProject, twins
from servers import S3Server, WebServer, http_server, s3_server

pytestmark = pytest.mark.interop
SIGNATURE = S3Server.SIGNED.format("s3")
PIPELINE = """\
stages:
  bucket:
    cmd: echo ran >> $RUNS
    deps:
    - remote://store/in.txt
    - remote://store/dir
    - {0}/local.txt
    - plain.txt
  web:
    cmd: echo ran >> $RUNS
    deps:
    - {1}/page.txt
  out:
    cmd: echo ran >> $RUNS; cp {0}/made {0}/upload && sh put.sh
    deps:
    - plain.txt
    outs:
    - remote://store/out.txt:
        cache: false
  after:
    cmd: echo ran >> $RUNS
    deps:
    - remote://store/out.txt
"""
PUT = """\
exec python3 - <<'END'
from urllib.request import Request, urlopen
urlopen(Request("URL", b"out", {"Content-Type": "application/octet-stream", "Authorization": "SIGNATURE"}, method="PUT"))
END
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebServer]:
    with http_server() as server:
        yield server


@pytest.fixture
def projects(tmp_path: Path, dvc: str, s3: S3Server, web: WebServer) -> tuple[PeerProject, PeerProject, str]:
    """The same project twice, and the bucket it reads from."""
    bucket = s3.bucket()
    for key in ("in.txt", "dir/a", "dir/sub/b"):
        s3.ask("PUT", f"/{bucket}/{key}", key.encode(), Authorization=SIGNATURE)
    web.files["/page.txt"] = b"page\n"
    options = "".join(f"    {key} = {value}\n" for key, value in s3.options.items())
    config = f"['remote \"store\"']\n    url = s3://{bucket}\n{options}"
    (tmp_path / "local.txt").write_text("local\n")
    (tmp_path / "made").write_text("made\n")
    put = PUT.replace("URL", f"{s3.address}/{bucket}/out.txt").replace("SIGNATURE", SIGNATURE)
    files = {"dvc.yaml": PIPELINE.format(tmp_path, web.address), "plain.txt": "plain\n", "put.sh": put}
    ours, theirs = twins(tmp_path, dvc, files, config=config)
    return ours, theirs, bucket


def test_the_same_is_recorded_and_seen(
    projects: tuple[PeerProject, PeerProject, str], s3: S3Server, web: WebServer, tmp_path: Path
) -> None:
    ours, theirs, bucket = projects
    ours.did("repro")
    theirs.dvc("repro")
    assert ours.read("dvc.lock") == theirs.read("dvc.lock")
    assert len(ours.runs()) == len(theirs.runs()) == 4
    for project in (ours, theirs):
        assert project.did("status", "--json").json == {}
    ours.did("repro")
    assert ours.runs() == []
    assert theirs.dvc("status", "--json", cwd="../ob").json == {}
    s3.ask("PUT", f"/{bucket}/in.txt", b"other", Authorization=SIGNATURE)
    s3.ask("PUT", f"/{bucket}/dir/new", b"n", Authorization=SIGNATURE)
    web.files["/page.txt"] = b"another page\n"
    (tmp_path / "local.txt").write_text("changed\n")
    changed = ours.did("status", "--json").json
    assert changed["bucket"] == [
        {
            "changed deps": {
                "remote://store/in.txt": "modified",
                "remote://store/dir": "modified",
                str(tmp_path / "local.txt"): "modified",
            }
        }
    ]
    assert changed["web"] == [{"changed deps": {f"{web.address}/page.txt": "modified"}}]
    assert set(changed) == {"bucket", "web"}
    ours.did("repro")
    theirs.dvc("repro")
    assert len(ours.runs()) == 2
    assert ours.read("dvc.lock") == theirs.read("dvc.lock")


def test_a_missing_url_is_told(projects: tuple[PeerProject, PeerProject, str], s3: S3Server) -> None:
    ours, theirs, bucket = projects
    s3.ask("DELETE", f"/{bucket}/in.txt", Authorization=SIGNATURE)
    done = ours.ob("repro", "bucket")
    assert done.code == 1
    assert "'remote://store/in.txt' does not exist" in done.err
    theirs.dvc("repro", "bucket", code=255)
    ours.did("repro", "out")
    s3.ask("DELETE", f"/{bucket}/out.txt", Authorization=SIGNATURE)
    assert ours.did("status", "--json", "out").json == {
        "out": [{"changed outs": {"remote://store/out.txt": "deleted"}}]
    }


def test_an_output_at_a_url_is_removed_before_its_stage_runs(
    projects: tuple[PeerProject, PeerProject, str], s3: S3Server
) -> None:
    ours, theirs, bucket = projects
    for project in (ours, theirs):
        s3.ask("PUT", f"/{bucket}/out.txt", b"old", Authorization=SIGNATURE)
        project.write("put.sh", "true\n")
    done = ours.ob("repro", "out")
    assert done.code == 1
    assert "was not made by its command" in done.err
    s3.ask("PUT", f"/{bucket}/out.txt", b"old", Authorization=SIGNATURE)
    theirs.dvc("repro", "out", code=255)
