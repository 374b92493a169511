"""Data remotes on servers: what one tool pushes the other pulls, and the same files lie there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.peers import PeerProject, make_peer_project
from offbranch.storage.hashing import hash_bytes
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import RemoteSetting
from servers import http_server, s3_server, ssh_server

pytestmark = pytest.mark.interop


@pytest.fixture(params=["s3", "ssh", "http"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, pinned_environment: Path) -> Iterator[RemoteSetting]:
    """A remote on a server of its kind, as both tools are told of it."""
    scheme = request.param
    if scheme == "s3":
        with s3_server() as s3:
            yield RemoteSetting(name="r", scheme=scheme, url=f"s3://{s3.bucket()}/some/where", options=s3.options)
    elif scheme == "ssh":
        (tmp_path / "sshd").mkdir()
        with ssh_server(tmp_path / "sshd") as ssh:
            ssh.trust(pinned_environment)
            yield RemoteSetting(name="r", scheme=scheme, url=ssh.url("some/where"), options=ssh.options)
    else:
        with http_server() as web:
            web.auth = "basic"
            options = {"auth": "basic", "user": web.user, "password": web.password}
            yield RemoteSetting(name="r", scheme=scheme, url=f"{web.address}/some/where", options=options)


@pytest.fixture
def files(remote: RemoteSetting) -> Iterator[RemoteFiles]:
    made = open_files(remote)
    yield made
    made.close()


def project(tmp_path: Path, dvc: str, remote: RemoteSetting) -> PeerProject:
    lines = "".join(f"    {option} = {value}\n" for option, value in remote.options.items())
    config = f"[core]\n    remote = r\n['remote \"r\"']\n    url = {remote.url}\n{lines}"
    made = make_peer_project(tmp_path / "project", dvc, {}, config=config)
    made.write("d/a", "first\n")
    made.write("d/ü b", "second\n")
    return made


def test_what_dvc_pushes_is_read(tmp_path: Path, dvc: str, remote: RemoteSetting, files: RemoteFiles) -> None:
    theirs = project(tmp_path, dvc, remote)
    theirs.dvc("add", "d")
    theirs.dvc("push")
    wanted = {hash_bytes(text): text for text in (b"first\n", b"second\n")}
    for name, text in wanted.items():
        key = f"files/md5/{name[:2]}/{name[2:]}"
        assert files.read(key) == text
        found = files.find(key)
        assert found is not None and found.size == len(text)
    if files.can_list:
        names = {file.key.removeprefix("files/md5/").replace("/", "") for file in files.iter_files("")}
        assert names - wanted.keys() == {name for name in names if name.endswith(".dir")}
        assert len(names) == 3


def forget(made: PeerProject) -> None:
    shutil.rmtree(made.root / ".dvc" / "cache")
    shutil.rmtree(made.root / "d")


def check(made: PeerProject) -> None:
    assert (made.root / "d" / "a").read_text() == "first\n"
    assert (made.root / "d" / "ü b").read_text() == "second\n"


def test_what_ob_pushes_dvc_pulls(tmp_path: Path, dvc: str, remote: RemoteSetting) -> None:
    made = project(tmp_path, dvc, remote)
    made.did("add", "d")
    assert "3 files pushed" in made.did("push").out
    assert made.did("push").out == "Everything is up to date.\n"
    forget(made)
    made.dvc("pull")
    check(made)
    assert "up to date" in made.dvc("push").out + made.dvc("push").err


def test_what_dvc_pushes_ob_pulls(tmp_path: Path, dvc: str, remote: RemoteSetting) -> None:
    made = project(tmp_path, dvc, remote)
    made.dvc("add", "d")
    made.dvc("push")
    forget(made)
    made.did("pull")
    check(made)
    assert made.did("push").out == "Everything is up to date.\n"
